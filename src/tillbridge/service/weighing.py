# SPDX-License-Identifier: GPL-3.0-or-later
"""Weigh what the library system has against what was asked: found is not booked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tillbridge.domain.payment import Payment
from tillbridge.service.library_port import Credit
from tillbridge.service.store_port import CaseKind, CreditState, StoredCredit

TRACES = (CreditState.SENT, CreditState.ABSENT)
"""Credits that went out and are not booked: looked for before anything is sent again."""

LOOKED_FOR = (*TRACES, CreditState.BOOKED)
"""Credits that the next one depends on: they are read again, since a librarian may have taken them back."""

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Whole:
    """State that the credit is there once, whole, and on the intended charges."""

    credit_id: str


@dataclass(frozen=True, slots=True)
class Missing:
    """State that the library system has no such credit right now."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """State that a person must look: which case it is, with the facts."""

    kind: CaseKind
    facts: Mapping[str, object]


Weighed = Whole | Missing | Wrong


def reference_of(payment: Payment, n: int) -> str:
    """Return the reference of a payment's credit: the payment's own, with ``:n`` for the nth of several."""
    return payment.reference if n == 0 else f"{payment.reference}:{n}"


def weigh(reference: str, asked: StoredCredit, found: Sequence[Credit], owed_now: Mapping[str, Decimal]) -> Weighed:
    """Weigh one credit that was asked for against all that were found for the payment."""
    same = [credit for credit in found if credit.reference == reference]
    valid = [credit for credit in same if not credit.void]
    if not same:
        return Missing()
    if not valid:
        return Wrong(CaseKind.CREDIT_VOIDED, {"credits": [credit.credit_id for credit in same], "n": asked.n})
    if len(valid) > 1:
        return Wrong(CaseKind.BOOKED_TWICE, {"credits": [credit.credit_id for credit in valid]})
    return _weigh_one(asked, valid[0], owed_now)


def weigh_all(
    payment: Payment, asked: Sequence[StoredCredit], found: Sequence[Credit], owed_now: Mapping[str, Decimal]
) -> list[tuple[StoredCredit, Weighed]]:
    """Weigh a payment's credits, each against the charges as they were before those that were sent after it."""
    there = {credit.reference for credit in found if not credit.void}
    sent = [credit for credit in asked if reference_of(payment, credit.n) in there]

    def weighed(credit: StoredCredit) -> Weighed:
        later = [shares(other) for other in sent if other.n > credit.n]
        charges = {*credit.owed_before, *credit.charge_ids}
        parts = {charge: sum((each.get(charge, _NOTHING) for each in later), _NOTHING) for charge in charges}
        before_them = {charge: owed_now.get(charge, _NOTHING) + part for charge, part in parts.items()}
        return weigh(reference_of(payment, credit.n), credit, found, before_them)

    return [(credit, weighed(credit)) for credit in asked]


def taken_back(payment: Payment, booked: Sequence[StoredCredit], found: Sequence[Credit]) -> list[Wrong]:
    """Return a case for each credit that was booked and is not there any more, or void."""
    there = {credit.reference for credit in found if not credit.void}
    gone = [credit for credit in booked if reference_of(payment, credit.n) not in there]
    return [Wrong(CaseKind.CREDIT_VOIDED, {"credits": [credit.credit_id], "n": credit.n}) for credit in gone]


def too_many(payment: Payment, asked: Sequence[StoredCredit], found: Sequence[Credit]) -> list[str]:
    """List the valid credits of which there are more than were sent."""
    return strangers(payment, asked, found) or _doubled(payment, asked, found)


def strangers(payment: Payment, asked: Sequence[StoredCredit], found: Sequence[Credit]) -> list[str]:
    """List the valid credits that nobody sent, or that are there more than once."""
    sent = {reference_of(payment, credit.n) for credit in asked if credit.state in LOOKED_FOR}
    valid = [credit for credit in found if not credit.void]
    often = Counter(credit.reference for credit in valid)
    return [credit.credit_id for credit in valid if credit.reference not in sent or often[credit.reference] > 1]


def _doubled(payment: Payment, asked: Sequence[StoredCredit], found: Sequence[Credit]) -> list[str]:
    """List the valid credits where a charge was sent in more than one of them."""
    there = {credit.reference: credit.credit_id for credit in found if not credit.void}
    sent = [credit for credit in asked if reference_of(payment, credit.n) in there]
    charges = [charge_id for credit in sent for charge_id in credit.charge_ids]
    if len(set(charges)) == len(charges):
        return []
    return [there[reference_of(payment, credit.n)] for credit in sent]


def weigh_answer(
    reference: str, asked: StoredCredit, credit: Credit, owed_now: Mapping[str, Decimal] | None
) -> Weighed:
    """Weigh the credit with which the library system answered.

    The charges were read right before. Where the patron owes nothing else, what is wholly applied is on them;
    elsewhere it may have spilled over, so they must be read again: `owed_now` None says that they could not be.
    """
    if credit.reference == reference and credit.void and credit.lines is not None:
        # It was recorded before, under the same key, and has been taken back since.
        return Wrong(CaseKind.CREDIT_VOIDED, {"credits": [credit.credit_id], "n": asked.n})
    if credit.reference != reference or credit.void:
        return Wrong(CaseKind.WRONG_CREDIT, {"credit": credit.credit_id, "amount": str(credit.amount)})
    if credit.lines is not None:
        return _weigh_one(asked, credit, {})
    weighed = _weigh_whole(asked, credit)
    if isinstance(weighed, Wrong) or not may_spill(asked):
        return weighed
    if owed_now is None:
        return Wrong(CaseKind.WRONG_CREDIT, {"credit": credit.credit_id, "why": "the charges could not be read"})
    return _weigh_one(asked, credit, owed_now)


def may_spill(asked: StoredCredit) -> bool:
    """Tell whether the patron owed something else, where a credit could have landed instead."""
    return not asked.keyed and any(charge_id not in asked.charge_ids for charge_id in asked.owed_before)


def _weigh_one(asked: StoredCredit, credit: Credit, owed_now: Mapping[str, Decimal]) -> Weighed:
    weighed = _weigh_whole(asked, credit)
    if isinstance(weighed, Whole) and not _is_on_its_charges(asked, credit, owed_now):
        return Wrong(CaseKind.WRONG_CREDIT, {"credit": credit.credit_id, "elsewhere": True})
    return weighed


def _is_on_its_charges(asked: StoredCredit, credit: Credit, owed_now: Mapping[str, Decimal]) -> bool:
    """Tell by the credit's own lines, where there are any; a keyed one lands where it was meant to or nowhere."""
    if credit.lines is not None:
        return {key: share for key, share in credit.lines.items() if share} == shares(asked)
    return asked.keyed or _on_its_charges(asked, owed_now)


def _weigh_whole(asked: StoredCredit, credit: Credit) -> Whole | Wrong:
    if credit.amount != asked.amount:
        return Wrong(CaseKind.WRONG_CREDIT, {"credit": credit.credit_id, "amount": str(credit.amount)})
    if credit.unapplied != 0:
        return Wrong(CaseKind.NOT_APPLIED, {"credit": credit.credit_id, "unapplied": str(credit.unapplied)})
    return Whole(credit.credit_id)


def shares(asked: StoredCredit) -> dict[str, Decimal]:
    """Return what each charge gets of a credit, in the library system's own order, without those that get nothing."""
    left, parts = asked.amount, {}
    for charge_id in asked.charge_ids:
        parts[charge_id] = min(left, asked.owed_before.get(charge_id, _NOTHING))
        left -= parts[charge_id]
    return {charge_id: part for charge_id, part in parts.items() if part}


def _on_its_charges(asked: StoredCredit, owed_now: Mapping[str, Decimal]) -> bool:
    """Tell whether its own charges fell by what each should get, and no other one fell."""
    for charge_id, share in shares(asked).items():
        if owed_now.get(charge_id, _NOTHING) > asked.owed_before.get(charge_id, _NOTHING) - share:
            return False
    others = (charge_id for charge_id in asked.owed_before if charge_id not in asked.charge_ids)
    return all(owed_now.get(charge_id, _NOTHING) >= asked.owed_before[charge_id] for charge_id in others)
