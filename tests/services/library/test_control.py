# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API: arranging, correcting and looking into the ledger."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

if TYPE_CHECKING:
    from services.library.conftest import Peer

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_patron_and_its_charges_are_seen_over_koha(peer: Peer) -> None:
    form = {"cardnumber": "C-1", "surname": "Äijö", "firstname": "Örjan", "library_id": "MPL", "patron_id": 51}
    made = await peer.control("POST", "/patrons", form)
    charge = {"amount": 0.333, "type": "OVERDUE", "description": "Ö", "status": "UNRETURNED", "library_id": "MPL"}
    charged = await peer.control("POST", "/patrons/51/charges", charge | {"account_line_id": 9001})

    line = (await peer.koha("GET", "/patrons/51/account")).json["outstanding_debits"]["lines"][0]

    assert (made.status, made.json, charged.status) == (201, [{"patron_id": 51}], 201)
    assert (line["account_line_id"], str(line["amount_outstanding"])) == (9001, "0.333")
    assert (line["debit_type"], line["status"], line["library_id"]) == ("OVERDUE", "UNRETURNED", "MPL")


@pytest.mark.parametrize("form", [{}, {"restricted": False}, {"restricted": True}])
async def test_a_patron_may_have_a_restriction(form: dict[str, bool], peer: Peer) -> None:
    made = await peer.control("POST", "/patrons", {"cardnumber": "C-1", "surname": "Testi"} | form)

    patron = await peer.koha("GET", f"/patrons/{made.json[0]['patron_id']}")

    assert patron.json["restricted"] is form.get("restricted", False)


async def test_several_patrons_are_created_at_once(peer: Peer) -> None:
    forms = [{"cardnumber": card, "surname": "Testi"} for card in ("A", "B")]

    made = await peer.control("POST", "/patrons", forms)

    assert [one["patron_id"] for one in made.json] == [5, 6]


async def test_a_charge_grows_and_keeps_its_id(peer: Peer) -> None:
    patron_id, (line,) = await peer.patron("1.20")

    grown = await peer.control("POST", f"/charges/{line}/grow", {"amount": "0.20"})

    assert (grown.status, grown.json["amount"], grown.json["account_line_id"]) == (200, "1.40", line)
    assert await peer.owed(patron_id) == {line: "1.40"}


@pytest.mark.parametrize(("body", "owed"), [(None, "0.00"), ({"amount": "1.50"}, "1.50")])
async def test_a_charge_is_written_off_whole_or_in_part(body: Any, owed: str, peer: Peer) -> None:
    patron_id, (line,) = await peer.patron("3")

    done = await peer.control("POST", f"/charges/{line}/write-off", body)

    assert (done.status, done.json["type"]) == (201, "WRITEOFF")
    assert await peer.owed(patron_id) == {line: owed}
    assert (await peer.control("GET", "/totals")).json["payments_minor"] == 0


async def test_kohas_own_button_pays_and_spills_over(peer: Peer) -> None:
    patron_id, (one, two) = await peer.patron("3", "2")

    paid = await peer.control("POST", f"/patrons/{patron_id}/pay", {"amount": "3.50", "account_lines_ids": [one]})

    assert (paid.status, paid.json["interface"]) == (201, "intranet")
    assert await peer.owed(patron_id) == {one: "0.00", two: "1.50"}


async def test_a_void_opens_the_charges_again_and_marks_the_credit(peer: Peer) -> None:
    patron_id, (one, two) = await peer.patron("3", "2")
    credit = (await peer.pay(patron_id, "6")).json["account_line_id"]

    done = await peer.control("POST", f"/credits/{credit}/void")
    rows = (await peer.koha("GET", f"/patrons/{patron_id}/account/credits")).json

    assert (done.status, done.json["status"]) == (200, "VOID")
    assert [(row["status"], str(row["amount_outstanding"])) for row in rows] == [("VOID", "0.0")]
    owed = await peer.owed(patron_id)
    assert (owed[one], owed[two]) == ("3.00", "2.00")
    assert (await peer.control("POST", f"/credits/{credit}/void")).status == 409


async def test_an_open_credit_is_applied_by_hand(peer: Peer) -> None:
    patron_id, (one, two) = await peer.patron("3", "2")
    await peer.control("POST", "/faults", {"kind": "credit_201_unapplied"})
    credit = (await peer.pay(patron_id, "4")).json["account_line_id"]

    some = await peer.control("POST", f"/credits/{credit}/apply", {"account_lines_ids": [two]})
    rest = await peer.control("POST", f"/credits/{credit}/apply")

    assert (some.json["amount_outstanding"], rest.json["amount_outstanding"]) == ("-2.00", "0.00")
    assert await peer.owed(patron_id) == {one: "1.00", two: "0.00"}
    assert (await peer.control("POST", f"/credits/{credit}/apply")).status == 409


async def test_a_merged_patron_is_gone_and_the_lines_are_with_the_other_one(peer: Peer) -> None:
    one, lines = await peer.patron("3", card="A")
    other, _ = await peer.patron("2", card="B")
    await peer.pay(one, "1", lines)

    assert (await peer.control("POST", f"/patrons/{one}/merge", {"into": other})).status == 200

    assert (await peer.koha("GET", f"/patrons/{one}/account")).status == 404
    assert sorted((await peer.owed(other)).values()) == ["2.00", "2.00"]
    assert await peer.credit_lines(other) == [("-1.00", "0.00")]


async def test_a_deleted_patron_is_gone_but_the_payments_still_count(peer: Peer) -> None:
    patron_id, _ = await peer.patron("3")
    await peer.pay(patron_id, "3")

    assert (await peer.control("DELETE", f"/patrons/{patron_id}")).status == 200

    assert (await peer.koha("GET", f"/patrons/{patron_id}")).status == 404
    assert (await peer.control("GET", f"/patrons/{patron_id}/ledger")).status == 404
    assert (await peer.control("GET", "/totals")).json["payments_minor"] == 300
    assert {line["patron_id"] for line in (await peer.control("GET", "/ledger")).json["lines"]} == {None}


async def test_a_deleted_patrons_charge_cannot_be_written_off(peer: Peer) -> None:
    patron_id, (line,) = await peer.patron("3")
    await peer.control("DELETE", f"/patrons/{patron_id}")

    assert (await peer.control("POST", f"/charges/{line}/write-off")).status == 409


async def test_the_ledger_tells_which_credit_paid_how_much_of_which_charge(peer: Peer) -> None:
    patron_id, (one, two) = await peer.patron("3", "2")
    credit = (await peer.pay(patron_id, "4", [one])).json["account_line_id"]

    offsets = (await peer.control("GET", f"/patrons/{patron_id}/ledger")).json["offsets"]

    applied = [(o["credit_id"], o["debit_id"], o["amount"]) for o in offsets if o["kind"] == "APPLY"]
    assert applied == [(credit, one, "3.00"), (credit, two, "1.00")]


async def test_totals_count_payments_that_are_not_void(peer: Peer) -> None:
    patron_id, _ = await peer.patron("10")
    await peer.pay(patron_id, "2.50")
    await peer.pay(patron_id, "1.255", payment_type="KOHA10", library_id="MPL")
    gone = (await peer.pay(patron_id, "1")).json["account_line_id"]
    await peer.control("POST", f"/credits/{gone}/void")
    await peer.pay(patron_id, "20", credit_type="WRITEOFF")

    totals = (await peer.control("GET", "/totals")).json

    assert (totals["payments"], totals["payments_minor"], totals["count"]) == ("3.755", 376, 2)
    assert totals["by_payment_type"]["CARD"]["payments_minor"] == 250
    assert totals["by_library"]["MPL"]["payments"] == "1.255"
    assert totals["unapplied"] == "0.00"


async def test_the_log_counts_the_requests_of_a_payment(peer: Peer) -> None:
    patron_id, _ = await peer.patron("10")
    await peer.koha("GET", f"/patrons/{patron_id}/account")
    await peer.pay(patron_id, "1")
    await peer.pay(patron_id, "0")
    await peer.koha("GET", "/nosuch")

    log = (await peer.control("GET", "/requests")).json

    assert log["counts"] == {"GET account": 1, "POST credits": 2, "GET other": 1}
    assert [entry["status"] for entry in log["requests"]] == [200, 201, 500, 404]
    await peer.control("DELETE", "/requests")
    assert (await peer.control("GET", "/requests")).json["total"] == 0


async def test_a_dropped_connection_has_the_status_0_in_the_log(peer: Peer) -> None:
    await peer.control("POST", "/faults", {"kind": "drop_before"})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await peer.koha("POST", "/oauth/token")  # the client would repeat a GET by itself

    assert (await peer.control("GET", "/requests")).json["requests"][-1]["status"] == 0


async def test_a_reset_forgets_everything_but_lets_tokens_live(peer: Peer) -> None:
    patron_id, _ = await peer.patron("10")
    await peer.control("PATCH", "/settings", {"use_cash_registers": False, "token_s": 7, "restart_after": 9})
    await peer.control("POST", "/faults", {"kind": "http_502", "next": "all"})

    assert (await peer.control("POST", "/reset")).status == 200

    assert (await peer.koha("GET", f"/patrons/{patron_id}")).status == 404
    settings = (await peer.control("GET", "/settings")).json
    assert settings == {
        "credit_numbers": False,
        "email_receipts": False,
        "lost_paid_returns": False,
        "plugin": False,
        "plugin_abilities": ["book", "reverse", "refund", "look_up"],
        "renewal": "never",
        "require_payment_type": False,
        "restart_after": 0,
        "restart_s": 6,
        "token_s": 3600,
        "use_cash_registers": True,
    }


async def test_a_reset_can_bring_the_invented_patrons(peer: Peer) -> None:
    await peer.control("POST", "/reset", {"seed": "demo"})

    found = await peer.koha("GET", "/patrons?cardnumber=21000001&_match=exact")
    account = await peer.koha("GET", f"/patrons/{found.json[0]['patron_id']}/account")

    assert [row["surname"] for row in found.json] == ["Virtanen"]
    assert str(account.json["balance"]) == "27.5"


_REFUSED: dict[str, tuple[str, str, Any, int]] = {
    "a patron without a card": ("POST", "/patrons", {"surname": "x"}, 400),
    "a member that nobody knows": ("POST", "/patrons", {"cardnumber": "x", "surname": "x", "x": 1}, 400),
    "a card that is taken": ("POST", "/patrons", {"cardnumber": "P1", "surname": "x"}, 409),
    "an id that is taken": ("POST", "/patrons", {"cardnumber": "x", "surname": "x", "patron_id": 5}, 409),
    "a charge of nothing": ("POST", "/patrons/5/charges", {"amount": 0}, 400),
    "a charge too small for the column": ("POST", "/patrons/5/charges", {"amount": "1e-9"}, 409),
    "a charge that is no number": ("POST", "/patrons/5/charges", {"amount": "NaN"}, 400),
    "a line number that is taken": ("POST", "/patrons/5/charges", {"amount": 1, "account_line_id": 1}, 409),
    "a charge of nobody": ("POST", "/patrons/99/charges", {"amount": 1}, 404),
    "growing what is not there": ("POST", "/charges/99/grow", {"amount": 1}, 404),
    "growing by too little for the column": ("POST", "/charges/1/grow", {"amount": "1e-9"}, 409),
    "writing off more than is owed": ("POST", "/charges/1/write-off", {"amount": 6}, 409),
    "paying for nobody": ("POST", "/patrons/99/pay", {"amount": 1}, 404),
    "paying a line that is not there": ("POST", "/patrons/5/pay", {"amount": 1, "account_lines_ids": [99]}, 404),
    "paying in cash without a register": ("POST", "/patrons/5/pay", {"amount": 1, "payment_type": "CASH"}, 409),
    "voiding a charge": ("POST", "/credits/1/void", None, 404),
    "applying a charge": ("POST", "/credits/1/apply", None, 404),
    "merging into oneself": ("POST", "/patrons/5/merge", {"into": 5}, 409),
    "merging into nobody": ("POST", "/patrons/5/merge", {"into": 99}, 404),
    "merging nobody": ("POST", "/patrons/99/merge", {"into": 5}, 404),
    "deleting nobody": ("DELETE", "/patrons/99", None, 404),
    "an id that is a text": ("GET", "/patrons/x/ledger", None, 404),
    "an endless id": ("GET", f"/patrons/{'9' * 6000}/ledger", None, 404),
    "a token's life of nothing": ("PATCH", "/settings", {"token_s": 0}, 400),
    "restarts before anything was asked": ("PATCH", "/settings", {"restart_after": -1}, 400),
    "an unknown seed": ("POST", "/reset", {"seed": "x"}, 400),
}


@pytest.mark.parametrize(("method", "target", "body", "status"), _REFUSED.values(), ids=_REFUSED)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    method: str, target: str, body: Any, status: int, peer: Peer
) -> None:
    patron_id, (line,) = await peer.patron("5")
    assert (patron_id, line) == (5, 1)
    before = (await peer.control("GET", "/ledger")).json

    answer = await peer.control(method, target, body)

    assert answer.status == status
    assert answer.json["error"]
    assert (await peer.control("GET", "/ledger")).json == before


async def test_a_body_that_is_no_json_or_too_large_is_refused(peer: Peer) -> None:
    assert (await peer.send("POST", "/control/reset", raw=b"{x")).status == 400
    large = io.BytesIO(b'"' + b"x" * 1_000_001)
    assert (await peer.send("POST", "/control/reset", raw=large)).status == 400


async def test_another_sites_page_may_not_give_orders(peer: Peer) -> None:
    answer = await peer.send("POST", "/control/reset", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status == 400
