# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tillbridge.simulators.till import Autopilot

if TYPE_CHECKING:
    from services.till.conftest import Shop, Shops


async def _paid(shop: Shop, payment_id: str, minor: int, office: str = "10", method: str = "card") -> None:
    products = [{"Code": "1000", "Description": "Maksu", "Price": minor}]
    await shop.post(shop.request(payment_id, Mode=1, Office=office, Products=products))
    await shop.act(payment_id, "accept", {"method": method})


async def test_a_payment_is_shown_with_everything_that_is_known(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    await shop.act("P1", "accept", {"method": "cash"})
    assert (await shop.ask("GET", "/api/payments/P1")).json == {
        "id": "P1",
        "source": "KOHA",
        "office": "10",
        "mode": 1,
        "state": "paid",
        "description": "Virtanen, Matti (A1)",
        "products": [{"code": "1000", "description": "Myöhästymismaksu", "price": 250, "pieces": 1}],
        "total_minor": 250,
        "receipt_number": "K000001",
        "tender": "cash",
        "sent_count": 1,
        "report_address": shop.receiver.address,
        "arrived_at": "2026-03-02T09:30:00.000+02:00",
        "finished_at": "2026-03-02T09:30:00.000+02:00",
        "taken_back_at": None,
        "reason": "",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["P1", "P2", "P3"]),
        ("?office=11", ["P2"]),
        ("?state=waiting", ["P1", "P2"]),
        ("?office=10&state=cancelled", ["P3"]),
        ("?office=99", []),
    ],
)
async def test_payments_are_listed_by_office_and_state_in_the_order_of_arrival(
    shop: Shop, query: str, found: list[str]
) -> None:
    for payment_id, office in (("P1", "10"), ("P2", "11"), ("P3", "10")):
        await shop.post(shop.request(payment_id, Mode=1, Office=office))
    await shop.act("P3", "cancel")
    assert [one["id"] for one in (await shop.ask("GET", f"/api/payments{query}")).json] == found


_STEPS = [
    (["accept"], "paid"),
    (["cancel"], "cancelled"),
    (["accept", "take-back"], "taken_back"),
]


@pytest.mark.parametrize(("steps", "state"), _STEPS)
async def test_each_step_leads_to_its_state_and_cannot_be_repeated(shop: Shop, steps: list[str], state: str) -> None:
    await shop.post(shop.request("P1", Mode=1))
    for step in steps:
        shown = await shop.act("P1", step)
    assert shown["state"] == state
    again = await shop.ask("POST", f"/api/payments/P1/{steps[-1]}")
    assert again.status == 409
    assert state.replace("_", " ") in again.json["error"]
    assert len(await shop.receiver.until(len(steps))) == len(steps)


async def test_a_waiting_payment_cannot_be_taken_back_and_has_no_receipt(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    assert (await shop.ask("POST", "/api/payments/P1/take-back")).status == 409
    assert (await shop.ask("GET", "/api/payments/P1/receipt")).status == 409


_BAD: list[tuple[str, str, Any, int]] = [
    ("GET", "/api/payments/P9", None, 404),
    ("POST", "/api/payments/P9/accept", None, 404),
    ("POST", "/api/payments/P9/cancel", None, 404),
    ("GET", "/api/payments/P9/receipt", None, 404),
    ("GET", "/api/payments?state=lost", None, 400),
    ("GET", "/api/payments?wait_s=soon", None, 400),
    ("GET", "/api/messages?after=-1", None, 400),
    ("GET", "/api/totals?day=today", None, 400),
    ("POST", "/api/payments/P1/accept", {"method": "gold"}, 400),
    ("POST", "/api/payments/P1/accept", b"{", 400),
    ("POST", "/api/payments/P1/cancel", {"why": "x"}, 400),
    ("POST", "/api/payments/P1/accept", b" " * 70_000, 413),
    ("PUT", "/api/autopilot", {"do": "steal"}, 400),
    ("PUT", "/api/autopilot", {"do": "accept", "after_s": -1}, 400),
    ("PUT", "/api/autopilot", b'{"do": "accept", "after_s": NaN}', 400),
    ("DELETE", "/api/faults/9", None, 404),
    ("POST", "/api/totals", None, 405),
    ("GET", "/maksu.html", None, 405),
]


@pytest.mark.parametrize(("method", "path", "order", "status"), _BAD)
async def test_what_cannot_be_done_is_refused_with_its_reason(
    shop: Shop, method: str, path: str, order: Any, status: int
) -> None:
    await shop.post(shop.request("P1", Mode=1))
    got = await shop.ask(method, path, order)
    assert got.status == status
    assert status == 405 or got.json["error"]
    assert (await shop.ask("GET", "/api/payments/P1")).json["state"] == "waiting"


async def test_totals_hold_what_was_collected_and_what_was_taken_back_day_by_day(shop: Shop) -> None:
    await _paid(shop, "P1", 1000, "10", "cash")
    await _paid(shop, "P2", 250, "11", "card")
    await _paid(shop, "P3", 75, "11", "mixed")
    await _paid(shop, "P4", 9999)
    await shop.post(shop.request("P5", Mode=1))
    shop.clock.time += timedelta(days=1)
    await _paid(shop, "P6", 5)
    await shop.act("P4", "take-back")
    everything = (await shop.ask("GET", "/api/totals")).json
    assert everything == {
        "collected_minor": 1330,
        "taken_back_minor": 9999,
        "payments": 4,
        "by_office": {"10": 1005, "11": 325},
        "by_tender": {"cash": 1000, "card": 255, "mixed": 75},
    }
    first = (await shop.ask("GET", "/api/totals?day=2026-03-02")).json
    assert (first["collected_minor"], first["taken_back_minor"], first["payments"]) == (1325, 0, 3)
    second = (await shop.ask("GET", "/api/totals?day=2026-03-03")).json
    assert (second["collected_minor"], second["taken_back_minor"], second["payments"]) == (5, 9999, 1)


async def test_the_receipt_prints_every_line_its_price_the_total_the_tender_and_the_number(shop: Shop) -> None:
    products = [
        {"Code": "1000", "Description": "Myöhästymismaksu: Täällä Pohjantähden alla, osa 2", "Price": 1234},
        {"Code": "2000", "Description": "Kopio ☕", "Price": 40, "Amount": 3},
        {"Code": "3000", "Description": "a\u0007\u202eb", "Price": 0},
    ]
    await shop.post(shop.request("P1", Mode=1, Products=products, Description="Mäkelä-Öhman, Åke (C1)"))
    await shop.act("P1", "accept", {"method": "cash"})
    got = (await shop.ask("GET", "/api/payments/P1/receipt")).json
    assert (got["total_minor"], got["receipt_number"]) == (1354, "K000001")
    assert got["lines"] == [
        "                 Kassa 1",
        "         Kuitti / Receipt K000001",
        "           02.03.2026 09:30:00",
        "-" * 42,
        "Mäkelä-Öhman, Åke (C1)",
        "Myöhästymismaksu: Täällä",
        "Pohjantähden alla, osa 2             12,34",
        "Kopio ☕",
        "  3 x 0,40                            1,20",
        "a  b                                  0,00",
        "-" * 42,
        "YHTEENSÄ / TOTAL EUR                 13,54",
        "Käteinen / Cash                      13,54",
    ]
    await shop.act("P1", "take-back")
    assert (await shop.ask("GET", "/api/payments/P1/receipt")).json["lines"][-2:] == [
        "PALAUTETTU / TAKEN BACK             -13,54",
        "           02.03.2026 09:30:00",
    ]


async def test_every_message_in_and_out_is_listed_with_its_http_status_and_without_the_secret(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    await shop.act("P1", "accept")
    await shop.noted("report")
    got = await shop.ask("GET", "/api/messages")
    assert [(one["number"], one["direction"], one["kind"], one["payment"], one["http_status"]) for one in got.json] == [
        (1, "in", "request", "P1", None),
        (2, "out", "answer", "P1", 200),
        (3, "out", "report", "P1", 200),
    ]
    assert '"Status": 1' in got.json[2]["body"]
    assert "top_secret" not in got.text
    assert "top_secret" not in repr(shop.till.settings)
    assert [one["number"] for one in (await shop.ask("GET", "/api/messages?after=2")).json] == [3]


async def test_messages_and_payments_can_be_waited_for(shop: Shop) -> None:
    message = asyncio.create_task(shop.ask("GET", "/api/messages?wait_s=30"))
    payment = asyncio.create_task(shop.ask("GET", "/api/payments?state=waiting&wait_s=30"))
    assert (await shop.ask("GET", "/api/messages")).json == []
    await shop.post(shop.request("P1", Mode=1))
    assert (await message).json[0]["kind"] == "request"
    assert (await payment).json[0]["id"] == "P1"


@pytest.mark.parametrize(("habit", "status"), [("accept", 1), ("cancel", 0)])
async def test_the_autopilot_finishes_what_waits_and_what_comes(shop: Shop, habit: str, status: int) -> None:
    waiting = await shop.held(shop.request("P1"))
    order = {"do": habit, "after_s": 0.01, "method": "mixed", "spread_s": 0.02, "cancel_share": 0.25}
    assert (await shop.ask("PUT", "/api/autopilot", order)).json == order
    assert (await shop.ask("GET", "/api/autopilot")).json == order
    assert (await waiting).json["Status"] == status
    assert (await shop.post(shop.request("P2"))).json["Status"] == status
    assert (await shop.ask("PUT", "/api/autopilot", {"do": "off"})).json["do"] == "off"
    later = await shop.held(shop.request("P3"))
    await shop.post(shop.request("P4", Mode=1))
    assert not later.done()
    later.cancel()


async def test_the_autopilot_of_the_settings_acts_from_the_start_and_yields_to_a_person(shops: Shops) -> None:
    shop = await shops.open(autopilot=Autopilot("accept", after_s=0.05))
    held = await shop.held(shop.request("P1"))
    await shop.act("P1", "cancel")
    assert (await held).json["Status"] == 0
    assert (await shop.post(shop.request("P2"))).json["Status"] == 1
    assert (await shop.ask("GET", "/api/payments/P1")).json["state"] == "cancelled"


async def test_a_new_habit_of_the_autopilot_takes_the_place_of_the_old_one(shop: Shop) -> None:
    held = await shop.held(shop.request("P1"))
    shop.till.steer(Autopilot("accept", after_s=0))
    shop.till.steer(Autopilot("cancel", after_s=0.02))
    assert (await held).json["Status"] == 0


def test_the_autopilot_spreads_its_patience_by_chance() -> None:
    assert [Autopilot(after_s=1, spread_s=2).wait_s(chance) for chance in (0, 0.5, 1)] == [1, 2, 3]


@pytest.mark.parametrize(("share", "state"), [(0.4, "paid"), (0.6, "cancelled"), (1, "cancelled")])
async def test_the_autopilot_that_accepts_can_cancel_a_share_by_chance(shop: Shop, share: float, state: str) -> None:
    await shop.ask("PUT", "/api/autopilot", {"do": "accept", "after_s": 0, "cancel_share": share})
    await shop.post(shop.request("P1", Mode=1))
    await shop.on_till("P1", state)


@pytest.mark.parametrize("share", [-0.1, 1.1, "0.5"])
async def test_a_share_that_is_none_is_refused(shop: Shop, share: object) -> None:
    assert (await shop.ask("PUT", "/api/autopilot", {"do": "accept", "cancel_share": share})).status == 400


async def test_a_page_of_another_site_cannot_act_here(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    refused = await shop.ask("POST", "/api/payments/P1/accept", None, Sec_Fetch_Site="cross-site")
    assert refused.status == 403
    own = await shop.ask("POST", "/api/payments/P1/accept", None, Sec_Fetch_Site="same-origin")
    assert own.status == 200


async def test_every_answer_has_the_date_of_the_till_s_own_clock(shop: Shop) -> None:
    for method, path in (("HEAD", "/"), ("GET", "/api/totals"), ("POST", "/maksu.html"), ("GET", "/nowhere")):
        assert (await shop.ask(method, path)).headers["date"] == "Mon, 02 Mar 2026 07:30:00 GMT"
    shop.clock.time += timedelta(minutes=5)
    assert (await shop.ask("HEAD", "/")).headers["date"] == "Mon, 02 Mar 2026 07:35:00 GMT"


@pytest.mark.parametrize("version", ["2.0", "3.0"])
async def test_a_report_for_trying_is_signed_says_cancelled_and_is_of_no_payment(
    shops: Shops, check: Any, version: str
) -> None:
    shop = await shops.open(api_version=version)
    shop.receiver.statuses = [404]
    got = await shop.ask("POST", "/api/trial-report", {"id": "CHECK-1", "address": shop.receiver.address})
    assert (got.status, got.json["http_status"]) == (200, 404)
    (report,) = await shop.receiver.until(1)
    assert (report["Id"], report["Status"], report["Reference"], report.get("Source")) == (
        "CHECK-1",
        0,
        None,
        "KOHA" if version == "2.0" else None,
    )
    assert check(report)
    assert (await shop.ask("GET", "/api/payments")).json == []
    assert (await shop.noted("report")).http_status == 404


async def test_a_report_for_trying_that_nobody_takes_says_so(shop: Shop) -> None:
    got = await shop.ask("POST", "/api/trial-report", {"id": "CHECK-1", "address": "http://127.0.0.1:1/"})
    assert got.json["http_status"] is None
    assert "not delivered" in got.json["answer"]


@pytest.mark.parametrize(
    "order", [{}, {"id": "a b", "address": "http://x/"}, {"id": "A", "address": "ftp://x/"}, {"id": "A"}]
)
async def test_a_report_for_trying_needs_an_id_and_an_address(shop: Shop, order: dict[str, str]) -> None:
    assert (await shop.ask("POST", "/api/trial-report", order)).status == 400
