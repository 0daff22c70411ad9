# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores that are ready at once: the tables are made one time for each run of the tests."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect, Engine

from tillbridge.store import sqlite
from tillbridge.store.sqlite import SqliteStore


@contextmanager
def quick_store(path: Path) -> Iterator[SqliteStore]:
    """Open the real store on a copy of a migrated file, so that the migrations run once and not for every test."""
    path.write_bytes(_migrated())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "migrate", lambda _: None)
        store = SqliteStore(path)
    share_statements(store._engine)
    try:
        yield store
    finally:
        store.close()


_SHARED: dict[str, tuple[Dialect, Any]] = {}
"""What the first engine of each kind in this process has learnt of the statements."""


def share_statements(engine: Engine) -> None:
    """Let an engine know what others of its kind have compiled: that takes longer than to run it, and is the same."""
    engine.dialect, engine._compiled_cache = _SHARED.setdefault(
        engine.dialect.name, (engine.dialect, engine._compiled_cache)
    )


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bridge.db"
        SqliteStore(path).close()
        return path.read_bytes()
