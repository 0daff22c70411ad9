# SPDX-License-Identifier: GPL-3.0-or-later
"""Say facts, names and sums of money in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from tillbridge.domain.money import exact_of

_CENT = Decimal("0.01")
_MINOR = "_minor"
"""How the name of a fact ends that is a sum in cents."""
_NAMES = re.compile("[a-z_ ]+")


def facts_in_words(facts: Mapping[str, object]) -> str:
    """Say facts as names and values, sums of cents as money."""
    return ", ".join(f"{_name(name)} {_value(name, value)}" for name, value in facts.items())


def spaced(name: str) -> str:
    """Write a name of the program's as words."""
    return name.replace("_", " ")


def plain(amount: Decimal) -> str:
    """Write a sum of money with its cents, and as much behind them as there is."""
    cents = amount.quantize(_CENT)
    return f"{cents if cents == amount else amount.normalize():f}"


def _name(name: str) -> str:
    return spaced(name.removesuffix(_MINOR))


def _value(name: str, value: object) -> str:
    said = str(value)
    match value:
        case None:
            said = "none"
        case bool():
            said = "yes" if value else "no"
        case int() if name.endswith(_MINOR):
            said = plain(exact_of(value))
        case float():
            said = f"{round(value, 3):.12g}"
        case Mapping():
            said = facts_in_words(value) or "none"
        case list() | tuple():
            said = _values(value)
    return spaced(said) if _NAMES.fullmatch(said) else said


def _values(values: list[object] | tuple[object, ...]) -> str:
    """Write a list with spaces between its values, and one of lists with semicolons."""
    nested = any(isinstance(each, list | tuple) for each in values)
    return ("; " if nested else " ").join(_value("", each) for each in values) or "none"
