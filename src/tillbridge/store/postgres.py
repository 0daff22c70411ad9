# SPDX-License-Identifier: GPL-3.0-or-later
"""Run transactions on PostgreSQL: several processes on one database, each with a few connections.

A writing transaction locks the payment that it reads (`SqlTransaction`), so that changes of one payment happen one
after the other, as they all do on SQLite. What concerns several payments is held by unique keys: whoever comes second
waits for the first, fails, and decides again by what is there then.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import psycopg
from psycopg.abc import Buffer
from psycopg.types.string import StrDumper
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from tillbridge.errors import SettingsError
from tillbridge.service.finding_port import SEARCH_LIMIT_S, too_wide
from tillbridge.service.store_port import Committed, Stale, Transaction, nobody
from tillbridge.store.migrate import OtherVersion, migrate
from tillbridge.store.transaction import SqlTransaction

T = TypeVar("T")

WRITERS = 8
READERS = 4
SEARCHERS = 2
"""How many searches are run at once: whoever reads one thing waits for none of them."""

ATTEMPTS = 12
"""How often work is begun anew where the database asks for it, with a growing pause between."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.004, 0.5

AGAIN = frozenset({"23505", "40001", "40P01", "55P03"})
"""SQLSTATE of what another transaction is the reason for: a key that is taken, no serial order, a deadlock, a lock
that did not come free in time. The work decides again by what it reads then."""

PATIENCE_S = 10.0
"""How long a transaction may stand still (its process is paused, say) before the server ends it, and how long
others wait for its locks, where nothing else is said."""

MIGRATION_LOCK = 0x7469_6C6C
"""The advisory lock under which one process alone brings the tables up to date."""


class PostgresStore:
    """Keep everything in one PostgreSQL database, which other bridges may use at the same time."""

    alone = False

    def __init__(self, url: URL, patience_s: float = PATIENCE_S) -> None:
        """Open the database and bring its tables up to date; raise SettingsError if it cannot."""
        self.url = url
        self.committed: Committed = nobody
        self._closed = False
        self._engine = engine_of(url, patience_s)
        try:
            _bring_up_to_date(self._engine)
        except BaseException:
            self._engine.dispose()
            raise
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="store-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._searchers = ThreadPoolExecutor(SEARCHERS, thread_name_prefix="store-search")

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction, again where others stood in its way, and return when it is durable."""
        return await self._on(self._writers, self._write, work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on a snapshot; it can change nothing."""
        return await self._on(self._readers, self._read, work)

    async def search(self, work: Callable[[Transaction], T], limit_s: float = SEARCH_LIMIT_S) -> T:
        """Run `work` that looks among much, as long as its time lasts."""
        until = time.monotonic() + limit_s
        return await self._on(self._searchers, lambda of: self._search(of, until), work)

    def time(self) -> float:
        """Return the database's own time: what all processes on it go by."""
        with self._engine.connect() as connection:
            return time_of(connection)

    def close(self) -> None:
        """Finish what waits and hang up."""
        self._closed = True
        self._writers.shutdown()
        self._readers.shutdown()
        self._searchers.shutdown()
        self._engine.dispose()

    async def _on(
        self,
        pool: ThreadPoolExecutor,
        run: Callable[[Callable[[Transaction], T]], T],
        work: Callable[[Transaction], T],
    ) -> T:
        if self._closed:
            raise RuntimeError("the store is closed")
        in_context = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(pool, in_context, run, work)

    def _write(self, work: Callable[[Transaction], T]) -> T:
        for attempt in range(ATTEMPTS - 1):
            try:
                return self._once(work)
            except _Again:
                time.sleep(_pause_s(attempt))
        try:
            return self._once(work)
        except _Again as last:
            raise last.cause from None

    def _once(self, work: Callable[[Transaction], T]) -> T:
        with self._engine.connect() as connection:
            transaction = SqlTransaction(connection, writes=True)
            try:
                result = work(transaction)
            except (Stale, DBAPIError) as error:
                raise _Again(error) if _was_undone(error) else error from None
            try:
                connection.commit()
            except DBAPIError as error:
                # Where the connection was lost while it committed, no one knows: the caller hears of it.
                raise _Again(error) if _asks_for_repeat(error) else error from None
        if transaction.appended:
            self.committed(transaction.appended)
        return result

    def _read(self, work: Callable[[Transaction], T]) -> T:
        with self._engine.connect() as connection:
            return work(SqlTransaction(snapshot_of(connection), writes=False))

    def _search(self, work: Callable[[Transaction], T], until: float) -> T:
        left_ms = int((until - time.monotonic()) * 1000)
        if left_ms <= 0:  # which the server would take for no limit
            raise too_wide()
        with self._engine.connect() as connection:
            snapshot = snapshot_of(connection)
            snapshot.execute(text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": str(left_ms)})
            try:
                return work(SqlTransaction(snapshot, writes=False))
            except OperationalError as error:
                raise too_wide() if _was_cancelled(error) else error from None


def snapshot_of(connection: Connection) -> Connection:
    """Let a connection see one state of the database and change nothing."""
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


class _Again(Exception):  # noqa: N818 - it never leaves this module
    """Say that the work was undone whole and may be begun anew."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _was_undone(error: Exception) -> bool:
    """Tell whether work that failed before its commit is worth another try: nothing of it is left in any case."""
    return isinstance(error, Stale) or (
        isinstance(error, DBAPIError) and (_asks_for_repeat(error) or error.connection_invalidated)
    )


def _asks_for_repeat(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in AGAIN


def _was_cancelled(error: OperationalError) -> bool:
    return isinstance(error.orig, psycopg.errors.QueryCanceled)


def _pause_s(attempt: int) -> float:
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret: two that met shall not meet again


def time_of(connection: Connection) -> float:
    """Return the database's own time in seconds since 1970 in UTC."""
    found: float = connection.execute(text("SELECT extract(epoch FROM clock_timestamp())::float8")).scalar_one()
    return found


def name_of(url: URL) -> str:
    """Name a database in errors, without its user and password."""
    return f"the database {url.database} at {url.host or 'this machine'}"


def engine_of(url: URL, patience_s: float = PATIENCE_S) -> Engine:
    """Make an engine with the limits that every transaction has."""
    patience = f"{patience_s * 1000:.0f}ms"
    options = {
        "idle_in_transaction_session_timeout": patience,
        "lock_timeout": patience,
        "statement_timeout": "60s",
        "timezone": "UTC",
    }
    arguments: dict[str, Any] = {
        "application_name": "tillbridge",
        "connect_timeout": 5,
        "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args=arguments,
        isolation_level="READ COMMITTED",
        pool_size=WRITERS + READERS + SEARCHERS,
        max_overflow=2,
        # An error's text goes to the log, where a payer's name has no place.
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: psycopg.Connection, _record: object) -> None:
        connection.adapters.register_dumper(str, _WithoutNull)

    return engine


class _WithoutNull(StrDumper):
    """Hand on text that came from outside: PostgreSQL takes every sign but the null, which gets a stand-in."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace("\x00", "\N{REPLACEMENT CHARACTER}"))


def _bring_up_to_date(engine: Engine) -> None:
    where = name_of(engine.url)
    try:
        with engine.connect() as guard:
            _lock_migrations(guard)
            migrate(engine)
    except DBAPIError as error:
        what = " ".join(str(error.orig).split())
        raise SettingsError(
            where, f"it cannot be used: {what}", "Check its address, user, password and rights"
        ) from None
    except OtherVersion as error:
        raise SettingsError(
            where, f"another version of the bridge made its tables: {error}", "Use that version or a newer one"
        ) from error


def _lock_migrations(connection: Connection) -> None:
    """Wait, as long as it takes, until no other process changes the tables; the connection's end lets go."""
    for statement in ("SET LOCAL lock_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0"):
        connection.execute(text(statement))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
