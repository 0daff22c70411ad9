# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

import pytest

from support.fakes import FakeClock, report
from support.rules import check
from support.steps import at_register, begun, collected, credits_of, decide, locks, paused, tasks
from support.worlds import Bench
from tillbridge.domain.lifecycle import CREATED, PAID_TILL, UNKNOWN, Booking
from tillbridge.service import insisting
from tillbridge.service.booking import Booker
from tillbridge.service.finding_port import SEARCH_LIMIT_S
from tillbridge.service.lease import Lease
from tillbridge.service.library_port import BookingAnswer, CreditOrder
from tillbridge.service.register_port import Paid
from tillbridge.service.resolving import Action
from tillbridge.service.runner import Runner
from tillbridge.service.sending import Sending
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import CaseKind, CreditState, Store, TaskKind, Transaction

T = TypeVar("T")


class SlowStore:
    """A store whose transactions take longer than any lease."""

    def __init__(self, inner: Store, clock: FakeClock) -> None:
        self._inner, self._clock = inner, clock

    async def write(self, work: Callable[[Transaction], T]) -> T:
        result = await self._inner.write(work)
        self._clock.advance(60)
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._inner.read(work)

    async def search(self, work: Callable[[Transaction], T], limit_s: float = SEARCH_LIMIT_S) -> T:
        return await self._inner.search(work, limit_s)


class AwayStore(SlowStore):
    """A store whose database is away for the next few transactions."""

    def __init__(self, inner: Store, clock: FakeClock, times: int) -> None:
        super().__init__(inner, clock)
        self.times = times

    async def write(self, work: Callable[[Transaction], T]) -> T:
        if self.times:
            self.times -= 1
            raise OSError("the database is away")
        return await self._inner.write(work)


@pytest.mark.parametrize(
    ("lost", "seconds", "good"), [(False, 5, True), (False, 10, False), (False, 11, False), (True, 0, False)]
)
def test_leases_are_good_only_for_what_is_left_of_them(lost: bool, seconds: float, good: bool) -> None:
    assert Lease(110.0, lost).good_for(seconds, 100.0) is good


async def test_leases_of_a_task_that_sends_are_never_taken_over_and_the_answer_still_counts(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    reached, go_on = paused(bench.till, "send")
    bench.till.steps.append(Paid("4711"))
    first = await begun(bench, "first", reached)
    bench.clock.advance(61)
    await bench.work()
    assert (await bench.payment(payment.id)).standing == UNKNOWN
    assert len(bench.till.orders) == 1
    go_on.set()
    await first
    assert (await bench.payment(payment.id)).standing == PAID_TILL
    await bench.work()
    await check(bench)


async def test_leases_that_ran_out_before_the_work_leave_a_payment_to_whoever_has_it_now(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    (stale,) = await bench.due(owner="first")
    bench.clock.advance(60)
    reached, go_on = paused(bench.till, "send")
    second = await begun(bench, "second", reached)
    await Sending(bench.world).send(stale, Lease(stale.lease_until))
    assert (await bench.payment(payment.id)).undecided
    assert (await bench.events(payment.id))[-1] == "send"
    go_on.set()
    await second
    assert len(bench.till.orders) == 1


async def test_leases_are_checked_right_before_the_first_byte_to_the_till(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    (task,) = await bench.due()
    world = replace(bench.world, store=SlowStore(bench.store, bench.clock))
    await Sending(world).send(task, Lease(task.lease_until))
    assert bench.till.orders == []
    assert (await bench.payment(payment.id)).standing == CREATED


async def test_leases_are_checked_before_the_plan_is_stored(bench: Bench) -> None:
    payment = await collected(bench, "3")
    (task,) = await bench.due()
    await Booker(bench.world).book(task, Lease(bench.clock.now() + 30))
    assert (await bench.payment(payment.id)).booking is Booking.DUE
    assert await locks(bench) == {}
    await bench.wait_and_work(5)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_leases_are_checked_right_before_the_credit_goes_out(bench: Bench) -> None:
    payment = await collected(bench, "3")
    (task,) = await bench.due()
    lease = Lease(task.lease_until)
    plan = bench.library.open_charges

    async def slow(patron_id: str) -> object:
        found = await plan(patron_id)
        world = booker._world
        booker._world = replace(world, store=SlowStore(bench.store, bench.clock))
        return found

    booker = Booker(bench.world)
    bench.library.open_charges = slow  # type: ignore[assignment, method-assign]
    await booker.book(task, lease)
    bench.library.open_charges = plan  # type: ignore[method-assign]
    assert (await bench.payment(payment.id)).booking is Booking.BOOKING
    assert bench.library.writes == 0
    await check(bench)
    for _ in range(8):
        await bench.wait_and_work(120)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert bench.library.writes == 1


async def test_leases_lost_while_reading_leave_the_booking_to_the_successor(bench: Bench) -> None:
    payment = await collected(bench, "3")
    reached, go_on = paused(bench.library, "open_charges")
    first = await begun(bench, "first", reached)
    bench.clock.advance(61)
    reached_too, go_on_too = paused(bench.library, "open_charges")
    second = await begun(bench, "second", reached_too)
    go_on.set()
    await first
    assert await locks(bench) == {"5": payment.id}
    go_on_too.set()
    await second
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert bench.library.writes == 1
    assert await locks(bench) == {}


async def test_leases_do_not_matter_where_the_version_has_changed_meanwhile(bench: Bench) -> None:
    payment = await collected(bench, "3")
    reached, go_on = paused(bench.library, "open_charges")
    first = await begun(bench, "first", reached)
    await bench.report(report(payment.id, "paid", total=1))
    assert await locks(bench) == {}
    await decide(bench, CaseKind.SUM_DIFFERS, Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    go_on.set()
    await first
    assert bench.library.writes == 1
    await check(bench)


async def test_leases_of_the_patron_are_asked_again_before_the_plan(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.add_charge("2", "4")
    other = await bench.start(charges=(Chosen("2"),))
    reached, go_on = paused(bench.library, "open_charges")
    (book,) = [task for task in await bench.due() if task.kind is TaskKind.BOOK]
    first = asyncio.create_task(bench.do(book))
    await reached.wait()

    def steal(tx: Transaction) -> None:
        tx.unlock_patron(payment, 0.0)
        assert tx.lock_patron(other)

    await bench.store.write(steal)
    go_on.set()
    await first
    assert bench.library.writes == 0
    assert (await bench.payment(payment.id)).booking is Booking.DUE
    await bench.store.write(lambda tx: tx.unlock_patron(other, 0.0))
    await bench.wait_and_work(61)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


@pytest.mark.parametrize(("says", "total"), [("cancelled", None), ("paid", 1)])
async def test_leases_of_a_patron_end_when_a_dead_process_can_no_longer_end_them(
    bench: Bench, says: str, total: int | None
) -> None:
    payment = await collected(bench, "3")
    reached, _ = paused(bench.library, "open_charges")
    dying = await begun(bench, "dying", reached)
    dying.cancel()
    await bench.report(report(payment.id, says, total=total))
    await bench.store.write(lambda tx: tx.expire_leases())
    bench.library.add_charge("2", "4")
    other = await bench.start(charges=(Chosen("2"),))
    await bench.work()
    await bench.report(report(other.id, "paid"))
    await bench.work()
    assert (await bench.payment(other.id)).booking is Booking.BOOKED


async def test_leases_a_look_up_that_began_before_the_request_proves_nothing_about_it(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.extend(["kept", "error_kept"])
    (task,) = await bench.due()
    await bench.do(task)
    bench.library.void("9000")
    await bench.work()
    bench.clock.advance(3600)
    reached, go_on = paused(bench.library, "credits_of")
    looking = await begun(bench, "looking", reached)
    await decide(bench, CaseKind.CREDIT_VOIDED, Action.BOOK)
    (book,) = [task for task in await bench.due() if task.kind is TaskKind.BOOK]
    await bench.do(book)
    assert (await bench.payment(payment.id)).booking is Booking.UNKNOWN
    go_on.set()
    await looking
    assert (await bench.payment(payment.id)).booking is Booking.UNKNOWN
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert bench.library.writes == 2


async def test_leases_a_patron_that_was_gone_for_a_stale_reader_is_not_gone(bench: Bench) -> None:
    payment = await collected(bench, "3")
    kept = bench.library.patrons.pop("5")
    reached, go_on = paused(bench.library, "open_charges")
    first = await begun(bench, "first", reached)
    bench.library.patrons["5"] = kept
    bench.clock.advance(61)
    await bench.work()
    go_on.set()
    await first
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.cases() == []


async def _overtaken(bench: Bench, answer: str) -> tuple[asyncio.Task[None], asyncio.Event]:
    """Let one process stand still with its answer while another one looks it up and goes on."""
    await collected(bench, "3")
    bench.library.faults.append(answer)
    reached, go_on = paused(bench.library, "record")
    return await begun(bench, "first", reached), go_on


async def test_leases_an_answer_that_another_process_found_itself_changes_nothing(bench: Bench) -> None:
    first, go_on = await _overtaken(bench, "")
    bench.clock.advance(61)
    await bench.work()
    payment = await bench.payment("1".zfill(24))
    assert payment.booking is Booking.BOOKED
    go_on.set()
    await first
    assert await bench.payment(payment.id) == payment
    assert await bench.cases() == []
    assert bench.library.writes == 1


async def test_leases_a_late_credit_beside_a_booked_one_is_a_case(bench: Bench) -> None:
    first, go_on = await _overtaken(bench, "")
    (hidden,) = bench.library.credits
    bench.library.credits.clear()
    bench.library.owes("1", "3")
    for _ in range(5):
        await bench.wait_and_work(300)
    payment = await bench.payment("1".zfill(24))
    assert payment.booking is Booking.BOOKED
    bench.library.credits.append(hidden)
    go_on.set()
    await first
    assert await bench.kinds() == [CaseKind.BOOKED_TWICE]
    await decide(bench, CaseKind.BOOKED_TWICE, Action.LOOK)
    await bench.work()
    await decide(bench, CaseKind.BOOKED_TWICE, Action.SETTLED)
    assert await bench.cases() == []


async def test_leases_a_late_answer_while_a_repeat_is_under_way_is_looked_up_and_both_are_found(bench: Bench) -> None:
    await collected(bench, "3")
    bench.library.add_charge("9", "50")
    record = bench.library.record
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def asleep(order: CreditOrder) -> BookingAnswer:
        """Stand still before the first byte: what the documents name as what remains."""
        bench.library.record = record  # type: ignore[method-assign]
        reached.set()
        await go_on.wait()
        return await record(order)

    bench.library.record = asleep  # type: ignore[method-assign]
    first = await begun(bench, "first", reached)
    for _ in range(3):
        await bench.wait_and_work(310)
    bench.clock.advance(5)
    reached_too, go_on_too = paused(bench.library, "record")
    second = await begun(bench, "second", reached_too)
    go_on.set()
    await first
    go_on_too.set()
    await second
    await bench.work()
    payment = await bench.payment("1".zfill(24))
    assert payment.booking is Booking.BLOCKED
    assert await bench.kinds() == [CaseKind.BOOKED_TWICE]


async def test_leases_a_refusal_that_comes_too_late_changes_nothing(bench: Bench) -> None:
    first, go_on = await _overtaken(bench, "never")
    for _ in range(5):
        await bench.wait_and_work(300)
    payment = await bench.payment("1".zfill(24))
    go_on.set()
    await first
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert [credit.state for credit in await credits_of(bench, payment)] == [CreditState.BOOKED]


async def test_leases_end_at_once_for_a_process_that_knows_itself_to_be_alone(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    bench.library.add_charge("2", "4")
    other = await bench.start(charges=(Chosen("2"),))
    assert [task.payment_id for task in await bench.due(owner="dead")] == [other.id]
    assert await bench.due() == []
    await bench.store.write(lambda tx: tx.expire_leases())
    assert [task.payment_id for task in await bench.due()] == [other.id]
    assert (payment.id, TaskKind.LIMIT) in await tasks(bench)


async def test_leases_outlast_a_database_that_is_away_for_a_moment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insisting, "PAUSES_S", (0.0, 0.0))
    payment = await collected(bench, "3")
    (task,) = await bench.due()
    away = AwayStore(bench.store, bench.clock, 0)
    record = bench.library.record

    async def then_away(order: CreditOrder) -> BookingAnswer:
        away.times = 2
        return await record(order)

    bench.library.record = then_away  # type: ignore[method-assign]
    await Booker(replace(bench.world, store=away)).book(task, Lease(task.lease_until))
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_leases_tasks_that_are_no_longer_wanted_end(bench: Bench) -> None:
    payment = await collected(bench, "3")
    await bench.work()
    await bench.store.write(lambda tx: _every_task(tx, payment.id))
    before = await bench.payment(payment.id)
    await bench.work()
    assert await tasks(bench) == set()
    assert await bench.payment(payment.id) == before


async def test_leases_tasks_of_a_payment_that_is_not_there_end(bench: Bench) -> None:
    await bench.store.write(lambda tx: _every_task(tx, "F" * 24))
    await bench.work()
    assert await tasks(bench) == set()


def _every_task(tx: Transaction, payment_id: str) -> None:
    for kind in (TaskKind.SEND, TaskKind.LIMIT, TaskKind.ASK, TaskKind.BOOK, TaskKind.LOOK_UP):
        tx.add_task(payment_id, kind, 0.0)


class Wire:
    """Know which processes are dead, as a database would."""

    def __init__(self, *dead: str) -> None:
        self.dead = frozenset(dead)

    async def gone(self, owners: Collection[str]) -> frozenset[str]:
        return self.dead & frozenset(owners)


async def test_a_dead_process_s_leases_end_when_it_was_found_dead_twice(bench: Bench) -> None:
    await bench.store.write(lambda tx: tx.add_task("P1", TaskKind.WATCH, 0.0))
    await bench.store.write(lambda tx: tx.add_task("P2", TaskKind.WATCH, 0.0))

    def claim(owner: str) -> Callable[[Transaction], object]:
        return lambda tx: tx.claim_tasks(owner, [TaskKind.WATCH], 1.0, 10**12, 1)

    await bench.store.write(claim("dead"))
    await bench.store.write(claim("alive"))
    runner = Runner(bench.world, "me", Wire("dead"))
    await runner._end_leases_of_the_dead()
    assert await bench.store.read(lambda tx: tx.next_due([TaskKind.WATCH])) == 10**12
    await runner._end_leases_of_the_dead()
    [task] = await bench.store.write(lambda tx: tx.claim_tasks("me", [TaskKind.WATCH], 2.0, 10**12, 9))
    assert task.payment_id == "P1"


async def test_a_process_that_comes_back_in_time_keeps_its_leases(bench: Bench) -> None:
    await bench.store.write(lambda tx: tx.add_task("P1", TaskKind.WATCH, 0.0))
    await bench.store.write(lambda tx: tx.claim_tasks("slow", [TaskKind.WATCH], 1.0, 10**12, 1))
    wire = Wire("slow")
    runner = Runner(bench.world, "me", wire)
    await runner._end_leases_of_the_dead()
    wire.dead = frozenset()
    await runner._end_leases_of_the_dead()
    wire.dead = frozenset({"slow"})
    await runner._end_leases_of_the_dead()
    assert await bench.store.write(lambda tx: tx.claim_tasks("me", [TaskKind.WATCH], 2.0, 10**12, 9)) == ()
