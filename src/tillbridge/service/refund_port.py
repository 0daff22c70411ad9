# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store keeps of money that is given back."""

from __future__ import annotations

from typing import Protocol

from tillbridge.domain.lifecycle import RefundState
from tillbridge.domain.refund import Refund


class Refunds(Protocol):
    """Keep refunds inside a transaction."""

    def add_refund(self, refund: Refund) -> None:
        """Store a new refund."""
        ...

    def save_refund(self, refund: Refund, was: RefundState) -> None:
        """Store a changed refund by compare-and-set on its state; raise Stale where it has moved on."""
        ...

    def refunds_of(self, payment_id: str) -> tuple[Refund, ...]:
        """Read a payment's refunds in order."""
        ...

    def refund_with_receipt(self, register_server: str, receipt_number: str) -> Refund | None:
        """Return a refund for which a till of this register server has printed this receipt."""
        ...
