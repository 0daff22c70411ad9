# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL
from typer.testing import CliRunner

from support.fakes import report
from support.postgres import conninfo
from support.stores import quick_postgres_store
from support.worlds import Bench, make_bench, open_bench
from tillbridge.cli import app

SETTINGS = """
[bridge]
public_address = "http://127.0.0.1:1"
database = "bridge.db"
[library]
kind = "koha"
[register_server]
[branch]
"""


async def _history(bench: Bench) -> None:
    bench.library.add_charge("1", "5")
    payment = await bench.start()
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    await bench.work()
    await bench.store.write(lambda tx: tx.seal_missing(date(2027, 1, 15)))


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    with open_bench(tmp_path) as bench:
        await _history(bench)
    (tmp_path / "tillbridge.toml").write_text(SETTINGS)
    return tmp_path


@contextmanager
def _kept_on_postgres(server: URL, folder: Path) -> Iterator[tuple[URL, Bench]]:
    with quick_postgres_store(server) as store:
        address = conninfo(store.url)
        (folder / "tillbridge.toml").write_text(SETTINGS.replace("bridge.db", address))
        yield store.url, make_bench(store)


def _verify(folder: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["verify-history", "--settings", str(folder / "tillbridge.toml")])
    return result.exit_code, result.output


def test_an_untouched_history_fits(folder: Path) -> None:
    assert _verify(folder) == (0, "7 events and 1 seals checked, 0 do not fit.\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE event SET facts = '{}' WHERE seq = 4", "event 4"),
        ("UPDATE event SET actor = 'mallory' WHERE seq = 1", "event 1"),
        ("DELETE FROM event WHERE seq = 3", "event 3"),
        ("DELETE FROM event WHERE seq = 7", "seal of 2027-01-15"),
        ("UPDATE seal SET hash = 'x'", "seal of 2027-01-15"),
    ],
)
def test_a_changed_history_shows(folder: Path, change: str, told: str) -> None:
    with sqlite3.connect(folder / "bridge.db") as database:
        database.execute(change)
    database.close()
    status, output = _verify(folder)
    assert status == 1
    assert told in output


def test_a_missing_database_is_named(folder: Path) -> None:
    (folder / "bridge.db").unlink()
    status, output = _verify(folder)
    assert status == 2
    assert "tillbridge.toml, line 4: bridge.database: " in output
    assert "there is no database" in output


async def test_a_history_on_postgresql_is_checked_while_bridges_use_it(tmp_path: Path, postgres_server: URL) -> None:
    with _kept_on_postgres(postgres_server, tmp_path) as (url, bench):
        await _history(bench)
        assert _verify(tmp_path) == (0, "7 events and 1 seals checked, 0 do not fit.\n")
        with psycopg.connect(conninfo(url)) as database:
            database.execute("UPDATE event SET facts = '{}' WHERE seq = 4")
        status, output = _verify(tmp_path)
    assert status == 1
    assert "event 4" in output


def test_a_postgresql_database_that_is_away_is_named_without_its_password(tmp_path: Path) -> None:
    address = "postgresql://tillbridge:kissa123@127.0.0.1:1/books"
    (tmp_path / "tillbridge.toml").write_text(SETTINGS.replace("bridge.db", address))
    status, output = _verify(tmp_path)
    assert status == 2
    assert "the database books at 127.0.0.1" in output
    assert "kissa123" not in output
