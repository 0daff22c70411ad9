# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores on both engines, ready at once: the tables are made one time for each process of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from zlib import crc32

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, text

from support.postgres import conninfo, unique_name
from support.quick import share_statements
from tillbridge.service.store_port import Transaction
from tillbridge.store import postgres
from tillbridge.store.postgres import PostgresStore
from tillbridge.store.sqlite import SqliteStore
from tillbridge.store.tables import metadata
from tillbridge.store.transaction import SqlTransaction

AnyStore = SqliteStore | PostgresStore

ENGINES = ("sqlite", "postgres")


def server_for(request: pytest.FixtureRequest) -> URL | None:
    """Return the server for a fixture that has the engines as its parameters; None for SQLite."""
    server: URL | None = request.getfixturevalue("postgres_server") if request.param == "postgres" else None
    return server


def server_in_turn(request: pytest.FixtureRequest) -> URL | None:
    """Return the server for every other test, None for SQLite: for tests of what stands above the store."""
    engine = ENGINES[crc32(request.node.nodeid.encode()) % len(ENGINES)]
    server: URL | None = request.getfixturevalue("postgres_server") if engine == "postgres" else None
    return server


@contextmanager
def quick_postgres(server: URL) -> Iterator[URL]:
    """Make a database with tables by copying one that has them, and drop it when the block ends."""
    url = _copy(server)
    try:
        yield url
    finally:
        with psycopg.connect(conninfo(server), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(url.database or "")))


@contextmanager
def quick_postgres_store(server: URL) -> Iterator[PostgresStore]:
    """Open the real store on an empty database, which is emptied again for the next one when the block ends."""
    ready = _READY.setdefault(conninfo(server), [])
    url = ready.pop() if ready else _copy(server)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "migrate", lambda _: None)
        store = PostgresStore(url)
    share_statements(store._engine)
    try:
        yield store
    finally:
        store.close()
        _empty(url)
        ready.append(url)


_READY: dict[str, list[URL]] = {}
"""Server → databases of this process that have every table and nothing in them: to copy one takes far longer."""


_CUT_OFF = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_FROM_ONE = (
    "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
)


def _copy(server: URL) -> URL:
    name = unique_name()
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        connection.execute(copy.format(sql.Identifier(name), sql.Identifier(_template(server))))
    return server.set(database=name)


def _empty(url: URL) -> None:
    """Cut off whoever is left, take out every row, and let all numbers begin at one again."""
    tables = [
        sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)) for table in reversed(metadata.sorted_tables)
    ]
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute(sql.SQL("; ").join([sql.SQL(_CUT_OFF), *tables, sql.SQL(_FROM_ONE)]))


@cache
def _template(server: URL) -> str:
    name = unique_name()
    with psycopg.connect(conninfo(server), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    PostgresStore(server.set(database=name)).close()
    return name


def rows_of(tx: Transaction, statement: str) -> list[tuple[Any, ...]]:
    """Read rows by a statement of the test's own."""
    assert isinstance(tx, SqlTransaction)
    return [tuple(row) for row in tx._connection.execute(text(statement))]


def everything(tx: Transaction) -> str:
    """Return all that is stored, as text."""
    tables = (f"SELECT * FROM {table.name}" for table in metadata.sorted_tables)  # noqa: S608 - names of our own
    return "".join(repr(rows_of(tx, statement)) for statement in tables)
