# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about decisions that wait for a second look."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, insert, select, update

from tillbridge.service.second_look_port import Ending, SecondLook
from tillbridge.store import tables as t

_OPEN = t.second_look.c.ended_at.is_(None)


class SecondLookStatements:
    """Bind the statements to one connection with an open transaction."""

    _connection: Connection

    def add_second_look(self, wish: SecondLook) -> SecondLook:
        row = asdict(wish)
        del row["id"]
        added = insert(t.second_look).values(row).returning(t.second_look.c.id)
        return replace(wish, id=int(self._connection.execute(added).scalar_one()))

    def second_look(self, second_look_id: int) -> SecondLook | None:
        wanted = select(t.second_look).where(t.second_look.c.id == second_look_id)
        row = self._connection.execute(wanted).first()
        return _second_look(row) if row else None

    def open_second_looks(self, payment_id: str | None = None, *, case_id: int | None = None) -> tuple[SecondLook, ...]:
        wanted = select(t.second_look).where(_OPEN).order_by(t.second_look.c.id)
        if payment_id is not None:
            wanted = wanted.where(t.second_look.c.payment_id == payment_id)
        if case_id is not None:
            wanted = wanted.where(t.second_look.c.case_id == case_id)
        return tuple(_second_look(row) for row in self._connection.execute(wanted))

    def end_second_look(
        self, second_look_id: int, at: float, by: str, ending: Ending, reason: str | None = None
    ) -> bool:
        mine = (t.second_look.c.id == second_look_id) & _OPEN
        end = {"ended_at": at, "ended_by": by, "ending": ending, "ending_reason": reason}
        return self._connection.execute(update(t.second_look).where(mine).values(end)).rowcount == 1


def _second_look(row: Any) -> SecondLook:
    ending = None if row.ending is None else Ending(row.ending)
    return SecondLook(**(row._asdict() | {"ending": ending}))
