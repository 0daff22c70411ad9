# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading beside the bridge that has the database open: what is stored is seen, and nothing can be changed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL

from support.payments import make_payment
from support.stores import AnyStore
from tillbridge.errors import SettingsError
from tillbridge.service.administration_port import ApiKey
from tillbridge.service.store_port import Message, Transaction
from tillbridge.store.opening import Database
from tillbridge.store.postgres import PostgresStore
from tillbridge.store.reading import StoreForReading
from tillbridge.store.sqlite import SqliteStore


@contextmanager
def reading(database: Database) -> Iterator[StoreForReading]:
    reader = StoreForReading(database)
    try:
        yield reader
    finally:
        reader.close()


def database_of(store: AnyStore, path: Path) -> Database:
    return Database(url=store.url) if isinstance(store, PostgresStore) else Database(path=path)


@pytest.fixture
def beside(store: AnyStore, path: Path) -> Iterator[StoreForReading]:
    """A reader of a database that a bridge has open."""
    with reading(database_of(store, path)) as reader:
        yield reader


async def test_what_the_bridge_stores_is_seen_at_once(store: AnyStore, beside: StoreForReading) -> None:
    assert await beside.is_there()
    assert await beside.read(lambda tx: tx.newest_strays(10)) == ()
    await store.write(lambda tx: tx.keep_message(Message(1.0, "report", "Paid", b"raw")))
    (seen,) = await beside.read(lambda tx: tx.newest_strays(10))
    assert (seen.verdict, seen.raw, seen.payment_id) == ("Paid", b"raw", None)


async def test_a_reader_cannot_change_anything(store: AnyStore, beside: StoreForReading) -> None:
    def write(tx: Transaction) -> None:
        tx.add_api_key(ApiKey("1", "desk", "hash", frozenset(), None, 1.0, "eeva"))

    with pytest.raises(SettingsError, match=r"cannot be read: .*read-?only"):
        await beside.read(write)
    assert await store.read(lambda tx: tx.api_keys()) == ()


async def test_a_reader_keeps_nobody_from_writing(store: AnyStore, beside: StoreForReading) -> None:
    for number in range(3):
        await beside.read(lambda tx: tx.last_position())
        await store.write(lambda tx, at=float(number): tx.keep_message(Message(at, "report", "", b"")))  # type: ignore[misc]
    assert [message.at for message in await beside.read(lambda tx: tx.newest_strays(2))] == [2.0, 1.0]


async def test_strays_are_those_that_belong_to_no_payment(store: AnyStore, beside: StoreForReading) -> None:
    def work(tx: Transaction) -> None:
        tx.add_payment(make_payment("A1", "1"), None)
        tx.keep_message(Message(1.0, "report", "Paid", b"own", "A1"))
        tx.keep_message(Message(2.0, "report", "Paid", b"stray"))

    await store.write(work)
    assert [message.raw for message in await beside.read(lambda tx: tx.newest_strays(10))] == [b"stray"]


async def test_the_debit_types_of_all_payments_are_named_once_each(store: AnyStore, beside: StoreForReading) -> None:
    assert await beside.read(lambda tx: tx.debit_types()) == frozenset()
    await store.write(lambda tx: tx.add_payment(make_payment("A1", "1", "2"), None))
    await store.write(lambda tx: tx.add_payment(make_payment("A2", "3"), None))
    assert await beside.read(lambda tx: tx.debit_types()) == {"OVERDUE"}


async def test_a_reader_leaves_nothing_beside_a_database_that_nobody_uses(path: Path) -> None:
    SqliteStore(path).close()
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    with reading(Database(path=path)) as reader:
        assert await reader.read(lambda tx: tx.last_position()) == 0
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


async def test_a_bridge_that_is_started_meanwhile_is_seen(path: Path) -> None:
    SqliteStore(path).close()
    with reading(Database(path=path)) as reader:
        assert await reader.read(lambda tx: tx.newest_strays(10)) == ()
        store = SqliteStore(path)
        try:
            await store.write(lambda tx: tx.keep_message(Message(1.0, "report", "Paid", b"raw")))
            assert len(await reader.read(lambda tx: tx.newest_strays(10))) == 1
        finally:
            store.close()
        assert len(await reader.read(lambda tx: tx.newest_strays(10))) == 1


async def test_what_a_killed_bridge_left_in_its_log_is_seen(path: Path, tmp_path: Path) -> None:
    store, copy = SqliteStore(path), tmp_path / "copy.db"
    try:
        await store.write(lambda tx: tx.keep_message(Message(1.0, "report", "Paid", b"raw")))
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{copy}{end}")
    finally:
        store.close()
    with reading(Database(path=copy)) as reader:
        assert len(await reader.read(lambda tx: tx.newest_strays(10))) == 1


async def test_a_file_that_is_not_there_yet_is_not_made(path: Path) -> None:
    with reading(Database(path=path)) as reader:
        assert not await reader.is_there()
        with pytest.raises(SettingsError, match="unable to open"):
            await reader.read(lambda tx: tx.last_position())
    assert list(path.parent.iterdir()) == []


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.write_text("this is no database, however long one looks at it\n" * 100)
    with reading(Database(path=path)) as reader, pytest.raises(SettingsError, match="not a database"):
        asyncio.run(reader.is_there())


async def test_a_database_without_tables_has_seen_no_bridge(path: Path, postgres: URL) -> None:
    sqlite3.connect(path).close()
    for database in (Database(path=path), Database(url=postgres)):
        with reading(database) as reader:
            assert not await reader.is_there()


async def test_a_server_that_is_away_is_told_without_its_password() -> None:
    away = URL.create("postgresql", "tillbridge", "geheim", "127.0.0.1", 1, "bridge")
    with reading(Database(url=away)) as reader, pytest.raises(SettingsError, match=r"bridge at 127\.0\.0\.1") as caught:
        await reader.is_there()
    assert "geheim" not in str(caught.value)


async def test_a_path_may_have_odd_signs_in_it(tmp_path: Path) -> None:
    path = tmp_path / "b#c ä.db"
    SqliteStore(path).close()
    with reading(Database(path=path)) as reader:
        assert await reader.is_there()
