# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stores import ENGINES, AnyStore, quick_postgres_store, server_for
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


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest) -> Iterator[AnyStore]:
    server = server_for(request)
    if server is None:
        yield request.getfixturevalue("sqlite_store")
        return
    with quick_postgres_store(server) as opened:
        yield opened
