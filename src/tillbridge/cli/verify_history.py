# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge verify-history``."""

from __future__ import annotations

from pathlib import Path

import typer

from tillbridge.cli.telling import SettingsOption
from tillbridge.composition import database_of
from tillbridge.errors import SettingsError
from tillbridge.settings import read_settings
from tillbridge.store.verifying import verify_database


def verify_history(settings: SettingsOption = Path("tillbridge.toml")) -> None:
    """Check that no stored history was changed: every payment's chain of events and every day's seal."""
    try:
        file = read_settings(settings)
        database = database_of(file)
        with file.placing(("bridge", "database")):
            found = verify_database(database)
    except SettingsError as error:
        typer.echo(f"tillbridge verify-history: {error}", err=True)
        raise typer.Exit(2) from error
    for broken in found.breaks:
        typer.echo(f"CHANGED: {broken}")
    typer.echo(f"{found.events} events and {found.seals} seals checked, {len(found.breaks)} do not fit.")
    raise typer.Exit(1 if found.breaks else 0)
