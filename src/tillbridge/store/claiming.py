# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about who has which charge, who has collected for it, and which receipt stands for which payment.

Those that every payment needs are built once: to build a statement takes longer than to run it.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, exists, func, insert, select
from sqlalchemy.exc import IntegrityError

from tillbridge.domain.lifecycle import AT_REST, Collection, Decider, Done
from tillbridge.domain.payment import Payment
from tillbridge.service.store_port import CaseKind, Stale
from tillbridge.store import tables as t
from tillbridge.store.ordering import one_at_a_time
from tillbridge.store.payments import read_where

_TAKEN = f"booking_{Done.MONEY_TAKEN}"

_ID: BindParameter[str] = bindparam("of_payment")
_LIBRARY: BindParameter[str] = bindparam("of_library")
_CHARGES: BindParameter[list[str]] = bindparam("charges", expanding=True)

_HOLDERS = select(t.claim.c.payment_id, t.claim.c.charge_id).where(
    t.claim.c.library == _LIBRARY, t.claim.c.charge_id.in_(_CHARGES)
)
_OF_PATRON = (
    select(t.claim.c.charge_id, t.claim.c.payment_id)
    .join(t.payment, t.payment.c.id == t.claim.c.payment_id)
    .where(t.payment.c.library == _LIBRARY, t.payment.c.patron_id == bindparam("patron"))
)
_CLAIM = insert(t.claim)
_RELEASE = delete(t.claim).where(t.claim.c.payment_id == _ID)


def claim(connection: Connection, payment: Payment) -> str | None:
    """Claim all charges or none; return the payment that stands in the way."""
    holders = _holders(connection, payment)
    others = [holder for holder in holders.values() if holder != payment.id]
    if others:
        return others[0]
    _claim_all_but(connection, payment, holders)
    return None


def claim_free(connection: Connection, payment: Payment) -> None:
    """Claim the charges that nobody else holds."""
    _claim_all_but(connection, payment, _holders(connection, payment))


def reclaim(connection: Connection, payment: Payment) -> tuple[str, ...]:
    """Claim again what the payment had let go of and nobody else holds; return who came in between.

    Whoever held all its charges the whole time had nobody come in between.
    """
    holders = _holders(connection, payment)
    if all(holders.get(line.charge_id) == payment.id for line in payment.lines):
        return ()
    _claim_all_but(connection, payment, holders)
    others = {holder for holder in holders.values() if holder != payment.id}
    return tuple(sorted(others.union(collectors_since(connection, payment))))


def claims_on(connection: Connection, library: str, charge_ids: Sequence[str]) -> dict[str, str]:
    """Return which of these charges are claimed, and by which payment."""
    named = {"of_library": library, "charges": list(charge_ids)}
    return {row.charge_id: row.payment_id for row in connection.execute(_HOLDERS, named)}


def claims_of(connection: Connection, library: str, patron_id: str) -> dict[str, str]:
    """Return which charges payments of this patron have claimed."""
    rows = connection.execute(_OF_PATRON, {"of_library": library, "patron": patron_id})
    return {row.charge_id: row.payment_id for row in rows}


def _holders(connection: Connection, payment: Payment) -> dict[str, str]:
    return claims_on(connection, payment.library, [line.charge_id for line in payment.lines])


def _charges_of(payment: Payment) -> dict[str, Any]:
    charges = [line.charge_id for line in payment.lines]
    return {"of_payment": payment.id, "of_library": payment.library, "charges": charges}


def _claim_all_but(connection: Connection, payment: Payment, held: Container[str]) -> None:
    # In one order for all, so that two who claim the same charges never wait for each other.
    rows = [
        {"library": payment.library, "charge_id": charge_id, "payment_id": payment.id}
        for charge_id in sorted(line.charge_id for line in payment.lines)
        if charge_id not in held
    ]
    if not rows:
        return
    try:
        with connection.begin_nested():
            connection.execute(_CLAIM, rows)
    except IntegrityError as race:
        raise Stale(payment.id) from race


def release_claims(connection: Connection, payment_id: str) -> None:
    """Let go of a payment's charges."""
    connection.execute(_RELEASE, {"of_payment": payment_id})


_COLLECTORS = (
    select(t.payment.c.id)
    .join(t.line, t.line.c.payment_id == t.payment.c.id)
    .where(
        t.line.c.charge_id.in_(_CHARGES),
        t.payment.c.library == _LIBRARY,
        t.payment.c.id != _ID,
        t.payment.c.collection == Collection.PAID,
    )
    .distinct()
    .order_by(t.payment.c.id)
)
_UNSETTLED = _COLLECTORS.where(t.payment.c.booking.not_in(AT_REST)).limit(1)


def collectors_since(connection: Connection, payment: Payment) -> tuple[str, ...]:
    """List the other payments that have collected money for one of the charges since this payment began.

    Told by the places of the events, not by a clock: who collects a charge claims it first, and so comes behind
    whoever has let go of it.
    """
    began = select(func.min(t.event.c.position)).where(t.event.c.payment_id == payment.id).scalar_subquery()
    since = exists().where(t.event.c.payment_id == t.payment.c.id, t.event.c.kind == _TAKEN, t.event.c.position > began)
    return tuple(connection.execute(_COLLECTORS.where(since), _charges_of(payment)).scalars())


def unsettled_collector(connection: Connection, payment: Payment) -> str | None:
    """Return another payment that has collected for one of the charges and is not settled yet."""
    found: str | None = connection.execute(_UNSETTLED, _charges_of(payment)).scalar()
    return found


_HAS_RECEIPT = and_(
    t.payment.c.receipt_number == bindparam("receipt"),
    t.payment.c.register_server == bindparam("of_server"),
    t.payment.c.id != _ID,
    t.payment.c.collection == Collection.PAID,
)
_ASKED = exists().where(
    t.named_payment.c.payment_id == _ID,
    t.named_payment.c.case_id == t.open_case.c.id,
    t.open_case.c.kind == CaseKind.SAME_RECEIPT,
    t.open_case.c.payment_id == t.payment.c.id,
)
_TYPED = and_(_HAS_RECEIPT, t.payment.c.decided_by == Decider.CLERK, ~_ASKED)
_ANY_HOLDER = select(t.payment.c.id).where(_HAS_RECEIPT).limit(1)
_ANY_TYPED = select(t.payment.c.id).where(_TYPED).limit(1)


def receipt_holder(connection: Connection, payment: Payment, receipt_number: str) -> str | None:
    """Return another paid payment of the same register server that has this receipt number."""
    one_at_a_time(connection, f"receipt {payment.register_server} {receipt_number}")
    named = _receipt_of(payment, receipt_number)
    found: str | None = connection.execute(_ANY_HOLDER, named).scalar()
    return found


def typed_receipt_holders(connection: Connection, payment: Payment, receipt_number: str) -> tuple[Payment, ...]:
    """Hold the others that have this number by a person's word, and were not asked about for this payment's sake."""
    one_at_a_time(connection, f"receipt {payment.register_server} {receipt_number}")
    named = _receipt_of(payment, receipt_number)
    if connection.execute(_ANY_TYPED, named).first() is None:
        return ()
    return read_where(connection, _TYPED, named, hold=True)


def _receipt_of(payment: Payment, receipt_number: str) -> dict[str, Any]:
    return {"of_payment": payment.id, "of_server": payment.register_server, "receipt": receipt_number}
