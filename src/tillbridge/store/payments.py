# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about payments, their lines, payers and patron locks.

Those that every payment needs are built once: to build a statement takes longer than to run it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from tillbridge.domain.lifecycle import AT_REST, UNDECIDED, Booking, Collection, Decider, Standing
from tillbridge.domain.payment import Line, Payment
from tillbridge.service.register_port import Payer
from tillbridge.service.store_port import Stale, TaskKind
from tillbridge.store import tables as t

_ID: BindParameter[str] = bindparam("of_payment")

_READ = (
    select(t.payment, *(column for column in t.line.c if column is not t.line.c.payment_id))
    .outerjoin(t.line, t.line.c.payment_id == t.payment.c.id)
    .where(t.payment.c.id == _ID)
    .order_by(t.line.c.n)
)
_READ_AND_HOLD = _READ.with_for_update(of=t.payment)


def read(connection: Connection, payment_id: str, *, hold: bool = False) -> Payment | None:
    """Read a payment with its lines; `hold` keeps others from changing it before this transaction ends."""
    rows = connection.execute(_READ_AND_HOLD if hold else _READ, {"of_payment": payment_id}).all()
    return _payment(rows[0], tuple(_line(row) for row in rows if row.n is not None)) if rows else None


def recent(connection: Connection, limit: int) -> tuple[Payment, ...]:
    """List the newest payments."""
    newest = select(t.payment.c.id).order_by(t.payment.c.created_at.desc(), t.payment.c.id).limit(limit)
    return read_where(connection, t.payment.c.id.in_(newest))


def in_doubt(connection: Connection) -> tuple[Payment, ...]:
    """List the payments that are not at rest."""
    moving = or_(t.payment.c.collection.in_(UNDECIDED), t.payment.c.booking.not_in(AT_REST))
    return read_where(connection, moving)


_ADD, _ADD_LINE, _ADD_PAYER = insert(t.payment), insert(t.line), insert(t.payer)


def add(connection: Connection, payment: Payment, payer: Payer | None) -> None:
    """Store a new payment."""
    connection.execute(_ADD, _row(payment))
    connection.execute(_ADD_LINE, [_line_row(payment.id, n, line) for n, line in enumerate(payment.lines, 1)])
    if payer is not None:
        names = {"surname": payer.surname, "firstname": payer.firstname, "card_number": payer.card_number}
        connection.execute(_ADD_PAYER, {"payment_id": payment.id, **names})


_SAVE = update(t.payment).where(t.payment.c.id == _ID, t.payment.c.version == bindparam("version_read"))


def save(connection: Connection, payment: Payment) -> int:
    """Store a changed payment where its version is still the one that was read; return the new version."""
    row = _row(payment) | {"version": payment.version + 1}
    read_as = {"of_payment": payment.id, "version_read": payment.version}
    if connection.execute(_SAVE, row | read_as).rowcount != 1:
        raise Stale(payment.id)
    return payment.version + 1


_PAYER = select(t.payer).where(t.payer.c.payment_id == _ID)
_FORGET = delete(t.payer).where(t.payer.c.payment_id == _ID)


def read_payer(connection: Connection, payment_id: str) -> Payer | None:
    """Read the payer for the receipt."""
    row = connection.execute(_PAYER, {"of_payment": payment_id}).first()
    return Payer(row.surname, row.firstname, row.card_number) if row else None


def forget_payer(connection: Connection, payment_id: str) -> None:
    """Erase the payer."""
    connection.execute(_FORGET, {"of_payment": payment_id})


_HOLDER = select(t.patron_lock.c.payment_id).where(
    t.patron_lock.c.library == bindparam("of_library"), t.patron_lock.c.patron_id == bindparam("of_patron")
)
_LOCK = insert(t.patron_lock)
_UNLOCK = delete(t.patron_lock).where(t.patron_lock.c.payment_id == _ID)
_SAME_PATRON = select(t.payment.c.id).where(
    t.payment.c.library == bindparam("of_library"),
    t.payment.c.patron_id == bindparam("of_patron"),
    t.payment.c.booking == Booking.DUE,
    t.payment.c.id != _ID,
)
_WAKE = (
    update(t.task)
    .where(
        t.task.c.payment_id.in_(_SAME_PATRON),
        t.task.c.kind == TaskKind.BOOK,
        t.task.c.lease_owner.is_(None),
        t.task.c.due_at > bindparam("now"),
        t.task.c.attempt == 0,
    )
    .values(due_at=bindparam("now"))
)


def lock_patron(connection: Connection, payment: Payment) -> bool:
    """Make this the only payment that books for its patron."""
    holder = connection.execute(_HOLDER, _patron_of(payment)).scalar()
    if holder is not None:
        return bool(holder == payment.id)
    key = {"library": payment.library, "patron_id": payment.patron_id, "payment_id": payment.id}
    try:
        with connection.begin_nested():
            connection.execute(_LOCK, key)
    except IntegrityError:
        return False
    return True


def unlock_patron(connection: Connection, payment: Payment, now: float) -> None:
    """Release the patron and wake the payments that wait for them."""
    if connection.execute(_UNLOCK, {"of_payment": payment.id}).rowcount == 0:
        return
    connection.execute(_WAKE, _patron_of(payment) | {"of_payment": payment.id, "now": now})


def _patron_of(payment: Payment) -> dict[str, Any]:
    return {"of_library": payment.library, "of_patron": payment.patron_id}


def read_where(
    connection: Connection, condition: Any, values: Mapping[str, Any] | None = None, *, hold: bool = False
) -> tuple[Payment, ...]:
    """Read the payments that fit, newest first, with their lines."""
    newest_first = (t.payment.c.created_at.desc(), t.payment.c.id)
    wanted = select(t.payment).where(condition).order_by(*newest_first)
    rows = connection.execute(wanted.with_for_update() if hold else wanted, values).all()
    if not rows:
        return ()
    lines: dict[str, list[Line]] = {row.id: [] for row in rows}
    ids = select(t.payment.c.id).where(condition)
    order = select(t.line).where(t.line.c.payment_id.in_(ids)).order_by(t.line.c.payment_id, t.line.c.n)
    for row in connection.execute(order, values):
        lines[row.payment_id].append(_line(row))
    return tuple(_payment(row, tuple(lines[row.id])) for row in rows)


def _row(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "version": payment.version,
        "library": payment.library,
        "patron_id": payment.patron_id,
        "branch": payment.branch,
        "register_server": payment.register_server,
        "register": payment.register,
        "clerk": payment.clerk,
        "note": payment.note,
        "currency": payment.currency,
        "total_minor": payment.total.minor,
        "created_at": payment.created_at,
        "remarks": " ".join(payment.remarks),
        "collection": payment.standing.state,
        "decided_by": payment.standing.by,
        "booking": payment.booking,
        "receipt_number": payment.receipt_number,
        "collected_minor": payment.collected_minor,
        "cancel_wished": payment.cancel_wished,
        "library_staff_id": payment.library_staff_id,
        "library_register_id": payment.library_register_id,
    }


def _payment(row: Any, lines: tuple[Line, ...]) -> Payment:
    return Payment(
        id=row.id,
        library=row.library,
        patron_id=row.patron_id,
        branch=row.branch,
        register_server=row.register_server,
        register=row.register,
        clerk=row.clerk,
        note=row.note,
        currency=row.currency,
        lines=lines,
        created_at=row.created_at,
        remarks=tuple(row.remarks.split()),
        version=row.version,
        standing=Standing(Collection(row.collection), Decider(row.decided_by) if row.decided_by else None),
        booking=Booking(row.booking),
        receipt_number=row.receipt_number,
        collected_minor=row.collected_minor,
        cancel_wished=row.cancel_wished,
        library_staff_id=row.library_staff_id,
        library_register_id=row.library_register_id,
    )


def _line_row(payment_id: str, n: int, line: Line) -> dict[str, Any]:
    return {
        "payment_id": payment_id,
        "n": n,
        "charge_id": line.charge_id,
        "debit_type": line.debit_type,
        "description": line.description,
        "product_code": line.product_code,
        "amount_minor": line.amount_minor,
        "owed": str(line.owed),
    }


def _line(row: Any) -> Line:
    return Line(
        charge_id=row.charge_id,
        debit_type=row.debit_type,
        description=row.description,
        product_code=row.product_code,
        amount_minor=row.amount_minor,
        owed=Decimal(row.owed),
    )
