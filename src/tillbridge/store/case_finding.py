# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements that look for cases among many, by keyset of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import ColumnElement, Connection, exists, select

from tillbridge.service.counting_port import Tally
from tillbridge.service.store_port import Case, CaseFilter
from tillbridge.store import tables as t
from tillbridge.store.counting import OPEN_CASES, tallies
from tillbridge.store.records import read_cases, with_names

_c = t.open_case.c


def find(connection: Connection, wanted: CaseFilter, after: int | None, limit: int) -> tuple[Case, ...]:
    """List cases: open ones oldest first, closed ones and all newest first."""
    newest_first = not wanted.open
    conditions = [*_conditions(wanted)]
    if after is not None:
        conditions.append(_c.id < after if newest_first else _c.id > after)
    by_id = _c.id.desc() if newest_first else _c.id.asc()
    page = select(t.open_case).where(*conditions).order_by(by_id).limit(limit)
    return read_cases(connection, with_names(page, newest_first=newest_first))


def count_open(connection: Connection, branches: frozenset[str] | None) -> Mapping[str, Tally]:
    """Count the open cases of these branches by kind."""
    counted = OPEN_CASES if branches is None else OPEN_CASES.where(_of_branches(branches))
    return tallies(connection, counted)


def _conditions(wanted: CaseFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.open is not None:
        yield _c.closed_at.is_(None) if wanted.open else _c.closed_at.is_not(None)
    if wanted.kinds is not None:
        yield _c.kind.in_(sorted(wanted.kinds))
    if wanted.branches is not None:
        yield _of_branches(wanted.branches)


def _of_branches(branches: frozenset[str]) -> ColumnElement[bool]:
    """Ask each case for its payment's branch: to begin with the branch would be to read all of its payments."""
    return exists().where(t.payment.c.id == _c.payment_id, t.payment.c.branch.in_(sorted(branches)))
