# SPDX-License-Identifier: GPL-3.0-or-later
"""Spread a sum over charges for the till, and plan the credits for the library system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tillbridge.domain.payment import Line

_NOTHING = Decimal(0)


def allocate(sum_minor: int, owed_minor: Sequence[int]) -> tuple[int, ...]:
    """Spread cents over charges in the given order, filling each before the next: 5.00 over 3, 4 and 6 is 3, 2, 0.

    Never gives out more than the sum; raises ValueError where the sum is not above zero or more than is owed.
    """
    if not 0 < sum_minor <= sum(owed_minor):
        raise ValueError(f"{sum_minor} cents cannot be spread over {sum(owed_minor)} cents")
    shares: list[int] = []
    for owed in owed_minor:
        shares.append(min(owed, sum_minor - sum(shares)))
    return tuple(shares)


@dataclass(frozen=True, slots=True)
class PlannedCredit:
    """Ask for one credit of `amount` over `charge_ids`, in the library system's own order."""

    charge_ids: tuple[str, ...]
    amount: Decimal


@dataclass(frozen=True, slots=True)
class CreditPlan:
    """Hold the credits to send and what must not be sent, since it would spill over to other charges."""

    credits: tuple[PlannedCredit, ...]
    surplus: Decimal


def plan_credits(lines: Sequence[Line], owed_now: Mapping[str, Decimal]) -> CreditPlan:
    """Plan the booking against what the charges owe right now (a charge that is not there owes nothing).

    Charges as they were when the lines were made: one credit for the sum. Something changed: one credit a line
    for the lesser of what was intended and what is owed; the rest is the surplus. No lines: no credit.
    """
    if not lines:
        return CreditPlan((), _NOTHING)
    if all(owed_now.get(line.charge_id, _NOTHING) == line.owed for line in lines):
        whole = PlannedCredit(tuple(line.charge_id for line in lines), sum((line.exact for line in lines), _NOTHING))
        return CreditPlan((whole,), _NOTHING)
    shares = [(line, min(line.exact, max(owed_now.get(line.charge_id, _NOTHING), _NOTHING))) for line in lines]
    planned = tuple(PlannedCredit((line.charge_id,), share) for line, share in shares if share > 0)
    return CreditPlan(planned, sum((line.exact - share for line, share in shares), _NOTHING))
