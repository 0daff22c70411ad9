# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about hand-overs."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from tillbridge.service.hand_over_port import HandOver
from tillbridge.store import tables as t


class HandOverStatements:
    """Bind the statements to one connection with an open transaction."""

    _connection: Connection
    _writes: bool

    def add_hand_over(self, hand_over: HandOver) -> bool:
        row = {
            "id": hand_over.id,
            "at": hand_over.at,
            "person_id": hand_over.person_id,
            "content": hand_over.content,
            "payment_id": hand_over.payment_id,
        }
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(t.hand_over).values(row))
        except IntegrityError:
            return False
        return True

    def hand_over(self, hand_over_id: str) -> HandOver | None:
        wanted = select(t.hand_over).where(t.hand_over.c.id == hand_over_id)
        row = self._connection.execute(wanted.with_for_update() if self._writes else wanted).first()
        return HandOver(row.id, row.at, row.person_id, row.content, row.payment_id) if row else None

    def end_hand_over(self, hand_over_id: str, payment_id: str) -> None:
        ended = update(t.hand_over).where(t.hand_over.c.id == hand_over_id)
        self._connection.execute(ended.values(payment_id=payment_id, content=""))

    def erase_hand_overs(self, before: float) -> None:
        over = (t.hand_over.c.at < before) & (t.hand_over.c.content != "")
        self._connection.execute(update(t.hand_over).where(over).values(content=""))
