# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that many tests walk: a payment at the till, collected, in doubt, blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Table

from support.fakes import report
from support.worlds import Bench
from tillbridge.domain.payment import Payment
from tillbridge.service.register_port import Answer, NoOutcome, Order
from tillbridge.service.resolving import Action, Word, resolve_case
from tillbridge.service.store_port import Case, CaseKind, StoredCredit, TaskKind
from tillbridge.store import tables as t

Held = Callable[[Order, Callable[[], Awaitable[None]]], Awaitable[Answer]]


async def at_register(bench: Bench, *owed: str, **request: object) -> Payment:
    """Bring a payment of these charges (numbered from 1) to the till."""
    for number, amount in enumerate(owed, 1):
        bench.library.add_charge(str(number), amount)
    payment = await bench.start(**request)
    await bench.work()
    return await bench.payment(payment.id)


async def unknown(bench: Bench, *owed: str, **request: object) -> Payment:
    """Bring a payment to where no one knows what the till did."""
    bench.till.steps.append(NoOutcome("time-out"))
    return await at_register(bench, *owed, **request)


async def collected(bench: Bench, *owed: str, **request: object) -> Payment:
    """Let the till take the money; the booking is due and nobody has begun it."""
    payment = await at_register(bench, *owed, **request)
    await bench.report(report(payment.id, "paid"), payment.id)
    return await bench.payment(payment.id)


async def booked_in_two(bench: Bench) -> Payment:
    """Let a payment of two charges be booked by two credits: the first charge had grown meanwhile."""
    payment = await collected(bench, "3", "4")
    bench.library.owes("1", "5")
    bench.library.faults.append("refused")
    await bench.work()
    await decide(bench, CaseKind.REFUSED_BY_LIBRARY, Action.BOOK)
    await bench.work()
    return await bench.payment(payment.id)


async def decide(bench: Bench, kind: CaseKind, action: Action, **more: str) -> None:
    """Let a person decide the one open case of this kind."""
    word = Word(action, "sari", "I have looked", more.get("receipt"), more.get("patron"))
    await resolve_case(bench.world, (await the_case(bench, kind)).id, word)


async def the_case(bench: Bench, kind: CaseKind) -> Case:
    """Return the one open case of this kind."""
    (found,) = [case for case in await bench.cases() if case.kind is kind]
    return found


async def rows(bench: Bench, table: Table) -> list[Any]:
    """Return all rows of a table."""
    return await bench.store.read(lambda tx: list(tx._connection.execute(table.select())))  # type: ignore[attr-defined]


async def tasks(bench: Bench) -> set[tuple[str, TaskKind]]:
    """Return what is to be done, as (payment, kind)."""
    return {(row.payment_id, TaskKind(row.kind)) for row in await rows(bench, t.task)}


async def claims(bench: Bench) -> dict[str, str]:
    """Return who holds which charge."""
    return {row.charge_id: row.payment_id for row in await rows(bench, t.claim)}


async def locks(bench: Bench) -> dict[str, str]:
    """Return which patron is locked for which payment."""
    return {row.patron_id: row.payment_id for row in await rows(bench, t.patron_lock)}


async def stored_messages(bench: Bench) -> list[Any]:
    """Return every message of the wire, of whatever payment."""
    return await rows(bench, t.message)


async def credits_of(bench: Bench, payment: Payment) -> tuple[StoredCredit, ...]:
    """Return a booking's credits."""
    return await bench.store.read(lambda tx: tx.credits(payment.id))


async def verdicts(bench: Bench, payment: Payment) -> list[str]:
    """Return what was thought of each stored message of a payment."""
    return [message.verdict for message in await bench.store.read(lambda tx: tx.messages(payment.id))]


def held(answer: Answer, until: asyncio.Event, waiting: asyncio.Event) -> Held:
    """Make a till that holds the request until the event, then answers."""

    async def step(_: Order, at_till: Callable[[], Awaitable[None]]) -> Answer:
        await at_till()
        waiting.set()
        await until.wait()
        return answer

    return step


def paused(port: object, name: str) -> tuple[asyncio.Event, asyncio.Event]:
    """Make the next call of a fake's method stand still once it has its answer: (it does so, it may go on)."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    call = getattr(port, name)

    async def slow(*arguments: object) -> object:
        setattr(port, name, call)
        result = await call(*arguments)
        reached.set()
        await go_on.wait()
        return result

    setattr(port, name, slow)
    return reached, go_on


async def begun(bench: Bench, owner: str, reached: asyncio.Event) -> asyncio.Task[None]:
    """Let a process take up the one task that is due, until it stands still."""
    (task,) = await bench.due(owner=owner)
    working = asyncio.create_task(bench.do(task))
    await reached.wait()
    return working
