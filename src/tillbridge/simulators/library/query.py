# SPDX-License-Identifier: GPL-3.0-or-later
"""Understand the part of Koha's filter language that a client of accounts needs (dossier 1.5, measured.md).

Text compares as the database's collation does: letter case and trailing blanks do not count (measured). Nor do the
marks above and below letters, so that å and ä are a, and ö is o: a guess from what utf8mb4_unicode_ci, the collation of
Koha's tables, is known for, and not measured. Letters of their own (ø, đ) stay apart.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

Cell = str | int | Decimal | bool | None
Row = Mapping[str, Cell]
Test = Callable[[Row], bool]

_COLUMNS = {
    "accountlines_id": "account_line_id",
    "amountoutstanding": "amount_outstanding",
    "borrowernumber": "patron_id",
    "branchcode": "library_id",
    "itemnumber": "item_id",
    "manager_id": "user_id",
    "note": "internal_note",
    "register_id": "cash_register_id",
}


class BadQueryError(Exception):
    """State that a filter or an order makes no sense; Koha 23.05 answers 500."""


def compile_query(query: object, fields: Iterable[str]) -> Test:
    """Turn a decoded `q` into a test of rows; raise BadQueryError for unknown fields and operators."""
    try:
        return _condition(query, frozenset(fields))
    except RecursionError as error:
        raise BadQueryError("too deep") from error


def _condition(query: object, fields: frozenset[str]) -> Test:
    match query:
        case Mapping():
            return _every([_member(str(key), value, fields) for key, value in query.items()])
        case list() if query:
            return _any([_condition(part, fields) for part in query])
        case list():
            return _every([])
        case _:
            raise BadQueryError("a filter is an object or a list")


def _member(key: str, value: object, fields: frozenset[str]) -> Test:
    if key in {"-and", "-or"}:
        parts = value if isinstance(value, list) else [value]
        return (_every if key == "-and" else _any)([_condition(part, fields) for part in parts])
    return _about(_field(key, fields), value)


def _field(key: str, fields: frozenset[str]) -> str:
    name = _COLUMNS.get(key, key)
    if name not in fields:
        raise BadQueryError(f"unknown field {key}")
    return name


def _about(name: str, value: object) -> Test:
    match value:
        case Mapping():
            return _every([_operation(name, str(key), operand) for key, operand in value.items()])
        case list():
            return _any([_about(name, item) for item in value])
        case _:
            return _operation(name, "=", value)


def _operation(name: str, sign: str, operand: object) -> Test:
    try:
        plain = _OPERATORS[sign.lower()]
    except KeyError:
        raise BadQueryError(f"unknown operator {sign}") from None
    wanted = _cells(operand)
    if isinstance(operand, list) and sign.lower() not in _OF_LISTS:
        return _any([_applied(plain, name, [one]) for one in wanted])
    return _applied(plain, name, wanted)


def _applied(plain: Callable[[Cell, Sequence[Cell]], bool], name: str, wanted: Sequence[Cell]) -> Test:
    return lambda row: plain(row[name], wanted)


def _cells(operand: object) -> list[Cell]:
    items = operand if isinstance(operand, list) else [operand]
    return [_cell(item) for item in items]


def _cell(item: object) -> Cell:
    if item is None or isinstance(item, (str, int, Decimal)):
        return item
    raise BadQueryError("a value is a text, a number or null")


def _every(tests: Sequence[Test]) -> Test:
    return lambda row: all(test(row) for test in tests)


def _any(tests: Sequence[Test]) -> Test:
    return lambda row: any(test(row) for test in tests)


def _equal(cell: Cell, wanted: Sequence[Cell]) -> bool:
    return any(cell is None if one is None else _holds(operator.eq, cell, one) for one in wanted)


def _not_equal(cell: Cell, wanted: Sequence[Cell]) -> bool:
    return all(cell is not None if one is None else _holds(operator.ne, cell, one) for one in wanted)


def _ordering(compare: Callable[[Any, Any], bool]) -> Callable[[Cell, Sequence[Cell]], bool]:
    return lambda cell, wanted: all(one is not None and _holds(compare, cell, one) for one in wanted)


def _holds(compare: Callable[[Any, Any], bool], cell: Cell, one: Cell) -> bool:
    """Compare as SQL does: nothing is equal to, or different from, a null."""
    if cell is None:
        return False
    if isinstance(cell, str):
        return compare(folded(cell), folded(str(one)))
    return compare(Decimal(cell), _as_number(one))


def _as_number(value: Cell) -> Decimal:
    try:
        return Decimal(str(int(value) if isinstance(value, bool) else value))
    except InvalidOperation:
        return Decimal(0)  # the database reads a text that is no number as zero


def folded(text: str) -> str:
    """Return what a text is compared by."""
    return _unmarked(text.rstrip(" ")).casefold()


def _unmarked(text: str) -> str:
    if text.isascii():
        return text
    letters = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    return unicodedata.normalize("NFC", letters)


def _like(cell: Cell, wanted: Sequence[Cell]) -> bool:
    return cell is not None and any(
        _is_like(_unmarked(str(cell)), _unmarked(str(one))) for one in wanted if one is not None
    )


def _unlike(cell: Cell, wanted: Sequence[Cell]) -> bool:
    return cell is not None and not _like(cell, wanted)


def _is_like(text: str, pattern: str) -> bool:
    """Match piece by piece between the percent signs, so that no pattern can take long."""
    first, *rest = [_piece(part) for part in re.split(r"(?<!\\)%", pattern)]
    if not rest:
        return first.fullmatch(text) is not None
    found = first.match(text)
    for piece in rest[:-1]:
        found = found and piece.search(text, found.end())
    if not found:
        return False
    return re.compile(f"(?:{rest[-1].pattern})$(?!\\n)", rest[-1].flags).search(text, found.end()) is not None


def _piece(part: str) -> re.Pattern[str]:
    signs = re.findall(r"\\.|.", part, re.DOTALL)
    return re.compile("".join(_sign(sign) for sign in signs), re.IGNORECASE | re.DOTALL)


def _sign(sign: str) -> str:
    return "." if sign == "_" else re.escape(sign[-1])


_OPERATORS: dict[str, Callable[[Cell, Sequence[Cell]], bool]] = {
    "=": _equal,
    "-in": _equal,
    "!=": _not_equal,
    "-not_in": _not_equal,
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
    "-like": _like,
    "like": _like,
    "-not_like": _unlike,
    "not like": _unlike,
}
_OF_LISTS = frozenset({"-in", "-not_in"})


def in_order(rows: Sequence[Row], order_by: Sequence[str], fields: Iterable[str]) -> list[Row]:
    """Sort rows by Koha's `_order_by` parts (``+name``, ``-name``); raise BadQueryError for an unknown field."""
    known = frozenset(fields)
    ordered = list(rows)
    for part in reversed(order_by):
        name = _field(part.lstrip("+- "), known)
        ordered.sort(key=lambda row, name=name: _rank(row[name]), reverse=part.startswith("-"))  # type: ignore[misc]
    return ordered


def _rank(cell: Cell) -> tuple[bool, object]:
    """Put nulls first, as the database does."""
    return (cell is not None, folded(cell) if isinstance(cell, str) else cell or 0)
