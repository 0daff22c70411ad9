# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that many share is moved to an earlier time by whoever has news for it; nobody waits for anybody there."""

from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy import URL

from support.stores import AnyStore, quick_postgres
from tillbridge.service.store_port import TaskKind, Transaction
from tillbridge.store.postgres import PostgresStore

ALARM = (TaskKind.ALARM,)


def nudge(tx: Transaction, at: float = 5.0) -> None:
    tx.nudge_task("-", TaskKind.ALARM, at)


async def next_due(store: AnyStore) -> float | None:
    return await store.read(lambda tx: tx.next_due(ALARM))


@pytest.mark.parametrize(("planned_at", "due_at"), [(60.0, 5.0), (3.0, 3.0)])
async def test_it_is_moved_to_the_earlier_time(store: AnyStore, planned_at: float, due_at: float) -> None:
    await store.write(lambda tx: tx.add_task("-", TaskKind.ALARM, planned_at))
    await store.write(nudge)
    assert await next_due(store) == due_at


async def test_one_that_somebody_does_is_done_once_more(store: AnyStore) -> None:
    await store.write(lambda tx: tx.add_task("-", TaskKind.ALARM, 1.0))
    (task,) = await store.write(lambda tx: tx.claim_tasks("me", ALARM, 1.0, 60.0, 1))
    await store.write(nudge)
    await store.write(lambda tx: tx.postpone_task(task, 61.0, 0))
    assert await next_due(store) == 5.0


async def test_one_that_is_not_there_is_not_made(store: AnyStore) -> None:
    await store.write(nudge)
    assert await next_due(store) is None


async def test_one_who_stands_still_with_it_holds_nobody_up(postgres_server: URL) -> None:
    with quick_postgres(postgres_server) as url:
        first, second = PostgresStore(url, patience_s=2.0), PostgresStore(url, patience_s=2.0)
        await first.write(lambda tx: tx.add_task("-", TaskKind.ALARM, 60.0))
        held, go = threading.Event(), threading.Event()
        tries: list[int] = []

        def stand_still(tx: Transaction) -> None:
            nudge(tx)
            tries.append(1)
            held.set()
            go.wait(30)

        still = asyncio.ensure_future(first.write(stand_still))
        await asyncio.to_thread(held.wait, 20)
        await second.write(lambda tx: nudge(tx, 4.0))
        go.set()
        await still
        assert tries == [1], "the other one has waited until this one was ended"
        assert await next_due(second) == 5.0
        first.close()
        second.close()
