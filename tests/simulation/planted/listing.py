# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges that forget to tell people, to go on, or to write down what they did."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from simulation.planted import scripts
from simulation.planted.bug import Bug, patched
from tillbridge.domain.payment import Payment
from tillbridge.service import settling
from tillbridge.service.booking import Booker
from tillbridge.service.collecting import Collecting
from tillbridge.service.sending import Sending
from tillbridge.service.store_port import Task, TaskKind
from tillbridge.store.transaction import SqlTransaction


def _never_asks(patch: pytest.MonkeyPatch) -> None:
    async def careless(self: Sending, task: Task, _: Any) -> None:
        await self._world.store.write(lambda tx: tx.finish_task(task))

    patch.setattr(Sending, "ask", careless)


def _never_watches(patch: pytest.MonkeyPatch) -> None:
    async def careless(self: Booker, task: Task, _: Any) -> None:
        await self._world.store.write(lambda tx: tx.finish_task(task))

    patch.setattr(Booker, "watch", careless)


def _stores_paid_without_what_follows(patch: pytest.MonkeyPatch) -> None:
    """As where the task is added once the state is stored: whoever dies between the two leaves it like this."""
    taken = Collecting.money_taken

    def careless(self: Collecting, payment: Payment, news: Any) -> Payment:
        due = taken(self, payment, news)
        self._tx.drop_tasks(due.id, TaskKind.BOOK)
        return due

    patch.setattr(Collecting, "money_taken", careless)


def _writes_no_history_of_bookings(patch: pytest.MonkeyPatch) -> None:
    def careless(self: Collecting, payment: Payment, done: Any, _: str, __: Any) -> Payment:
        return self._tx.save(payment.booked_on(done))

    patch.setattr(Collecting, "advance", careless)


BUGS = (
    Bug(
        "what is left over is not listed",
        patched(settling, "lacking_sum", lambda *_: Decimal(0)),
        "booked, but not whole",
        18,
    ),
    Bug("what nobody knows is not put on the list", _never_asks, "it does not come to rest", 12),
    Bug("what is not booked in time is not put on the list", _never_watches, "not booked, and on no list", 81),
    Bug(
        "another sum than was asked for is booked",
        patched(Collecting, "_beyond_rounding", lambda *_: False),
        "are no rounding, and nobody was told",
        script=scripts.ANOTHER_SUM,
    ),
    Bug(
        "paid is stored without the task that follows",
        _stores_paid_without_what_follows,
        "booking due with nothing to follow",
        5,
    ),
    Bug(
        "a case is stored without its alarm",
        patched(SqlTransaction, "add_alarm", lambda *_: None),
        "nobody was ever to be told",
        5,
    ),
    Bug(
        "a void that nobody can be told to make is asked of nobody",
        patched(Collecting, "ask_for_void", lambda *_: None),
        "booking reversal_due with nothing to follow",
        15,
    ),
    Bug("a change leaves no event", _writes_no_history_of_bookings, "a state changed without an event", 5),
)
