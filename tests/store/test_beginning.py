# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bridge puts right when it starts: a clock that was set meanwhile must not lose, delay or repeat anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.payments import make_payment
from support.stores import AnyStore
from tillbridge import composition
from tillbridge.composition import begin
from tillbridge.domain.lifecycle import Booking
from tillbridge.service.sealing import keep_sealing
from tillbridge.service.store_port import CreditState, StoredCredit, TaskKind, Transaction
from tillbridge.store.sqlite import SqliteStore

SENT = StoredCredit(0, ("1",), make_payment().lines[0].exact, {}, CreditState.SENT, sent_at=500.0)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What this machine's own clock has counted: it stands still until a test says otherwise."""
    passed = [77.0]
    monkeypatch.setattr(composition, "_passed", lambda: passed[0])
    return passed


async def fill(store: AnyStore, newest: float) -> None:
    """Store a payment whose newest event is of this instant, with a credit under way and a leased task."""

    def work(tx: Transaction) -> None:
        tx.add_payment(make_payment("A1"), None)
        tx.append_event("A1", newest, "till", "noted", {})
        tx.put_credit("A1", SENT)
        tx.add_task("A1", TaskKind.BOOK, newest)
        tx.claim_tasks("dead", [TaskKind.BOOK], newest, newest + 1000, 9)

    await store.write(work)


async def test_a_clock_that_was_set_back_goes_on_from_what_was_stored_last(
    store: AnyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store, 90_000.0)
    monkeypatch.setattr(store, "time", lambda: 3600.0)
    assert (await begin(store)).now() == 90_000.0


async def test_a_clock_that_is_right_is_taken_as_it_is(store: AnyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(store, 90_000.0)
    monkeypatch.setattr(store, "time", lambda: 90_007.0)
    assert (await begin(store)).now() == 90_007.0
    assert await store.read(lambda tx: tx.next_due([TaskKind.SEAL])) == 90_307.0


async def test_a_start_that_has_to_wait_for_another_process_leaves_the_clock_right(
    store: AnyStore, machine: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that is late takes leases for good that others have long taken over."""

    def wait_and_keep(tx: Transaction, now: float) -> None:
        machine[0] += 10.0
        keep_sealing(tx, now)

    monkeypatch.setattr(store, "time", lambda: 90_007.0)
    monkeypatch.setattr(composition, "keep_sealing", wait_and_keep)
    assert (await begin(store)).now() == 90_017.0


async def test_what_was_under_way_counts_from_now(store: AnyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was set forward would have it that the request ended long ago, and send it again."""
    await fill(store, 1000.0)
    monkeypatch.setattr(store, "time", lambda: 5000.0)
    await begin(store)
    [credit] = await store.read(lambda tx: tx.credits("A1"))
    assert credit.sent_at == 5000.0


async def test_what_was_sent_later_than_this_clock_says_stays(store: AnyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(store, 100.0)
    monkeypatch.setattr(store, "time", lambda: 400.0)
    await begin(store)
    [credit] = await store.read(lambda tx: tx.credits("A1"))
    assert credit.sent_at == 500.0


async def test_what_another_process_is_booking_stays_as_it_knows_it(
    store: AnyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take its own credit for another's, and its answer for one that nobody waits for."""
    await fill(store, 1000.0)
    await store.write(lambda tx: tx.save(replace(make_payment("A1"), booking=Booking.BOOKING)))
    monkeypatch.setattr(store, "time", lambda: 5000.0)
    await begin(store)
    assert await store.read(lambda tx: tx.credits("A1")) == (SENT,)


async def test_where_no_other_process_lives_what_was_leased_is_free(
    store: AnyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store, 1000.0)
    monkeypatch.setattr(store, "time", lambda: 5000.0)
    await begin(store)
    alone = isinstance(store, SqliteStore)
    taken = await store.write(lambda tx: tx.claim_tasks("new", [TaskKind.BOOK], 1500.0, 9000.0, 9))
    assert len(taken) == (1 if alone else 0)
