# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a database beside the bridge that uses it, and change nothing in it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect
from sqlalchemy.exc import DBAPIError

from tillbridge.errors import SettingsError
from tillbridge.service.store_port import Transaction
from tillbridge.store import tables as t
from tillbridge.store.opening import Database
from tillbridge.store.postgres import engine_of, snapshot_of
from tillbridge.store.transaction import SqlTransaction

T = TypeVar("T")


class StoreForReading:
    """Run work that reads, on a database that other processes may be changing meanwhile."""

    def __init__(self, database: Database) -> None:
        """Name the database; nothing is opened yet."""
        self._file = database.path
        self._where, self._engine = _named(database)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on a snapshot; raise SettingsError where the database cannot be used."""
        return await asyncio.to_thread(self.look, lambda connection: work(SqlTransaction(connection, writes=False)))

    async def is_there(self) -> bool:
        """Tell whether a bridge has made its tables there yet; raise SettingsError where this cannot be told."""
        if self._file is not None and not self._file.is_file():
            return False
        return await asyncio.to_thread(self.look, lambda connection: inspect(connection).has_table(t.payment.name))

    def look(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection that shows a snapshot; raise SettingsError where the database cannot be used."""
        try:
            with self._engine.connect() as connection:
                return work(_snapshot(connection))
        except DBAPIError as error:
            what = " ".join(str(error.orig).split())
            remedy = "Check path or address, rights, and that the bridge is of the same version as this command"
            raise SettingsError(self._where, f"the database cannot be read: {what}", remedy) from None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()


def _named(database: Database) -> tuple[str, Engine]:
    """Return the database's name for people, and how to connect."""
    if database.url is not None:
        host = database.url.host or "this machine"
        return f"the database {database.url.database} at {host}", engine_of(database.url)
    assert database.path is not None  # noqa: S101 - a database has one of the two
    return str(database.path), _sqlite(database.path)


def _sqlite(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        # The driver must not open transactions by itself: a snapshot begins when the work does.
        return sqlite3.connect(_read_only(path), uri=True, check_same_thread=False, isolation_level=None)

    return create_engine("sqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def _read_only(path: Path) -> str:
    """Return the file's address for reading.

    Whoever has the database open has a write-ahead log beside it. Without one nobody writes, and a reader that does
    not know this would make a log of its own and leave it there, which may then belong to another user.
    """
    at_rest = "" if Path(f"{path}-wal").exists() else "&immutable=1"
    return f"file:{quote(str(path))}?mode=ro{at_rest}"


def _snapshot(connection: Connection) -> Connection:
    if connection.dialect.name == "postgresql":
        return snapshot_of(connection)
    connection.exec_driver_sql("BEGIN")
    return connection
