# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks and their leases: who has one, until when, and what a former owner can still do (nothing)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from support.stores import AnyStore
from tillbridge.service.store_port import Task, TaskKind, Transaction

ALL = tuple(TaskKind)


async def plan(store: AnyStore, *tasks: tuple[str, TaskKind, float]) -> None:
    def work(tx: Transaction) -> None:
        for payment_id, kind, due_at in tasks:
            tx.add_task(payment_id, kind, due_at)

    await store.write(work)


async def claim(store: AnyStore, owner: str, now: float, until: float = 100.0, limit: int = 99) -> tuple[Task, ...]:
    return await store.write(lambda tx: tx.claim_tasks(owner, ALL, now, until, limit))


async def test_what_is_due_is_claimed_oldest_first_and_up_to_a_limit(store: AnyStore) -> None:
    await plan(store, ("A3", TaskKind.SEND, 3.0), ("A1", TaskKind.SEND, 1.0), ("A2", TaskKind.SEND, 1.0))
    await plan(store, ("A4", TaskKind.SEND, 9.0))
    assert [task.payment_id for task in await claim(store, "me", 5.0, limit=2)] == ["A1", "A2"]
    assert [task.payment_id for task in await claim(store, "me", 5.0)] == ["A3"]
    assert await claim(store, "me", 5.0) == ()


async def test_a_claimed_task_says_who_has_it_and_until_when(store: AnyStore) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    (task,) = await claim(store, "me", 1.0, 61.0)
    assert task == Task(task.id, "A1", TaskKind.BOOK, 0, "me", 61.0)


async def test_only_wanted_kinds_are_claimed(store: AnyStore) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0), ("A1", TaskKind.ASK, 1.0))
    tasks = await store.write(lambda tx: tx.claim_tasks("me", [TaskKind.ASK, TaskKind.SEND], 5.0, 99.0, 9))
    assert [task.kind for task in tasks] == [TaskKind.ASK]


@pytest.mark.parametrize(("at", "taken"), [(59.9, False), (60.0, True), (1e9, True)])
async def test_a_lease_keeps_others_away_until_it_ends(store: AnyStore, at: float, taken: bool) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    await claim(store, "me", 1.0, 60.0)
    assert bool(await claim(store, "other", at, at + 60)) is taken


async def test_two_owners_that_claim_at_once_share_the_tasks_and_never_one(store: AnyStore) -> None:
    await plan(store, *((f"A{n}", TaskKind.SEND, 1.0) for n in range(60)))
    claimed = await asyncio.gather(*(claim(store, f"owner {n}", 5.0, limit=7) for n in range(10)))
    ids = [task.id for tasks in claimed for task in tasks]
    assert len(ids) == len(set(ids)) == 60


async def test_a_payment_has_one_task_of_a_kind_and_it_moves_only_to_an_earlier_time(store: AnyStore) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 5.0), ("A1", TaskKind.BOOK, 9.0))
    assert await store.read(lambda tx: tx.next_due(ALL)) == 5.0
    await plan(store, ("A1", TaskKind.BOOK, 2.0))
    assert await store.read(lambda tx: tx.next_due(ALL)) == 2.0
    assert len(await claim(store, "me", 99.0)) == 1


async def test_leases_are_renewed_for_their_owner_alone(store: AnyStore) -> None:
    await plan(store, ("A1", TaskKind.SEND, 1.0), ("A2", TaskKind.SEND, 1.0), ("A3", TaskKind.SEND, 1.0))
    mine = await claim(store, "me", 1.0, 60.0, limit=2)
    (theirs,) = await claim(store, "other", 1.0, 60.0)
    asked = [mine[0].id, theirs.id, 999]
    assert await store.write(lambda tx: tx.renew_leases("me", asked, 90.0)) == {mine[0].id}
    assert {task.id for task in await claim(store, "third", 60.0)} == {mine[1].id, theirs.id}
    assert await store.write(lambda tx: tx.renew_leases("me", [mine[1].id], 200.0)) == frozenset()


async def test_thousands_of_leases_are_renewed_at_once(store: AnyStore) -> None:
    await plan(store, *((f"A{n}", TaskKind.SEND, 1.0) for n in range(1203)))
    mine = await claim(store, "me", 1.0, limit=5000)
    ids = [task.id for task in mine]
    assert await store.write(lambda tx: tx.renew_leases("me", ids, 900.0)) == frozenset(ids)
    assert await claim(store, "other", 899.0) == ()


async def test_no_leases_to_renew_are_none(store: AnyStore) -> None:
    assert await store.write(lambda tx: tx.renew_leases("me", [], 90.0)) == frozenset()


FORMER_OWNERS: dict[str, Callable[[Transaction, Task], None]] = {
    "finishes": lambda tx, task: tx.finish_task(task),
    "postpones": lambda tx, task: tx.postpone_task(task, 5.0, 1),
}


@pytest.mark.parametrize("late", FORMER_OWNERS.values(), ids=FORMER_OWNERS)
async def test_what_a_former_owner_does_changes_nothing(
    store: AnyStore, late: Callable[[Transaction, Task], None]
) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    (former,) = await claim(store, "me", 1.0, 60.0)
    (present,) = await claim(store, "other", 60.0, 120.0)
    await store.write(lambda tx: late(tx, former))
    assert await claim(store, "third", 119.0) == ()
    assert await store.write(lambda tx: tx.renew_leases("other", [present.id], 200.0)) == {present.id}


@pytest.mark.parametrize("late", FORMER_OWNERS.values(), ids=FORMER_OWNERS)
async def test_what_an_owner_does_twice_counts_once(store: AnyStore, late: Callable[[Transaction, Task], None]) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    (first,) = await claim(store, "me", 1.0, 60.0)
    await store.write(lambda tx: tx.postpone_task(first, 5.0, 1))
    (second,) = await claim(store, "me", 5.0, 60.0)
    assert second == replace(first, attempt=1)
    await store.write(lambda tx: late(tx, first))
    assert await store.write(lambda tx: tx.renew_leases("me", [second.id], 200.0)) == {second.id}


@pytest.mark.parametrize("late", FORMER_OWNERS.values(), ids=FORMER_OWNERS)
async def test_who_still_works_on_a_dropped_task_does_not_end_the_next_one(
    store: AnyStore, late: Callable[[Transaction, Task], None]
) -> None:
    """A held request whose payment a report has decided comes back after the booking was claimed."""
    await plan(store, ("A1", TaskKind.SEND, 1.0))
    (dropped,) = await claim(store, "me", 1.0)

    def report(tx: Transaction) -> None:
        tx.drop_tasks("A1", TaskKind.SEND, TaskKind.LIMIT)
        tx.add_task("A1", TaskKind.BOOK, 1.0)

    await store.write(report)
    (booking,) = await claim(store, "me", 1.0)
    assert booking.id != dropped.id
    await store.write(lambda tx: late(tx, dropped))
    await store.write(lambda tx: late(tx, replace(dropped, id=booking.id)))
    assert await store.write(lambda tx: tx.renew_leases("me", [booking.id], 200.0)) == {booking.id}


async def test_a_finished_task_is_gone(store: AnyStore) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    (task,) = await claim(store, "me", 1.0)
    await store.write(lambda tx: tx.finish_task(task))
    assert await store.read(lambda tx: tx.next_due(ALL)) is None
    assert await claim(store, "me", 1e9) == ()


async def test_a_postponed_task_is_free_again_at_its_time(store: AnyStore) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    (task,) = await claim(store, "me", 1.0)
    await store.write(lambda tx: tx.postpone_task(task, 30.0, 4))
    assert await claim(store, "other", 29.9) == ()
    (again,) = await claim(store, "other", 30.0)
    assert (again.id, again.attempt, again.lease_owner) == (task.id, 4, "other")


ENDINGS: dict[str, Callable[[Transaction, Task], None]] = {
    "finishes": lambda tx, task: tx.finish_task(task),
    "postpones": lambda tx, task: tx.postpone_task(task, 90.0, 1),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
async def test_a_task_that_is_wanted_again_while_somebody_does_it_is_done_once_more(
    store: AnyStore, end: Callable[[Transaction, Task], None]
) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    (task,) = await claim(store, "me", 1.0, 60.0)
    await plan(store, ("A1", TaskKind.BOOK, 30.0), ("A1", TaskKind.BOOK, 5.0), ("A1", TaskKind.BOOK, 9.0))
    assert await claim(store, "other", 59.0) == ()
    await store.write(lambda tx: end(tx, task))
    assert await store.read(lambda tx: tx.next_due(ALL)) == 5.0
    (again,) = await claim(store, "other", 5.0)
    assert (again.id, again.attempt) == (task.id, 1)
    await store.write(lambda tx: end(tx, again))
    assert await store.read(lambda tx: tx.next_due(ALL)) in (None, 90.0)


async def test_a_later_wish_does_not_hurry_what_is_postponed(store: AnyStore) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    (task,) = await claim(store, "me", 1.0, 60.0)
    await plan(store, ("A1", TaskKind.BOOK, 50.0))
    await store.write(lambda tx: tx.postpone_task(task, 20.0, 1))
    assert await store.read(lambda tx: tx.next_due(ALL)) == 20.0


@pytest.mark.parametrize(("wanted_at", "next_due"), [(2.0, None), (70.0, 70.0)])
async def test_who_takes_over_a_task_does_what_was_wanted_until_then_and_leaves_what_is_for_later(
    store: AnyStore, wanted_at: float, next_due: float | None
) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    await claim(store, "dead", 1.0, 60.0)
    await plan(store, ("A1", TaskKind.BOOK, wanted_at))
    (task,) = await claim(store, "heir", 60.0, 120.0)
    await store.write(lambda tx: tx.finish_task(task))
    assert await store.read(lambda tx: tx.next_due(ALL)) == next_due


async def test_a_task_that_was_dropped_is_not_wanted_again_by_an_older_wish(store: AnyStore) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 1.0))
    (task,) = await claim(store, "me", 1.0, 60.0)
    await plan(store, ("A1", TaskKind.BOOK, 2.0))
    await store.write(lambda tx: tx.drop_tasks("A1", TaskKind.BOOK))
    await store.write(lambda tx: tx.finish_task(task))
    assert await store.read(lambda tx: tx.next_due(ALL)) is None


async def test_tasks_are_dropped_by_payment_and_kind_even_while_claimed(store: AnyStore) -> None:
    await plan(store, *((payment_id, kind, 1.0) for payment_id in ("A1", "A2") for kind in ALL))
    await claim(store, "me", 1.0, limit=3)
    await store.write(lambda tx: tx.drop_tasks("A1", TaskKind.SEND, TaskKind.LIMIT, TaskKind.ASK))
    left = await claim(store, "other", 1e9)
    assert {task.kind for task in left if task.payment_id == "A1"} == set(ALL) - {
        TaskKind.SEND,
        TaskKind.LIMIT,
        TaskKind.ASK,
    }
    assert sum(task.payment_id == "A2" for task in left) == len(ALL)


async def test_every_lease_ends_at_once_where_the_owner_is_known_to_be_dead(store: AnyStore) -> None:
    await plan(store, ("A1", TaskKind.SEND, 1.0), ("A2", TaskKind.BOOK, 1.0), ("A3", TaskKind.ASK, 50.0))
    await claim(store, "dead", 1.0, 1e9)
    await store.write(lambda tx: tx.expire_leases())
    assert {task.payment_id for task in await claim(store, "me", 2.0)} == {"A1", "A2"}


@pytest.mark.parametrize(
    ("leased_until", "next_due"),
    [(None, 3.0), (0.0, 3.0), (2.0, 3.0), (5.0, 5.0), (60.0, 7.0)],
)
async def test_the_next_work_is_the_next_free_task_or_the_end_of_the_next_lease(
    store: AnyStore, leased_until: float | None, next_due: float
) -> None:
    await plan(store, ("A1", TaskKind.BOOK, 3.0), ("A2", TaskKind.BOOK, 7.0), ("A3", TaskKind.SEND, 0.5))
    if leased_until is not None:
        await store.write(lambda tx: tx.claim_tasks("me", [TaskKind.BOOK], 3.0, leased_until, 9))
    assert await store.read(lambda tx: tx.next_due([TaskKind.BOOK, TaskKind.ASK])) == next_due
