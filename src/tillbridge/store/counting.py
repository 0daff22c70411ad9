# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that count what is not at rest, each by an index: a million payments at rest cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, case, func, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from tillbridge.domain.lifecycle import AT_REST, UNDECIDED, Booking, Collection
from tillbridge.service.counting_port import Tally, Waiting
from tillbridge.store import tables as t

_Counted = Select[str, int, Any]
_p, _task = t.payment.c, t.task.c
_UNBOOKED = sorted(set(Booking) - AT_REST)


class _Rarely(FunctionElement[bool]):
    """Tell the database that a condition holds for few rows."""

    inherit_cache = True


@compiles(_Rarely)
def _rarely(element: _Rarely, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Rarely, "sqlite")
def _unlikely(element: _Rarely, compiler: SQLCompiler, **options: Any) -> str:
    # Where SQLite knows how values are spread, it takes the few that are sought for as many as the others.
    return f"unlikely({compiler.process(element.clauses, **options)})"


def _tally(state: Column[str], *conditions: ColumnElement[bool]) -> _Counted:
    return select(state, func.count(), func.min(_p.created_at)).where(*conditions).group_by(state)


UNDECIDED_PAYMENTS = _tally(_p.collection, _Rarely(_p.collection.in_(sorted(UNDECIDED))))
# Naming every collection lets the index over both columns be used.
UNBOOKED_PAYMENTS = _tally(_p.booking, _p.collection.in_(sorted(Collection)), _Rarely(_p.booking.in_(_UNBOOKED)))
OPEN_CASES: _Counted = (
    select(t.open_case.c.kind, func.count(), func.min(t.open_case.c.opened_at))
    .where(t.open_case.c.closed_at.is_(None))
    .group_by(t.open_case.c.kind)
)


class CountingStatements:
    """Bind the statements to one connection with an open transaction."""

    _connection: Connection

    def count_undecided(self) -> Mapping[str, Tally]:
        return tallies(self._connection, UNDECIDED_PAYMENTS)

    def count_unbooked(self) -> Mapping[str, Tally]:
        return tallies(self._connection, UNBOOKED_PAYMENTS)

    def count_open_cases(self) -> Mapping[str, Tally]:
        return tallies(self._connection, OPEN_CASES)

    def count_tasks(self, now: float) -> Mapping[str, Waiting]:
        leased = and_(_task.lease_owner.is_not(None), _task.lease_until > now)
        due = and_(_task.due_at <= now, or_(_task.lease_owner.is_(None), _task.lease_until <= now))
        counted = select(
            _task.kind, func.count(case((due, 1))), func.min(case((due, _task.due_at))), func.count(case((leased, 1)))
        )
        rows = self._connection.execute(counted.group_by(_task.kind))
        return {kind: Waiting(*counts) for kind, *counts in rows}


def tallies(connection: Connection, counted: _Counted) -> Mapping[str, Tally]:
    """Run a statement that counts by name."""
    return {name: Tally(count, oldest_at) for name, count, oldest_at in connection.execute(counted)}
