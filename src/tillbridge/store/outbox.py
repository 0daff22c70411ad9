# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about the outbox: tasks with leases. Those that every payment needs are built once."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import BindParameter, Connection, and_, bindparam, delete, func, insert, or_, select, update

from tillbridge.service.store_port import Task, TaskKind
from tillbridge.store import tables as t

_KINDS: BindParameter[list[str]] = bindparam("kinds", expanding=True)

_SAME = select(t.task.c.id, t.task.c.due_at).where(
    t.task.c.payment_id == bindparam("payment_id"), t.task.c.kind == bindparam("kind")
)
_ADD = insert(t.task)
_DROP = delete(t.task).where(t.task.c.payment_id == bindparam("payment_id"), t.task.c.kind.in_(_KINDS))


def add(connection: Connection, payment_id: str, kind: TaskKind, due_at: float) -> None:
    """Add work, or move the unclaimed task of this kind to the earlier time."""
    row = connection.execute(_SAME, {"payment_id": payment_id, "kind": kind}).first()
    if row is None:
        fresh = {"payment_id": payment_id, "kind": kind, "due_at": due_at, "attempt": 0, "lease_until": 0.0}
        connection.execute(_ADD, fresh)
    elif due_at < row.due_at:
        connection.execute(update(t.task).where(t.task.c.id == row.id).values(due_at=due_at))


def drop(connection: Connection, payment_id: str, kinds: Sequence[TaskKind]) -> None:
    """Drop a payment's tasks of these kinds."""
    connection.execute(_DROP, {"payment_id": payment_id, "kinds": kinds})


_DUE = (
    select(t.task.c.id, t.task.c.payment_id, t.task.c.kind, t.task.c.attempt)
    .where(
        t.task.c.kind.in_(_KINDS),
        t.task.c.due_at <= bindparam("now"),
        or_(t.task.c.lease_owner.is_(None), t.task.c.lease_until <= bindparam("now")),
    )
    .order_by(t.task.c.due_at, t.task.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(t.task)
    .where(t.task.c.id.in_(bindparam("ids", expanding=True)))
    .values(lease_owner=bindparam("owner"), lease_until=bindparam("until"))
)


def claim(
    connection: Connection, owner: str, kinds: Sequence[TaskKind], now: float, lease_until: float, limit: int
) -> tuple[Task, ...]:
    """Take the tasks that are due and that no living lease holds, oldest first."""
    rows = connection.execute(_DUE, {"kinds": kinds, "now": now, "most": limit}).all()
    if not rows:
        return ()
    connection.execute(_TAKE, {"ids": [row.id for row in rows], "owner": owner, "until": lease_until})
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
    t.task.c.id == bindparam("task_id"),
    t.task.c.payment_id == bindparam("of_payment"),
    t.task.c.kind == bindparam("of_kind"),
    t.task.c.lease_owner == bindparam("owner"),
    t.task.c.attempt == bindparam("nth"),
)
_FINISH, _POSTPONE = delete(t.task).where(_LEASED), update(t.task).where(_LEASED)


def finish(connection: Connection, task: Task) -> None:
    """Remove a task, if the lease is still this one's."""
    connection.execute(_FINISH, _still_leased(task))


def postpone(connection: Connection, task: Task, due_at: float, attempt: int) -> None:
    """Give a task back to be done again later, if the lease is still this one's."""
    again = {"due_at": due_at, "attempt": attempt, "lease_owner": None, "lease_until": 0.0}
    connection.execute(_POSTPONE, again | _still_leased(task))


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


_NEXT_FREE = select(func.min(t.task.c.due_at)).where(t.task.c.kind.in_(_KINDS), t.task.c.lease_owner.is_(None))
_NEXT_LEASE = select(func.min(t.task.c.lease_until)).where(t.task.c.kind.in_(_KINDS), t.task.c.lease_owner.is_not(None))


def next_due(connection: Connection, kinds: Sequence[TaskKind]) -> float | None:
    """Return when the next task is due that nobody holds, or when the next lease ends."""
    found = (connection.execute(statement, {"kinds": kinds}).scalar() for statement in (_NEXT_FREE, _NEXT_LEASE))
    return min((time for time in found if time is not None), default=None)


def _still_leased(task: Task) -> dict[str, object]:
    return {
        "task_id": task.id,
        "of_payment": task.payment_id,
        "of_kind": task.kind,
        "owner": task.lease_owner,
        "nth": task.attempt,
    }
