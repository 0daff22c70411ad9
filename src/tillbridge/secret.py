# SPDX-License-Identifier: GPL-3.0-or-later
"""Read secrets from files or the environment; a settings file never holds one itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tillbridge.errors import WrongSetting


def read_secret(setting: Sequence[str], folder: Path, file: Path | None, variable: str | None) -> str:
    """Return the secret from exactly one of a file (relative to `folder`) or an environment variable.

    `setting` is the place of the setting in the settings file without its ``_file`` or ``_variable``; errors name it.
    """
    *table, name = setting
    if (file is None) == (variable is None):
        remedy = "Name a file or an environment variable, not both"
        raise WrongSetting((*table, f"{name}_file"), "a secret comes from one place", remedy)
    if file is not None:
        return read_secret_file((*table, f"{name}_file"), folder / file)
    assert variable is not None  # noqa: S101 - the check above says so; this tells the type checker
    return _not_empty((*table, f"{name}_variable"), os.environ.get(variable, ""))


def read_secret_file(place: Sequence[str], path: Path) -> str:
    """Return the secret in a file; one newline at its end is dropped, nothing else. Errors name the setting's place."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"the secret file {path} cannot be read"
        raise WrongSetting(place, what, "Check its path, rights and text") from error
    return _not_empty(place, text.removesuffix("\n").removesuffix("\r"))


def _not_empty(place: Sequence[str], secret: str) -> str:
    if not secret:
        raise WrongSetting(place, "the secret is empty", "Put the secret into the file or variable that is named")
    return secret
