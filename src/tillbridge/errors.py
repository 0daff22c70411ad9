# SPDX-License-Identifier: GPL-3.0-or-later
"""All errors of the product under one tree.

TillbridgeError
├── SettingsError      a settings file or product map is wrong: file, line, remedy
│   ├── WrongSetting   one setting is wrong, told by who does not know the file: its place, remedy
│   └── WrongProductMap  a product map is wrong: its line, and its words apart from what they are about
└── Declined           a use case says no, and nothing was changed: code, plain words, facts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class TillbridgeError(Exception):
    """Be the root of every error that the product raises on purpose."""


class SettingsError(TillbridgeError):
    """Say what is wrong in a settings file, where, and what to do."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}. {remedy}")
        self.where, self.what, self.remedy = where, what, remedy


class WrongSetting(SettingsError):  # noqa: N818 - reads as the sentence it is
    """Say what is wrong with one setting, by its place in the file; whoever knows the file adds the line."""

    def __init__(self, place: Sequence[str], what: str, remedy: str) -> None:
        super().__init__(".".join(place), what, remedy)
        self.place = tuple(place)


class WrongProductMap(SettingsError):  # noqa: N818 - reads as the sentence it is
    """Say what is wrong in a product map; `said` and `advice` are the words without `facts`, for the translators."""

    def __init__(self, name: str, line: int | None, said: str, advice: str, **facts: str) -> None:
        where = name if line is None else f"{name}, line {line}"
        super().__init__(where, said % facts, advice % facts)
        self.line, self.said, self.advice, self.facts = line, said, advice, facts


class Declined(TillbridgeError):  # noqa: N818 - declining is no fault of the program
    """Say no to a use case in plain words; `code` is stable, `facts` are for the screen."""

    def __init__(self, code: str, message: str, facts: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.facts = code, message, dict(facts or {})
