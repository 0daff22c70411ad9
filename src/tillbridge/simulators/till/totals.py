# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tills took: the sums that a cashier counts at the end of the day. All in cents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from tillbridge.simulators.till.payment import Payment


@dataclass(frozen=True, slots=True)
class Totals:
    """Sum up: `collected_minor` is paid and not taken back, and is split by office and by tender."""

    collected_minor: int
    taken_back_minor: int
    payments: int
    by_office: dict[str, int]
    by_tender: dict[str, int]


def totals(payments: Iterable[Payment], offices: Iterable[str], day: date | None = None) -> Totals:
    """Sum up one day, or everything; what was taken back counts on the day when that happened."""
    known = tuple(payments)
    kept = [one for one in known if one.state == "paid" and _on(day, one.finished_at)]
    back = [one for one in known if one.state == "taken_back" and _on(day, one.taken_back_at)]
    by_office = dict.fromkeys(offices, 0)
    by_tender = {"cash": 0, "card": 0, "mixed": 0}
    for one in kept:
        by_office[one.office] += one.collected_minor
        by_tender[one.tender or "card"] += one.collected_minor
    return Totals(
        collected_minor=sum(one.collected_minor for one in kept),
        taken_back_minor=sum(one.collected_minor for one in back),
        payments=len(kept),
        by_office=by_office,
        by_tender=by_tender,
    )


def _on(day: date | None, at: datetime | None) -> bool:
    return day is None or (at is not None and at.date() == day)
