# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the next credit of a booking, and reckon what its lines still lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tillbridge.domain.allocation import PlannedCredit, plan_credits
from tillbridge.domain.payment import Line, Payment
from tillbridge.service.store_port import CreditState, StoredCredit
from tillbridge.service.weighing import shares

_NOTHING = Decimal(0)

Owed = Mapping[str, Decimal]


def plan_rest(payment: Payment, earlier: Sequence[StoredCredit], owed: Owed) -> tuple[PlannedCredit, ...]:
    """Plan what is not booked yet, against what the charges owe right now."""
    return plan_credits(unbooked_lines(payment, earlier), owed).credits


def as_intended(payment: Payment) -> dict[str, Decimal]:
    """Return what the charges owe if nothing has changed since the payment began."""
    return {line.charge_id: line.owed for line in payment.lines}


def owed_after(asked: StoredCredit) -> dict[str, Decimal]:
    """Return what is known to be owed on the other charges, once a keyed credit is recorded: it touches no others."""
    return {charge: owed for charge, owed in asked.owed_before.items() if charge not in asked.charge_ids}


def first_of(
    planned: Sequence[PlannedCredit],
    earlier: Sequence[StoredCredit],
    owed: Owed,
    sent_at: float,
    *,
    keyed: bool = False,
) -> StoredCredit:
    """Make the first credit of a plan with its number, as it goes out now.

    A booking with one credit for all has the number 0 again and again as long as it surely came to nothing.
    """
    lasting = [credit for credit in earlier if (credit.n, credit.state) != (0, CreditState.ABSENT)]
    n = 0 if len(planned) == 1 and not lasting else max((credit.n for credit in earlier), default=0) + 1
    return StoredCredit(n, planned[0].charge_ids, planned[0].amount, owed, CreditState.SENT, sent_at, keyed=keyed)


def is_sent_again(credits_: Sequence[StoredCredit]) -> bool:
    """Tell whether no one knows what became of a credit that may be sent again at any time, under its key."""
    sent = [credit for credit in credits_ if credit.state is CreditState.SENT]
    return bool(sent) and all(credit.keyed for credit in sent)


def surely_ended_at(credits_: Sequence[StoredCredit], running_s: float) -> float:
    """Return from when on a miss proves that what was sent will never arrive, nor once more where it is booked."""
    sent = [credit for credit in credits_ if credit.state in (CreditState.SENT, CreditState.BOOKED)]
    return max(((credit.sent_at or 0.0) + (0.0 if credit.ended else running_s) for credit in sent), default=0.0)


def unbooked_lines(payment: Payment, credits_: Sequence[StoredCredit]) -> tuple[Line, ...]:
    """Return the lines for which no credit is booked."""
    done = {charge for credit in credits_ if credit.state is CreditState.BOOKED for charge in credit.charge_ids}
    return tuple(line for line in payment.lines if line.charge_id not in done)


def unsent_charges(payment: Payment, credits_: Sequence[StoredCredit]) -> list[str]:
    """List the charges for which nothing went out, where something did for others."""
    sent = {charge for credit in credits_ for charge in credit.charge_ids}
    return [line.charge_id for line in payment.lines if sent and line.charge_id not in sent]


def lacking(payment: Payment, credits_: Sequence[StoredCredit]) -> dict[str, str]:
    """Return how much of each line is not booked, as exact decimal text."""
    booked = [shares(credit) for credit in credits_ if credit.state is CreditState.BOOKED]
    paid = {
        line.charge_id: sum((each.get(line.charge_id, _NOTHING) for each in booked), _NOTHING) for line in payment.lines
    }
    return {
        line.charge_id: str(line.exact - paid[line.charge_id])
        for line in payment.lines
        if paid[line.charge_id] < line.exact
    }


def lacking_sum(payment: Payment, credits_: Sequence[StoredCredit]) -> Decimal:
    """Return how much of the whole is not booked."""
    booked = (credit.amount for credit in credits_ if credit.state is CreditState.BOOKED)
    return sum((line.exact for line in payment.lines), _NOTHING) - sum(booked, _NOTHING)
