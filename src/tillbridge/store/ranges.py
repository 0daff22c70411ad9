# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a search among many payments reads: ranges of one index, each in the order of time.

What is sought may be frequent or rare, and an index for every combination would cost each payment its writes. So a
search reads through the index of one condition, the rarest, and holds every payment there against the others. A
condition may have several ranges (of three branches, say): the newest of each are read, and of those the newest count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, ScalarSelect, Select, func, select, union_all
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from tillbridge.domain.lifecycle import AT_REST, UNDECIDED
from tillbridge.service.finding_port import PaymentFilter
from tillbridge.store import tables as t

MOST = 64
"""Into how many ranges a condition may be taken apart; what has more is frequent."""

SAMPLE = 200
"""How many of the newest payments of a condition tell how frequent it is."""

_p = t.payment.c
Conditions = Sequence[ColumnElement[bool]]
Pair = tuple[str, str]


class Aside(FunctionElement[Any]):
    """Be a column that no index shall be chosen for."""

    inherit_cache = True


@compiles(Aside)
def _as_it_is(element: Aside, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(Aside, "sqlite")
def _with_a_sign(element: Aside, compiler: SQLCompiler, **options: Any) -> str:
    # Where SQLite does not know how values are spread, it would take any index whose column is compared.
    return f"+{compiler.process(element.clauses, **options)}"


@dataclass(frozen=True, slots=True)
class Ranges:
    """Name the leading columns of an index that goes on with the time, and which values of them are sought."""

    columns: tuple[Column[Any], ...]
    values: tuple[tuple[Any, ...], ...]

    def newest(self, conditions: Conditions, limit: int) -> Select[Any]:
        """Return the statement for the instants and ids of the newest payments there that fit, newest first."""
        parts = [_newest_first(select(_p.created_at, _p.id).where(*at, *conditions), _p, limit) for at in self._each()]
        if len(parts) == 1:
            return parts[0]
        found = union_all(*(select(part.subquery()) for part in parts)).subquery()
        return _newest_first(select(found.c.created_at, found.c.id), found.c, limit)

    def reach(self, connection: Connection, when: Conditions) -> float:
        """Return how far back the newest payments there lie: the further, the rarer they are."""
        last = self.newest(when, SAMPLE).limit(1).offset(SAMPLE - 1)
        found: float | None = connection.execute(last).scalar()
        return float("-inf") if found is None else found

    def _each(self) -> Iterator[Conditions]:
        for values in self.values:
            yield [column == value for column, value in zip(self.columns, values, strict=True)]


EVERYWHERE = Ranges((), ((),))


def ranges_of(connection: Connection, wanted: PaymentFilter, when: Conditions) -> Ranges:
    """Choose where to read for what is wanted at these times."""
    found = [each for each in _candidates(connection, wanted) if len(each.values) <= MOST]
    if len(found) < 2 or not all(each.values for each in found):  # noqa: PLR2004 - there is nothing to choose
        return min(found, key=lambda each: len(each.values), default=EVERYWHERE)
    return min(found, key=lambda each: each.reach(connection, when))


def not_at_rest(connection: Connection) -> Ranges:
    """Return the ranges of the states in which something is left to do."""
    return _pairs(connection, _STATE, lambda state: state[0] in UNDECIDED or state[1] not in AT_REST)


_PLACE = (_p.branch, _p.register)
_STATE = (_p.collection, _p.booking)


def _candidates(connection: Connection, wanted: PaymentFilter) -> Iterator[Ranges]:
    rare = {_p.receipt_number: wanted.receipt_number, _p.patron_id: wanted.patron_id}
    for column, value in rare.items():
        if value is not None:
            yield Ranges((column,), ((value,),))
            return
    frequent = {_p.clerk: wanted.clerk, _p.total_minor: wanted.total_minor}
    yield from (Ranges((column,), ((value,),)) for column, value in frequent.items() if value is not None)
    # A clerk's index holds the places too.
    if wanted.clerk is None and (wanted.branches is not None or wanted.register is not None):
        registers = None if wanted.register is None else {wanted.register}
        yield _pairs(connection, _PLACE, lambda place: _among(place, wanted.branches, registers))
    if wanted.collections is not None or wanted.bookings is not None:
        yield _pairs(connection, _STATE, lambda state: _among(state, wanted.collections, wanted.bookings))


def _among(pair: Pair, *sought: frozenset[str] | set[str] | None) -> bool:
    return all(values is None or value in values for value, values in zip(pair, sought, strict=True))


def _pairs(connection: Connection, columns: tuple[Column[str], Column[str]], wanted: Callable[[Pair], bool]) -> Ranges:
    """Return the ranges of those values of an index's first two columns that there are and that are wanted."""
    there = connection.execute(_PAIRS[columns])
    return Ranges(columns, tuple(pair for pair in map(tuple, there) if wanted(pair)))


def _all_pairs(first: Column[str], second: Column[str]) -> Select[Any]:
    """Return the statement for the values of an index's first two columns.

    They are found by leaps, each from one value to the next greater one: the payments between cost nothing.
    """
    one = select(func.min(first).label("first")).cte("one", recursive=True)
    one = one.union_all(select(_least(first, first > one.c.first)).where(one.c.first.is_not(None)))
    two = select(one.c.first, _least(second, first == one.c.first).label("second")).where(one.c.first.is_not(None))
    both = two.cte("both", recursive=True)
    further = _least(second, first == both.c.first, second > both.c.second)
    both = both.union_all(select(both.c.first, further).where(both.c.second.is_not(None)))
    return select(both).where(both.c.second.is_not(None))


def _least(column: Column[str], *conditions: ColumnElement[bool]) -> ScalarSelect[str]:
    return select(func.min(column)).where(*conditions).scalar_subquery()


_PAIRS = {columns: _all_pairs(*columns) for columns in (_PLACE, _STATE)}


def _newest_first(found: Select[Any], columns: Any, limit: int) -> Select[Any]:
    return found.order_by(columns.created_at.desc(), columns.id).limit(limit)
