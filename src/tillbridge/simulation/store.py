# SPDX-License-Identifier: GPL-3.0-or-later
"""The store's statements on a database in memory, without threads: what happens next is for others to say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cache
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from tillbridge.domain.history import Event
from tillbridge.service.finding_port import SEARCH_LIMIT_S
from tillbridge.service.store_port import Transaction
from tillbridge.store.tables import metadata
from tillbridge.store.transaction import SqlTransaction

T = TypeVar("T")


class OneAtATime(Protocol):
    """Run each transaction at once, in one piece, on whatever database."""

    @property
    def connection(self) -> Connection:
        """Return a connection to look at everything with; whoever has looked rolls back."""
        ...

    def run(self, work: Callable[[Transaction], T], *, commit: bool = True) -> tuple[T, list[Event]]:
        """Run a transaction, committed or rolled back at its end; return what it did and which events it stored."""
        ...

    def look(self, work: Callable[[Transaction], T]) -> T:
        """Run work that changes nothing."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


class InlineStore:
    """Run each transaction at once, in one piece.

    There is one at a time: a new one begins empty, with what the engine has learnt about the statements.
    """

    def __init__(self) -> None:
        engine, connection = _in_memory()
        connection.rollback()
        _empty().backup(connection)
        self._transactions = engine.connect()

    @property
    def connection(self) -> Connection:
        """Return the connection that all transactions run on."""
        return self._transactions

    def run(self, work: Callable[[Transaction], T], *, commit: bool = True) -> tuple[T, list[Event]]:
        """Run a transaction, committed or rolled back at its end; return what it did and which events it stored."""
        transaction = SqlTransaction(self._transactions)
        try:
            self._transactions.exec_driver_sql("BEGIN")
            result = work(transaction)
            if commit:
                self._transactions.commit()
            else:
                self._transactions.rollback()
        except BaseException:
            self._transactions.rollback()
            # After a commit that failed, SQLAlchemy holds the transaction for ended, and the driver does not.
            self._transactions.connection.rollback()
            raise
        return result, transaction.appended

    def look(self, work: Callable[[Transaction], T]) -> T:
        """Run work that changes nothing."""
        try:
            return work(SqlTransaction(self._transactions))
        finally:
            self._transactions.rollback()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` and commit."""
        return self.run(work)[0]

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` that changes nothing."""
        return self.look(work)

    async def search(self, work: Callable[[Transaction], T], limit_s: float = SEARCH_LIMIT_S) -> T:
        """Run `work` that looks among much."""
        del limit_s
        return self.look(work)

    def close(self) -> None:
        """Let the next one begin."""
        self._transactions.close()


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
