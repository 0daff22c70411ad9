# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store can find among many payments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined

SEARCH_LIMIT_S = 5.0
"""How long a search may take where nothing else is said."""


def too_wide() -> Declined:
    """Return the no to a search that took too long."""
    return Declined("search_too_wide", "This search takes too long. Narrow it, by dates for instance, and try again.")


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Say which payments are looked for; what is None does not matter. Times are instants, `until` is excluded."""

    collections: frozenset[str] | None = None
    bookings: frozenset[str] | None = None
    branches: frozenset[str] | None = None
    register: str | None = None
    clerk: str | None = None
    patron_id: str | None = None
    receipt_number: str | None = None
    total_minor: int | None = None
    with_open_case: bool | None = None
    since: float | None = None
    until: float | None = None


class Finding(Protocol):
    """Find payments inside a transaction."""

    def find_payments(self, wanted: PaymentFilter, after: tuple[float, str] | None, limit: int) -> tuple[Payment, ...]:
        """List payments, newest first, behind a place (instant of creation and id)."""
        ...

    def payments_under_way(self, branches: frozenset[str] | None, limit: int) -> tuple[Payment, ...]:
        """List the payments that are undecided at the till, or whose booking is not at rest, newest first."""
        ...

    def register_heard_at(self, branch: str, register: str) -> float | None:
        """Return when the newest payment began that the till at this register has answered, or None."""
        ...

    def debit_types(self) -> frozenset[str]:
        """Name every debit type that a payment has had."""
        ...

    def recent_payments(self, limit: int) -> tuple[Payment, ...]:
        """List the newest payments."""
        ...

    def payments_in_doubt(self) -> tuple[Payment, ...]:
        """List the payments that are not at rest."""
        ...
