# SPDX-License-Identifier: GPL-3.0-or-later
"""Open the store that the settings name: a SQLite file, or a PostgreSQL database by its address."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tillbridge.errors import WrongSetting
from tillbridge.service.store_port import OpenStore
from tillbridge.store.postgres import PATIENCE_S, PostgresStore
from tillbridge.store.sqlite import SqliteStore

SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class Database:
    """Name a database: the path of a file, or the address of a PostgreSQL database."""

    path: Path | None = None
    url: URL | None = field(default=None, repr=False)


def database_of(setting: str, folder: Path, password: str | None = None) -> Database:
    """Read the setting; a path is taken from `folder`. Raise SettingsError for an address that is none."""
    if not setting.startswith(SCHEMES):
        return Database(path=folder / setting)
    try:
        url = make_url(setting).set(drivername="postgresql")
    except (ArgumentError, ValueError) as error:
        what, remedy = "this is no address of a database", "Write postgresql://user@host:5432/name"
        raise WrongSetting(("bridge", "database"), what, remedy) from error
    return Database(url=url.set(password=password) if password is not None else url)


def open_store(database: Database, patience_s: float = PATIENCE_S) -> OpenStore:
    """Open the store; raise SettingsError where it cannot be used."""
    if database.url is not None:
        return PostgresStore(database.url, patience_s)
    assert database.path is not None  # noqa: S101 - a database has one of the two
    return SqliteStore(database.path)
