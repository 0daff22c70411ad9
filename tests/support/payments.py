# SPDX-License-Identifier: GPL-3.0-or-later
"""Payments to store: as small as they can be, and different only where a test says so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tillbridge.domain.payment import Line, Payment


def make_line(charge_id: str = "1", amount_minor: int = 300, owed: str = "3") -> Line:
    """Make a line of an overdue charge."""
    return Line(charge_id, "OVERDUE", "Maksu", "1000", amount_minor, Decimal(owed))


def make_payment(payment_id: str = "A1", *charges: str, **changes: object) -> Payment:
    """Make a payment of patron 5 at register 10 with 3.00 for each of these charges (charge 1 where none is named)."""
    payment = Payment(
        id=payment_id,
        library="library",
        patron_id="5",
        branch="CPL",
        register_server="city",
        register="10",
        clerk="anna",
        note="",
        currency="EUR",
        lines=tuple(make_line(charge) for charge in charges or ("1",)),
        created_at=1000.0,
    )
    return replace(payment, **changes)  # type: ignore[arg-type]  # the test names fields of the payment
