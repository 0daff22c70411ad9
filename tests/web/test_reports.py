# SPDX-License-Identifier: GPL-3.0-or-later
"""The origin's endpoints (Koha bug 15654, section 3) and the Perl plugin's address, for tills that know them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from support.fakes import FakeTill, report
from support.payments import make_payment
from support.site import Answer, Site, bridge_of
from support.stores import rows_of
from support.worlds import Bench
from tillbridge.domain.lifecycle import (
    AT_REGISTER,
    CANCELLED_CLERK,
    CANCELLED_TILL,
    CREATED,
    NEVER_COLLECTED,
    PAID_CLERK,
    PAID_TILL,
    REFUSED,
    REVERSED_CLERK,
    REVERSED_TILL,
    SENDING,
    STANDINGS,
    UNKNOWN,
    Booking,
    Standing,
)
from tillbridge.service.store_port import CaseKind
from tillbridge.web.reports import _origin_status

PLUGIN = "/api/v1/contrib/kohasuomi/payments/ceepos/report"


async def to_plugin(site: Site, raw: bytes) -> Answer:
    return await site.post(PLUGIN, data=raw, json=None, key=None)


async def test_a_payment_has_the_origin_s_six_fields_and_no_other(site: Site) -> None:
    payment_id = (await site.start(sum_minor=500, note="Äijä"))["id"]
    site.bench.clock.advance(5)
    await site.bench.work()
    answer = await site.get(f"/api/v1/pos/cpu/{payment_id}")
    assert (answer.status, answer.kind) == (200, "application/json")
    assert answer.json == {
        "transaction_id": payment_id,
        "borrowernumber": 5,
        "status": "pending",
        "timestamp": "2027-01-15T08:00:05+00:00",
        "description": "Äijä",
        "price_in_cents": 500,
    }


@pytest.mark.parametrize(
    ("patron_id", "number"),
    [
        ("5", 5),
        ("0", 0),
        ("2147483648", 2147483648),
        ("007", "007"),
        ("A5", "A5"),
        ("5.0", "5.0"),
        ("\N{ARABIC-INDIC DIGIT FIVE}", "\N{ARABIC-INDIC DIGIT FIVE}"),
    ],
)
async def test_the_patron_s_number_is_a_number_where_it_can_be_one(
    site: Site, patron_id: str, number: int | str
) -> None:
    site.bench.library.merge("5", patron_id)
    site.bench.library.add_patron(patron_id, "C1")
    payment_id = (await site.start())["id"]
    assert (await site.get(f"/api/v1/pos/cpu/{payment_id}")).json["borrowernumber"] == number


async def test_without_a_note_the_description_is_empty_text(site: Site) -> None:
    payment_id = (await site.start())["id"]
    assert (await site.get(f"/api/v1/pos/cpu/{payment_id}")).json["description"] == ""


async def test_a_payment_that_nobody_knows_is_not_found(site: Site) -> None:
    answer = await site.get("/api/v1/pos/cpu/77")
    assert (answer.status, answer.json) == (404, {"error": "Transaction not found"})


STATUS_WORDS = {
    CREATED: "unsent",
    SENDING: "pending",
    AT_REGISTER: "pending",
    UNKNOWN: "pending",
    REFUSED: "cancelled",
    CANCELLED_TILL: "cancelled",
    CANCELLED_CLERK: "cancelled",
    NEVER_COLLECTED: "cancelled",
    REVERSED_TILL: "cancelled",
    REVERSED_CLERK: "cancelled",
    PAID_TILL: "processing",
    PAID_CLERK: "processing",
}


@pytest.mark.parametrize("standing", STANDINGS, ids=str)
def test_every_state_has_one_of_the_origin_s_five_words(standing: Standing) -> None:
    assert _origin_status(make_payment(standing=standing)) == STATUS_WORDS[standing]


@pytest.mark.parametrize("booking", Booking)
def test_paid_is_said_when_it_is_booked_and_not_before(booking: Booking) -> None:
    word = _origin_status(make_payment(standing=PAID_TILL, booking=booking))
    assert word == ("paid" if booking is Booking.BOOKED else "processing")


@pytest.mark.parametrize("at_plugin", [False, True])
async def test_a_good_report_is_answered_200_with_nothing_in_it_once_it_is_stored(site: Site, at_plugin: bool) -> None:
    payment_id = await site.at_register()
    raw = report(payment_id, "paid")
    answer = await to_plugin(site, raw) if at_plugin else await site.report(payment_id, raw)
    assert (answer.status, answer.text) == (200, "")
    kept = await site.bench.store.read(lambda tx: tx.messages(payment_id))
    assert [message.raw for message in kept if message.direction == "report"] == [raw]
    assert (await site.bench.payment(payment_id)).standing == PAID_TILL


SAYS = [("cancelled", CANCELLED_TILL), ("refused", REFUSED), ("odd", AT_REGISTER)]


@pytest.mark.parametrize(("says", "standing"), SAYS)
async def test_a_report_that_is_not_paid_is_answered_200_too(site: Site, says: str, standing: Standing) -> None:
    payment_id = await site.at_register()
    answer = await site.report(payment_id, report(payment_id, says))
    assert (answer.status, answer.text) == (200, "")
    assert (await site.bench.payment(payment_id)).standing == standing


async def test_a_report_that_comes_twice_is_answered_like_the_first(site: Site) -> None:
    payment_id = await site.at_register()
    for _ in range(2):
        assert (await site.report(payment_id, report(payment_id, "paid"))).status == 200
    await site.bench.work()
    assert site.bench.library.writes == 1
    assert (await site.get(f"/api/v1/pos/cpu/{payment_id}")).json["status"] == "paid"


BAD: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"Status=1",
    "no object": b"[]",
    "no id": b'{"says": "paid"}',
    "not UTF-8": b"\xff",
    "a NUL": b"\x00",
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD)
async def test_a_report_that_cannot_be_read_is_a_400_and_is_kept(site: Site, raw: bytes) -> None:
    payment_id = await site.at_register()
    for answer in (await site.report(payment_id, raw), await to_plugin(site, raw)):
        assert (answer.status, set(answer.json)) == (400, {"error"})
    assert (await site.bench.payment(payment_id)).standing == AT_REGISTER


async def test_a_forged_report_is_a_400_is_kept_and_changes_nothing(site: Site) -> None:
    payment_id = await site.at_register()
    raw = report(payment_id, "forged")
    for answer in (await site.report(payment_id, raw), await to_plugin(site, raw)):
        assert (answer.status, answer.json) == (400, {"error": "the hash is wrong"})
    kept = await site.bench.store.read(lambda tx: rows_of(tx, "SELECT payment_id, verdict FROM message"))
    assert kept == [(None, f"{payment_id}: Forged: the hash is wrong")] * 2
    assert (await site.bench.payment(payment_id)).standing == AT_REGISTER


async def test_a_report_about_another_payment_than_its_address_names_changes_neither(site: Site) -> None:
    """The hole of the origin: its path chose the payment, and the body the hash."""
    cheap = await site.at_register(charges=[{"charge_id": "1"}])
    dear = await site.at_register(charges=[{"charge_id": "3"}])
    for address in (dear, "77", cheap.lower() + "x", f"{cheap}%20", "%00"):
        answer = await site.report(address, report(cheap, "paid"))
        assert answer.status == 400, address
    for payment_id in (cheap, dear):
        assert (await site.bench.payment(payment_id)).standing == AT_REGISTER
    assert await site.bench.cases() == []


async def test_a_signed_report_for_an_unknown_id_is_a_404_and_a_case(site: Site) -> None:
    payment_id = await site.at_register()
    for _ in range(2):
        for answer in (
            await site.report("77", report("77", "paid")),
            await to_plugin(site, report("77", "paid")),
        ):
            assert (answer.status, set(answer.json)) == (404, {"error"})
    assert await site.bench.kinds() == [CaseKind.PAID_FOR_UNKNOWN_ID]
    assert (await site.bench.payment(payment_id)).standing == AT_REGISTER


@pytest.mark.parametrize(("says", "status"), [("forged", 400), ("cancelled", 404), ("odd", 404)])
async def test_other_reports_for_an_unknown_id_open_no_case(site: Site, says: str, status: int) -> None:
    assert (await site.report("77", report("77", says))).status == status
    assert await site.bench.cases() == []


async def test_a_report_needs_no_key_and_a_wrong_one_does_no_harm(site: Site) -> None:
    payment_id = await site.at_register()
    answer = await site.post(
        f"/api/v1/pos/cpu/{payment_id}/report", data=report(payment_id, "paid"), json=None, key="x"
    )
    assert answer.status == 200


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_report_is_read_whatever_the_till_calls_its_form(site: Site, kind: str) -> None:
    payment_id = await site.at_register()
    how: dict[str, Any] = {"headers": {"Content-Type": kind}, "data": report(payment_id, "paid"), "json": None}
    assert (await site.post(PLUGIN, key=None, **how)).status == 200


async def test_a_report_for_a_register_server_of_another_kind_is_not_taken(bench: Bench, site: Site) -> None:
    """Its server is not one of those whose tills post here."""
    await site.at_register()
    other = replace(bench.world, registers={**bench.world.registers, "village": FakeTill()})
    site.app.state.bridge = bridge_of(bench, world=other, servers={"ceepos": ("village",)})
    payment_id = (await bench.store.read(lambda tx: tx.recent_payments(1)))[0].id
    assert (await site.report(payment_id, report(payment_id, "paid"))).status == 404
    assert (await bench.payment(payment_id)).standing == AT_REGISTER


async def test_where_no_register_server_of_the_kind_is_set_up_there_is_no_address(bench: Bench, site: Site) -> None:
    site.app.state.bridge = bridge_of(bench, servers={})
    for answer in (await site.report("77", report("77", "paid")), await to_plugin(site, report("77", "paid"))):
        assert (answer.status, set(answer.json)) == (404, {"error"})


async def test_a_report_that_cannot_be_stored_is_not_answered_200(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    payment_id = await site.at_register()

    async def full(_work: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(site.bench.store, "write", full)
    answer = await site.report(payment_id, report(payment_id, "paid"))
    assert answer.status == 500
    assert "disk full" not in answer.text


async def test_a_report_in_two_pieces_is_one_report(site: Site) -> None:
    payment_id = await site.at_register()
    raw = json.dumps({"id": payment_id, "says": "paid", "receipt": "9" * 30_000, "sum": None}).encode()

    async def pieces() -> Any:
        yield raw[:10]
        yield raw[10:]

    url = f"{site.address}/api/v1/pos/cpu/{payment_id}/report"
    async with aiohttp.ClientSession() as session, session.post(url, data=pieces()) as answer:
        assert answer.status == 200


async def test_a_register_server_of_any_kind_reports_at_its_own_address(site: Site) -> None:
    payment_id = await site.at_register()
    answer = await site.post("/api/v1/registers/city/report", data=report(payment_id, "paid"), json=None, key=None)
    assert (answer.status, answer.text) == (200, "")
    assert (await site.bench.payment(payment_id)).standing == PAID_TILL


async def test_a_forged_report_at_a_register_server_s_own_address_proves_nothing(site: Site) -> None:
    payment_id = await site.at_register()
    answer = await site.post("/api/v1/registers/city/report", data=report(payment_id, "forged"), json=None, key=None)
    assert (answer.status, (await site.bench.payment(payment_id)).standing) == (400, AT_REGISTER)


async def test_a_register_server_that_is_not_set_up_reports_nothing(site: Site) -> None:
    payment_id = await site.at_register()
    answer = await site.post("/api/v1/registers/other/report", data=report(payment_id, "paid"), json=None, key=None)
    assert (answer.status, answer.json) == (404, {"error": "No such register server is set up here"})
    assert (await site.bench.payment(payment_id)).standing == AT_REGISTER
