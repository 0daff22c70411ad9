# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that look for payments among many: by keyset, so that the last page is as quick as the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, exists, func, or_, select

from tillbridge.domain.lifecycle import Collection, Decider
from tillbridge.domain.payment import Payment
from tillbridge.service.finding_port import PaymentFilter
from tillbridge.store import tables as t
from tillbridge.store.payments import read_where
from tillbridge.store.ranges import Aside, Conditions, Ranges, not_at_rest, ranges_of

FEW_CASES = 5_000
"""Up to how many open cases it is quicker to begin with them than with what else is sought."""

_p = t.payment.c
_WITH_OPEN_CASE = exists().where(t.open_case.c.payment_id == _p.id, t.open_case.c.closed_at.is_(None))
_NEEDING_A_PERSON = select(t.open_case.c.payment_id).where(t.open_case.c.closed_at.is_(None))


def find(
    connection: Connection, wanted: PaymentFilter, after: tuple[float, str] | None, limit: int
) -> tuple[Payment, ...]:
    """List payments, newest first; of two that began at one instant the one with the smaller id comes first."""
    when = [*_times(wanted), *_behind(after)]
    if wanted.with_open_case and wanted.receipt_number is None and wanted.patron_id is None and _few_open(connection):
        return _read(connection, _of_open_cases([*_conditions(wanted, ()), *when], limit))
    return _read_ranges(connection, ranges_of(connection, wanted, when), wanted, when, limit)


def under_way(connection: Connection, branches: frozenset[str] | None, limit: int) -> tuple[Payment, ...]:
    """List the payments that are not at rest, newest first."""
    return _read_ranges(connection, not_at_rest(connection), PaymentFilter(branches=branches), [], limit)


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


def _read_ranges(
    connection: Connection, ranges: Ranges, wanted: PaymentFilter, when: Conditions, limit: int
) -> tuple[Payment, ...]:
    if not ranges.values:
        return ()
    return _read(connection, ranges.newest([*_conditions(wanted, ranges.columns), *when], limit))


def _read(connection: Connection, newest: Select[Any]) -> tuple[Payment, ...]:
    ids = [row.id for row in connection.execute(newest)]
    return read_where(connection, _p.id.in_(ids)) if ids else ()


def _few_open(connection: Connection) -> bool:
    some = select(t.open_case.c.opened_at).where(t.open_case.c.closed_at.is_(None)).limit(FEW_CASES + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one() <= FEW_CASES


def _of_open_cases(conditions: Conditions, limit: int) -> Select[Any]:
    """Begin with the open cases, which are few, and not with the order."""
    found = select(_p.created_at, _p.id).where(_p.id.in_(_NEEDING_A_PERSON), *conditions)
    return found.order_by(Aside(_p.created_at).desc(), _p.id).limit(limit)


def _conditions(wanted: PaymentFilter, columns: Sequence[Column[Any]]) -> Iterator[ColumnElement[bool]]:
    """Return the conditions that are not on the columns of the ranges that are read."""
    equal = {
        _p.register: wanted.register,
        _p.clerk: wanted.clerk,
        _p.patron_id: wanted.patron_id,
        _p.receipt_number: wanted.receipt_number,
        _p.total_minor: wanted.total_minor,
    }
    among = {_p.collection: wanted.collections, _p.booking: wanted.bookings, _p.branch: wanted.branches}
    names = {column.name for column in columns}
    for column, value in equal.items():
        if value is not None and column.name not in names:
            yield Aside(column) == value
    for column, values in among.items():
        if values is not None and column.name not in names:
            yield Aside(column).in_(sorted(values))
    if wanted.with_open_case is not None:
        yield _WITH_OPEN_CASE if wanted.with_open_case else ~_WITH_OPEN_CASE


def _times(wanted: PaymentFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield _p.created_at >= wanted.since
    if wanted.until is not None:
        yield _p.created_at < wanted.until


def _behind(after: tuple[float, str] | None) -> Iterator[ColumnElement[bool]]:
    if after is not None:
        at, payment_id = after
        yield _p.created_at <= at  # what an index can begin with
        yield or_(_p.created_at < at, _p.id > payment_id)
