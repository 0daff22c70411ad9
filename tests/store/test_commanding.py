# SPDX-License-Identifier: GPL-3.0-or-later
"""One transaction for a command: beside a bridge that runs, on its tables, and on no others."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, text

from support.postgres import conninfo
from support.quick import quick_store
from support.stores import ENGINES, quick_postgres, server_for
from tillbridge.errors import SettingsError
from tillbridge.service.administration_port import BranchSwitch
from tillbridge.service.store_port import Transaction
from tillbridge.store import sqlite
from tillbridge.store.commanding import changing, reading
from tillbridge.store.migrate import NEWEST
from tillbridge.store.opening import Database, open_store
from tillbridge.store.sqlite import SqliteStore
from tillbridge.store.wakeups import CHANNEL


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, path: Path) -> Iterator[Database]:
    """A database with tables, on each engine."""
    server = server_for(request)
    if server is None:
        with quick_store(path):
            pass
        yield Database(path=path)
        return
    with quick_postgres(server) as url:
        yield Database(url=url)


@pytest.fixture
def made(path: Path) -> Database:
    with quick_store(path):
        pass
    return Database(path=path)


def switched(tx: Transaction, now: float) -> float:
    tx.switch_branch(BranchSwitch("CPL", now, "sari", on=False, reason=""))
    return now


def switches(database: Database) -> list[str]:
    return [switch.branch for switch in reading(database, lambda tx: tx.branch_switches())]


def test_what_a_command_changes_is_there_with_the_time_of_the_database(database: Database) -> None:
    before = time.time()
    at = changing(database, switched)
    assert before - 5 <= at <= time.time() + 5
    assert switches(database) == ["CPL"]


def test_what_fails_changes_nothing(database: Database) -> None:
    def work(tx: Transaction, now: float) -> None:
        switched(tx, now)
        raise LookupError

    with pytest.raises(LookupError):
        changing(database, work)
    assert switches(database) == []


async def test_a_bridge_that_has_the_database_open_goes_on_and_sees_the_change(database: Database) -> None:
    store = open_store(database)
    try:
        changing(database, switched)
        seen = await store.read(lambda tx: tx.branch_switches())
        await store.write(lambda tx: tx.switch_branch(BranchSwitch("MPL", 1.0, "otto", on=True, reason="")))
        assert [switch.branch for switch in seen] == ["CPL"]
        assert switches(database) == ["CPL", "MPL"]
    finally:
        store.close()


def test_bridges_are_woken_by_what_is_committed_and_by_nothing_else(postgres_server: URL) -> None:
    with quick_postgres(postgres_server) as url, psycopg.connect(conninfo(url), autocommit=True) as ear:
        ear.execute(f"LISTEN {CHANNEL}")
        reading(Database(url=url), lambda tx: tx.branch_switches())
        assert list(ear.notifies(timeout=0.1)) == []
        changing(Database(url=url), switched)
        assert [news.channel for news in ear.notifies(timeout=5, stop_after=1)] == [CHANNEL]


def test_a_writer_is_waited_for(made: Database, path: Path) -> None:
    writer = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO branch_switch (branch, at, by, \"on\", reason) VALUES ('MPL', 1, 'otto', 1, '')")
    soon = threading.Timer(0.1, writer.commit)
    soon.start()
    changing(made, switched)
    soon.join()
    writer.close()
    assert switches(made) == ["CPL", "MPL"]


def test_a_writer_that_does_not_end_is_told(made: Database, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "PRAGMAS", ("busy_timeout=10",))
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(SettingsError, match="the database cannot be used: database is locked"):
        changing(made, switched)
    writer.close()
    assert switches(made) == []


def test_a_database_that_is_not_there_is_not_made(path: Path) -> None:
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"there is no database\. Start the bridge once"):
            changing(Database(path=path), switched)
    assert not path.exists()


def test_a_file_of_something_else_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(SettingsError, match="file is not a database"):
        changing(Database(path=path), switched)
    assert path.read_bytes() == b"Dear diary, " * 1000


def test_a_database_of_another_program_is_left_as_it_is(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE diary (day TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=r"the database has no tables of a bridge\. Start the bridge once"):
        changing(Database(path=path), switched)
    assert path.read_bytes() == before


def test_tables_of_another_version_are_left_alone(database: Database) -> None:
    store = open_store(database)
    engine = store._engine  # type: ignore[attr-defined]
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    for attempt in (lambda: changing(database, switched), lambda: reading(database, lambda tx: tx.api_keys())):
        with pytest.raises(SettingsError, match=r"another version of the bridge \(9999\). Use the commands of that"):
            attempt()


def test_tables_that_claim_two_versions_are_left_alone(tmp_path: Path) -> None:
    database = Database(path=tmp_path / "bridge.db")
    store = SqliteStore(tmp_path / "bridge.db")
    with store._engine.begin() as connection:
        connection.execute(text("INSERT INTO alembic_version VALUES ('9999')"))
    store.close()
    with pytest.raises(SettingsError, match=rf"another version of the bridge \({NEWEST}, 9999\)"):
        reading(database, lambda tx: tx.api_keys())
    with pytest.raises(SettingsError, match="another version of the bridge made this database"):
        SqliteStore(tmp_path / "bridge.db")


def test_a_server_that_does_not_answer_is_told_without_the_password(postgres_server: URL) -> None:
    away = postgres_server.set(database="nowhere", password="salainen")
    with pytest.raises(SettingsError, match='database "nowhere" does not exist') as error:
        changing(Database(url=away), switched)
    assert error.value.where == "the database nowhere at 127.0.0.1"
    assert "salainen" not in str(error.value)


def test_another_name_of_the_same_file_will_do(made: Database, path: Path) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    changing(Database(path=link), switched)
    assert switches(made) == ["CPL"]


def test_the_lock_of_the_one_process_is_not_taken(made: Database, path: Path) -> None:
    bridges: list[SqliteStore] = []
    reading(made, lambda _: bridges.append(SqliteStore(path)))
    bridges[0].close()
