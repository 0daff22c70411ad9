# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask for a password, so that it stands in no list of processes and in no shell's history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tillbridge.errors import SettingsError
from tillbridge.secret import read_secret_file

PasswordFileOption = Annotated[
    Path | None, typer.Option(help="The file with the password; one newline at its end does not count")
]
PasswordStdinOption = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input")
]


def asked_password(file: Path | None, *, stdin: bool) -> str:
    """Return the password from a file, standard input or, asked twice, a terminal; raise SettingsError."""
    if file is not None and stdin:
        raise SettingsError("--password-stdin", "it does not go with --password-file", "Give one of the two")
    if file is not None:
        return read_secret_file(("--password-file",), file)
    if stdin:
        return _first_line()
    if not sys.stdin.isatty():
        remedy = "Give --password-file or --password-stdin"
        raise SettingsError("password", "there is no terminal to ask for it at", remedy)
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt="The same again", err=True)
    return password


def _first_line() -> str:
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        raise SettingsError("--password-stdin", "this is no text", "Write the password in UTF-8") from None
    return line.removesuffix("\n").removesuffix("\r")
