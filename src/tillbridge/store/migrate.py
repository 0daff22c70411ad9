# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a database's tables up to date (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

_MIGRATIONS = Path(__file__).parent / "migrations"


def configuration() -> Config:
    """Return Alembic's configuration; there is no alembic.ini, the migrations live in the package."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def migrate(engine: Engine, revision: str = "head") -> None:
    """Upgrade to a revision, wholly or not at all; a database that is there already is left alone."""
    config = configuration()
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            # SQLite's driver opens no transaction for a change of tables by itself.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
