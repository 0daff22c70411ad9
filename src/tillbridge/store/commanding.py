# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one transaction for a command, on a database that a bridge may have open at the same time.

A command makes no tables and changes none: it works on those that the bridge of its own version has made. On SQLite
it is a second connection beside the bridge's, which takes its turn at the write lock; the lock of the one process
that is the bridge stays with that.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tillbridge.errors import SettingsError
from tillbridge.service.store_port import Transaction
from tillbridge.store import postgres, sqlite
from tillbridge.store.migrate import NEWEST, revision_of
from tillbridge.store.opening import Database
from tillbridge.store.transaction import SqlTransaction
from tillbridge.store.wakeups import CHANNEL

T = TypeVar("T")


def reading(database: Database, work: Callable[[Transaction], T]) -> T:
    """Run `work` that changes nothing; raise SettingsError where the database cannot be used."""
    with _connected(database) as connection:
        return work(SqlTransaction(connection, writes=False))


def changing(database: Database, work: Callable[[Transaction, float], T]) -> T:
    """Run `work` with the time that bridges go by, commit, and wake them; raise SettingsError as above.

    A bridge on SQLite is in another process that nothing wakes: it looks by itself every few seconds.
    """
    with _connected(database) as connection:
        if database.path is not None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        result = work(SqlTransaction(connection), _time(connection))
        if database.url is not None:
            connection.execute(text(f"NOTIFY {CHANNEL}"))
        connection.commit()
        return result


@contextlib.contextmanager
def _connected(database: Database) -> Iterator[Connection]:
    engine, where = _engine(database)
    try:
        with engine.connect() as connection:
            _check_version(connection, where)
            connection.rollback()
            yield connection
    except DBAPIError as error:
        what = f"the database cannot be used: {' '.join(str(error.orig).split())}"
        raise SettingsError(where, what, "Look whether it is there and free, then try again") from None
    finally:
        engine.dispose()


def _engine(database: Database) -> tuple[Engine, str]:
    if database.url is not None:
        return postgres.engine_of(database.url), postgres.name_of(database.url)
    assert database.path is not None  # noqa: S101 - a database has one of the two
    path = Path(os.path.realpath(database.path))
    if not path.is_file():
        raise SettingsError(str(path), "there is no database", "Start the bridge once: it makes it")
    return sqlite.engine_of(path, sqlite.PRAGMAS), str(path)


def _check_version(connection: Connection, where: str) -> None:
    found = revision_of(connection)
    if found is None:
        raise SettingsError(where, "the database has no tables of a bridge", "Start the bridge once: it makes them")
    if found != NEWEST:
        what = f"the tables are those of another version of the bridge ({found})"
        raise SettingsError(where, what, "Use the commands of that version, or start this version's bridge first")


def _time(connection: Connection) -> float:
    return postgres.time_of(connection) if connection.dialect.name == "postgresql" else time.time()
