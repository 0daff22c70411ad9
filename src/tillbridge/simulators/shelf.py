# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what a simulator must not forget in an SQLite file, so that one that is killed comes back with what it had.

It outlives the process, not the machine: nothing waits for the disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from tillbridge.errors import SettingsError

T = TypeVar("T")

_PREPARE = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = OFF",
    "CREATE TABLE IF NOT EXISTS kept (kind TEXT, name TEXT, written BLOB NOT NULL, UNIQUE (kind, name))",
)
_PUT = "INSERT INTO kept VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET written = excluded.written"


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """Name a kind of things and say how one is written; dates, decimals and enumerations come back as they were."""

    name: str
    form: TypeAdapter[T]


@dataclass(frozen=True, slots=True)
class Change:
    """Hold what is written at a name of a kind; None takes away what is there."""

    kind: str
    name: str
    text: bytes | None


def written(kind: Kind[T], name: object, thing: T) -> Change:
    """Return the change that keeps a thing in the place of the one before; halves of a sign become question marks."""
    plain = kind.form.dump_python(thing, mode="json")
    return Change(kind.name, str(name), json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace"))


def erased(kind: Kind[T], name: object) -> Change:
    """Return the change that keeps a thing no longer."""
    return Change(kind.name, str(name), None)


class Shelf:
    """Hold the file; no other process may have it open."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raise SettingsError where it cannot be used."""
        try:
            self._file = sqlite3.connect(path, isolation_level=None, timeout=0)
            for statement in _PREPARE:
                self._file.execute(statement)
        except sqlite3.Error as error:
            remedy = "Stop the program that has it open, or name another file"
            raise SettingsError(str(path), f"this file cannot keep anything: {error}", remedy) from error

    def all(self, kind: Kind[T]) -> list[T]:
        """Return everything of a kind, in the order in which it was first kept."""
        rows = self._file.execute("SELECT written FROM kept WHERE kind = ? ORDER BY rowid", (kind.name,))
        return [kind.form.validate_json(written) for (written,) in rows]

    def keep(self, changes: Iterable[Change]) -> None:
        """Make these changes, all or none of them."""
        self._file.execute("BEGIN")
        for change in changes:
            if change.text is None:
                self._file.execute("DELETE FROM kept WHERE kind = ? AND name = ?", (change.kind, change.name))
            else:
                self._file.execute(_PUT, (change.kind, change.name, change.text))
        self._file.execute("COMMIT")

    def empty(self) -> None:
        """Keep nothing any more."""
        self._file.execute("DELETE FROM kept")

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
