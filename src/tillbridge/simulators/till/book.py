# SPDX-License-Identifier: GPL-3.0-or-later
"""The till's memory: its payments and every message in and out. Nothing else in the simulator changes.

Payments, and which of them are still to be reported, may be kept in a file; each change is kept before anybody hears
of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from tillbridge.simulators.shelf import Kind, Shelf, erased, written
from tillbridge.simulators.till.payment import Payment

MOST_MESSAGES = 20_000
MOST_REFUSED = 1_000
MOST_TEXT = 20_000

_PAYMENT = Kind("payment", TypeAdapter(Payment))
_TO_REPORT = Kind("to report", TypeAdapter(str))


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

    def __init__(self, most_payments: int, now: Callable[[], datetime], state: Path | None = None) -> None:
        """Begin with what the file `state` has kept; raise SettingsError where it cannot be used."""
        self.version = 0
        self._now = now
        self._most_payments = most_payments
        self._shelf = None if state is None else Shelf(state)
        kept = self._shelf.all(_PAYMENT) if self._shelf else []
        self._payments = {payment.payment_id: payment for payment in kept}
        self._refused = dict.fromkeys(payment.payment_id for payment in kept if payment.state == "refused")
        self._to_report = set(self._shelf.all(_TO_REPORT)) if self._shelf else set()
        self.earlier_receipts = frozenset(payment.receipt_number for payment in kept)
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

    @property
    def to_report(self) -> frozenset[str]:
        """Return the payments whose report is due and not delivered or given up."""
        return frozenset(self._to_report)

    def put(self, payment: Payment, *, to_report: bool = False) -> None:
        """Keep the payment as it is now, to be reported or not; the oldest refused ones make room for new ones."""
        if payment.state == "refused":
            self._refused[payment.payment_id] = None
        elif payment.payment_id in self._refused:
            del self._refused[payment.payment_id], self._payments[payment.payment_id]
        self._payments[payment.payment_id] = payment
        dropped = list(self._refused)[: max(0, len(self._refused) - MOST_REFUSED)]
        for oldest in dropped:
            del self._refused[oldest], self._payments[oldest]
        if to_report:
            self._to_report.add(payment.payment_id)
        self._keep(payment, dropped)
        self.touch()

    def reported(self, payment: Payment) -> None:
        """Note that the report of a payment is delivered or given up, unless there is another one by now."""
        now = self._payments[payment.payment_id]
        if now.state == payment.state:
            self._to_report.discard(payment.payment_id)
            self._keep(now)

    def close(self) -> None:
        """Let go of the file; what changes from now on is forgotten."""
        shelf, self._shelf = self._shelf, None
        if shelf is not None:
            shelf.close()

    def _keep(self, payment: Payment, dropped: Sequence[str] = ()) -> None:
        if self._shelf is None:
            return
        name = payment.payment_id
        due = written(_TO_REPORT, name, name) if name in self._to_report else erased(_TO_REPORT, name)
        self._shelf.keep([written(_PAYMENT, name, payment), due, *(erased(_PAYMENT, each) for each in dropped)])

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
