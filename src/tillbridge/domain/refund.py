# SPDX-License-Identifier: GPL-3.0-or-later
"""A refund: money of a booked payment that goes back to the customer, wholly or in part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tillbridge.domain.lifecycle import NOTHING_GIVEN, REFUND_OPEN, RefundState, RefundStep, advance_refund
from tillbridge.domain.money import Money, exact_of, rounded
from tillbridge.domain.payment import without_references

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class RefundLine:
    """Hold what is given back of one charge: `amount_minor` cents at the till, `exact` in the library system.

    `credit_n` is the number of the payment's credit that had paid it.
    """

    charge_id: str
    amount_minor: int
    exact: Decimal
    credit_n: int = 0

    def __post_init__(self) -> None:
        if self.amount_minor <= 0 or self.exact <= 0:
            raise ValueError("more than nothing is given back of a charge")


@dataclass(frozen=True, slots=True)
class Refund:
    """Hold the nth refund of a payment; its lines never change, its state changes by the table alone.

    `owed_again`: the whole payment is taken back, and its charges are owed again; else they stay paid off, since the
    customer did not owe them. The money is given back at `register`, which may be another one than it was taken at.
    """

    payment_id: str
    n: int
    lines: tuple[RefundLine, ...]
    currency: str
    owed_again: bool
    branch: str
    register_server: str
    register: str
    asked_by: str
    asked_at: float
    reason: str
    state: RefundState = RefundState.ASKED
    receipt_number: str | None = None
    given_back_by: str | None = None
    given_back_at: float | None = None
    library_staff_id: str | None = None
    library_register_id: str | None = None

    def __post_init__(self) -> None:
        if not self.lines or len({line.charge_id for line in self.lines}) != len(self.lines):
            raise ValueError("a refund gives back something of each of its charges, once")

    @property
    def total(self) -> Money:
        """Return the sum that the customer gets back."""
        return Money(sum(line.amount_minor for line in self.lines), self.currency)

    @property
    def reason_with_receipt(self) -> str:
        """Return the reason as the library system keeps it; nothing in it reads like a payment's reference."""
        return without_references(f"{self.reason} (receipt {self.receipt_number})")

    @property
    def open(self) -> bool:
        """Tell whether something is still to be done."""
        return self.state in REFUND_OPEN

    @property
    def counts(self) -> bool:
        """Tell whether it takes from what is left to be given back: money was given back, or is about to be."""
        return self.state not in NOTHING_GIVEN

    def after(self, step: RefundStep) -> Refund:
        """Return the refund as it is after a step; raise NotInTheTable where that cannot be."""
        return replace(self, state=advance_refund(self.state, step))


@dataclass(frozen=True, slots=True)
class Left:
    """Hold what can still be given back of a charge, and by which of the payment's credits it was paid."""

    amount_minor: int
    exact: Decimal
    credit_n: int

    def share(self, amount_minor: int) -> Decimal:
        """Return what the library system gives back for so many cents: all that is left with its last one."""
        return self.exact if amount_minor == self.amount_minor else exact_of(amount_minor)


def left_of(booked: Mapping[str, tuple[Decimal, int]], earlier: Iterable[Refund]) -> dict[str, Left]:
    """Reckon what is left of each charge: what was booked (exact, and by which credit), less earlier refunds of it."""
    given = [line for refund in earlier if refund.counts for line in refund.lines]
    left = {}
    for charge_id, (exact, credit_n) in booked.items():
        own = [line for line in given if line.charge_id == charge_id]
        minor = rounded(exact) - sum(line.amount_minor for line in own)
        if minor > 0:
            left[charge_id] = Left(minor, exact - sum((line.exact for line in own), _NOTHING), credit_n)
    return left


def refund_lines(left: Mapping[str, Left], wanted: Sequence[tuple[str, int]]) -> tuple[RefundLine, ...]:
    """Make the lines of a refund; raise ValueError where more is wanted of a charge than is left of it."""
    for charge_id, amount_minor in wanted:
        if charge_id not in left or amount_minor > left[charge_id].amount_minor:
            raise ValueError(f"{amount_minor} cents are not left of charge {charge_id}")
    return tuple(
        RefundLine(charge_id, minor, left[charge_id].share(minor), left[charge_id].credit_n)
        for charge_id, minor in wanted
    )
