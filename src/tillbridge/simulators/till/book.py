# SPDX-License-Identifier: GPL-3.0-or-later
"""The till's memory: its payments and every message in and out. Nothing else in the simulator changes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tillbridge.simulators.till.payment import Payment

MOST_MESSAGES = 20_000
MOST_REFUSED = 1_000
MOST_TEXT = 20_000


@dataclass(frozen=True, slots=True)
class Note:
    """Hold one message: `body` is its text, `http_status` what it was answered with or what answered it."""

    number: int
    at: datetime
    direction: Literal["in", "out"]
    kind: Literal["request", "answer", "report"]
    payment_id: str
    body: str
    http_status: int | None
    remark: str


class Book:
    """Keep payments in the order of their arrival, and the last messages."""

    def __init__(self, most_payments: int, now: Callable[[], datetime]) -> None:
        self.version = 0
        self._now = now
        self._most_payments = most_payments
        self._payments: dict[str, Payment] = {}
        self._refused: dict[str, None] = {}
        self._notes: deque[Note] = deque(maxlen=MOST_MESSAGES)
        self._noted = 0
        self._changed = asyncio.Event()

    def __iter__(self) -> Iterator[Payment]:
        return iter(tuple(self._payments.values()))

    def get(self, payment_id: str) -> Payment | None:
        """Return the payment with this id, if there is one."""
        return self._payments.get(payment_id)

    @property
    def full(self) -> bool:
        """Tell whether no further payment fits."""
        return len(self._payments) - len(self._refused) >= self._most_payments

    def put(self, payment: Payment) -> None:
        """Keep the payment as it is now; the oldest refused ones make room for new ones."""
        if payment.state == "refused":
            self._refused[payment.payment_id] = None
        elif payment.payment_id in self._refused:
            del self._refused[payment.payment_id], self._payments[payment.payment_id]
        self._payments[payment.payment_id] = payment
        while len(self._refused) > MOST_REFUSED:
            oldest = next(iter(self._refused))
            del self._refused[oldest], self._payments[oldest]
        self.touch()

    def note(
        self,
        direction: Literal["in", "out"],
        kind: Literal["request", "answer", "report"],
        payment_id: str,
        body: bytes,
        http_status: int | None = None,
        remark: str = "",
    ) -> None:
        """Write a message down, cut to a sane length."""
        self._noted += 1
        text = body[:MOST_TEXT].decode(errors="replace")
        self._notes.append(Note(self._noted, self._now(), direction, kind, payment_id, text, http_status, remark[:500]))
        self.touch()

    def notes(self, after: int = 0) -> list[Note]:
        """Return the messages with a higher number, oldest first."""
        return [note for note in self._notes if note.number > after]

    def touch(self) -> None:
        """Count one change and wake whoever waits for one."""
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait until something holds, looking after every change; return whether it does."""
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    await self._changed.wait()
        except TimeoutError:
            return holds()
        return True
