# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stores import AnyStore, quick_postgres_store
from tillbridge.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bridge.db"


@pytest.fixture
def sqlite_store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[AnyStore]:
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_store")
        return
    with quick_postgres_store(request.getfixturevalue("postgres_server")) as opened:
        yield opened
