# SPDX-License-Identifier: GPL-3.0-or-later
"""The simplest other side: a library system on paper for a register, and a till that is always paid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tillbridge.conformance.kit import Skipped
from tillbridge.service.checking_port import LibraryChecks, RegisterChecks
from tillbridge.service.library_port import (
    BookingAnswer,
    Charge,
    Credit,
    CreditOrder,
    NoSuchPatron,
    Patron,
    PlainLibrary,
    Recorded,
    Unavailable,
)
from tillbridge.service.register_port import (
    Answer,
    NoOutcome,
    Order,
    Paid,
    Report,
    Unreadable,
    Verdict,
)

PATRON = Patron("5", "21000777", "Mäkinen", "Äijä")


@dataclass(slots=True)
class PaperLibrary(PlainLibrary):
    """Be a library system with one patron, that books whatever it is told."""

    currency: str = "EUR"
    write_limit_s: float = 1.0
    charges: dict[str, Charge] = field(default_factory=dict)
    credits: list[Credit] = field(default_factory=list)

    def charge(self, charge_id: str, owed: str) -> str:
        """Let the patron owe something."""
        self.charges[charge_id] = Charge(charge_id, PATRON.patron_id, "OVERDUE", "Overdue charge", Decimal(owed))
        return charge_id

    @property
    def checks(self) -> LibraryChecks:
        """Have nothing to look at."""
        raise Skipped("paper has nothing to look at")

    async def patron_by_card(self, card_number: str) -> Patron | NoSuchPatron | Unavailable:
        """Know one card."""
        return PATRON if card_number == PATRON.card_number else NoSuchPatron()

    async def patrons_by_name(self, text: str, limit: int) -> tuple[Patron, ...] | Unavailable:
        """Know nobody by name."""
        del text, limit
        return ()

    async def patron(self, patron_id: str) -> Patron | NoSuchPatron | Unavailable:
        """Know one id."""
        return PATRON if patron_id == PATRON.patron_id else NoSuchPatron()

    async def open_charges(self, patron_id: str) -> tuple[Charge, ...] | NoSuchPatron | Unavailable:
        """List what is owed."""
        mine = (charge for charge in self.charges.values() if charge.patron_id == patron_id and charge.owed)
        return tuple(sorted(mine, key=lambda charge: int(charge.charge_id)))

    async def record(self, order: CreditOrder) -> BookingAnswer:
        """Pay the charges in their order."""
        left = order.amount
        for charge_id in order.charge_ids:
            charge = self.charges[charge_id]
            share = min(left, charge.owed)
            self.charges[charge_id] = replace(charge, owed=charge.owed - share)
            left -= share
        self.credits.append(Credit(str(len(self.credits) + 1), order.reference, order.amount, left, void=False))
        return Recorded(self.credits[-1])

    async def credits_of(
        self, patron_id: str, payment_reference: str
    ) -> tuple[Credit, ...] | NoSuchPatron | Unavailable:
        """Find credits by their reference."""
        del patron_id
        return tuple(each for each in self.credits if each.reference.startswith(payment_reference))

    async def ping(self) -> str | None:
        """Be there."""
        return None

    async def close(self) -> None:
        """Have nothing to close."""


@dataclass(slots=True)
class PaidTill:
    """Be a register whose every customer pays at once."""

    names_payer: bool = False
    answer_limit_s: float = 1.0
    receipts: int = 0

    @property
    def checks(self) -> RegisterChecks:
        """Have nothing to look at."""
        raise Skipped("this till has nothing to look at")

    async def send(self, order: Order, at_register: Callable[[], Awaitable[None]]) -> Answer:
        """Take the money."""
        del order, at_register
        self.receipts += 1
        return Paid(f"K{self.receipts:06}")

    def read_report(self, raw: bytes) -> Report | Unreadable:
        """Post no reports."""
        del raw
        return Unreadable("this till posts no reports")

    def judge_report(self, report: Report, branch: str) -> Verdict:
        """Post no reports."""
        del report, branch
        return NoOutcome("this till posts no reports")

    def judge_stray_report(self, report: Report) -> Verdict:
        """Post no reports."""
        return self.judge_report(report, "")

    async def ping(self) -> str | None:
        """Be there."""
        return None

    async def close(self) -> None:
        """Have nothing to close."""
