# SPDX-License-Identifier: GPL-3.0-or-later
"""Fakes of the outside world: a till, a library system and a clock that the test owns."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from support.fake_checks import NOW, FakeLibraryChecks, FakeRegisterChecks
from tillbridge.service.library_port import (
    BookingAnswer,
    Charge,
    Credit,
    CreditOrder,
    MaybeRecorded,
    NoSuchPatron,
    NotRecorded,
    Patron,
    PlainLibrary,
    Recorded,
    Unavailable,
)
from tillbridge.service.register_port import (
    Answer,
    AtRegister,
    Cancelled,
    Forged,
    NoOutcome,
    Order,
    Paid,
    Refused,
    Report,
    Unreadable,
    Verdict,
)

SendStep = Answer | Callable[[Order, Callable[[], Awaitable[None]]], Awaitable[Answer]]


class FakeClock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


class CountingIds:
    """Ids that a test can foretell."""

    def __init__(self) -> None:
        self._count = 0

    def payment_id(self) -> str:
        self._count += 1
        return f"{self._count:024X}"


def report(payment_id: str, says: str, *, receipt: str | None = "4711", total: int | None = None) -> bytes:
    """A report as FakeTill reads it; `says` is paid, cancelled, refused, odd or forged."""
    return json.dumps({"id": payment_id, "says": says, "receipt": receipt, "sum": total}).encode()


@dataclass
class FakeTill:
    """A register server whose answers the test lays down; without any it has the payment and will report."""

    names_payer: bool = True
    answer_limit_s: float = 510.0
    steps: deque[SendStep] = field(default_factory=deque)
    orders: list[Order] = field(default_factory=list)
    checks: FakeRegisterChecks = field(default_factory=FakeRegisterChecks)
    away: str | None = None

    async def send(self, order: Order, at_register: Callable[[], Awaitable[None]]) -> Answer:
        self.orders.append(order)
        step = self.steps.popleft() if self.steps else AtRegister()
        return await step(order, at_register) if callable(step) else step

    def read_report(self, raw: bytes) -> Report | Unreadable:
        try:
            fields = json.loads(raw)
            return Report(fields["id"], raw, fields)
        except (ValueError, KeyError, TypeError):
            return Unreadable("not a report")

    def judge_report(self, report: Report, branch: str) -> Verdict:
        fields: dict[str, Any] = report.fields
        match fields["says"]:
            case "paid":
                return Paid(fields["receipt"], fields["sum"], report.raw)
            case "cancelled":
                return Cancelled(report.raw)
            case "refused":
                return Refused("99", report.raw)
            case "odd":
                return NoOutcome("status 97", report.raw)
            case _:
                return Forged("the hash is wrong")

    def judge_stray_report(self, report: Report) -> Verdict:
        return self.judge_report(report, "")

    async def ping(self) -> str | None:
        return self.away

    async def close(self) -> None:
        return None


TIMED_OUT, OWN_ERROR = MaybeRecorded("time-out", ended=False), MaybeRecorded("500", ended=True)

ANSWERS: dict[str, BookingAnswer] = {
    "never": NotRecorded("connection refused", again=True),
    "refused": NotRecorded("400", again=False),
    "gone": NotRecorded("404", again=False, patron_gone=True),
    **dict.fromkeys(("lost", "kept", "late", "doubled"), TIMED_OUT),
    **dict.fromkeys(("error", "error_kept", "error_unapplied"), OWN_ERROR),
}
STORES_NOTHING = ("never", "refused", "gone", "lost", "error", "late")
NO_CREDIT = Credit("", "", Decimal(0), Decimal(0), void=True)


def _begins(patron: Patron, word: str) -> bool:
    return any(name.casefold().startswith(word) for name in (patron.surname, patron.firstname))


@dataclass
class FakeLibrary(PlainLibrary):
    """A library system with Koha's manners: spill-over, no idempotency; faults are laid down one by one.

    `faults` holds what happens to the next writes: never, refused, gone, lost (nothing stored), kept (stored, answer
    lost), error_kept (stored, own error), error (own error, nothing stored), unapplied (stored, not applied),
    error_unapplied (stored, not applied, own error), late (answer lost, stored when `land` is called), doubled
    (stored twice, answer lost), other_sum (stored with another sum), raises (stored, the adapter itself fails), hangs
    (for ever).
    """

    currency: str = "EUR"
    write_limit_s: float = 30.0
    patrons: dict[str, Patron] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    credits: list[tuple[str, Credit]] = field(default_factory=list)
    paid_to: list[tuple[str, str, Decimal]] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    away: str | None = None
    reads: int = 0
    writes: int = 0
    orders: list[CreditOrder] = field(default_factory=list)
    in_flight: list[CreditOrder] = field(default_factory=list)
    landed: set[str] = field(default_factory=set)
    stored: int = 0
    checks: FakeLibraryChecks = field(default_factory=FakeLibraryChecks)

    def land(self) -> None:
        """Let the requests arrive whose answers were lost long ago."""
        for order in self.in_flight:
            if order.patron_id in self.patrons:
                self.landed.add(self._store(order).credit_id)
        self.in_flight.clear()

    def credit(self, reference: str) -> list[Credit]:
        """Return the valid credits with exactly this reference."""
        return [credit for _, credit in self.credits if credit.reference == reference and not credit.void]

    def merge(self, gone: str, kept: str) -> None:
        """Merge a patron into another one, as a librarian does: charges and credits move, the old id is gone."""
        del self.patrons[gone]
        moved = {key: replace(c, patron_id=kept) for key, c in self.charges.items() if c.patron_id == gone}
        self.charges.update(moved)
        self.credits = [(kept if patron == gone else patron, credit) for patron, credit in self.credits]

    def add_patron(self, patron_id: str = "5", card: str = "C1") -> Patron:
        patron = Patron(patron_id, card, "Mäkinen", "Äijä")
        self.patrons[patron_id] = patron
        return patron

    def add_charge(
        self, charge_id: str, owed: str, *, patron_id: str = "5", debit_type: str = "OVERDUE", text: str = "Maksu"
    ) -> Charge:
        charge = Charge(charge_id, patron_id, debit_type, text, Decimal(owed))
        self.charges[charge_id] = charge
        return charge

    def owes(self, charge_id: str, owed: str) -> None:
        self.charges[charge_id] = replace(self.charges[charge_id], owed=Decimal(owed))

    def void(self, credit_id: str) -> None:
        self.credits = [(p, replace(c, void=c.void or c.credit_id == credit_id)) for p, c in self.credits]
        for credit, charge_id, share in self.paid_to:
            if credit == credit_id:
                self.owes(charge_id, str(self.charges[charge_id].owed + share))

    async def patron_by_card(self, card_number: str) -> Patron | NoSuchPatron | Unavailable:
        self.reads += 1
        if self.away:
            return Unavailable(self.away)
        return next((p for p in self.patrons.values() if p.card_number == card_number), NoSuchPatron())

    async def patrons_by_name(self, text: str, limit: int) -> tuple[Patron, ...] | Unavailable:
        self.reads += 1
        if self.away:
            return Unavailable(self.away)
        words = text.casefold().split()
        meant = [p for p in self.patrons.values() if all(_begins(p, word) for word in words)]
        return tuple(sorted(meant, key=lambda p: (p.surname, p.firstname))[:limit])

    async def patron(self, patron_id: str) -> Patron | NoSuchPatron | Unavailable:
        self.reads += 1
        if self.away:
            return Unavailable(self.away)
        return self.patrons.get(patron_id, NoSuchPatron())

    async def open_charges(self, patron_id: str) -> tuple[Charge, ...] | NoSuchPatron | Unavailable:
        self.reads += 1
        if self.away:
            return Unavailable(self.away)
        if patron_id not in self.patrons:
            return NoSuchPatron()
        mine = [c for c in self.charges.values() if c.patron_id == patron_id and c.owed > 0]
        return tuple(sorted(mine, key=lambda charge: int(charge.charge_id)))

    async def record(self, order: CreditOrder) -> BookingAnswer:
        self.writes += 1
        self.orders.append(order)
        if order.patron_id not in self.patrons:
            return NotRecorded("404", again=False, patron_gone=True)
        fault = self.faults.popleft() if self.faults else ""
        if fault == "hangs":
            await asyncio.Future()
        credit = self._what_happens(fault, order)
        if fault == "raises":
            raise RuntimeError("the adapter fell over")
        return ANSWERS.get(fault) or Recorded(credit)

    def _what_happens(self, fault: str, order: CreditOrder) -> Credit:
        if fault == "late":
            self.in_flight.append(order)
        if fault in STORES_NOTHING:
            return NO_CREDIT
        if fault == "doubled":
            self._store(order)
        if fault == "other_sum":
            order = replace(order, amount=order.amount - Decimal("0.01"))
        return self._store(order, apply="unapplied" not in fault)

    async def credits_of(
        self, patron_id: str, payment_reference: str
    ) -> tuple[Credit, ...] | NoSuchPatron | Unavailable:
        self.reads += 1
        if self.away:
            return Unavailable(self.away)
        if patron_id not in self.patrons:
            return NoSuchPatron()
        return tuple(c for p, c in self.credits if p == patron_id and c.reference.startswith(payment_reference))

    async def ping(self) -> str | None:
        return self.away

    async def close(self) -> None:
        return None

    def _store(self, order: CreditOrder, *, apply: bool = True) -> Credit:
        credit_id = str(9000 + self.stored)
        self.stored += 1
        left = order.amount
        others = [c for c in sorted(self.charges, key=int) if self.charges[c].patron_id == order.patron_id]
        for charge_id in [*sorted(order.charge_ids, key=int), *others] if apply else []:
            share = min(left, self.charges[charge_id].owed)
            if share > 0:
                self.owes(charge_id, str(self.charges[charge_id].owed - share))
                self.paid_to.append((credit_id, charge_id, share))
                left -= share
        credit = Credit(credit_id, order.reference, order.amount, left, void=False)
        self.credits.append((order.patron_id, credit))
        return credit
