# SPDX-License-Identifier: GPL-3.0-or-later
"""A payment as the till knows it, and the few steps that it can take. Amounts are whole cents."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

State = Literal["waiting", "paid", "cancelled", "taken_back", "refused"]
Tender = Literal["cash", "card", "mixed"]

STATUS_OF: dict[State, int] = {"waiting": 2, "paid": 1, "cancelled": 0, "taken_back": 0, "refused": 99}
"""The protocol's status for each state (dossier 4.4)."""


class NotNowError(Exception):
    """Say that a step does not fit the state that the payment is in."""


@dataclass(frozen=True, slots=True)
class Product:
    """Describe one line: `price_minor` is for one piece, tax included."""

    code: str
    description: str
    price_minor: int
    pieces: int = 1

    @property
    def sum_minor(self) -> int:
        """Return the price of all pieces."""
        return self.price_minor * self.pieces


@dataclass(frozen=True, slots=True)
class Payment:
    """Hold everything about one payment; `fingerprint` is the hash that its first request should have had.

    `sent_count` counts the requests that arrived with this id. `reason` says why it was refused. `taken_minor` is what
    was taken where that is not the total: cash is rounded, or a fault says so.
    """

    payment_id: str
    source: str
    office: str
    mode: int
    description: str
    products: tuple[Product, ...]
    report_address: str
    fingerprint: str
    arrived_at: datetime
    state: State = "waiting"
    sent_count: int = 1
    finished_at: datetime | None = None
    taken_back_at: datetime | None = None
    receipt_number: str | None = None
    tender: Tender | None = None
    taken_minor: int | None = None
    reason: str = ""

    @property
    def total_minor(self) -> int:
        """Return the sum of all lines."""
        return sum(product.sum_minor for product in self.products)

    @property
    def collected_minor(self) -> int:
        """Return what was taken, or would be."""
        return self.total_minor if self.taken_minor is None else self.taken_minor


def paid(payment: Payment, tender: Tender, now: datetime) -> Payment:
    """Return the payment with its money taken, still without a receipt number; raise NotNowError unless it waits."""
    _expect(payment, "waiting")
    return replace(payment, state="paid", tender=tender, finished_at=now)


def cancelled(payment: Payment, now: datetime) -> Payment:
    """Return the payment cancelled by the cashier; raise NotNowError unless it waits."""
    _expect(payment, "waiting")
    return replace(payment, state="cancelled", finished_at=now)


def taken_back(payment: Payment, now: datetime) -> Payment:
    """Return the payment with its money given back; raise NotNowError unless it is paid."""
    _expect(payment, "paid")
    return replace(payment, state="taken_back", taken_back_at=now)


def _expect(payment: Payment, state: State) -> None:
    if payment.state != state:
        raise NotNowError(f"the payment is {payment.state.replace('_', ' ')}, not {state}")
