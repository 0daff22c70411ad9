# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that is wanted while somebody does the same work already is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from support.rules import check
from support.steps import collected, decide, locks, tasks, the_case
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking
from tillbridge.service.resolving import Action
from tillbridge.service.store_port import CaseKind, Task, TaskKind, Transaction

T = TypeVar("T")


def standing_still_before_the_next_write(bench: Bench) -> tuple[asyncio.Event, asyncio.Event]:
    """Let whoever stores something next stand still first: (it does so, it may go on)."""
    reached, go_on, write = asyncio.Event(), asyncio.Event(), bench.store.write

    async def slow(work: Callable[[Transaction], T]) -> T:
        bench.store.write = write  # type: ignore[method-assign]
        reached.set()
        await go_on.wait()
        return await write(work)

    bench.store.write = slow  # type: ignore[method-assign]
    return reached, go_on


async def in_doubt(bench: Bench, *owed: str) -> str:
    """Bring a booking to where nobody knows whether the library system has it, and return the payment's id."""
    payment = await collected(bench, *owed)
    bench.library.faults.append("lost")
    (book,) = await bench.due()
    await bench.do(book)
    assert (await bench.payment(payment.id)).booking is Booking.UNKNOWN
    return payment.id


async def named_another_patron(bench: Bench) -> tuple[str, dict[TaskKind, Task]]:
    """Let a person name another patron just when the hourly look at the case is due."""
    payment_id = await in_doubt(bench, "3")
    bench.library.add_patron("6", "C6")
    bench.library.merge("5", "6")
    await bench.work()
    bench.clock.advance(3600)
    looking = {task.kind: task for task in await bench.due()}
    await decide(bench, CaseKind.PATRON_GONE, Action.OTHER_PATRON, patron="6")
    return payment_id, looking | {task.kind: task for task in await bench.due()}


async def test_a_look_up_that_ends_while_a_new_doubt_arises_leaves_the_new_one_to_be_looked_up(bench: Bench) -> None:
    payment_id, due = await named_another_patron(bench)
    reached, go_on = standing_still_before_the_next_write(bench)
    looking = asyncio.create_task(bench.do(due[TaskKind.LOOK_UP]))
    await reached.wait()
    bench.library.faults.append("kept")
    await bench.do(due[TaskKind.BOOK])
    assert (await bench.payment(payment_id)).booking is Booking.UNKNOWN
    go_on.set()
    await looking
    await check(bench)
    await bench.work()
    assert (await bench.payment(payment_id)).booking is Booking.BOOKED
    assert await locks(bench) == {}


async def test_a_booking_that_is_tried_again_leaves_no_look_at_its_old_case_behind(bench: Bench) -> None:
    payment_id, _ = await named_another_patron(bench)
    assert await tasks(bench) == {(payment_id, TaskKind.BOOK), (payment_id, TaskKind.WATCH)}


async def test_a_person_who_asks_to_look_while_somebody_looks_is_answered_by_a_new_look(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("unapplied")
    await bench.work()
    bench.clock.advance(3600)
    (look,) = await bench.due()
    await decide(bench, CaseKind.NOT_APPLIED, Action.LOOK)
    before = bench.library.reads
    await bench.do(look)
    assert bench.library.reads == before + 2
    await bench.work()
    assert bench.library.reads == before + 4
    assert (await the_case(bench, CaseKind.NOT_APPLIED)).payment_id == payment.id
