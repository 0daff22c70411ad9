# SPDX-License-Identifier: GPL-3.0-or-later
"""A payment: one attempt to collect some charges of one patron at one register."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from tillbridge.domain.lifecycle import (
    CREATED,
    UNDECIDED,
    Booking,
    Collection,
    Done,
    Heard,
    Reaction,
    Standing,
    advance,
    hear,
)
from tillbridge.domain.money import Money, exact_of, rounded

REFERENCE_PREFIX = "tillbridge:"


def without_references(text: str) -> str:
    """Return what a person typed so that no word of it can be taken for the reference of a payment."""
    # A blank, since what stood around it would be one word then, and a reference perhaps.
    return text.replace(REFERENCE_PREFIX, " ")


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one charge's share: `amount_minor` cents at the till of the `owed` (exact) in the library system."""

    charge_id: str
    debit_type: str
    description: str
    product_code: str
    amount_minor: int
    owed: Decimal

    def __post_init__(self) -> None:
        if not 0 < self.amount_minor <= rounded(self.owed):
            raise ValueError(f"a line takes from 1 cent to all that is owed, not {self.amount_minor} of {self.owed}")

    @property
    def exact(self) -> Decimal:
        """Return what the library system shall get: its exact decimal where the charge is paid in full."""
        return self.owed if self.amount_minor == rounded(self.owed) else exact_of(self.amount_minor)


@dataclass(frozen=True, slots=True)
class Payment:
    """Hold a payment; its lines never change, its states change by the table alone.

    `remarks` is what the clerk shall be told once it is booked: what the library system does besides.
    `library_staff_id` and `library_register_id` are the library system's own ids of who asked for it and of the
    register that its books count it at, where they are known.
    """

    id: str
    library: str
    patron_id: str
    branch: str
    register_server: str
    register: str
    clerk: str
    note: str
    currency: str
    lines: tuple[Line, ...]
    created_at: float
    remarks: tuple[str, ...] = ()
    version: int = 0
    standing: Standing = CREATED
    booking: Booking = Booking.NONE
    receipt_number: str | None = None
    collected_minor: int | None = None
    cancel_wished: bool = False
    library_staff_id: str | None = None
    library_register_id: str | None = None

    def __post_init__(self) -> None:
        if not self.lines:
            raise ValueError("a payment has at least one line")
        if len({line.charge_id for line in self.lines}) != len(self.lines):
            raise ValueError("a payment takes each charge once")

    @property
    def total(self) -> Money:
        """Return the sum of the lines."""
        return Money(sum(line.amount_minor for line in self.lines), self.currency)

    @property
    def rounding_minor(self) -> int:
        """Return by how many cents the till collected more than the total (cash rounding), or less."""
        return 0 if self.collected_minor is None else self.collected_minor - self.total.minor

    @property
    def library_rounding(self) -> Decimal:
        """Return by how much the library system gets more than the lines, where it has fractions of a cent."""
        return sum((line.exact - exact_of(line.amount_minor) for line in self.lines), Decimal(0))

    @property
    def collection(self) -> Collection:
        """Return the collection state without the decider."""
        return self.standing.state

    @property
    def undecided(self) -> bool:
        """Tell whether nobody has said yet how the collection ended."""
        return self.collection in UNDECIDED

    @property
    def holds_claims(self) -> bool:
        """Tell whether the charges are still this payment's: until it came to nothing, or is booked."""
        if self.undecided:
            return True
        return self.booking in (Booking.DUE, Booking.BOOKING, Booking.UNKNOWN, Booking.BLOCKED)

    @property
    def reference(self) -> str:
        """Return what finds this payment's credits in the library system."""
        return f"{REFERENCE_PREFIX}{self.id}"

    def after(self, heard: Heard) -> Payment | Reaction:
        """Return the payment as it is after `heard`, or the reaction where no state changes."""
        follows = hear(self.standing, heard)
        return replace(self, standing=follows) if isinstance(follows, Standing) else follows

    def booked_on(self, done: Done) -> Payment:
        """Return the payment with its booking advanced; raise NotInTheTable where that cannot be."""
        return replace(self, booking=advance(self.booking, done))
