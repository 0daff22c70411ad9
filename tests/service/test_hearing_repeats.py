# SPDX-License-Identifier: GPL-3.0-or-later
"""The same report again and again: it is heard every time, and only what it leaves behind is bounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from support.fakes import report
from support.steps import at_register, decide, the_case
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking
from tillbridge.service.register_port import Answer, Order, Paid
from tillbridge.service.reporting import REPEATS_KEPT
from tillbridge.service.resolving import Action
from tillbridge.service.store_port import CaseKind

FLOOD = 20


async def kept(bench: Bench, payment_id: str) -> list[tuple[str, bytes]]:
    messages = await bench.store.read(lambda tx: tx.messages(payment_id))
    return [(message.direction, message.raw) for message in messages]


async def test_paid_without_a_receipt_is_heard_once_more_after_the_till_took_the_money_back(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    paid = report(payment.id, "paid", receipt=None)
    for _ in range(FLOOD):
        await bench.report(paid)
    await bench.report(report(payment.id, "cancelled"))
    assert (await bench.report(paid)).status == 200
    assert await bench.kinds() == [CaseKind.CONTRADICTION]


async def test_cancelled_is_heard_once_more_after_a_person_said_paid(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    cancelled = report(payment.id, "cancelled", receipt=None)
    for _ in range(FLOOD):
        await bench.report(cancelled)
    await bench.report(report(payment.id, "paid"))
    await decide(bench, CaseKind.CONTRADICTION, Action.PAID, receipt="4711")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert (await bench.report(cancelled)).status == 200
    assert await bench.kinds() == [CaseKind.CONTRADICTION]


@pytest.mark.parametrize("says", ["paid", "cancelled", "refused", "odd"])
async def test_a_flood_of_the_same_report_does_not_fill_the_disk(bench: Bench, says: str) -> None:
    payment = await at_register(bench, "3")
    first = report(payment.id, "paid", receipt="4712")
    await bench.report(first)
    before = await bench.events(payment.id)
    for _ in range(FLOOD):
        assert (await bench.report(report(payment.id, says))).status == 200
        assert (await bench.report(first)).status == 200
    assert len(await kept(bench, payment.id)) == 2 * REPEATS_KEPT
    assert len(await bench.events(payment.id)) <= len(before) + 4


async def test_an_answer_behind_the_report_may_number_its_receipt_otherwise(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()

    async def paid(_: Order, at_till: Callable[[], Awaitable[None]]) -> Answer:
        await at_till()
        await bench.report(report(payment.id, "paid", receipt="4711"))
        return Paid("A-1", None, b"paid")

    bench.till.steps.append(paid)
    await bench.work()
    stands = await bench.payment(payment.id)
    assert (stands.receipt_number, stands.booking) == ("4711", Booking.BOOKED)
    assert await bench.cases() == []


async def test_a_report_without_a_receipt_contradicts_none_that_has_one(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "paid", receipt="4711"))
    await bench.report(report(payment.id, "paid", receipt=None))
    assert await bench.cases() == []


async def test_another_receipt_is_a_contradiction_that_says_how_the_payment_stood(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "paid", receipt="4711"))
    await bench.report(report(payment.id, "paid", receipt="4712"))
    facts = (await the_case(bench, CaseKind.CONTRADICTION)).facts
    assert (facts["stood"], facts["receipt"]) == ("paid by till", "4712")


async def test_paid_after_it_was_cancelled_is_a_contradiction_and_changes_nothing(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "cancelled"))
    before = await bench.payment(payment.id)
    await bench.report(report(payment.id, "paid", receipt="4711", total=300))
    assert (await the_case(bench, CaseKind.CONTRADICTION)).facts["stood"] == "cancelled by till"
    assert await bench.payment(payment.id) == before


async def test_only_reports_count_as_repeats_of_a_report(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    raw = report("1".zfill(24), "paid")
    bench.till.steps.append(Paid("4711", None, raw))
    payment = await bench.start()
    await bench.work()
    for _ in range(FLOOD):
        await bench.report(raw)
    assert await kept(bench, payment.id) == [("answer", raw), *[("report", raw)] * REPEATS_KEPT]
