# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges on one PostgreSQL wake each other, and know which of them have died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import psycopg
import pytest
from sqlalchemy import URL

from support.postgres import conninfo
from tillbridge.store import wakeups as module
from tillbridge.store.wakeups import PostgresWakeups


@dataclass
class Bridge:
    """One bridge's end of the wire, and how often it was woken."""

    wire: PostgresWakeups
    bell: asyncio.Event
    running: asyncio.Task[None] = field(init=False)

    async def woken(self) -> None:
        async with asyncio.timeout(20):
            await self.bell.wait()
        self.bell.clear()


@asynccontextmanager
async def bridge(url: URL, owner: str) -> AsyncIterator[Bridge]:
    bell = asyncio.Event()
    made = Bridge(PostgresWakeups(url, owner, bell.set), bell)
    made.running = asyncio.create_task(made.wire.run())
    await made.woken()  # as soon as it listens: what was missed before
    try:
        yield made
    finally:
        made.running.cancel()
        await asyncio.gather(made.running, return_exceptions=True)


async def test_a_ring_wakes_the_other_bridges(postgres: URL) -> None:
    async with bridge(postgres, "a") as first, bridge(postgres, "b") as second:
        for _ in range(3):
            first.wire.ring()
            await second.woken()
            second.wire.ring()
            await first.woken()


async def test_a_bridge_is_gone_when_its_process_is(postgres: URL) -> None:
    async with bridge(postgres, "a") as first:
        async with bridge(postgres, "b"):
            assert await first.wire.gone(["a", "b", "c"]) == {"c"}
        assert await first.wire.gone(["a", "b"]) == {"b"}
        assert await first.wire.gone([]) == frozenset()


async def test_connections_that_are_cut_are_made_anew(postgres: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.01)
    async with bridge(postgres, "a") as first, bridge(postgres, "b") as second:
        with psycopg.connect(conninfo(postgres), autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await second.woken()
        async with asyncio.timeout(20):
            while await first.wire.gone(["a", "b"]):  # noqa: ASYNC110 - a database tells nobody
                await asyncio.sleep(0.01)
            second.bell.clear()
            while not second.bell.is_set():
                first.wire.ring()
                await asyncio.sleep(0.05)
