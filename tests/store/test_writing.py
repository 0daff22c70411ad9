# SPDX-License-Identifier: GPL-3.0-or-later
"""How transactions are run: groups that share a commit, savepoints, snapshots, failures and the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from support.payments import make_payment
from tillbridge.errors import SettingsError
from tillbridge.service.register_port import Payer
from tillbridge.service.store_port import Stale, TaskKind, Transaction
from tillbridge.store import sqlite
from tillbridge.store.sqlite import SqliteStore
from tillbridge.store.transaction import SqlTransaction

NAME = "Mäkinen-Ruostevirta"


@pytest.fixture
def store(sqlite_store: SqliteStore) -> SqliteStore:
    """SQLite's store: how it groups, and what it does when the disk is full, is its own."""
    return sqlite_store


def connection_of(tx: Transaction) -> Connection:
    assert isinstance(tx, SqlTransaction)
    return tx._connection


async def ids(store: SqliteStore) -> set[str]:
    return {payment.id for payment in await store.read(lambda tx: tx.recent_payments(9999))}


@asynccontextmanager
async def held_back(store: SqliteStore) -> AsyncIterator[None]:
    """Let everything that is written inside the block wait, so that it becomes one group."""
    go, busy = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        busy.set()
        go.wait(20)

    first = asyncio.ensure_future(store.write(hold))
    await asyncio.to_thread(busy.wait, 20)
    try:
        yield
    finally:
        go.set()
        await first


def commits_of(store: SqliteStore) -> list[None]:
    counted: list[None] = []
    event.listen(store._engine, "commit", lambda _: counted.append(None))
    return counted


async def all_of(store: SqliteStore, *works: Awaitable[object]) -> list[object]:
    """Write these as one group and return what became of each."""
    async with held_back(store):
        waiting = asyncio.gather(*works, return_exceptions=True)
        await asyncio.sleep(0)
    return list(await waiting)


def adding(store: SqliteStore, payment_id: str) -> Awaitable[None]:
    return store.write(lambda tx: tx.add_payment(make_payment(payment_id), None))


async def test_a_write_returns_what_its_work_returns(store: SqliteStore) -> None:
    assert await store.write(lambda _: 42) == 42


async def test_works_that_wait_share_one_commit(store: SqliteStore) -> None:
    commits = commits_of(store)
    await all_of(store, *(adding(store, f"A{n}") for n in range(100)))
    assert len(commits) == 2
    assert len(await ids(store)) == 100


async def test_a_group_is_bounded(store: SqliteStore) -> None:
    commits = commits_of(store)
    await all_of(store, *(adding(store, f"A{n}") for n in range(sqlite.GROUP_LIMIT + 1)))
    assert len(commits) == 3


async def test_a_thousand_writers_on_one_loop_are_all_served(store: SqliteStore) -> None:
    await asyncio.gather(*(adding(store, f"A{n}") for n in range(1000)))
    assert len(await ids(store)) == 1000


async def test_a_thousand_changes_of_one_payment_are_all_counted(store: SqliteStore) -> None:
    await adding(store, "A1")

    def work(tx: Transaction) -> None:
        payment = tx.payment("A1")
        assert payment is not None
        tx.save(payment)

    await asyncio.gather(*(store.write(work) for _ in range(1000)))
    changed = await store.read(lambda tx: tx.payment("A1"))
    assert changed is not None
    assert changed.version == 1000


class Stopped(BaseException):
    """What no one expects."""


@pytest.mark.parametrize("fault", [ValueError("no"), Stale("A1"), OperationalError("x", None, OSError()), Stopped()])
async def test_work_that_fails_is_undone_and_takes_no_other_with_it(store: SqliteStore, fault: BaseException) -> None:
    def half(tx: Transaction) -> None:
        tx.add_payment(make_payment("HALF"), None)
        tx.add_task("HALF", TaskKind.SEND, 1.0)
        raise fault

    outcomes = await all_of(store, adding(store, "A1"), store.write(half), adding(store, "A2"))
    assert outcomes == [None, fault, None]
    assert await ids(store) == {"A1", "A2"}
    assert await store.read(lambda tx: tx.next_due([TaskKind.SEND])) is None


async def test_a_broken_statement_is_undone_and_takes_no_other_with_it(store: SqliteStore) -> None:
    outcomes = await all_of(store, adding(store, "A1"), adding(store, "A1"), adding(store, "A2"))
    assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType", "IntegrityError", "NoneType"]
    assert await ids(store) == {"A1", "A2"}


async def test_work_sees_what_was_written_before_it_in_its_group(store: SqliteStore) -> None:
    seen = store.write(lambda tx: tx.payment("A1") is not None)
    assert await all_of(store, adding(store, "A1"), seen) == [None, True]


async def test_a_caller_that_gives_up_before_its_turn_changes_nothing(store: SqliteStore) -> None:
    async with held_back(store):
        impatient = asyncio.ensure_future(adding(store, "GONE"))
        patient = asyncio.ensure_future(adding(store, "A1"))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.wait([impatient])
        await asyncio.sleep(0)
    await patient
    assert impatient.cancelled()
    assert await ids(store) == {"A1"}


async def fill_up(store: SqliteStore) -> None:
    """Let the database have no more room than it has now."""

    def work(tx: Transaction) -> None:
        pages = connection_of(tx).exec_driver_sql("PRAGMA page_count").scalar()
        connection_of(tx).exec_driver_sql(f"PRAGMA max_page_count={pages}")

    await store.write(work)


async def make_room(store: SqliteStore) -> None:
    await store.write(lambda tx: connection_of(tx).exec_driver_sql("PRAGMA max_page_count=1073741823"))


def adding_much(store: SqliteStore, payment_id: str) -> Awaitable[None]:
    return store.write(lambda tx: tx.add_payment(make_payment(payment_id, note="x" * 100_000), None))


async def test_what_a_full_disk_hinders_takes_no_other_with_it_and_work_goes_on_when_there_is_room(
    store: SqliteStore,
) -> None:
    await adding(store, "A1")
    await fill_up(store)
    outcomes = await all_of(store, adding(store, "A2"), adding_much(store, "BIG"), adding(store, "A3"))
    assert isinstance(outcomes[1], OperationalError)
    assert "disk is full" in str(outcomes[1])
    assert outcomes[::2] == [None, None]
    await make_room(store)
    await adding(store, "A4")
    assert await ids(store) == {"A1", "A2", "A3", "A4"}


async def test_a_lone_write_on_a_full_disk_is_told_why(store: SqliteStore) -> None:
    await fill_up(store)
    with pytest.raises(OperationalError, match="disk is full"):
        await adding_much(store, "BIG")


async def test_an_error_of_the_database_names_no_patron(store: SqliteStore) -> None:
    await fill_up(store)
    payer = Payer(NAME, "x" * 100_000, NAME)
    with pytest.raises(OperationalError) as error:
        await store.write(lambda tx: tx.add_payment(make_payment(), payer))
    assert NAME not in str(error.value)


async def test_a_commit_that_fails_reaches_every_caller_and_keeps_nothing(store: SqliteStore) -> None:
    def fails_at_the_commit(tx: Transaction) -> None:
        connection_of(tx).exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        tx.append_event("nobody", 1.0, "till", "noted", {})

    await adding(store, "A1")
    outcomes = await all_of(store, *(adding(store, f"B{n}") for n in range(20)), store.write(fails_at_the_commit))
    assert [type(outcome) for outcome in outcomes] == [IntegrityError] * 21
    await adding(store, "A2")
    assert await ids(store) == {"A1", "A2"}


async def test_a_reader_sees_one_state_while_others_write(store: SqliteStore) -> None:
    await adding(store, "A1")
    reading, written = threading.Event(), threading.Event()

    def look_twice(tx: Transaction) -> tuple[int, int]:
        first = len(tx.recent_payments(9))
        reading.set()
        written.wait(20)
        return first, len(tx.recent_payments(9))

    look = asyncio.ensure_future(store.read(look_twice))
    await asyncio.to_thread(reading.wait, 20)
    await adding(store, "A2")
    written.set()
    assert await look == (1, 1)
    assert await ids(store) == {"A1", "A2"}


async def test_what_a_read_changes_is_thrown_away(store: SqliteStore) -> None:
    await store.read(lambda tx: tx.add_payment(make_payment("A1"), None))
    assert await ids(store) == set()


async def test_a_read_that_fails_harms_no_other(store: SqliteStore) -> None:
    def fail(_: Transaction) -> None:
        raise ValueError("no")

    for _ in range(20):
        with pytest.raises(ValueError, match="no"):
            await store.read(fail)
    assert await ids(store) == set()


async def test_the_file_is_kept_safely(store: SqliteStore) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 30000}

    def look(tx: Transaction) -> dict[str, object]:
        return {name: connection_of(tx).exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}

    assert await store.read(look) == wanted
    assert await store.write(look) == wanted


def holding(folder: Path, words: str) -> list[str]:
    return [path.name for path in folder.iterdir() if words.encode() in path.read_bytes()]


class Pause:
    """Tell when the store has used the pause after a certain piece of work; pauses are short here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._armed, self._used = False, threading.Event()
        self._empty = sqlite._empty_log
        monkeypatch.setattr(sqlite, "PAUSE_S", 0.001)
        monkeypatch.setattr(sqlite, "_empty_log", self._watched)

    def arm(self) -> None:
        """Be called within the piece of work: the writing thread does one thing after the other."""
        self._armed = True

    async def used(self) -> None:
        assert await asyncio.to_thread(self._used.wait, 20)

    def _watched(self, connection: Connection) -> None:
        self._empty(connection)
        if self._armed:
            self._used.set()


async def test_a_forgotten_name_leaves_the_disk_after_a_pause(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pause = Pause(monkeypatch)
    store = SqliteStore(path)

    def forget(tx: Transaction) -> None:
        tx.forget_payer("A1")
        pause.arm()

    await store.write(lambda tx: tx.add_payment(make_payment(), Payer(NAME, NAME, NAME)))
    assert holding(path.parent, NAME)
    await store.write(forget)
    await pause.used()
    left = holding(path.parent, NAME)
    store.close()
    assert left == holding(path.parent, NAME) == []


async def test_a_reader_in_the_way_of_the_emptying_hinders_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pause = Pause(monkeypatch)
    store = SqliteStore(path)
    reading, go = threading.Event(), threading.Event()

    def stand_in_the_way(tx: Transaction) -> None:
        tx.recent_payments(1)
        reading.set()
        go.wait(20)

    def write(tx: Transaction) -> None:
        tx.add_payment(make_payment("A1"), None)
        pause.arm()

    look = asyncio.ensure_future(store.read(stand_in_the_way))
    await asyncio.to_thread(reading.wait, 20)
    await store.write(write)
    await pause.used()
    await adding(store, "A2")
    assert not look.done()
    go.set()
    await look
    assert await ids(store) == {"A1", "A2"}
    store.close()


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("store-")}


async def test_closing_finishes_what_waits_and_leaves_no_thread(path: Path) -> None:
    store = SqliteStore(path)
    await ids(store)
    writing = [asyncio.ensure_future(adding(store, f"A{n}")) for n in range(300)]
    await asyncio.sleep(0)
    assert "store-write" in threads()
    store.close()
    await asyncio.gather(*writing)
    assert threads() == set()
    again = SqliteStore(path)
    assert len(await ids(again)) == 300
    again.close()


async def test_a_closed_store_says_so_instead_of_waiting_for_ever(path: Path) -> None:
    store = SqliteStore(path)
    store.close()
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        await adding(store, "A1")
    with pytest.raises(RuntimeError):
        await ids(store)


async def test_after_closing_the_log_is_in_the_database(path: Path) -> None:
    store = SqliteStore(path)
    await adding(store, "A1")
    store.close()
    assert sorted(each.name for each in path.parent.iterdir()) == ["bridge.db", "bridge.db.lock"]


def test_the_folder_is_made(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "data" / "deeper" / "bridge.db").close()


def not_a_database(path: Path) -> None:
    path.write_bytes(b"this is a letter to my aunt" * 100)


def of_another_version(path: Path) -> None:
    store = SqliteStore(path)
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()


def a_folder(path: Path) -> None:
    path.mkdir()


def in_a_file(path: Path) -> None:
    path.parent.write_text("")


@pytest.mark.parametrize(
    ("spoil", "name", "what"),
    [
        (not_a_database, "bridge.db", "the database cannot be used: file is not a database"),
        (of_another_version, "bridge.db", "another version of the bridge made this database"),
        (a_folder, "bridge.db", "the database cannot be used: unable to open database file"),
        (in_a_file, "file/bridge.db", "its folder cannot be written"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_and_let_go(
    tmp_path: Path, spoil: Callable[[Path], None], name: str, what: str
) -> None:
    path = tmp_path / name
    spoil(path)
    for _ in range(2):
        with pytest.raises(SettingsError, match=what) as error:
            SqliteStore(path)
        assert error.value.where == str(path)
        assert error.value.remedy
    assert threads() == set()
