# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about the outbox: tasks with leases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, insert, null, or_, select, update

from tillbridge.service.store_port import Task, TaskKind
from tillbridge.store import tables as t


def add(connection: Connection, payment_id: str, kind: TaskKind, due_at: float) -> None:
    """Add work, or move the task of this kind to the earlier time; a leased one is done once more at that time.

    Who has it leased may have looked before there was a reason for this.
    """
    same = and_(t.task.c.payment_id == payment_id, t.task.c.kind == kind)
    # Held, so that it cannot be finished between the look and the change.
    row = connection.execute(select(t.task).where(same).with_for_update()).first()
    if row is None:
        fresh = {"payment_id": payment_id, "kind": kind, "due_at": due_at, "attempt": 0, "lease_until": 0.0}
        connection.execute(insert(t.task).values(fresh))
        return
    column = t.task.c.due_at if row.lease_owner is None else t.task.c.again_at
    earlier = or_(column.is_(None), column > due_at)
    connection.execute(update(t.task).where(t.task.c.id == row.id, earlier).values({column.name: due_at}))


def drop(connection: Connection, payment_id: str, kinds: Sequence[TaskKind]) -> None:
    """Drop a payment's tasks of these kinds."""
    connection.execute(delete(t.task).where(t.task.c.payment_id == payment_id, t.task.c.kind.in_(kinds)))


def claim(
    connection: Connection, owner: str, kinds: Sequence[TaskKind], now: float, lease_until: float, limit: int
) -> tuple[Task, ...]:
    """Take the tasks that are due and that no living lease holds, oldest first."""
    free = or_(t.task.c.lease_owner.is_(None), t.task.c.lease_until <= now)
    due = (
        select(t.task.c.id, t.task.c.payment_id, t.task.c.kind, t.task.c.attempt)
        .where(t.task.c.kind.in_(kinds), t.task.c.due_at <= now, free)
        .order_by(t.task.c.due_at, t.task.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(due).all()
    if not rows:
        return ()
    mine = t.task.c.id.in_([row.id for row in rows])
    # What was wanted until now is done now, whoever had it before; what is wanted later stays.
    later = case((t.task.c.again_at > now, t.task.c.again_at), else_=null())
    leased = {"lease_owner": owner, "lease_until": lease_until, "again_at": later}
    connection.execute(update(t.task).where(mine).values(leased))
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


def finish(connection: Connection, task: Task) -> None:
    """Remove a task, if the lease is still this one's; one that is wanted again meanwhile becomes free for it."""
    mine, unwanted = _still_leased(task), t.task.c.again_at.is_(None)
    if connection.execute(delete(t.task).where(mine, unwanted)).rowcount == 0:
        connection.execute(update(t.task).where(mine).values(_free(t.task.c.again_at, task.attempt + 1)))


def postpone(connection: Connection, task: Task, due_at: float, attempt: int) -> None:
    """Give a task back to be done again later, if the lease is still this one's; sooner where it is wanted sooner."""
    sooner = case((t.task.c.again_at < due_at, t.task.c.again_at), else_=due_at)
    connection.execute(update(t.task).where(_still_leased(task)).values(_free(sooner, attempt)))


def _free(due_at: ColumnElement[float], attempt: int) -> dict[str, Any]:
    return {"due_at": due_at, "attempt": attempt, "lease_owner": None, "lease_until": 0.0, "again_at": None}


def expire_all(connection: Connection) -> None:
    """End every lease at once."""
    connection.execute(update(t.task).where(t.task.c.lease_owner.is_not(None)).values(lease_until=0.0))


def lease_owners(connection: Connection) -> frozenset[str]:
    """Name the processes that hold a lease."""
    held = select(t.task.c.lease_owner).where(t.task.c.lease_owner.is_not(None), t.task.c.lease_until > 0.0)
    return frozenset(connection.execute(held.distinct()).scalars())


def expire_all_of(connection: Connection, owner: str) -> None:
    """End every lease of one process."""
    connection.execute(update(t.task).where(t.task.c.lease_owner == owner).values(lease_until=0.0))


def next_due(connection: Connection, kinds: Sequence[TaskKind]) -> float | None:
    """Return when the next task is due that nobody holds, or when the next lease ends."""
    wanted = t.task.c.kind.in_(kinds)
    free = select(func.min(t.task.c.due_at)).where(wanted, t.task.c.lease_owner.is_(None))
    leased = select(func.min(t.task.c.lease_until)).where(wanted, t.task.c.lease_owner.is_not(None))
    times = [time for time in (connection.execute(free).scalar(), connection.execute(leased).scalar()) if time]
    return min(times, default=None)


def _still_leased(task: Task) -> ColumnElement[bool]:
    same = and_(t.task.c.id == task.id, t.task.c.payment_id == task.payment_id, t.task.c.kind == task.kind)
    return and_(same, t.task.c.lease_owner == task.lease_owner, t.task.c.attempt == task.attempt)
