# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the tables of a database by the migrations of the package (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from tillbridge.store.migrate import OtherVersion

_MIGRATIONS = Path(__file__).parent / "migrations"


def configuration() -> Config:
    """Return Alembic's configuration; there is no alembic.ini, the migrations live in the package."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(connection: Connection, revision: str) -> None:
    """Upgrade to a revision, for whoever commits; raise OtherVersion as `migrate` does."""
    config = configuration()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise OtherVersion(str(error)) from error
