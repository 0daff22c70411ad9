# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about payments, their lines, payers and patron locks."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from tillbridge.domain.lifecycle import UNDECIDED, Booking, Collection, Decider, Standing
from tillbridge.domain.payment import Line, Payment
from tillbridge.service.register_port import Payer
from tillbridge.service.store_port import Stale, TaskKind
from tillbridge.store import tables as t

AT_REST = (Booking.NONE, Booking.BOOKED, Booking.REVERSED)


def read(connection: Connection, payment_id: str, *, hold: bool = False) -> Payment | None:
    """Read a payment with its lines; `hold` keeps others from changing it before this transaction ends."""
    found = read_where(connection, t.payment.c.id == payment_id, hold=hold)
    return found[0] if found else None


def recent(connection: Connection, limit: int) -> tuple[Payment, ...]:
    """List the newest payments."""
    newest = select(t.payment.c.id).order_by(t.payment.c.created_at.desc(), t.payment.c.id).limit(limit)
    return read_where(connection, t.payment.c.id.in_(newest))


def in_doubt(connection: Connection) -> tuple[Payment, ...]:
    """List the payments that are not at rest."""
    moving = or_(t.payment.c.collection.in_(UNDECIDED), t.payment.c.booking.not_in(AT_REST))
    return read_where(connection, moving)


def add(connection: Connection, payment: Payment, payer: Payer | None) -> None:
    """Store a new payment."""
    connection.execute(insert(t.payment).values(_row(payment)))
    connection.execute(insert(t.line), [_line_row(payment.id, n, line) for n, line in enumerate(payment.lines, 1)])
    if payer is not None:
        names = {"surname": payer.surname, "firstname": payer.firstname, "card_number": payer.card_number}
        connection.execute(insert(t.payer).values(payment_id=payment.id, **names))


def save(connection: Connection, payment: Payment) -> int:
    """Store a changed payment where its version is still the one that was read; return the new version."""
    row = _row(payment) | {"version": payment.version + 1}
    same = and_(t.payment.c.id == payment.id, t.payment.c.version == payment.version)
    if connection.execute(update(t.payment).where(same).values(row)).rowcount != 1:
        raise Stale(payment.id)
    return payment.version + 1


def read_payer(connection: Connection, payment_id: str) -> Payer | None:
    """Read the payer for the receipt."""
    row = connection.execute(select(t.payer).where(t.payer.c.payment_id == payment_id)).first()
    return Payer(row.surname, row.firstname, row.card_number) if row else None


def forget_payer(connection: Connection, payment_id: str) -> None:
    """Erase the payer."""
    connection.execute(delete(t.payer).where(t.payer.c.payment_id == payment_id))


def lock_patron(connection: Connection, payment: Payment) -> bool:
    """Make this the only payment that books for its patron."""
    mine = and_(t.patron_lock.c.library == payment.library, t.patron_lock.c.patron_id == payment.patron_id)
    holder = connection.execute(select(t.patron_lock.c.payment_id).where(mine)).scalar()
    if holder is not None:
        return bool(holder == payment.id)
    key = {"library": payment.library, "patron_id": payment.patron_id, "payment_id": payment.id}
    try:
        with connection.begin_nested():
            connection.execute(insert(t.patron_lock).values(key))
    except IntegrityError:
        return False
    return True


def unlock_patron(connection: Connection, payment: Payment, now: float) -> None:
    """Release the patron and wake the payments that wait for them."""
    freed = delete(t.patron_lock).where(t.patron_lock.c.payment_id == payment.id)
    if connection.execute(freed).rowcount == 0:
        return
    same_patron = select(t.payment.c.id).where(
        t.payment.c.library == payment.library,
        t.payment.c.patron_id == payment.patron_id,
        t.payment.c.booking == Booking.DUE,
        t.payment.c.id != payment.id,
    )
    waiting = and_(t.task.c.payment_id.in_(same_patron), t.task.c.kind == TaskKind.BOOK, t.task.c.lease_owner.is_(None))
    connection.execute(update(t.task).where(waiting, t.task.c.due_at > now, t.task.c.attempt == 0).values(due_at=now))


def read_where(connection: Connection, condition: Any, *, hold: bool = False) -> tuple[Payment, ...]:
    """Read the payments that fit, newest first, with their lines."""
    newest_first = (t.payment.c.created_at.desc(), t.payment.c.id)
    wanted = select(t.payment).where(condition).order_by(*newest_first)
    rows = connection.execute(wanted.with_for_update() if hold else wanted).all()
    lines: dict[str, list[Line]] = {row.id: [] for row in rows}
    ids = select(t.payment.c.id).where(condition)
    order = select(t.line).where(t.line.c.payment_id.in_(ids)).order_by(t.line.c.payment_id, t.line.c.n)
    for row in connection.execute(order):
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
