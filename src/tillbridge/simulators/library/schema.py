# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the bodies of POST credits and POST debits, and complain in the words of Koha's validator (recorded)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from tillbridge.simulators.library.facts import ChargeOrder, CreditOrder

_NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)


class BadBodyError(Exception):
    """Hold what is wrong with a body: pairs of place and complaint."""

    def __init__(self, complaints: list[tuple[str, str]]) -> None:
        super().__init__(complaints)
        self.complaints = sorted(complaints)


class _WrongError(Exception):
    """Hold one complaint about one value."""


def _type_name(value: object) -> str:
    names: list[tuple[Any, str]] = [
        (type(None), "null"),
        (bool, "boolean"),
        ((int, Decimal), "number"),
        (str, "string"),
        (list, "array"),
    ]
    return next((name for kind, name in names if isinstance(value, kind)), "object")


def _expected(what: str, value: object) -> _WrongError:
    return _WrongError(f"Expected {what} - got {_type_name(value)}.")


def _amount(value: object) -> Decimal:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise _expected("number", value)
    if value < 0:
        raise _WrongError(f"{value} < minimum(0)")
    return Decimal(value)


def _text(value: object) -> str:
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _expected("string", value)
    return value


def _text_or_null(value: object) -> str | None:
    return None if value is None else _text(value)


def _day(value: object) -> date:
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise _WrongError("Does not match date format.") from None


def _integer(value: object) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _expected("integer", value)
    return value


def _integers(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise _expected("array", value)
    return tuple(_integer(item) for item in value)


Checks = Mapping[str, Callable[[object], object]]
_CREDIT: Checks = {
    "account_lines_ids": _integers,
    "amount": _amount,
    "credit_type": _text,
    "date": _day,
    "description": _text,
    "library_id": _text_or_null,
    "note": _text,
    "payment_type": _text,
}
_DEBIT: Checks = {
    "amount": _amount,
    "cash_register_id": lambda value: None if value is None else _integer(value),
    "description": _text,
    "internal_note": _text_or_null,
    "library_id": _text_or_null,
    "type": _text,
}


def credit_order(body: object) -> CreditOrder:
    """Read the body of POST credits; raise BadBodyError with everything that is wrong with it."""
    values = _checked(body, _CREDIT)
    return CreditOrder(
        amount=values["amount"],
        credit_type=values.get("credit_type", "PAYMENT"),
        line_ids=values.get("account_lines_ids"),
        library_id=values.get("library_id"),
        payment_type=values.get("payment_type"),
        description=values.get("description", ""),
        note=values.get("note", ""),
        date=values.get("date"),
    )


def debit_order(body: object, patron_id: int) -> ChargeOrder:
    """Read the body of POST debits; Koha records the patron as the user (dossier 1.3)."""
    values = _checked(body, _DEBIT)
    return ChargeOrder(
        amount=values["amount"],
        type=values.get("type", ""),
        description=values.get("description", ""),
        library_id=values.get("library_id"),
        note=values.get("internal_note") or "",
        interface="api",
        user_id=patron_id,
    )


def _checked(body: object, checks: Checks) -> dict[str, Any]:
    if body is None:
        raise BadBodyError([("/body", "Missing property.")])
    if not isinstance(body, dict):
        raise BadBodyError([("/body", f"Expected object - got {_type_name(body)}.")])
    complaints = _strangers(body, checks)
    values: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            values |= {name: check(body[name])} if name in body else {}
        except _WrongError as error:
            complaints.append((f"/body/{name}", str(error)))
    if "amount" not in body:
        complaints.append(("/body/amount", "Missing property."))
    if complaints:
        raise BadBodyError(complaints)
    return values


def _strangers(body: Mapping[str, object], checks: Checks) -> list[tuple[str, str]]:
    names = sorted(set(body) - set(checks))
    return [("/body", f"Properties not allowed: {', '.join(names)}.")] if names else []
