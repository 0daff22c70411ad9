# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept and for how long it must hold: messages that do not fill the disk, seals that leave no day out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection, text

from support.payments import make_payment
from support.stores import AnyStore
from tillbridge.domain.history import GENESIS, seal
from tillbridge.service.store_port import Message, Transaction
from tillbridge.store import records
from tillbridge.store.transaction import SqlTransaction
from tillbridge.store.verifying import verify


def connection_of(tx: Transaction) -> Connection:
    assert isinstance(tx, SqlTransaction)
    return tx._connection


def report(raw: bytes, payment_id: str | None = None) -> Message:
    return Message(0.0, "report", "Paid", raw, payment_id)


async def keep(store: AnyStore, *messages: Message) -> None:
    def work(tx: Transaction) -> None:
        for message in messages:
            tx.keep_message(message)

    await store.write(work)


async def strays(store: AnyStore) -> Sequence[bytes]:
    kept = text("SELECT raw FROM message WHERE payment_id IS NULL ORDER BY id")
    return await store.read(lambda tx: connection_of(tx).execute(kept).scalars().all())


async def numbers(store: AnyStore, payment_id: str) -> list[int]:
    return [int(message.raw) for message in await store.read(lambda tx: tx.messages(payment_id))]


async def add(store: AnyStore, *payment_ids: str) -> None:
    def work(tx: Transaction) -> None:
        for n, payment_id in enumerate(payment_ids):
            tx.add_payment(make_payment(payment_id, str(n)), None)

    await store.write(work)


async def test_of_a_message_that_belongs_to_nobody_only_the_beginning_is_kept(store: AnyStore) -> None:
    await add(store, "A1")
    long = bytes(n % 251 for n in range(1024 * 1024))
    await keep(store, report(long), report(b"short"), report(long, "A1"))
    assert await strays(store) == [long[:4096], b"short"]
    assert [message.raw for message in await store.read(lambda tx: tx.messages("A1"))] == [long]


@pytest.mark.parametrize("rhythm", [2, 3, 100])
async def test_strays_are_bounded_at_every_moment_whatever_is_stored_between_them(
    store: AnyStore, monkeypatch: pytest.MonkeyPatch, rhythm: int
) -> None:
    monkeypatch.setattr(records, "STRAY_MESSAGES_KEPT", 5)
    monkeypatch.setattr(records, "STRAYS_DROPPED", 3)
    await add(store, "A1")
    for n in range(1, 210):
        await keep(store, report(b"%d" % n, "A1" if n % rhythm == rhythm - 1 else None))
        assert len(await strays(store)) <= 8
    assert len(await strays(store)) >= min(5, 209 // rhythm)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (6, [0, 1, 2, 3, 4, 5]),
        (7, [0, 1, 2, 4, 5, 6]),
        (50, [0, 1, 2, 47, 48, 49]),
    ],
)
async def test_of_a_payment_s_messages_the_first_and_the_last_are_kept(
    store: AnyStore, monkeypatch: pytest.MonkeyPatch, sent: int, kept: list[int]
) -> None:
    monkeypatch.setattr(records, "MESSAGES_KEPT", 3)
    await add(store, "A1", "A2")
    await keep(store, *(report(b"%d" % n, "A2") for n in range(4)), report(b"stray"))
    for n in range(sent):
        await keep(store, report(b"%d" % n, "A1"))
    assert await numbers(store, "A1") == kept
    assert await numbers(store, "A2") == [0, 1, 2, 3]
    assert await strays(store) == [b"stray"]


async def test_at_most_two_hundred_messages_of_a_payment_are_kept(store: AnyStore) -> None:
    await add(store, "A1")
    await keep(store, *(report(b"%d" % n, "A1") for n in range(300)))
    assert await numbers(store, "A1") == [*range(100), *range(200, 300)]


# Seals ----------------------------------------------------------------------------------------------------------


def at(day: str, hour: int = 12) -> float:
    return datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC).timestamp()


async def happen(store: AnyStore, *moments: float) -> None:
    def work(tx: Transaction) -> None:
        for moment in moments:
            tx.append_event("A1", moment, "till", "noted", {})

    await store.write(work)


async def sealed(store: AnyStore, until: str) -> int:
    return await store.write(lambda tx: tx.seal_missing(date.fromisoformat(until)))


async def seals(store: AnyStore) -> dict[str, str]:
    stored = text("SELECT day, hash FROM seal ORDER BY day")
    rows = await store.read(lambda tx: connection_of(tx).execute(stored).all())
    return {row.day: row.hash for row in rows}


async def breaks(store: AnyStore) -> tuple[str, ...]:
    return (await store.read(lambda tx: verify(connection_of(tx)))).breaks


async def test_every_missing_day_is_sealed_on_top_of_the_one_before_also_where_nothing_happened(
    store: AnyStore,
) -> None:
    await add(store, "A1")
    await happen(store, at("2027-02-26", 23), at("2027-03-01", 0), at("2027-03-02", 1))
    assert await sealed(store, "2027-03-01") == 4
    chain = await store.read(lambda tx: tx.history("A1"))
    first = seal(GENESIS, "2027-02-26", [("A1", 1, chain[0][1])])
    quiet = seal(first, "2027-02-27", [])
    quieter = seal(quiet, "2027-02-28", [])
    last = seal(quieter, "2027-03-01", [("A1", 2, chain[1][1])])
    expected = {"2027-02-26": first, "2027-02-27": quiet, "2027-02-28": quieter, "2027-03-01": last}
    assert await seals(store) == expected
    assert await sealed(store, "2027-03-01") == 0
    assert await sealed(store, "2027-03-02") == 1
    assert await breaks(store) == ()


async def test_a_seal_is_over_the_last_event_of_each_chain_that_grew_that_day(store: AnyStore) -> None:
    await add(store, "A1", "A2", "A3")
    midnight = at("2027-01-16", 0)
    moments = (("A1", midnight - 9), ("A2", midnight - 8), ("A1", midnight - 0.001), ("A1", midnight), ("A3", midnight))

    def work(tx: Transaction) -> list[str]:
        return [tx.append_event(payment_id, moment, "till", "noted", {}).hash for payment_id, moment in moments]

    hashes = await store.write(work)
    assert await sealed(store, "2027-01-16") == 2
    first = seal(GENESIS, "2027-01-15", [("A1", 2, hashes[2]), ("A2", 1, hashes[1])])
    second = seal(first, "2027-01-16", [("A1", 3, hashes[3]), ("A3", 1, hashes[4])])
    assert await seals(store) == {"2027-01-15": first, "2027-01-16": second}


async def test_days_after_an_older_seal_are_made_up_for(store: AnyStore) -> None:
    await add(store, "A1")
    await happen(store, at("2027-01-15"), at("2027-01-17"))
    assert await sealed(store, "2027-01-15") == 1
    assert await sealed(store, "2027-01-18") == 3
    assert list(await seals(store)) == ["2027-01-15", "2027-01-16", "2027-01-17", "2027-01-18"]
    assert await breaks(store) == ()


async def test_nothing_is_sealed_where_nothing_ever_happened_or_only_later(store: AnyStore) -> None:
    assert await sealed(store, "2027-01-15") == 0
    await add(store, "A1")
    await happen(store, at("2027-01-16", 0))
    assert await sealed(store, "2027-01-15") == 0
    assert await seals(store) == {}


async def test_a_clock_that_went_back_seals_nothing_again(store: AnyStore) -> None:
    await add(store, "A1")
    await happen(store, at("2027-01-15"))
    await sealed(store, "2027-01-20")
    assert await sealed(store, "2027-01-10") == 0
    assert len(await seals(store)) == 6


async def test_so_many_days_are_sealed_at_once_and_the_rest_the_next_time(
    store: AnyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert records.DAYS_AT_ONCE == 4000
    monkeypatch.setattr(records, "DAYS_AT_ONCE", 10)
    await add(store, "A1")
    await happen(store, at("2027-01-01"))
    assert [await sealed(store, "2027-01-25") for _ in range(4)] == [10, 10, 5, 0]
    assert await breaks(store) == ()
