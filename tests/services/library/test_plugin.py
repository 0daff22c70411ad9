# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugin's routes: the shared table of requests and answers, and what only a demo library has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from services.library.conftest import Peer

pytestmark = pytest.mark.asyncio(loop_scope="module")

CASES = json.loads(
    (Path(__file__).resolve().parents[2] / "data/koha-plugin/exchanges.json").read_text(encoding="utf-8")
)["cases"]
BASE = "/contrib/tillbridge"


class Scene:
    """Hold a case's ids by their names."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.ids: dict[str, int] = {"@register": 1}

    async def arrange(self, charges: list[str]) -> None:
        await self.peer.control("PATCH", "/settings", {"plugin": True})
        self.ids["@patron"], lines = await self.peer.patron(*charges, card="P")
        self.ids |= {f"@{n}": line for n, line in enumerate(lines, 1)}
        self.ids["@other"], (self.ids["@other1"],) = await self.peer.patron("9.00", card="O")
        rights = ["updatecharges:remaining_permissions"]
        people: list[dict[str, object]] = [{"cardnumber": "S1"}, {"cardnumber": "S2", "rights": rights}]
        made = await self.peer.control(
            "POST", "/patrons", [one | {"surname": "Väki", "category_id": "S"} for one in people]
        )
        self.ids["@staff"], self.ids["@weak"] = (one["patron_id"] for one in made.json)

    def meant(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self.meant(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self.meant(part) for part in value]
        return self.ids.get(value, value) if isinstance(value, str) else value

    def fits(self, wanted: Any, found: Any) -> bool:
        if isinstance(wanted, dict):
            return isinstance(found, dict) and all(
                name in found and self.fits(part, found[name]) for name, part in wanted.items()
            )
        if isinstance(wanted, list):
            return len(wanted) == len(found) and all(map(self.fits, wanted, found))
        if isinstance(wanted, str) and wanted.startswith("@new:"):
            self.ids[f"@{wanted.removeprefix('@new:')}"] = found
            return isinstance(found, int)
        return bool(self.meant(wanted) == found)

    async def do(self, step: dict[str, Any]) -> None:
        match step:
            case {"ask": str(ask), "status": status, "answer": answer}:
                method, route = ask.split()
                query = f"?{urlencode(self.meant(step['query']))}" if "query" in step else ""
                got = await self.peer.koha(method, f"{BASE}/{route}{query}", self.meant(step.get("body")))
                assert got.status == status, got.text
                assert self.fits(answer, got.json), got.text
            case {"owed": owed}:
                found = await self.peer.owed(self.ids["@patron"])
                assert {self.meant(name): amount for name, amount in owed.items()}.items() <= found.items()
            case {"rest": patron, "amount": amount, "charges": charges, "note": note}:
                done = await self.peer.pay(self.meant(patron), amount, self.meant(charges), note=note)
                assert done.status == 201
            case _:
                await self._by_hand(step)

    async def _by_hand(self, step: dict[str, Any]) -> None:
        command, target = next(iter(step.items()))
        number, amount = self.meant(target), {k: v for k, v in step.items() if k == "amount"}
        if command == "pay":
            owed = (await self.peer.owed(self.ids["@patron"]))[number]
            body = {"amount": owed, "account_lines_ids": [number]}
            done = await self.peer.control("POST", f"/patrons/{self.ids['@patron']}/pay", body)
        else:
            path = {"void": "credits", "grow": "charges", "write_off": "charges"}[command]
            done = await self.peer.control("POST", f"/{path}/{number}/{command.replace('_', '-')}", amount or None)
        assert done.status in {200, 201}, done.text


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
async def test_the_demo_library_answers_by_the_shared_table(case: dict[str, Any], peer: Peer) -> None:
    scene = Scene(peer)
    await scene.arrange(case["charges"])
    for step in case["steps"]:
        await scene.do(step)


@pytest_asyncio.fixture(loop_scope="module")
async def scene(peer: Peer) -> Scene:
    made = Scene(peer)
    await made.arrange(["6.00", "3.00"])
    return made


def booking(scene: Scene, **changes: object) -> dict[str, object]:
    whole = {
        "reference": "tillbridge:A1",
        "patron_id": scene.ids["@patron"],
        "lines": [{"charge_id": scene.ids["@1"], "amount": "6.00"}],
        "library_id": "CPL",
        "staff_id": scene.ids["@staff"],
        "register_id": 2,
        "payment_type": "CEEPOS",
        "description": "",
        "note": "receipt 4711 tillbridge:A1",
    }
    return whole | changes


def refund(scene: Scene, **changes: object) -> dict[str, object]:
    whole = {
        "reference": "tillbridge:A1:refund:1",
        "booking": "tillbridge:A1",
        "lines": [{"charge_id": scene.ids["@1"], "amount": "2.00"}],
        "payout_type": "CEEPOS",
        "staff_id": scene.ids["@staff"],
        "library_id": "CPL",
        "register_id": 2,
        "reason": "",
    }
    return whole | changes


async def test_without_the_plugin_its_routes_are_not_there_and_its_tables_stay(peer: Peer, scene: Scene) -> None:
    await peer.koha("POST", f"{BASE}/bookings", booking(scene))
    await peer.control("PATCH", "/settings", {"plugin": False})
    gone = await peer.koha("GET", f"{BASE}/about")
    listed = (await peer.koha("GET", "/")).json["paths"]
    await peer.control("PATCH", "/settings", {"plugin": True})
    again = await peer.koha("POST", f"{BASE}/bookings", booking(scene))

    assert gone.status == 404
    assert "error_code" not in gone.json
    assert not any("contrib" in path for path in listed)
    assert (again.status, len(await peer.credit_lines(scene.ids["@patron"]))) == (200, 1)


async def test_a_reset_forgets_the_plugin_and_its_tables(peer: Peer, scene: Scene) -> None:
    await peer.koha("POST", f"{BASE}/bookings", booking(scene))
    await peer.control("POST", "/reset")
    assert (await peer.koha("GET", f"{BASE}/about")).status == 404
    await peer.control("PATCH", "/settings", {"plugin": True})
    found = await peer.koha("GET", f"{BASE}/bookings?reference=tillbridge:A1")
    assert found.json == {"bookings": []}


async def test_the_plugin_may_lack_abilities(peer: Peer) -> None:
    await peer.control("PATCH", "/settings", {"plugin": True, "plugin_abilities": ["book", "look_up"]})
    assert (await peer.koha("GET", f"{BASE}/about")).json["abilities"] == ["book", "look_up"]


@pytest.mark.parametrize(("account", "status"), [("full", 200), ("desk", 200), ("weak", 403)])
async def test_the_routes_take_the_right_to_record(peer: Peer, scene: Scene, account: str, status: int) -> None:
    peer.token = peer.token_of(account)
    assert (await peer.koha("GET", f"{BASE}/about")).status == status


async def test_the_ledger_knows_librarian_register_refund_and_payout(peer: Peer, scene: Scene) -> None:
    await peer.control("PATCH", "/settings", {"credit_numbers": True})
    await peer.koha("POST", f"{BASE}/bookings", booking(scene))
    await peer.koha("POST", f"{BASE}/refunds", refund(scene, staff_id=None))
    lines = (await peer.control("GET", f"/patrons/{scene.ids['@patron']}/ledger")).json["lines"]
    by_type = {line["type"]: line for line in lines if line["type"] in ("PAYMENT", "REFUND", "PAYOUT")}
    totals = (await peer.control("GET", "/totals")).json

    paid, given, out = by_type["PAYMENT"], by_type["REFUND"], by_type["PAYOUT"]
    assert (paid["user_id"], paid["cash_register_id"], paid["payment_type"]) == (scene.ids["@staff"], 2, "CEEPOS")
    assert paid["credit_number"] == f"CPL{paid['account_line_id']:010}"
    assert (given["amount"], given["amount_outstanding"], given["user_id"]) == ("-2.00", "0.00", 1)
    assert (out["amount"], out["amount_outstanding"], out["payout_type"], out["side"]) == (
        "2.00",
        "0.00",
        "CEEPOS",
        "debit",
    )
    assert (totals["payments_minor"], totals["payouts_minor"], totals["payouts"]) == (600, 200, "2.00")


EFFECTS = [
    ({"renewal": "renewed"}, {"type": "OVERDUE", "status": "UNRETURNED"}, [("renewed", None)]),
    ({"renewal": "refused"}, {"type": "OVERDUE", "status": "UNRETURNED"}, [("renewal_refused", "too_many")]),
    ({"renewal": "renewed"}, {"type": "OVERDUE", "status": "RETURNED"}, []),
    ({}, {"type": "OVERDUE", "status": "UNRETURNED"}, []),
    ({"lost_paid_returns": True}, {"type": "LOST"}, [("returned", None)]),
    ({}, {"type": "LOST"}, []),
]


@pytest.mark.parametrize(("settings", "charge", "effects"), EFFECTS)
async def test_what_koha_did_with_the_item_is_told(
    peer: Peer,
    scene: Scene,
    settings: dict[str, object],
    charge: dict[str, object],
    effects: list[tuple[str, str | None]],
) -> None:
    await peer.control("PATCH", "/settings", settings | {"email_receipts": True})
    made = await peer.control("POST", f"/patrons/{scene.ids['@patron']}/charges", charge | {"amount": "2.40"})
    lines = [{"charge_id": made.json[0]["account_line_id"], "amount": "2.40"}]
    done = await peer.koha("POST", f"{BASE}/bookings", booking(scene, lines=lines))
    assert [(one["what"], one["why"]) for one in done.json["effects"]] == effects
    assert done.json["receipt_sent"] is True


async def test_a_charge_that_is_not_paid_in_full_has_no_effect(peer: Peer, scene: Scene) -> None:
    await peer.control("PATCH", "/settings", {"lost_paid_returns": True})
    made = await peer.control("POST", f"/patrons/{scene.ids['@patron']}/charges", {"amount": "2.40", "type": "LOST"})
    lines = [{"charge_id": made.json[0]["account_line_id"], "amount": "2.00"}]
    done = await peer.koha("POST", f"{BASE}/bookings", booking(scene, lines=lines))
    assert (done.status, done.json["effects"], done.json["receipt_sent"]) == (201, [], False)


KEPT = [
    ({"kind": "plugin_500_kept"}, 500, 1),
    ({"kind": "plugin_500"}, 500, 0),
    ({"kind": "http_504", "stored": True}, 504, 1),
    ({"kind": "http_502"}, 502, 0),
]


@pytest.mark.parametrize(("fault", "status", "kept"), KEPT)
async def test_a_booking_meets_the_faults_of_every_route(
    peer: Peer, scene: Scene, fault: dict[str, object], status: int, kept: int
) -> None:
    await peer.control("POST", "/faults", fault | {"route": "plugin_bookings", "method": "POST"})
    assert (await peer.koha("POST", f"{BASE}/bookings", booking(scene))).status == status
    assert len(await peer.credit_lines(scene.ids["@patron"])) == kept
    again = await peer.koha("POST", f"{BASE}/bookings", booking(scene))
    assert (again.status, len(await peer.credit_lines(scene.ids["@patron"]))) == (200 if kept else 201, 1)


async def test_a_crash_of_the_plugin_meets_no_other_route(peer: Peer, scene: Scene) -> None:
    await peer.control("POST", "/faults", {"kind": "plugin_500", "next": "all"})
    assert (await peer.pay(scene.ids["@patron"], "1.00")).status == 201
    assert (await peer.koha("GET", f"{BASE}/bookings?reference=tillbridge:A1")).status == 200


async def test_some_payment_types_take_a_register_or_must_be_known(peer: Peer, scene: Scene) -> None:
    no_register = await peer.koha("POST", f"{BASE}/bookings", booking(scene, payment_type="CASH", register_id=None))
    with_one = await peer.koha("POST", f"{BASE}/bookings", booking(scene, payment_type="CASH", register_id=1))
    await peer.control("PATCH", "/settings", {"require_payment_type": True})
    odd = await peer.koha("POST", f"{BASE}/bookings", booking(scene, reference="tillbridge:A2", payment_type="ODD"))
    assert (no_register.status, no_register.json["error_code"]) == (422, "register_unknown")
    assert with_one.status == 201
    assert (odd.status, odd.json["error_code"]) == (422, "payment_type_unknown")


async def test_a_booking_is_found_after_its_patron_was_merged(peer: Peer, scene: Scene) -> None:
    await peer.koha("POST", f"{BASE}/bookings", booking(scene))
    await peer.control("POST", f"/patrons/{scene.ids['@patron']}/merge", {"into": scene.ids["@other"]})
    again = await peer.koha("POST", f"{BASE}/bookings", booking(scene))
    assert (again.status, again.json["patron_id"]) == (200, scene.ids["@other"])


async def test_a_credit_of_plain_rest_can_be_taken_back_and_given_back(peer: Peer, scene: Scene) -> None:
    patron = scene.ids["@patron"]
    await peer.pay(patron, "6.00", [scene.ids["@1"]], note="receipt 1 tillbridge:A1")
    await peer.pay(patron, "3.00", [scene.ids["@2"]], note="receipt 2 tillbridge:B1")
    unknown = await peer.koha("POST", f"{BASE}/refunds", refund(scene))
    for reference in ("tillbridge:A1", "tillbridge:B1"):
        adopted = await peer.koha("POST", f"{BASE}/bookings", booking(scene, reference=reference))
        assert adopted.status == 200
    given = await peer.koha("POST", f"{BASE}/refunds", refund(scene))
    body = {"reference": "tillbridge:B1:reversal", "booking": "tillbridge:B1", "staff_id": None, "library_id": "CPL"}
    back = await peer.koha("POST", f"{BASE}/reversals", body)
    assert (unknown.status, unknown.json["error_code"]) == (404, "no_such_booking")
    assert (given.status, back.status, back.json["by_hand"]) == (201, 201, False)
    assert await peer.owed(patron) == {scene.ids["@1"]: "0.00", scene.ids["@2"]: "3.00"} | {
        one: "0.00" for one in await peer.owed(patron) if one not in (scene.ids["@1"], scene.ids["@2"])
    }


async def test_a_reversal_under_a_known_reference_of_another_booking_is_refused(peer: Peer, scene: Scene) -> None:
    await peer.koha("POST", f"{BASE}/bookings", booking(scene))
    body = {"reference": "tillbridge:A1:reversal", "booking": "tillbridge:A1", "staff_id": None, "library_id": "CPL"}
    await peer.koha("POST", f"{BASE}/reversals", body)
    other = await peer.koha("POST", f"{BASE}/reversals", body | {"booking": "tillbridge:A2"})
    assert (other.status, other.json["error_code"]) == (409, "other_content")


@pytest.mark.parametrize("query", ["", "?reference=", "?reference=A&surprise=1", "?reference=A&patron_id=x"])
async def test_a_look_up_names_a_reference(peer: Peer, scene: Scene, query: str) -> None:
    asked = await peer.koha("GET", f"{BASE}/bookings{query}")
    assert (asked.status, asked.json["error_code"]) == (400, "bad_request")


async def test_a_booking_of_a_patron_who_is_gone_can_still_be_refunded(peer: Peer, scene: Scene) -> None:
    await peer.koha("POST", f"{BASE}/bookings", booking(scene))
    await peer.control("DELETE", f"/patrons/{scene.ids['@patron']}")
    assert (await peer.koha("POST", f"{BASE}/refunds", refund(scene))).status == 201
    assert (await peer.control("GET", "/totals")).json["payouts"] == "2.00"


async def test_of_several_credits_each_note_has_a_reference_of_its_own(peer: Peer, scene: Scene) -> None:
    lines = [{"charge_id": scene.ids["@1"], "amount": "1.00"}, {"charge_id": scene.ids["@2"], "amount": "1.00"}]
    done = await peer.koha("POST", f"{BASE}/bookings", booking(scene, lines=lines))
    ledger = (await peer.control("GET", f"/patrons/{scene.ids['@patron']}/ledger")).json["lines"]
    notes = [line["note"] for line in ledger if line["side"] == "credit"]
    found = await peer.koha("GET", f"{BASE}/bookings?reference=tillbridge:A1&patron_id={scene.ids['@patron']}")
    assert notes == ["receipt 4711 tillbridge:A1:1", "receipt 4711 tillbridge:A1:2"]
    assert found.json == {"bookings": [done.json]}


async def test_what_another_booking_has_or_a_refund_names_is_not_taken_for_a_credit_of_plain_rest(
    peer: Peer, scene: Scene
) -> None:
    one, two = scene.ids["@1"], scene.ids["@2"]
    lines = [{"charge_id": one, "amount": "2.00"}, {"charge_id": two, "amount": "1.00"}]
    await peer.koha("POST", f"{BASE}/bookings", booking(scene, lines=lines))
    await peer.koha("POST", f"{BASE}/refunds", refund(scene, reason="paid with tillbridge:A2"))
    for reference in ("tillbridge:A1:1", "tillbridge:A2"):
        rest = {"reference": reference, "lines": [{"charge_id": one, "amount": "0.50"}], "note": reference}
        assert (await peer.koha("POST", f"{BASE}/bookings", booking(scene, **rest))).status == 201
    assert (await peer.owed(scene.ids["@patron"]))[one] == "3.00"
