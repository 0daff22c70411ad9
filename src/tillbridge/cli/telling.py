# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands have in common: how they say what hinders them, and how they line up what they list."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from tillbridge.errors import SettingsError, TillbridgeError
from tillbridge.settings import SettingsFile

WHO_LIMIT = 200

SettingsOption = Annotated[Path, typer.Option("--settings", help="The settings file (TOML)")]
ByOption = Annotated[str, typer.Option("--by", metavar="WHO", help="Who does it, for whoever reads it later")]


@contextlib.contextmanager
def told(command: str) -> Iterator[None]:
    """Say on stderr what hinders a command, and exit with 2."""
    try:
        yield
    except TillbridgeError as error:
        typer.echo(f"tillbridge {command}: {error}", err=True)
        raise typer.Exit(2) from error


def plain(option: str, value: str, most: int = WHO_LIMIT) -> str:
    """Return a text that can be kept and shown; raise SettingsError for an empty, long or odd one."""
    text = value.strip()
    if not text or len(text) > most or not text.isprintable():
        raise SettingsError(option, "this is no text that can be kept", f"Give 1 to {most} characters on one line")
    return text


def known_branch(file: SettingsFile, code: str) -> str:
    """Return the code of a branch that the settings name; raise SettingsError for another."""
    if code not in file.settings.branch:
        known = ", ".join(file.settings.branch) or "none"
        raise SettingsError(f"branch {code}", f"there is no such branch in {file.path}", f"Known are: {known}")
    return code


def moment(at: float) -> str:
    """Write an instant in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}Z"


def columns(*rows: Sequence[str]) -> Iterator[str]:
    """Line up the cells of rows under each other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
