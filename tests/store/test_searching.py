# SPDX-License-Identifier: GPL-3.0-or-later
"""A search has its time and its own place: whoever reads one thing, or looks for work, waits for none."""

from __future__ import annotations

import asyncio
import time

import pytest

from support.stores import AnyStore, rows_of
from tillbridge.errors import Declined
from tillbridge.service.store_port import Transaction
from tillbridge.store import sqlite

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
LONG = ENDLESS.replace("FROM n)", "FROM n WHERE i < 300000)")


def endless(tx: Transaction) -> None:
    rows_of(tx, ENDLESS)


async def test_a_search_that_takes_too_long_is_declined_and_says_what_to_do(store: AnyStore) -> None:
    for _ in range(5):
        begun = time.monotonic()
        with pytest.raises(Declined, match="Narrow it") as declined:
            await store.search(endless, 0.2)
        assert declined.value.code == "search_too_wide"
        assert time.monotonic() - begun < 5


async def test_what_a_search_leaves_is_not_limited(store: AnyStore) -> None:
    with pytest.raises(Declined):
        await store.search(endless, 0.01)
    for run in (store.read, store.search, store.write):
        assert await run(lambda tx: rows_of(tx, LONG)) == [(300_000,)]


async def test_a_search_in_time_returns_what_it_found_and_its_own_errors_are_told(store: AnyStore) -> None:
    assert await store.search(lambda tx: tx.last_position()) == 0
    with pytest.raises(ZeroDivisionError):
        await store.search(lambda _: 1 // 0)
    with pytest.raises(Exception, match="no_such_table"):
        await store.search(lambda tx: rows_of(tx, "SELECT * FROM no_such_table"))
    assert await store.search(lambda tx: tx.last_position()) == 0


async def test_slow_searches_keep_nobody_from_reading_and_writing(store: AnyStore) -> None:
    slow = [asyncio.create_task(store.search(endless, 4.0)) for _ in range(4 * sqlite.SEARCHERS)]
    await asyncio.sleep(0.2)
    await store.read(lambda tx: tx.next_due(["send"]))  # type: ignore[list-item]
    await store.write(lambda tx: tx.last_position())
    assert not any(task.done() for task in slow)
    for outcome in await asyncio.gather(*slow, return_exceptions=True):
        assert isinstance(outcome, Declined)


async def test_waiting_for_other_searches_is_part_of_a_search_s_time(store: AnyStore) -> None:
    begun = time.monotonic()
    slow = [asyncio.create_task(store.search(endless, 1.0)) for _ in range(20 * sqlite.SEARCHERS)]
    outcomes = await asyncio.gather(*slow, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Declined}
    assert time.monotonic() - begun < 10, "they have waited for each other: that is 20 seconds"
