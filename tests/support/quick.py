# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores that are ready at once: the tables are made one time for each run of the tests."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from tillbridge.service.finding_port import SEARCH_LIMIT_S
from tillbridge.service.store_port import Transaction
from tillbridge.store import sqlite
from tillbridge.store.sqlite import SqliteStore
from tillbridge.store.tables import metadata
from tillbridge.store.transaction import SqlTransaction

T = TypeVar("T")


@contextmanager
def quick_store(path: Path) -> Iterator[SqliteStore]:
    """Open the real store on a copy of a migrated file, so that the migrations run once and not for every test."""
    path.write_bytes(_migrated())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "migrate", lambda _: None)
        store = SqliteStore(path)
    try:
        yield store
    finally:
        store.close()


class InlineStore:
    """The store's statements on a database in memory, without threads: what happens next is the test's to say.

    There is one at a time: a new one begins empty, with what the engine has learnt about the statements.
    """

    def __init__(self) -> None:
        engine, connection = _in_memory()
        connection.rollback()
        _empty().backup(connection)
        self._transactions = engine.connect()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        self._transactions.exec_driver_sql("BEGIN")
        try:
            result = work(SqlTransaction(self._transactions))
        except BaseException:
            self._transactions.rollback()
            raise
        self._transactions.commit()
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        try:
            return work(SqlTransaction(self._transactions))
        finally:
            self._transactions.rollback()

    async def search(self, work: Callable[[Transaction], T], limit_s: float = SEARCH_LIMIT_S) -> T:
        return await self.read(work)

    def close(self) -> None:
        self._transactions.close()


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bridge.db"
        SqliteStore(path).close()
        return path.read_bytes()


@cache
def _empty() -> sqlite3.Connection:
    template = sqlite3.connect(":memory:", isolation_level=None)
    engine = create_engine("sqlite://", creator=lambda: template, poolclass=StaticPool)
    metadata.create_all(engine)
    return template


@cache
def _in_memory() -> tuple[Engine, sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys=ON")
    return create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool), connection
