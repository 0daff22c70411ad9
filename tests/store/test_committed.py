# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on the store, and the news of what it made durable, are in the context of the one who asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path

import pytest

from support.payments import make_payment
from support.quick import quick_store
from support.stores import ENGINES, AnyStore, quick_postgres_store, server_for
from tillbridge.domain.history import Event
from tillbridge.service.store_port import Transaction

asked_by: ContextVar[str] = ContextVar("asked_by")


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyStore]:
    server = server_for(request)
    with quick_store(tmp_path / "bridge.db") if server is None else quick_postgres_store(server) as opened:
        yield opened


async def write(store: AnyStore, number: int) -> None:
    payment_id = f"P{number}"
    asked_by.set(f"request {number}")

    def work(tx: Transaction) -> None:
        tx.add_payment(make_payment(payment_id, str(number)), None)
        tx.append_event(payment_id, 1.0, "bridge", "created", {})
        tx.append_event(payment_id, 1.0, "bridge", "send", {})

    await store.write(work)


async def test_each_event_is_told_in_the_context_of_its_writer_also_where_several_share_a_commit(
    store: AnyStore,
) -> None:
    told: list[tuple[str, str, str]] = []

    def tell(events: Sequence[Event]) -> None:
        told.extend((asked_by.get(), event.payment_id, event.kind) for event in events)

    store.committed = tell
    await asyncio.gather(*(asyncio.create_task(write(store, number)) for number in range(20)))
    assert sorted(told) == sorted(
        (f"request {number}", f"P{number}", kind) for number in range(20) for kind in ("created", "send")
    )


async def test_what_reads_and_what_writes_runs_in_the_context_of_the_one_who_asked(store: AnyStore) -> None:
    asked_by.set("request 1")
    assert await store.read(lambda _: asked_by.get()) == "request 1"
    assert await store.write(lambda _: asked_by.get()) == "request 1"


async def test_nobody_is_told_of_a_transaction_without_events(store: AnyStore) -> None:
    told: list[Sequence[Event]] = []
    store.committed = told.append
    await store.write(lambda tx: tx.expire_leases())
    assert told == []
