# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write JSON with decimals, so that no amount is ever a float."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal

_FIFTEEN_DIGITS = Context(prec=15)


class NotJsonError(Exception):
    """State that bytes are no JSON text in UTF-8."""


def read_json(raw: bytes | str) -> object:
    """Read JSON with decimals for fractions; raise NotJsonError for everything else."""
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise NotJsonError from error


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def write_json(value: object) -> str:
    """Write JSON with sorted keys; a decimal always has a point, and 15 digits that count (measured: 3.0)."""
    match value:
        case Decimal():
            return _number(value)
        case Mapping():
            members = (f"{json.dumps(str(key))}:{write_json(value[key])}" for key in sorted(value))
            return "{" + ",".join(members) + "}"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case Sequence():
            return "[" + ",".join(write_json(item) for item in value) + "]"
        case _:
            return json.dumps(value)


def _number(amount: Decimal) -> str:
    text = f"{_FIFTEEN_DIGITS.plus(amount):f}"
    if "." in text:
        text = text.rstrip("0")
        return text + "0" if text.endswith(".") else text
    return text + ".0"
