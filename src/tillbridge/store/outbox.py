# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about the outbox: tasks with leases.

Those that every payment needs are built once: to build a statement takes longer than to run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Delete,
    Float,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)

from tillbridge.service.store_port import Task, TaskKind
from tillbridge.store import tables as t

_NOW: BindParameter[float] = bindparam("now", type_=Float)
_WANTED_AT: BindParameter[float] = bindparam("wanted_at", type_=Float)
_OF_PAYMENT = t.task.c.payment_id == bindparam("of_payment")

_THIS = select(t.task).where(_OF_PAYMENT, t.task.c.kind == bindparam("of_kind"))
_SAME, _SAME_IF_FREE = _THIS.with_for_update(), _THIS.with_for_update(skip_locked=True)
_ADD = insert(t.task)


def _of_kinds(kinds: Sequence[TaskKind]) -> ColumnElement[bool]:
    """Write the kinds into the statement itself: a list of values would be put in anew whenever it runs."""
    return t.task.c.kind.in_([literal_column(f"'{kind}'") for kind in kinds])


def add(connection: Connection, payment_id: str, kind: TaskKind, due_at: float) -> None:
    """Add work, or move the task of this kind to the earlier time; a leased one is done once more at that time.

    Who has it leased may have looked before there was a reason for this.
    """
    # Held, so that it cannot be finished between the look and the change.
    row = connection.execute(_SAME, {"of_payment": payment_id, "of_kind": kind}).first()
    if row is None:
        fresh = {"payment_id": payment_id, "kind": kind, "due_at": due_at, "attempt": 0, "lease_until": 0.0}
        connection.execute(_ADD, fresh)
    else:
        _want(connection, row, due_at)


def nudge(connection: Connection, payment_id: str, kind: TaskKind, due_at: float) -> None:
    """Move a task that is there to the earlier time, unless somebody is at it right now: never wait for them."""
    row = connection.execute(_SAME_IF_FREE, {"of_payment": payment_id, "of_kind": kind}).first()
    if row is not None:
        _want(connection, row, due_at)


def _want(connection: Connection, row: Any, due_at: float) -> None:
    column = t.task.c.due_at if row.lease_owner is None else t.task.c.again_at
    earlier = or_(column.is_(None), column > due_at)
    connection.execute(update(t.task).where(t.task.c.id == row.id, earlier).values({column.name: due_at}))


def drop(connection: Connection, payment_id: str, kinds: Sequence[TaskKind]) -> None:
    """Drop a payment's tasks of these kinds."""
    connection.execute(_drop(tuple(kinds)), {"of_payment": payment_id})


@cache
def _drop(kinds: tuple[TaskKind, ...]) -> Delete:
    return delete(t.task).where(_OF_PAYMENT, _of_kinds(kinds))


_IS_DUE = (t.task.c.due_at <= _NOW, or_(t.task.c.lease_owner.is_(None), t.task.c.lease_until <= _NOW))


@cache
def _due(kinds: tuple[TaskKind, ...]) -> Select[int, str | None, str, int]:
    return (
        select(t.task.c.id, t.task.c.payment_id, t.task.c.kind, t.task.c.attempt)
        .where(_of_kinds(kinds), *_IS_DUE)
        .order_by(t.task.c.due_at, t.task.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


_TAKE = (
    update(t.task)
    .where(t.task.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
        # What was wanted until now is done now, whoever had it before; what is wanted later stays.
        again_at=case((t.task.c.again_at > _NOW, t.task.c.again_at), else_=null()),
    )
)


def claim(
    connection: Connection, owner: str, kinds: Sequence[TaskKind], now: float, lease_until: float, limit: int
) -> tuple[Task, ...]:
    """Take the tasks that are due and that no living lease holds, oldest first."""
    rows = connection.execute(_due(tuple(kinds)), {"now": now, "most": limit}).all()
    if not rows:
        return ()
    taken = {"ids": [row.id for row in rows], "owner": owner, "until": lease_until, "now": now}
    connection.execute(_TAKE, taken)
    return tuple(Task(row.id, row.payment_id, TaskKind(row.kind), row.attempt, owner, lease_until) for row in rows)


def renew(connection: Connection, owner: str, task_ids: Sequence[int], lease_until: float) -> frozenset[int]:
    """Lengthen the leases that `owner` still has, and return them."""
    kept: set[int] = set()
    for start in range(0, len(task_ids), 500):
        mine = and_(t.task.c.id.in_(task_ids[start : start + 500]), t.task.c.lease_owner == owner)
        # In one order, so that two who hold several tasks never wait for each other.
        ids = (
            connection.execute(select(t.task.c.id).where(mine).order_by(t.task.c.id).with_for_update()).scalars().all()
        )
        kept.update(ids)
        connection.execute(update(t.task).where(t.task.c.id.in_(ids)).values(lease_until=lease_until))
    return frozenset(kept)


_LEASED = and_(
    t.task.c.id == bindparam("of_id"),
    _OF_PAYMENT,
    t.task.c.kind == bindparam("of_kind"),
    t.task.c.lease_owner == bindparam("of_owner"),
    t.task.c.attempt == bindparam("of_attempt"),
)
_FREE = {"attempt": bindparam("next_attempt"), "lease_owner": null(), "lease_until": 0.0, "again_at": null()}
_FINISH = delete(t.task).where(_LEASED, t.task.c.again_at.is_(None))
_DO_AGAIN = update(t.task).where(_LEASED).values(due_at=t.task.c.again_at, **_FREE)
_SOONER = case((t.task.c.again_at < _WANTED_AT, t.task.c.again_at), else_=_WANTED_AT)
_POSTPONE = update(t.task).where(_LEASED).values(due_at=_SOONER, **_FREE)


def finish(connection: Connection, task: Task) -> None:
    """Remove a task, if the lease is still this one's; one that is wanted again meanwhile becomes free for it."""
    leased = _lease_of(task)
    if connection.execute(_FINISH, leased).rowcount == 0:
        connection.execute(_DO_AGAIN, leased | {"next_attempt": task.attempt + 1})


def postpone(connection: Connection, task: Task, due_at: float, attempt: int) -> None:
    """Give a task back to be done again later, if the lease is still this one's; sooner where it is wanted sooner."""
    connection.execute(_POSTPONE, _lease_of(task) | {"wanted_at": due_at, "next_attempt": attempt})


def _lease_of(task: Task) -> dict[str, Any]:
    return {
        "of_id": task.id,
        "of_payment": task.payment_id,
        "of_kind": task.kind,
        "of_owner": task.lease_owner,
        "of_attempt": task.attempt,
    }


def expire_all(connection: Connection) -> None:
    """End every lease at once."""
    connection.execute(update(t.task).where(t.task.c.lease_owner.is_not(None)).values(lease_until=0.0))


_HELD = (t.task.c.lease_owner.is_not(None), t.task.c.lease_until > 0.0)
_OWNERS = select(t.task.c.lease_owner).where(*_HELD).distinct()


def lease_owners(connection: Connection) -> frozenset[str]:
    """Name the processes that hold a lease."""
    return frozenset(connection.execute(_OWNERS).scalars())


def expire_all_of(connection: Connection, owner: str) -> None:
    """End every lease of one process."""
    connection.execute(update(t.task).where(t.task.c.lease_owner == owner).values(lease_until=0.0))


# A task may be leased before it is due here: the clock of whoever took it, and died, was ahead.
_TAKEN_OVER_AT = case((t.task.c.lease_until > t.task.c.due_at, t.task.c.lease_until), else_=t.task.c.due_at)


@cache
def _next(kinds: tuple[TaskKind, ...]) -> Select[float | None, float | None]:
    free = select(func.min(t.task.c.due_at)).where(_of_kinds(kinds), t.task.c.lease_owner.is_(None))
    leased = select(func.min(_TAKEN_OVER_AT)).where(_of_kinds(kinds), t.task.c.lease_owner.is_not(None))
    return select(free.scalar_subquery(), leased.scalar_subquery())


def next_due(connection: Connection, kinds: Sequence[TaskKind]) -> float | None:
    """Return when the next task can be claimed: one that is free, or one whose lease has ended by then."""
    times = connection.execute(_next(tuple(kinds))).one()
    return min((time for time in times if time is not None), default=None)
