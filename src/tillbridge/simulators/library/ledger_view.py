# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the ledger, the totals, the log and the faults as plain JSON; amounts are exact decimal texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from decimal import ROUND_HALF_UP, Decimal

from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.facts import Line, Offset
from tillbridge.simulators.library.faults import Fault
from tillbridge.simulators.library.library import RequestLog

Json = dict[str, object]


def amount_text(amount: Decimal) -> str:
    """Write two places, and more only where they are used."""
    cents = amount.quantize(Decimal("0.01"))
    return str(cents if cents == amount else amount.normalize())


def line(one: Line) -> Json:
    """Show one line."""
    return {
        "account_line_id": one.line_id,
        "amount": amount_text(one.amount),
        "amount_outstanding": amount_text(one.outstanding),
        "cash_register_id": one.register_id,
        "credit_number": one.credit_number,
        "date": one.date.isoformat(),
        "description": one.description,
        "interface": one.interface,
        "library_id": one.library_id,
        "note": one.note,
        "patron_id": one.patron_id,
        "payment_type": one.payment_type,
        "payout_type": one.payout_type,
        "side": one.side.value,
        "status": one.status,
        "type": one.type,
        "user_id": one.user_id,
    }


def _offset(one: Offset) -> Json:
    return {**asdict(one), "amount": amount_text(one.amount), "kind": one.kind.value}


def of_patron(book: Book, patron_id: int) -> Json:
    """Show a patron's lines and every offset that touches one of them."""
    book.patron(patron_id)
    lines = book.all_lines_of(patron_id)
    ids = {one.line_id for one in lines}
    touching = [one for one in book.offsets if one.credit_id in ids or one.debit_id in ids]
    return _shown(lines, touching)


def whole(book: Book) -> Json:
    """Show every line and offset, those of deleted patrons too."""
    return _shown(book.lines.values(), book.offsets)


def _shown(lines: Iterable[Line], offsets: Iterable[Offset]) -> Json:
    return {"lines": [line(one) for one in lines], "offsets": [_offset(one) for one in offsets]}


def totals(book: Book) -> Json:
    """Sum up the credits of type PAYMENT that are not void, by payment type and by branch, and what was paid out."""
    paid_out = [one for one in book.lines.values() if not one.is_credit and one.type == "PAYOUT"]
    paid = [one for one in book.lines.values() if one.is_credit and one.type == "PAYMENT" and one.status != "VOID"]
    by_type: dict[str, list[Line]] = defaultdict(list)
    by_library: dict[str, list[Line]] = defaultdict(list)
    for one in paid:
        by_type[one.payment_type or ""].append(one)
        by_library[one.library_id or ""].append(one)
    return {
        **_sums(paid),
        "by_library": {name: _sums(lines) for name, lines in by_library.items()},
        "by_payment_type": {name: _sums(lines) for name, lines in by_type.items()},
        "payouts": amount_text(sum((one.amount for one in paid_out), Decimal(0))),
        "payouts_minor": sum(_minor(one.amount) for one in paid_out),
        "unapplied": amount_text(sum((-one.outstanding for one in paid), Decimal(0))),
    }


def _sums(lines: list[Line]) -> Json:
    total = sum((-one.amount for one in lines), Decimal(0))
    return {"count": len(lines), "payments": amount_text(total), "payments_minor": _minor(total)}


def _minor(amount: Decimal) -> int:
    return int(amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP) * 100)


def requests(log: RequestLog) -> Json:
    """Show the log, oldest first, and the count of each kind; a status of 0 is a dropped connection."""
    entries = [{**asdict(one), "at": one.at.isoformat(timespec="milliseconds")} for one in log.entries]
    return {"counts": dict(log.counts), "requests": entries, "total": log.counts.total()}


def fault(one: Fault) -> Json:
    """Show a planned fault."""
    shown = {name: value for name, value in asdict(one).items() if name not in {"left", "until"}}
    return {**shown, "kind": one.kind.value, "next": "all" if one.left is None else one.left}
