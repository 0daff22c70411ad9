# SPDX-License-Identifier: GPL-3.0-or-later
"""Run transactions: one writing thread that commits in groups, a few reading threads."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from tillbridge.domain.history import Event
from tillbridge.errors import SettingsError
from tillbridge.service.finding_port import SEARCH_LIMIT_S, too_wide
from tillbridge.service.store_port import Committed, Transaction, nobody
from tillbridge.store.migrate import OtherVersion, migrate
from tillbridge.store.transaction import SqlTransaction

T = TypeVar("T")
_Outcome = tuple[Any, BaseException | None, list[Event]]

GROUP_LIMIT = 256
"""How many pieces of work may share one commit."""

READERS = 4
SEARCHERS = 2
"""How many searches are run at once: whoever reads one thing waits for none of them."""

STEPS_BETWEEN_LOOKS = 10_000
"""How many of its steps the database does before a search's time is looked at: less than a millisecond's."""

BUSY_MS = 30_000
"""How long a statement waits for a lock that another program has on the file."""

PRAGMAS = (
    f"busy_timeout={BUSY_MS}",
    *("synchronous=FULL", "foreign_keys=ON"),
    "secure_delete=ON",  # what is erased is overwritten too
)
"""What every connection needs that may write; that the log is written ahead, the file itself remembers."""

PAUSE_S = 5.0
"""After how long a pause in the writing the write-ahead log is emptied: it still holds names that were erased."""


@dataclass(slots=True)
class _Piece:
    work: Callable[[Transaction], Any]
    done: Future[Any]
    context: contextvars.Context = field(default_factory=contextvars.copy_context)


class SqliteStore:
    """Keep everything in one SQLite file; only one process may have it open.

    Every `write` is durable when it returns (write-ahead log, full synchronisation). Work that waits at the same
    time shares a commit; each piece has its own savepoint, so that one that raises takes no other with it.
    """

    alone = True

    def __init__(self, path: Path) -> None:
        """Open or create the file, take its lock and bring its tables up to date; raise SettingsError if it cannot."""
        # Another name of the same file is no other file, and its lock is the same one.
        path = Path(os.path.realpath(path))
        self.committed: Committed = nobody
        self._lock = _only_process(path)
        self._engine = engine_of(path, (*PRAGMAS, "journal_mode=WAL"))
        self._closed = False
        try:
            _bring_up_to_date(self._engine, path)
        except BaseException:
            self._engine.dispose()
            self._lock.close()
            raise
        self._pieces: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-read")
        self._searchers = ThreadPoolExecutor(SEARCHERS, thread_name_prefix="store-search")
        self._writer = threading.Thread(target=self._write_groups, name="store-write", daemon=True)
        self._writer.start()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and return when it is durable."""
        if self._closed:
            raise RuntimeError("the store is closed")
        done: Future[T] = Future()
        self._pieces.put(_Piece(work, done))
        return await asyncio.wrap_future(done)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` on a snapshot; it must change nothing."""
        in_context = contextvars.copy_context().run
        return await asyncio.get_running_loop().run_in_executor(self._readers, in_context, self._read, work)

    async def search(self, work: Callable[[Transaction], T], limit_s: float = SEARCH_LIMIT_S) -> T:
        """Run `work` that looks among much, as long as its time lasts."""
        until = time.monotonic() + limit_s
        in_context = contextvars.copy_context().run
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._searchers, in_context, self._search, work, until)

    def time(self) -> float:
        """Return this machine's time: no other machine has the file."""
        return time.time()

    def close(self) -> None:
        """Finish what waits and release the file."""
        self._closed = True
        self._pieces.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._searchers.shutdown()
        self._engine.dispose()
        self._lock.close()

    def _read(self, work: Callable[[Transaction], T]) -> T:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                return work(SqlTransaction(connection, writes=False))
            finally:
                connection.rollback()

    def _search(self, work: Callable[[Transaction], T], until: float) -> T:
        if time.monotonic() > until:
            raise too_wide()
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(lambda: time.monotonic() > until, STEPS_BETWEEN_LOOKS)
            try:
                connection.exec_driver_sql("BEGIN")
                return work(SqlTransaction(connection, writes=False))
            except OperationalError as error:
                raise too_wide() if _was_interrupted(error) else error from None
            finally:
                driver.set_progress_handler(None, 0)
                connection.rollback()

    def _write_groups(self) -> None:
        with self._engine.connect() as connection:
            while (first := self._next(connection)) is not None:
                group, last = self._waiting(first)
                wanted = [piece for piece in group if piece.done.set_running_or_notify_cancel()]
                _commit_group(connection, wanted, self.committed)
                if last:
                    return

    def _next(self, connection: Connection) -> _Piece | None:
        try:
            return self._pieces.get(timeout=PAUSE_S)
        except queue.Empty:
            _empty_log(connection)
            return self._pieces.get()

    def _waiting(self, first: _Piece) -> tuple[list[_Piece], bool]:
        group = [first]
        with contextlib.suppress(queue.Empty):
            while len(group) < GROUP_LIMIT:
                piece = self._pieces.get_nowait()
                if piece is None:
                    return group, True
                group.append(piece)
        return group, False


def _was_interrupted(error: OperationalError) -> bool:
    return getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT


class _Dropped(Exception):  # noqa: N818 - it never leaves this module
    """Say that the database has dropped the whole transaction when a piece failed, as it may on a full disk."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _commit_group(connection: Connection, group: list[_Piece], committed: Committed) -> None:
    """Run a group in one transaction; each piece by itself where the database drops what they share."""
    try:
        outcomes = _outcomes(connection, group)
    except _Dropped as dropped:
        if len(group) > 1:
            for piece in group:
                _commit_group(connection, [piece], committed)
            return
        outcomes = [(None, dropped.cause, [])]
    except BaseException as failure:  # noqa: BLE001 - whatever hinders the commit is each caller's to hear
        outcomes = [(None, failure, [])] * len(group)
    for piece, (result, error, events) in zip(group, outcomes, strict=True):
        if events:
            piece.context.run(committed, events)
        if error is not None:
            piece.done.set_exception(error)
        else:
            piece.done.set_result(result)


def _outcomes(connection: Connection, group: list[_Piece]) -> list[_Outcome]:
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        outcomes = [piece.context.run(_run, connection, piece.work) for piece in group]
        connection.commit()
    except BaseException:
        connection.rollback()
        # After a commit that failed, SQLAlchemy holds the transaction for ended, and the driver does not.
        connection.connection.rollback()
        raise
    return outcomes


def _run(connection: Connection, work: Callable[[Transaction], Any]) -> _Outcome:
    savepoint, transaction = connection.begin_nested(), SqlTransaction(connection)
    try:
        result = work(transaction)
    except BaseException as error:  # noqa: BLE001 - the caller gets it; the others of the group go on
        try:
            savepoint.rollback()
        except DatabaseError:
            raise _Dropped(error) from error
        return None, error, []
    savepoint.commit()
    return result, None, transaction.appended


def _empty_log(connection: Connection) -> None:
    """Move the log into the database and cut it to nothing; where a reader stands in the way, leave it."""
    with contextlib.suppress(DatabaseError):
        for pragma in ("busy_timeout=0", "wal_checkpoint(TRUNCATE)", f"busy_timeout={BUSY_MS}"):
            connection.exec_driver_sql(f"PRAGMA {pragma}").close()
    connection.rollback()


def _bring_up_to_date(engine: Engine, path: Path) -> None:
    try:
        migrate(engine)
    except DatabaseError as error:
        raise SettingsError(
            str(path), f"the database cannot be used: {error.orig}", "Check the file, its rights and the disk"
        ) from error
    except OtherVersion as error:
        raise SettingsError(
            str(path), f"another version of the bridge made this database: {error}", "Use that version or a newer one"
        ) from error


def engine_of(path: Path, pragmas: Sequence[str]) -> Engine:
    """Make an engine whose connections begin with these pragmas, and open no transaction by themselves."""
    arguments = {"check_same_thread": False, "timeout": BUSY_MS / 1000}
    # An error's text goes to the log, where a payer's name has no place.
    engine = create_engine(f"sqlite:///{path}", connect_args=arguments, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself: the store says when.
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _only_process(path: Path) -> IO[str]:
    import fcntl  # noqa: PLC0415 - there is no such module where SQLite files are not locked like this

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = Path(f"{path}.lock").open("w", encoding="utf-8")  # noqa: SIM115 - held as long as the store lives
    except OSError as error:
        raise SettingsError(
            str(path), f"its folder cannot be written: {error.strerror}", "Check path and rights"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise SettingsError(
            str(path), "another bridge has this database open", "Stop it first, or use another file"
        ) from error
    return lock
