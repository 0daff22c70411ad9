# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about money that is given back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, insert, select, update

from tillbridge.domain.lifecycle import RefundState
from tillbridge.domain.refund import Refund, RefundLine
from tillbridge.service.store_port import Stale
from tillbridge.store import tables as t
from tillbridge.store.ordering import one_at_a_time

_refund, _line = t.refund.c, t.refund_line.c


class RefundStatements:
    """Bind the statements to one connection with an open transaction."""

    _connection: Connection

    def add_refund(self, refund: Refund) -> None:
        self._connection.execute(insert(t.refund), _row(refund) | {"payment_id": refund.payment_id, "n": refund.n})
        self._connection.execute(insert(t.refund_line), [_line_row(refund, line) for line in refund.lines])

    def save_refund(self, refund: Refund, was: RefundState) -> None:
        same = (_refund.payment_id == refund.payment_id) & (_refund.n == refund.n) & (_refund.state == was)
        if self._connection.execute(update(t.refund).where(same), _row(refund)).rowcount != 1:
            raise Stale(refund.payment_id)

    def refunds_of(self, payment_id: str) -> tuple[Refund, ...]:
        return _of(self._connection.execute(_OF_PAYMENT, {"of_payment": payment_id}))

    def refund_with_receipt(self, register_server: str, receipt_number: str) -> Refund | None:
        one_at_a_time(self._connection, f"receipt {register_server} {receipt_number}")
        named = {"of_server": register_server, "of_receipt": receipt_number}
        found = _of(self._connection.execute(_WITH_RECEIPT, named))
        return found[0] if found else None


def _read(*which: ColumnElement[bool]) -> Select[Any]:
    joined = t.refund.join(t.refund_line, (_line.payment_id == _refund.payment_id) & (_line.n == _refund.n))
    parts = (_line.charge_id, _line.amount_minor, _line.exact, _line.credit_n)
    # Ids are texts, and mostly numbers: the short ones are the earlier ones, as in the payment's lines.
    in_order = (_refund.payment_id, _refund.n, _line.credit_n, func.length(_line.charge_id), _line.charge_id)
    return select(t.refund, *parts).select_from(joined).where(*which).order_by(*in_order)


_OF_PAYMENT = _read(_refund.payment_id == bindparam("of_payment"))
_WITH_RECEIPT = _read(
    _refund.receipt_number == bindparam("of_receipt"), _refund.register_server == bindparam("of_server")
)


def _of(rows: Iterable[Any]) -> tuple[Refund, ...]:
    refunds: dict[tuple[str, int], list[Any]] = {}
    for row in rows:
        refunds.setdefault((row.payment_id, row.n), []).append(row)
    return tuple(_of_rows(each) for each in refunds.values())


def _of_rows(rows: Sequence[Any]) -> Refund:
    row = rows[0]
    return Refund(
        payment_id=row.payment_id,
        n=row.n,
        lines=tuple(RefundLine(each.charge_id, each.amount_minor, Decimal(each.exact), each.credit_n) for each in rows),
        currency=row.currency,
        owed_again=row.owed_again,
        branch=row.branch,
        register_server=row.register_server,
        register=row.register,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        reason=row.reason,
        state=RefundState(row.state),
        receipt_number=row.receipt_number,
        given_back_by=row.given_back_by,
        given_back_at=row.given_back_at,
        library_staff_id=row.library_staff_id,
        library_register_id=row.library_register_id,
    )


def _row(refund: Refund) -> dict[str, Any]:
    return {
        "state": refund.state,
        "currency": refund.currency,
        "owed_again": refund.owed_again,
        "branch": refund.branch,
        "register_server": refund.register_server,
        "register": refund.register,
        "asked_by": refund.asked_by,
        "asked_at": refund.asked_at,
        "reason": refund.reason,
        "receipt_number": refund.receipt_number,
        "given_back_by": refund.given_back_by,
        "given_back_at": refund.given_back_at,
        "library_staff_id": refund.library_staff_id,
        "library_register_id": refund.library_register_id,
    }


def _line_row(refund: Refund, line: RefundLine) -> dict[str, Any]:
    return {
        "payment_id": refund.payment_id,
        "n": refund.n,
        "charge_id": line.charge_id,
        "amount_minor": line.amount_minor,
        "exact": str(line.exact),
        "credit_n": line.credit_n,
    }
