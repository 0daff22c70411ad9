# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules for money that is given back: by the table, said by a person, never more than was booked, recorded once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import REFUND, Booking, RefundState, RefundStep
from tillbridge.domain.refund import Refund
from tillbridge.service.store_port import CaseKind, CreditState, TaskKind
from tillbridge.service.weighing import shares
from tillbridge.simulation.rules import ASKED_BACK, OURS, Held, need

REFUND_MARK = ":refund:"
"""What stands in the reference of a refund, between that of the credit and the refund's number."""

_NOTHING = Decimal(0)
_BEGINS = "refund_"

Step = tuple[int, tuple[RefundState, RefundStep]]


def steps_of(history: Sequence[Event]) -> Iterator[Step]:
    """Yield each step of a refund: where in the history it stands, and the row of the table that it went by."""
    states: dict[object, RefundState] = {}
    for n, event in enumerate(history):
        if not event.kind.startswith(_BEGINS):
            continue
        number = event.facts["refund"]
        if event.kind == ASKED_BACK:
            states[number] = RefundState.ASKED
            continue
        row = (states[number], RefundStep(event.kind.removeprefix(_BEGINS)))
        yield n, row
        states[number] = RefundState(str(event.facts["to"]))


def check_refunds(held: Held) -> None:
    """Hold what the store has of a payment's refunds to the rules."""
    if not held.refunds:
        return
    _follow_the_table(held)
    _lines_are_as_asked(held)
    _a_person_says_so(held)
    _never_more_than_booked(held)
    need(sum(refund.open for refund in held.refunds) <= 1, "money of a payment is given back twice at once")
    for refund in held.refunds:
        _something_follows(held, refund)


def check_refunded(held: Held, there: Mapping[str, Mapping[str, Decimal]]) -> None:
    """Hold what the library system has as given back, by reference and charge, to what people have said was given."""
    refunds, sums = {refund.n: refund for refund in held.refunds}, _sums(there)
    for n, charges in sums.items():
        refund = refunds.get(n)
        need(refund is not None and _is_given(held, n), "given back in the library, and nobody said so at the till")
        meant = {line.charge_id: line.exact for line in refund.lines} if refund is not None else {}
        need(all(sum_ <= meant.get(charge, _NOTHING) for charge, sum_ in charges.items()), "refunded more than once")


def refunded(there: Mapping[str, Mapping[str, Decimal]], n: int) -> Decimal:
    """Sum up what the library system has of a payment's nth refund."""
    return sum(_sums(there).get(n, {}).values(), _NOTHING)


def says_given(refund: Refund) -> bool:
    """Tell whether the bridge has a person's word that the till has given the money back."""
    return refund.counts and refund.state is not RefundState.ASKED


def number_of(reference: str) -> int:
    """Return the number of the refund that a reference is for."""
    return int(reference.rpartition(REFUND_MARK)[2])


def _sums(there: Mapping[str, Mapping[str, Decimal]]) -> dict[int, dict[str, Decimal]]:
    sums: defaultdict[int, dict[str, Decimal]] = defaultdict(dict)
    for reference, charges in there.items():
        one = sums[number_of(reference)]
        for charge, share in charges.items():
            one[charge] = one.get(charge, _NOTHING) + share
    return sums


def _is_given(held: Held, n: int) -> bool:
    return any(event.kind == "refund_given_back" and event.facts["refund"] == n for event in held.events)


def _follow_the_table(held: Held) -> None:
    states = dict.fromkeys((e.facts["refund"] for e in held.events if e.kind == ASKED_BACK), RefundState.ASKED)
    need(list(states) == [refund.n for refund in held.refunds], "a refund without its beginning")
    for at, row in steps_of(held.events):
        event = held.events[at]
        need(event.facts["to"] == REFUND.get(row), "a refund went where the table does not lead")
        states[event.facts["refund"]] = RefundState(str(event.facts["to"]))
    stored = [refund.state for refund in held.refunds]
    need(stored == list(states.values()), "a refund's state changed without an event")


def _lines_are_as_asked(held: Held) -> None:
    asked = [event.facts for event in held.events if event.kind == ASKED_BACK]
    for refund, facts in zip(held.refunds, asked, strict=True):
        lines = [[line.charge_id, line.amount_minor, str(line.exact)] for line in refund.lines]
        need(facts["lines"] == lines, "the lines of a refund are others than those it began with")
        need(facts["total_minor"] == refund.total.minor, "the lines of a refund do not sum to its total")


def _a_person_says_so(held: Held) -> None:
    """Need a person's word, with the till's receipt, behind every refund that goes on."""
    for refund in held.refunds:
        if says_given(refund):
            need(refund.receipt_number and refund.given_back_by, "given back without a receipt or a person")
            said = [e for e in held.events if e.kind == "refund_given_back" and e.facts["refund"] == refund.n]
            need(said and said[-1].actor not in OURS, "given back, and no person has said so")


def _never_more_than_booked(held: Held) -> None:
    if held.payment.booking is not Booking.BOOKED:
        return
    booked: defaultdict[str, Decimal] = defaultdict(Decimal)
    for credit in held.credits:
        if credit.state is CreditState.BOOKED:
            for charge, share in shares(credit).items():
                booked[charge] += share
    for refund in held.refunds:
        for line in refund.lines if refund.counts else ():
            booked[line.charge_id] -= line.exact
    need(all(left >= 0 for left in booked.values()), "more is given back than was booked")


def _something_follows(held: Held, refund: Refund) -> None:
    goes_on = TaskKind.REFUND in held.tasks
    follows = {
        RefundState.ASKED: goes_on or CaseKind.REFUND_UNDECIDED in held.kinds,
        RefundState.DUE: goes_on,
        RefundState.RECORDING: goes_on,
        RefundState.UNKNOWN: goes_on,
        RefundState.BLOCKED: CaseKind.REFUND_NOT_RECORDED in held.kinds,
    }
    need(follows.get(refund.state, True), f"a refund that is {refund.state} with nothing to follow")
