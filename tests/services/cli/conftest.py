# SPDX-License-Identifier: GPL-3.0-or-later
"""A database with the bridge's tables and settings that name it, and the commands that work on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import URL
from typer.testing import CliRunner

from support.postgres import conninfo
from support.quick import quick_store
from support.stores import ENGINES, quick_postgres, server_for
from tillbridge.cli import app
from tillbridge.service.store_port import Transaction
from tillbridge.store.commanding import reading
from tillbridge.store.opening import Database

T = TypeVar("T")

SETTINGS = """
[bridge]
public_address = "http://127.0.0.1:1"
database = "{database}"
[library]
kind = "koha"
[register_server.city]
kind = "ceepos"
[branch.CPL]
register_server = "city"
[branch.MPL]
register_server = "city"
"""


@dataclass(frozen=True)
class Ran:
    """Hold what a command came to."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass(frozen=True)
class Desk:
    """An administrator's terminal, in the folder of the settings."""

    folder: Path
    database: Database

    @property
    def settings(self) -> Path:
        return self.folder / "tillbridge.toml"

    def run(self, *arguments: str, typed: str | bytes | None = None) -> Ran:
        """Run a command; where it fails by accident and not on purpose, so does the test."""
        result = CliRunner().invoke(app, [*arguments, "--settings", str(self.settings)], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    def did(self, *arguments: str, typed: str | bytes | None = None) -> Ran:
        """Run a command that must work."""
        ran = self.run(*arguments, typed=typed)
        assert ran.status == 0, ran.err
        return ran

    def stored(self, work: Callable[[Transaction], T]) -> T:
        return reading(self.database, work)


@contextmanager
def desk_on(folder: Path, server: URL | None) -> Iterator[Desk]:
    """Make a database with tables and settings that name it."""
    if server is None:
        with quick_store(folder / "bridge.db"):
            pass
        yield written(folder, "bridge.db", Database(path=folder / "bridge.db"))
    else:
        with quick_postgres(server) as url:
            yield written(folder, conninfo(url), Database(url=url))


def written(folder: Path, named: str, database: Database) -> Desk:
    (folder / "tillbridge.toml").write_text(SETTINGS.format(database=named))
    return Desk(folder, database)


@pytest.fixture(params=ENGINES)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    """On each of the two engines."""
    with desk_on(tmp_path, server_for(request)) as made:
        yield made
