# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a database's tables up to date.

Alembic is loaded where there is something to change: nearly always there is nothing, and a bridge that starts again
after its end is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from sqlalchemy import Connection, Engine, inspect, text

NEWEST = "0005"
"""The revision that the tables of this version have."""


class OtherVersion(Exception):  # noqa: N818 - reads as the sentence it is
    """Say that the tables were made by a version of the bridge that this one does not know."""


def revision_of(connection: Connection) -> str | None:
    """Return the revision that the tables have, or all that they claim to have; None where a bridge has made none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version ORDER BY version_num")).scalars()
    return ", ".join(found) or None


def migrate(engine: Engine, revision: str = NEWEST) -> None:
    """Upgrade to a revision, wholly or not at all; a database that is there already is left alone.

    Raise OtherVersion where this version does not know what is there.
    """
    with _changing(engine) as connection:
        if revision_of(connection) == revision:
            return
    # Loaded between two transactions: PostgreSQL ends one that stands idle for long.
    upgrade = import_module("tillbridge.store.upgrading").upgrade
    with _changing(engine) as connection:
        upgrade(connection, revision)
        connection.commit()


@contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # SQLite's driver opens no transaction for a change of tables by itself.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
