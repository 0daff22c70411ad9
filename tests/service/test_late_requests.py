# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that slept right before the first byte of a credit sends it long after another one has gone on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from support.fakes import report
from support.steps import begun, collected, decide, paused, tasks, the_case
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking
from tillbridge.service.library_port import BookingAnswer, CreditOrder
from tillbridge.service.resolving import Action
from tillbridge.service.store_port import CaseKind, TaskKind

PAYMENT = "1".zfill(24)


async def _asleep(
    bench: Bench, fault: str = "late", owed: Sequence[str] = ("3",), owed_now: Sequence[str] = (), earlier: int = 0
) -> Callable[[], Awaitable[None]]:
    """Let one process sleep before the first byte of a credit; return what wakes it, to the end of its task.

    So many `earlier` credits of the payment are recorded before.
    """
    await collected(bench, *owed)
    for number, amount in enumerate(owed_now, 1):
        bench.library.owes(str(number), amount)
    bench.library.add_charge("9", "50")
    return await _falls_asleep(bench, fault, earlier)


async def _falls_asleep(bench: Bench, fault: str, earlier: int = 0) -> Callable[[], Awaitable[None]]:
    record = bench.library.record
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def sleeping(order: CreditOrder) -> BookingAnswer:
        if bench.library.writes < earlier:
            return await record(order)
        bench.library.record = record  # type: ignore[method-assign]
        reached.set()
        await go_on.wait()
        bench.library.faults.appendleft(fault)
        return await record(order)

    bench.library.record = sleeping  # type: ignore[method-assign]
    first = await begun(bench, "first", reached)

    async def wake() -> None:
        go_on.set()
        await first

    return wake


async def _booked_by_another(bench: Bench) -> None:
    for _ in range(4):
        await bench.wait_and_work(310)
    assert (await bench.payment(PAYMENT)).booking is Booking.BOOKED


async def test_a_request_that_comes_late_beside_a_booked_one_is_a_case_once_it_is_there(bench: Bench) -> None:
    wake = await _asleep(bench)
    await _booked_by_another(bench)
    await wake()
    bench.library.land()
    assert await bench.cases() == []
    await bench.wait_and_work(600)
    assert len((await the_case(bench, CaseKind.BOOKED_TWICE)).facts["credits"]) == 2  # type: ignore[arg-type]
    assert await tasks(bench) == set()
    await decide(bench, CaseKind.BOOKED_TWICE, Action.LOOK)
    await bench.work()
    assert await bench.kinds() == [CaseKind.BOOKED_TWICE]
    bench.library.void("9001")
    await decide(bench, CaseKind.BOOKED_TWICE, Action.LOOK)
    await bench.work()
    assert await bench.cases() == []
    assert await tasks(bench) == set()


async def test_a_request_that_came_to_nothing_after_all_is_looked_for_once_and_forgotten(bench: Bench) -> None:
    wake = await _asleep(bench, "lost")
    await _booked_by_another(bench)
    await wake()
    assert await tasks(bench) == {(PAYMENT, TaskKind.LOOK_UP)}
    await bench.wait_and_work(600)
    assert await bench.cases() == []
    assert await tasks(bench) == set()


async def test_a_request_beside_a_booked_one_is_looked_for_only_when_it_has_surely_ended(bench: Bench) -> None:
    wake = await _asleep(bench)
    await _booked_by_another(bench)
    await wake()
    await bench.wait_and_work(599)
    bench.library.land()
    assert await bench.cases() == []
    await bench.wait_and_work(1)
    assert await bench.kinds() == [CaseKind.BOOKED_TWICE]


async def test_a_request_that_the_library_system_has_ended_itself_is_looked_for_at_once(bench: Bench) -> None:
    wake = await _asleep(bench, "error_kept")
    await _booked_by_another(bench)
    await wake()
    await bench.work()
    assert await bench.kinds() == [CaseKind.BOOKED_TWICE]


async def test_a_request_that_comes_after_the_booking_was_taken_back_is_to_be_voided(bench: Bench) -> None:
    wake = await _asleep(bench)
    await _booked_by_another(bench)
    await bench.report(report(PAYMENT, "cancelled"))
    bench.library.void("9000")
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.work()
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSED
    await wake()
    bench.library.land()
    await bench.wait_and_work(600)
    assert await bench.kinds() == [CaseKind.VOID_BY_HAND]
    bench.library.void("9001")
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.work()
    assert await bench.cases() == []


@pytest.mark.parametrize("booking", [Booking.UNKNOWN, Booking.DUE])
async def test_what_was_given_up_and_is_sent_now_is_waited_for_before_anything_is_repeated(
    bench: Bench, booking: Booking
) -> None:
    wake = await _asleep(bench)
    await bench.wait_and_work(310)
    while (await bench.payment(PAYMENT)).booking is not booking:
        bench.clock.advance(100)
        for task in await bench.due():
            await bench.do(task)
    await wake()
    await bench.wait_and_work(300)
    assert bench.library.writes == 1
    bench.library.land()
    await bench.wait_and_work(310)
    assert (await bench.payment(PAYMENT)).booking is Booking.BOOKED
    assert bench.library.writes == 1
    assert await bench.cases() == []


async def _until(bench: Bench, booking: Booking) -> None:
    while (await bench.payment(PAYMENT)).booking is not booking:
        bench.clock.advance(100)
        for task in await bench.due():
            await bench.do(task)


async def _until_taken_back(bench: Bench) -> None:
    await bench.report(report(PAYMENT, "cancelled"))
    await _until(bench, Booking.REVERSAL_DUE)


async def test_of_several_credits_only_the_one_that_was_on_its_way_is_waited_for(bench: Bench) -> None:
    wake = await _asleep(bench, owed=("3", "4"), owed_now=("5", "6"), earlier=1)
    await _until(bench, Booking.DUE)
    await wake()
    await bench.wait_and_work(300)
    assert bench.library.writes == 2
    bench.library.land()
    for _ in range(4):
        await bench.wait_and_work(310)
    assert (await bench.payment(PAYMENT)).booking is Booking.BOOKED
    assert (bench.library.writes, await bench.cases()) == (2, [])


async def _sent_while_a_person_is_asked(bench: Bench) -> None:
    wake = await _asleep(bench)
    bench.library.faults.append("refused")
    await _until(bench, Booking.BLOCKED)
    await wake()


async def test_what_was_sent_while_a_person_was_asked_is_found_when_it_is_to_be_booked(bench: Bench) -> None:
    await _sent_while_a_person_is_asked(bench)
    bench.library.land()
    writes = bench.library.writes
    await decide(bench, CaseKind.REFUSED_BY_LIBRARY, Action.BOOK)
    await bench.work()
    assert (await bench.payment(PAYMENT)).booking is Booking.BOOKED
    assert (bench.library.writes, await bench.cases()) == (writes, [])


async def test_what_was_sent_while_a_person_was_asked_has_surely_ended_before_anything_is_repeated(
    bench: Bench,
) -> None:
    await _sent_while_a_person_is_asked(bench)
    await decide(bench, CaseKind.REFUSED_BY_LIBRARY, Action.BOOK)
    await bench.wait_and_work(599)
    assert bench.library.writes == 2
    bench.library.land()
    await bench.wait_and_work(1)
    assert (await bench.payment(PAYMENT)).booking is Booking.BOOKED
    assert (bench.library.writes, await bench.cases()) == (2, [])


async def test_what_was_sent_while_a_person_was_asked_is_waited_for_where_the_money_is_taken_back(bench: Bench) -> None:
    await _sent_while_a_person_is_asked(bench)
    await bench.report(report(PAYMENT, "cancelled"))
    await bench.work()
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSAL_DUE
    bench.library.land()
    await bench.wait_and_work(3600)
    assert await bench.kinds() == [CaseKind.VOID_BY_HAND]
    bench.library.void("9000")
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.work()
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSED


async def test_a_request_that_is_sent_while_its_booking_is_taken_back_is_waited_for(bench: Bench) -> None:
    wake = await _asleep(bench)
    await _until_taken_back(bench)
    await wake()
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.work()
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSAL_DUE
    bench.library.land()
    bench.library.void("9000")
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.work()
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSED
    assert await bench.cases() == []


async def test_what_surely_never_arrived_needs_no_void(bench: Bench) -> None:
    wake = await _asleep(bench, "lost")
    await _until_taken_back(bench)
    await wake()
    await bench.wait_and_work(3700)
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSED
    assert await bench.cases() == []


async def test_an_answer_to_a_request_that_was_given_up_says_nothing_of_the_one_under_way(bench: Bench) -> None:
    wake = await _asleep(bench, "lost")
    await _until(bench, Booking.DUE)
    bench.clock.advance(600)
    bench.library.faults.append("late")
    reached, _ = paused(bench.library, "record")
    second = await begun(bench, "second", reached)
    await wake()
    await bench.wait_and_work(300)
    assert (await bench.payment(PAYMENT)).booking is Booking.UNKNOWN
    assert bench.library.writes == 2
    bench.library.land()
    await bench.wait_and_work(310)
    second.cancel()
    assert (await bench.payment(PAYMENT)).booking is Booking.BOOKED
    assert (bench.library.writes, await bench.cases()) == (2, [])


async def test_a_credit_that_surely_came_to_nothing_is_not_waited_for_beside_the_one_on_its_way(bench: Bench) -> None:
    await collected(bench, "3", "4")
    for charge, owed in (("1", "5"), ("2", "6")):
        bench.library.owes(charge, owed)
    bench.library.faults.append("never")
    await bench.work()
    bench.clock.advance(5)
    wake = await _falls_asleep(bench, "kept")
    await _until(bench, Booking.DUE)
    await wake()
    await bench.wait_and_work(300)
    assert (await bench.payment(PAYMENT)).booking is Booking.BOOKED
    assert [f"{'+'.join(order.charge_ids)} {order.amount}" for order in bench.library.orders] == ["1 3", "1 3", "2 4"]


async def test_what_may_still_come_is_waited_for_though_its_repeat_was_ended_by_the_library_system(
    bench: Bench,
) -> None:
    wake = await _asleep(bench)
    bench.library.faults.append("error")
    while bench.library.writes == 0:
        bench.clock.advance(100)
        for task in await bench.due():
            await bench.do(task)
    assert (await bench.payment(PAYMENT)).booking is Booking.UNKNOWN
    await wake()
    await bench.wait_and_work(590)
    assert bench.library.writes == 2
    bench.library.land()
    await bench.wait_and_work(10)
    assert (await bench.payment(PAYMENT)).booking is Booking.BOOKED
    assert (bench.library.writes, await bench.cases()) == (2, [])


async def test_what_the_library_system_has_ended_without_a_trace_needs_no_void(bench: Bench) -> None:
    wake = await _asleep(bench, "error")
    await _until_taken_back(bench)
    await wake()
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.work()
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSED
    assert await bench.cases() == []


async def test_what_never_arrived_needs_no_void_from_the_moment_when_it_has_surely_ended(bench: Bench) -> None:
    wake = await _asleep(bench, "lost")
    await _until_taken_back(bench)
    await wake()
    for seconds, booking in ((599, Booking.REVERSAL_DUE), (1, Booking.REVERSED)):
        bench.clock.advance(seconds)
        await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
        await bench.work()
        assert (await bench.payment(PAYMENT)).booking is booking


async def test_a_void_is_not_enough_while_a_second_request_of_the_same_number_may_still_come(bench: Bench) -> None:
    wake = await _asleep(bench)
    await _booked_by_another(bench)
    await bench.report(report(PAYMENT, "cancelled"))
    await wake()
    bench.library.void("9000")
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.wait_and_work(599)
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSAL_DUE
    bench.library.land()
    await bench.wait_and_work(3600)
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSAL_DUE
    bench.library.void("9001")
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.work()
    assert (await bench.payment(PAYMENT)).booking is Booking.REVERSED
    assert await bench.cases() == []
