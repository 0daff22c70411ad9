# SPDX-License-Identifier: GPL-3.0-or-later
"""While a person must decide, nothing more goes out to the library system."""

from __future__ import annotations

import pytest

from support.fakes import report
from support.rules import check
from support.steps import collected, decide, locks, tasks
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking
from tillbridge.service.library_port import BookingAnswer, CreditOrder
from tillbridge.service.resolving import Action
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import CaseKind, TaskKind


@pytest.mark.parametrize("fault", ["lost", "error", "late"])
async def test_another_sum_that_is_named_while_a_booking_is_in_doubt_waits_for_a_person(
    bench: Bench, fault: str
) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append(fault)
    (book,) = [task for task in await bench.due() if task.kind is TaskKind.BOOK]
    await bench.do(book)
    assert (await bench.payment(payment.id)).booking is Booking.UNKNOWN
    await bench.report(report(payment.id, "paid", total=100))
    for _ in range(4):
        await bench.wait_and_work(300)
        await check(bench)
    assert (bench.library.credits, bench.library.writes) == ([], 1)
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]
    assert await locks(bench) == {}
    await decide(bench, CaseKind.SUM_DIFFERS, Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await tasks(bench) == set()


async def test_another_sum_that_is_named_while_a_booking_is_refused_for_now_waits_for_a_person(bench: Bench) -> None:
    payment = await collected(bench, "3")
    hear_meanwhile(bench, report(payment.id, "paid", total=100))
    bench.library.faults.append("never")
    await bench.work()
    await bench.wait_and_work(600)
    assert bench.library.writes == 1
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]


async def test_what_arrived_although_another_sum_was_named_is_booked_and_the_question_stays(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("late")
    await bench.work()
    await bench.report(report(payment.id, "paid", total=100))
    bench.library.land()
    await bench.wait_and_work(300)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]


@pytest.mark.parametrize("says", ["paid", "cancelled"])
async def test_what_is_heard_between_two_credits_stops_the_rest(bench: Bench, says: str) -> None:
    payment = await collected(bench, "5", "7")
    bench.library.owes("2", "8")
    hear_meanwhile(bench, report(payment.id, says, total=100))
    await bench.work()
    await bench.wait_and_work(600)
    assert bench.library.writes == 1
    stands = await bench.payment(payment.id)
    if says == "cancelled":
        assert stands.booking is Booking.REVERSAL_DUE
        return
    assert stands.booking is Booking.BLOCKED
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]
    await decide(bench, CaseKind.SUM_DIFFERS, Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert [str(order.amount) for order in bench.library.orders] == ["5", "7"]


async def test_a_doubt_about_another_payment_keeps_none_from_being_tried_again(bench: Bench) -> None:
    doubtful = await collected(bench, "3")
    await bench.report(report(doubtful.id, "paid", total=100))
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]
    bench.library.add_charge("2", "4")
    payment = await bench.start(charges=(Chosen("2"),))
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    bench.library.faults.append("error")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.DUE
    await bench.wait_and_work(600)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_a_doubt_about_the_sum_ends_where_the_till_takes_the_money_back(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("lost")
    await bench.work()
    await bench.report(report(payment.id, "paid", total=100))
    await bench.report(report(payment.id, "cancelled"))
    for _ in range(4):
        await bench.wait_and_work(300)
    assert (await bench.payment(payment.id)).booking is Booking.REVERSED
    assert await bench.cases() == []


def hear_meanwhile(bench: Bench, raw: bytes) -> None:
    """Let a report arrive while the library system answers the next credit."""
    record = bench.library.record

    async def with_company(order: CreditOrder) -> BookingAnswer:
        bench.library.record = record  # type: ignore[method-assign]
        answer = await record(order)
        await bench.report(raw)
        return answer

    bench.library.record = with_company  # type: ignore[method-assign]
