# SPDX-License-Identifier: GPL-3.0-or-later
"""Read secrets from files or the environment; a settings file never holds one itself."""

from __future__ import annotations

import os
from pathlib import Path

from tillbridge.errors import SettingsError


def read_secret(where: str, folder: Path, file: Path | None, variable: str | None) -> str:
    """Return the secret from exactly one of a file (relative to `folder`) or an environment variable.

    One trailing newline of a file is dropped, nothing else. `where` names the setting in errors.
    """
    if (file is None) == (variable is None):
        raise SettingsError(where, "a secret comes from one place", "Name a file or an environment variable, not both")
    if file is not None:
        return _not_empty(where, _from_file(where, folder / file))
    assert variable is not None  # noqa: S101 - the check above says so; this tells the type checker
    return _not_empty(where, os.environ.get(variable, ""))


def _from_file(where: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            where, f"the secret file {path} cannot be read", "Check its path, rights and text"
        ) from error
    return text.removesuffix("\n").removesuffix("\r")


def _not_empty(where: str, secret: str) -> str:
    if not secret:
        raise SettingsError(where, "the secret is empty", "Put the secret into the file or variable that is named")
    return secret
