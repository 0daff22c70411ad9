# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
import structlog
from structlog.typing import EventDict

from support.fakes import report
from support.patience import limits_of_waiting
from support.steps import at_register, collected, paused, rows
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.domain.payment import Payment
from tillbridge.service import insisting
from tillbridge.service.administration_port import Answered
from tillbridge.service.finding_port import SEARCH_LIMIT_S
from tillbridge.service.hand_over_port import HandOver
from tillbridge.service.librarians import Librarian, admitted
from tillbridge.service.library_port import BookingAnswer, CreditOrder
from tillbridge.service.ports import Limits
from tillbridge.service.register_port import Answer, Order, Paid
from tillbridge.service.resolving import Action, Word, resolve_payment
from tillbridge.service.runner import Runner
from tillbridge.service.sealing import NO_PAYMENT, SEAL_AFTER_S, keep_sealing
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import Store, Task, TaskKind, Transaction
from tillbridge.store import tables as t
from tillbridge.store.postgres import READERS, WRITERS

T = TypeVar("T")
Say = Callable[[], Awaitable[bool]]


NEVER_S = 3600.0
"""Nothing is found by looking again after a while: whatever brings work has to wake the runner."""


class Watched:
    """A store that says after each transaction that something may have changed, and that can fail."""

    def __init__(self, inner: Store) -> None:
        self._inner, self.failures = inner, 0
        self.changed, self.read_once = asyncio.Event(), asyncio.Event()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        if self.failures:
            self.failures -= 1
            self.changed.set()
            raise OSError("the database is away")
        try:
            return await self._inner.write(work)
        finally:
            self.changed.set()

    async def read(self, work: Callable[[Transaction], T]) -> T:
        try:
            return await self._inner.read(work)
        finally:
            self.read_once.set()

    async def search(self, work: Callable[[Transaction], T], limit_s: float = SEARCH_LIMIT_S) -> T:
        return await self._inner.search(work, limit_s)


class Bell:
    """A notifier that wakes a runner."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] = lambda: None

    def changed(self) -> None:
        self.wake()


class Running:
    """A bench with a runner at work on it."""

    def __init__(self, bench: Bench, limits: Limits, poll_s: float) -> None:
        self.store, bell = Watched(bench.store), Bell()
        self.bench = replace(bench, world=replace(bench.world, store=self.store, notifier=bell, limits=limits))
        self.runner = Runner(self.bench.world, "bridge", poll_s=poll_s)
        self.log = list[EventDict]()
        bell.wake = self.runner.wake

    async def until(self, says: Say) -> None:
        """Wait until a transaction has made it so."""
        while not await says():
            await self.store.changed.wait()
            self.store.changed.clear()

    async def booked(self, *payments: Payment) -> None:
        """Wait until they are booked."""

        async def all_booked() -> bool:
            return all([(await self.bench.payment(p.id)).booking is Booking.BOOKED for p in payments])

        await self.until(all_booked)

    @property
    def faults(self) -> set[str]:
        """Return what the log calls the faults so far."""
        return {entry["event"] for entry in self.log if entry["log_level"] == "error"}

    async def leased(self) -> list[Any]:
        """Read the tasks that somebody holds."""
        return [row for row in await rows(self.bench, t.task) if row.lease_owner is not None]


@asynccontextmanager
async def at_work(bench: Bench, poll_s: float = NEVER_S, **limits: float) -> AsyncIterator[Running]:
    """Let a runner work as long as the block lasts; nothing of it is left afterwards."""
    run = Running(bench, replace(Limits(), **limits), poll_s)  # type: ignore[arg-type]
    unseen = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: unseen.append(fault))
    with structlog.testing.capture_logs() as run.log:
        work = asyncio.create_task(run.runner.run())
        try:
            yield run
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            asyncio.get_running_loop().set_exception_handler(None)
    assert (run.runner._working, unseen) == ({}, [])


class Holding:
    """A till that holds every request until it is told what the customers did."""

    def __init__(self) -> None:
        self.holds, self.held, self.decided = 0, asyncio.Condition(), asyncio.Event()

    async def __call__(self, _: Order, at_till: Callable[[], Awaitable[None]]) -> Answer:
        await at_till()
        async with self.held:
            self.holds += 1
            self.held.notify_all()
        await self.decided.wait()
        return Paid("4711", None, b"paid")


async def test_running_takes_a_payment_all_the_way(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    async with at_work(bench) as run:
        payment = await run.bench.start()
        await run.until(lambda: _is(bench, payment, Collection.AT_REGISTER))
        await run.bench.report(report(payment.id, "paid"))
        await run.booked(payment)


async def test_running_a_report_before_the_held_answer_books_once(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    holding = Holding()
    bench.till.steps.append(holding)
    async with at_work(bench) as run:
        payment = await run.bench.start()
        await run.until(lambda: _is(bench, payment, Collection.AT_REGISTER))
        await run.bench.report(report(payment.id, "paid"))
        await run.booked(payment)
        holding.decided.set()
        await run.until(lambda: _tells(bench, payment, "duplicate"))
    assert bench.library.writes == 1


async def test_running_held_requests_cost_no_thread(bench: Bench) -> None:
    holding, payments = Holding(), []
    async with at_work(bench) as run:
        await run.until(_soon)
        before = threading.active_count()
        for number in range(1, 21):
            bench.library.add_patron(str(100 + number), f"P{number}")
            bench.library.add_charge(str(number), "1", patron_id=str(100 + number))
            bench.till.steps.append(holding)
            payments.append(await run.bench.start(card_number=f"P{number}"))
        async with holding.held:
            await holding.held.wait_for(lambda: holding.holds == 20)
        # However many requests are held: the store's own threads, which are as many as there may ever be.
        assert threading.active_count() <= before + READERS + WRITERS
        holding.decided.set()
        await run.booked(*payments)


async def test_running_lanes_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, most, now = asyncio.Event(), 0, 0
    record = bench.library.record

    async def slow(order: CreditOrder) -> BookingAnswer:
        nonlocal most, now
        now, most = now + 1, max(most, now + 1)
        await go_on.wait()
        now -= 1
        return await record(order)

    bench.library.record = slow  # type: ignore[method-assign]
    payments = []
    for number in range(1, 8):
        bench.library.add_patron(str(100 + number), f"P{number}")
        bench.library.add_charge(str(number), "1", patron_id=str(100 + number))
        payments.append(await bench.start(card_number=f"P{number}"))
    await bench.work()
    for payment in payments[:3]:
        await bench.report(report(payment.id, "paid"))
    pauses = limits_of_waiting(monkeypatch)
    async with at_work(bench) as run:
        await run.until(lambda: _that(now == 3))
        for payment in payments[3:]:
            await run.bench.report(report(payment.id, "paid"))
        await run.until(lambda: _that(now == 4))
        bench.library.add_charge("9", "1")
        sent = await run.bench.start()
        await run.until(lambda: _is(bench, sent, Collection.AT_REGISTER))
        go_on.set()
        await run.booked(*payments)
    assert most == 4
    # What has no room yet is no reason to look again and again.
    assert pauses
    assert [pause for pause in pauses if not pause or pause < 1] == []


async def test_running_renews_the_leases_of_what_is_held(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    bench.till.steps.append(Holding())
    async with at_work(bench, renew_s=0.002) as run:
        payment = await run.bench.start()
        await run.until(lambda: _is(bench, payment, Collection.AT_REGISTER))
        bench.clock.advance(50)
        target = bench.clock.now() + 60
        (working,) = run.runner._working.values()
        renew = run.runner._renew

        async def away() -> None:
            run.runner._renew = renew  # type: ignore[method-assign]
            raise OSError("the database is away")

        run.runner._renew = away  # type: ignore[method-assign]
        await run.until(lambda: _that(working[1].until == target))
        assert [row.lease_until for row in await run.leased()] == [target]
        assert run.faults == {"leases could not be renewed"}


async def test_running_a_lease_that_another_one_took_is_lost(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    holding = Holding()
    bench.till.steps.append(holding)
    async with at_work(bench, renew_s=0.002) as run:
        payment = await run.bench.start()
        await run.until(lambda: _is(bench, payment, Collection.AT_REGISTER))
        (working,) = run.runner._working.values()

        def steal(tx: Transaction) -> None:
            tx.expire_leases()
            tx.claim_tasks("thief", [TaskKind.SEND], bench.clock.now(), bench.clock.now() + 60, 9)

        await bench.store.write(steal)
        await run.until(lambda: _that(working[1].lost))
        assert not working[1].good_for(0, bench.clock.now())


async def test_running_goes_on_with_its_own_work_after_it_slept_past_its_lease(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    holding = Holding()
    bench.till.steps.append(holding)
    async with at_work(bench) as run:
        payment = await run.bench.start()
        await run.until(lambda: _is(bench, payment, Collection.AT_REGISTER))
        (working,) = run.runner._working.values()
        bench.clock.advance(100)
        run.runner.wake()
        await run.until(lambda: _that(working[1].until == bench.clock.now() + 60))
        assert (await bench.payment(payment.id)).collection is Collection.AT_REGISTER
        holding.decided.set()
        await run.booked(payment)
    assert len(bench.till.orders) == 1


async def test_running_a_failing_handler_hinders_no_other_and_is_done_again_after_its_lease(bench: Bench) -> None:
    payment = await collected(bench, "3")
    failed, bound = asyncio.Event(), dict[str, object]()
    async with at_work(bench) as run:
        handlers = dict(run.runner._handlers)

        async def fails(_: Task, __: object) -> None:
            run.runner._handlers = handlers
            bound.update(structlog.contextvars.get_contextvars())
            failed.set()
            raise ValueError("a bug")

        run.runner._handlers = handlers | {TaskKind.BOOK: fails}
        run.runner.wake()
        await failed.wait()
        assert bound == {"payment_id": payment.id, "task": "book"}  # which stand on every line of the log
        bench.library.add_charge("2", "3")
        sent = await run.bench.start(charges=(Chosen("2"),))
        await run.until(lambda: _is(bench, sent, Collection.AT_REGISTER))
        assert (await bench.payment(payment.id)).booking is Booking.DUE
        bench.clock.advance(61)
        run.runner.wake()
        await run.booked(payment)
        assert bench.library.writes == 1
        assert run.faults == {"a task failed"}


@pytest.mark.timeout(20)
async def test_running_does_at_once_what_it_took_again_while_it_was_failing_at_it(bench: Bench) -> None:
    payment = await collected(bench, "3")
    tried, go_on = asyncio.Event(), asyncio.Event()
    async with at_work(bench) as run:
        handlers = dict(run.runner._handlers)

        async def fails(_: Task, __: object) -> None:
            run.runner._handlers = handlers
            tried.set()
            await go_on.wait()
            raise ValueError("a bug")

        run.runner._handlers = handlers | {TaskKind.BOOK: fails}
        run.runner.wake()
        await tried.wait()
        (working,) = run.runner._working.values()
        bench.clock.advance(100)
        run.runner.wake()
        await run.until(lambda: _that(working[1].until == bench.clock.now() + 60))
        go_on.set()
        await run.booked(payment)
    assert bench.library.writes == 1


async def test_running_ends_once_what_it_does_has_ended(bench: Bench) -> None:
    await collected(bench, "3")
    begun, tidied = asyncio.Event(), False

    async def tidies(_: Task, __: object) -> None:
        nonlocal tidied
        begun.set()
        try:
            await asyncio.Future()
        finally:
            await asyncio.sleep(0.01)
            tidied = True

    async with at_work(bench) as run:
        run.runner._handlers = dict(run.runner._handlers) | {TaskKind.BOOK: tidies}
        run.runner.wake()
        await begun.wait()
    assert tidied


async def test_running_outlives_a_store_that_is_away(bench: Bench) -> None:
    payment = await collected(bench, "3")
    async with at_work(bench, poll_s=0.002) as run:
        run.store.failures = 3
        await run.booked(payment)
        assert (run.store.failures, run.faults) == (0, {"the store cannot be asked for work"})


async def test_running_finds_what_became_due_without_being_woken(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    async with at_work(bench, poll_s=0.002) as run:
        await run.until(_soon)
        bench.clock.advance(601)
        await run.until(lambda: _is(bench, payment, Collection.UNKNOWN))


@pytest.mark.timeout(20)
async def test_running_sleeps_no_longer_than_until_something_is_due(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await at_register(bench, "3")
    (limit,) = [row.due_at for row in await rows(bench, t.task) if row.kind == TaskKind.LIMIT]
    bench.clock.advance(limit - bench.clock.now() - 0.05)
    pauses = limits_of_waiting(monkeypatch)
    async with at_work(bench) as run:
        await asyncio.wait_for(run.store.read_once.wait(), 10)
        await run.until(_soon)
        bench.clock.advance(0.05)
        await run.until(lambda: _is(bench, payment, Collection.UNKNOWN))
    assert pytest.approx(0.05, abs=0.001) in pauses


async def test_running_cut_off_leaves_a_held_payment_unknown_for_the_next_process(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    bench.till.steps.append(Holding())
    async with at_work(bench) as run:
        payment = await run.bench.start()
        await run.until(lambda: _is(bench, payment, Collection.AT_REGISTER))
    await bench.store.write(lambda tx: tx.expire_leases())
    async with at_work(bench) as run:
        await run.until(lambda: _is(bench, payment, Collection.UNKNOWN))
    assert len(bench.till.orders) == 1


@pytest.mark.timeout(20)
async def test_running_a_lease_outlasts_a_library_system_that_may_take_minutes_to_write(bench: Bench) -> None:
    bench.library.write_limit_s = 132.0
    payment = await collected(bench, "5")
    reached, go_on = paused(bench.library, "record")
    async with at_work(bench, renew_s=15) as run:
        await reached.wait()
        assert [row.lease_until for row in await run.leased()] == [bench.clock.now() + 132 + 2 * 15]
        go_on.set()
        await run.booked(payment)


async def test_sealing_makes_up_for_days_on_which_nobody_ran(bench: Bench) -> None:
    await collected(bench, "5")
    await bench.store.write(lambda tx: keep_sealing(tx, bench.clock.now()))
    await bench.wait_and_work(4 * 86_400)
    assert next(row.day for row in await rows(bench, t.seal)) == "2027-01-15"
    assert len(await rows(bench, t.seal)) == 4


@pytest.mark.usefixtures("far_east")
@pytest.mark.parametrize("at", [(0, 10), (13, 10, 7, 500_000)])
async def test_sealing_seals_yesterday_and_comes_back_tomorrow(bench: Bench, at: tuple[int, ...]) -> None:
    bench.clock.time = datetime(2027, 3, 1, 12, tzinfo=UTC).timestamp()
    await collected(bench, "3")
    hour, minute, second, microsecond = (*at, 0, 0)[:4]
    bench.clock.time = datetime(2027, 3, 2, hour, minute, second, microsecond, tzinfo=UTC).timestamp()
    await bench.store.write(lambda tx: keep_sealing(tx, bench.clock.now()))
    await bench.wait_and_work(SEAL_AFTER_S)
    seals = await rows(bench, t.seal)
    assert [row.day for row in seals] == ["2027-03-01"]
    (task,) = [row for row in await rows(bench, t.task) if row.kind == "seal"]
    midnight = datetime(2027, 3, 3, tzinfo=UTC).timestamp()
    assert (task.payment_id, task.due_at, task.attempt) == (NO_PAYMENT, midnight + SEAL_AFTER_S, 0)
    await bench.store.write(lambda tx: keep_sealing(tx, bench.clock.now()))
    await bench.wait_and_work(SEAL_AFTER_S)
    assert await rows(bench, t.seal) == seals


async def test_answers_and_what_was_handed_over_are_kept_for_a_day_and_then_forgotten(bench: Bench) -> None:
    bench.clock.time = datetime(2027, 3, 2, 12, tzinfo=UTC).timestamp()

    def store(tx: Transaction) -> None:
        keep_sealing(tx, bench.clock.now())
        anna = admitted(tx, bench.clock.now(), Librarian("17", "anna", "Anna Aalto"), "CPL")
        for key, age_s in (("yesterday", 86_401), ("today", 86_300)):
            answered_at = bench.clock.now() + SEAL_AFTER_S - age_s
            tx.keep_answer(Answered("a key", key, answered_at, "fingerprint", 201, "{}"))
            assert tx.add_hand_over(HandOver(key, answered_at, anna.id, "whom it names"))

    await bench.store.write(store)
    await bench.work()
    assert [row.key for row in await rows(bench, t.idempotency)] == ["yesterday", "today"]
    await bench.wait_and_work(SEAL_AFTER_S)
    assert [row.key for row in await rows(bench, t.idempotency)] == ["today"]
    kept = {row.id: row.content for row in await rows(bench, t.hand_over)}
    assert kept == {"yesterday": "", "today": "whom it names"}


async def _is(bench: Bench, payment: Payment, collection: Collection) -> bool:
    return (await bench.payment(payment.id)).collection is collection


async def _tells(bench: Bench, payment: Payment, event: str) -> bool:
    return event in await bench.events(payment.id)


async def _that(fact: bool) -> bool:
    return fact


async def _soon() -> bool:
    await asyncio.sleep(0)
    return True


@pytest.mark.parametrize(("times", "outcome"), [(2, "done"), (3, "away")])
async def test_running_insisting_has_an_end(times: int, outcome: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(insisting, "PAUSES_S", (0.0, 0.0))
    left = [OSError("away")] * times

    async def attempt() -> str:
        if left:
            raise left.pop()
        return "done"

    try:
        assert await insisting.insist(attempt) == outcome
    except OSError as error:
        assert str(error) == outcome  # noqa: PT017 - one row of the table ends like this


async def test_running_a_refusal_on_purpose_is_not_insisted_upon(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    with pytest.raises(Exception, match="not in doubt"):
        await insisting.insist(
            lambda: resolve_payment(bench.world, payment.id, Word(Action.PAID, "anna", "seen", "4711"))
        )
