# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that look for payments among many: by keyset, so that the last page is as quick as the first."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select

from tillbridge.domain.lifecycle import AT_REST, UNDECIDED, Collection, Decider
from tillbridge.domain.payment import Payment
from tillbridge.service.finding_port import PaymentFilter
from tillbridge.store import tables as t
from tillbridge.store.payments import read_where

_p = t.payment.c
_WITH_OPEN_CASE = exists().where(t.open_case.c.payment_id == _p.id, t.open_case.c.closed_at.is_(None))


def find(
    connection: Connection, wanted: PaymentFilter, after: tuple[float, str] | None, limit: int
) -> tuple[Payment, ...]:
    """List payments, newest first; of two that began at one instant the one with the smaller id comes first."""
    conditions = [*_conditions(wanted)]
    if after is not None:
        at, payment_id = after
        conditions.append(or_(_p.created_at < at, and_(_p.created_at == at, _p.id > payment_id)))
        conditions.append(_p.created_at <= at)  # what an index can begin with
    ids = select(_p.id).where(*conditions).order_by(_p.created_at.desc(), _p.id).limit(limit)
    return read_where(connection, _p.id.in_(connection.execute(ids).scalars().all()))


def under_way(connection: Connection, branches: frozenset[str] | None, limit: int) -> tuple[Payment, ...]:
    """List the payments that are not at rest, newest first."""
    moving = or_(_p.collection.in_(UNDECIDED), _p.booking.not_in(AT_REST))
    conditions = [moving] if branches is None else [moving, _p.branch.in_(sorted(branches))]
    ids = select(_p.id).where(*conditions).order_by(_p.created_at.desc(), _p.id).limit(limit)
    return read_where(connection, _p.id.in_(connection.execute(ids).scalars().all()))


def register_heard_at(connection: Connection, branch: str, register: str) -> float | None:
    """Return when the newest payment began that the till at this register has answered."""
    answered = or_(
        _p.collection.in_([Collection.AT_REGISTER, Collection.PAID, Collection.REFUSED, Collection.REVERSED]),
        and_(_p.collection == Collection.CANCELLED, _p.decided_by == Decider.TILL),
    )
    newest = select(_p.created_at).where(_p.branch == branch, _p.register == register, answered)
    found: float | None = connection.execute(newest.order_by(_p.created_at.desc()).limit(1)).scalar()
    return found


def debit_types(connection: Connection) -> frozenset[str]:
    """Name every debit type that a payment has had."""
    return frozenset(connection.execute(select(t.line.c.debit_type).distinct()).scalars())


def _conditions(wanted: PaymentFilter) -> Iterator[ColumnElement[bool]]:
    equal = {
        _p.total_minor: wanted.total_minor,
        _p.register: wanted.register,
        _p.clerk: wanted.clerk,
        _p.patron_id: wanted.patron_id,
        _p.receipt_number: wanted.receipt_number,
    }
    yield from (column == value for column, value in equal.items() if value is not None)
    among = {_p.collection: wanted.collections, _p.booking: wanted.bookings, _p.branch: wanted.branches}
    yield from (column.in_(sorted(values)) for column, values in among.items() if values is not None)
    if wanted.with_open_case is not None:
        yield _WITH_OPEN_CASE if wanted.with_open_case else ~_WITH_OPEN_CASE
    if wanted.since is not None:
        yield _p.created_at >= wanted.since
    if wanted.until is not None:
        yield _p.created_at < wanted.until
