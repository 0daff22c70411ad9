# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the three ledgers at rest, to the cent: what the till has, what the bridge says, what the library has.

The bridge cannot know what it was never told. So every message without a clear answer has two worlds, in which it has
arrived or has not. `worlds` needs one of them to be what till and library really have. In that world a difference
between two ledgers must have a cause that accounts for just this difference: a word that was never heard, a till that
was heard to say what was not so, or what a person has said, decided or voided since.
"""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import Booking, Collection, Heard
from tillbridge.domain.money import exact_of
from tillbridge.service.collecting import BOOKING_CASES
from tillbridge.service.store_port import CaseKind
from tillbridge.simulation.refunds import exact_of_refund, given_in_library, lacking_by_hand, mistaken_minor
from tillbridge.simulation.rules import OURS, Held, need
from tillbridge.simulation.stage import Stage
from tillbridge.simulation.till_side import ROUNDING_MINOR
from tillbridge.simulation.worlds import check_answers_heard, check_heard, heard_by
from tillbridge.simulators.till.payment import STATUS_OF
from tillbridge.store.transaction import SqlTransaction

OUTCOMES = ("clerk_paid", "clerk_cancelled", "settled")
"""Events by which a person says what the till has, or lets a contradiction stand."""

_TRUE = {"paid": Heard.TILL_PAID, "cancelled": Heard.TILL_CANCELLED, "taken_back": Heard.TILL_CANCELLED}


@dataclass(frozen=True, slots=True)
class Difference:
    """Hold what one ledger has more of a payment than the next one, or less where it is below zero, and why."""

    payment_id: str
    ledgers: tuple[str, str]
    more: Decimal
    why: str


@dataclass(frozen=True)
class Sums:
    """Hold what there is at the end, in cents, and what accounts for the differences; rounding is none of them."""

    till_minor: int = 0
    bridge_minor: int = 0
    library: Decimal = Decimal(0)
    named: Decimal = Decimal(0)
    differences: tuple[Difference, ...] = ()
    """What `named` is made of."""


def compare(stage: Stage, everything: Sequence[Held]) -> Sums:
    """Compare payment by payment; raise BrokenRule where no world explains a ledger, or nothing a difference."""
    sums = Sums()
    for held in everything:
        _check_worlds(stage, held)
        _check_contradictions(stage, held)
        one = _compared(stage, held)
        sums = Sums(
            sums.till_minor + one.till_minor,
            sums.bridge_minor + one.bridge_minor,
            sums.library + one.library,
            sums.named + one.named,
            sums.differences + one.differences,
        )
    return sums


def _check_worlds(stage: Stage, held: Held) -> None:
    """Need the messages about a payment, and about its credits, to have fared as the bridge may believe."""
    stage.check_worlds(held.payment.id)
    for reference in {line.note.rsplit(" ", 1)[-1] for line in stage.library.credits_of(held.payment.id)}:
        asked = stage.fleet.questions.has_asked(reference)
        stage.check_worlds(reference if asked else reference.rsplit(":", 1)[0])
    for reference in stage.library.refunds_of(held.payment.id):
        stage.check_worlds(reference)
    check_heard(held, stage.till.said.get(held.payment.id, ()))
    check_answers_heard(held, stage.fleet.questions.told.get(held.payment.id, ()))
    cases = (*BOOKING_CASES, CaseKind.VOID_BY_HAND)
    listed = held.payment.id not in stage.library.spilled or _has_had(stage, held, cases)
    need(listed, f"{held.payment.id}: its money has spilled over to another charge, and nobody was told")


def _check_contradictions(stage: Stage, held: Held) -> None:
    """Need people to be told where a till says that what it has never taken is paid."""
    words = [word.heard for word in heard_by(held)]
    cancelled = words.index(Heard.TILL_CANCELLED) if Heard.TILL_CANCELLED in words else len(words)
    denied = Heard.TILL_PAID in words[cancelled:] and Heard.TILL_PAID not in words[:cancelled]
    listed = not denied or _has_had(stage, held, (CaseKind.CONTRADICTION,))
    need(listed, f"{held.payment.id}: the till has said cancelled and then paid, and nobody was told")


def _compared(stage: Stage, held: Held) -> Sums:
    payment = held.payment
    in_till, in_library = stage.till.net_minor(payment.id), stage.library.applied(payment.id)
    in_library -= given_in_library(stage, held)
    paid = payment.collection is Collection.PAID
    said, means = (payment.collected_minor or 0, held.whole) if paid else (0, Decimal(0))
    rounding = exact_of(payment.rounding_minor) - payment.library_rounding if paid else Decimal(0)
    for refund in held.refunds:
        if refund.counts:
            exact = exact_of_refund(refund)
            said, means = said - refund.total.minor, means - exact
            rounding -= exact_of(refund.total.minor) - exact
    why = f"{payment.id}: the till has {in_till} cents, the bridge says {said}: why?"
    till_differs = "" if in_till == said else _why_till(stage, held, in_till - said)
    need(in_till == said or till_differs, why)
    why = f"{payment.id}: the charges got {in_library}, and {means} is meant: why?"
    library_differs = "" if in_library == means else _why_library(stage, held, means - in_library)
    need(in_library == means or library_differs, why)
    unlike = exact_of(in_till) - in_library - rounding
    stands = payment.booking is Booking.REVERSED and stage.library.valid_credits(payment.id)
    left = not stands or _last(held, ("booking_reversal_seen",)) >= 0
    need(left, f"{payment.id} is reversed, and a credit of it stands")
    alike = (in_till, in_library) == (said, means)
    need(not alike or unlike == 0, f"{payment.id}: {unlike} is neither rounding nor anything else")
    listed = abs(payment.rounding_minor) <= ROUNDING_MINOR or _has_had(stage, held, (CaseKind.SUM_DIFFERS,))
    need(
        listed, f"{payment.id}: {payment.rounding_minor} cents more than asked for are no rounding, and nobody was told"
    )
    differences = (
        Difference(payment.id, ("till", "bridge"), exact_of(in_till - said), till_differs),
        Difference(payment.id, ("bridge", "library"), means - in_library, library_differs),
    )
    return Sums(in_till, said, in_library, unlike, tuple(each for each in differences if each.why))


def _why_till(stage: Stage, held: Held, differs: int) -> str:
    """Return what accounts for it that the till has so much more than the bridge says; nothing where nothing does."""
    if (mistaken := mistaken_minor(stage, held)) and mistaken == differs:
        return "a person was mistaken about money that was given back"
    heard_at = _heard_at(stage, held)
    if "via" in held.events[0].facts:
        return "a person recorded it by hand"
    if _last(held, OUTCOMES) > heard_at:
        return _why_decided(stage, held, heard=heard_at >= 0)
    if heard_at < 0 and _last_word_may_be_unheard(stage, held):
        return "the till's last word was never heard"
    lies = [said for said in stage.till.said.get(held.payment.id, ()) if not said.true]
    if any(word.fits(lie) for word in heard_by(held) for lie in lies):
        return "the till was heard to say what was not so"
    return ""


def _why_decided(stage: Stage, held: Held, *, heard: bool) -> str:
    if held.payment.id in stage.mistaken:
        return "a person was mistaken about what the till has"
    if heard:
        return "a person has decided otherwise than the till has said"
    return "a person has decided, and the till was not heard"


def _heard_at(stage: Stage, held: Held) -> int:
    """Return where in the history the bridge heard for the first time what is true at the till; -1 for never."""
    there = stage.till.truth(held.payment.id)
    true = None if there is None else _TRUE.get(there.state)
    named = there.taken_minor if there is not None and there.state == "paid" else None
    for word in heard_by(held):
        if word.heard is true and named in (None, word.sum_minor):
            return word.at
    return -1


def _last_word_may_be_unheard(stage: Stage, held: Held) -> bool:
    """Tell whether the till has a later word than the bridge believes, and no report of it was acknowledged."""
    there = stage.till.truth(held.payment.id)
    if there is None or held.payment.collection is not Collection.PAID:
        return False
    if there.state == "paid":
        return there.taken_minor is not None  # an answer names no sum: the report behind it was the only one
    return there.state == "taken_back" and (there.payment_id, STATUS_OF["taken_back"]) not in stage.acknowledged


def _why_library(stage: Stage, held: Held, less: Decimal) -> str:
    """Return what accounts for it that the library has so much `less` than is meant; nothing where nothing does."""
    payment = held.payment
    if 0 < less <= _settled_by_hand(held):
        return "a person has settled as much by hand"
    if payment.id in stage.library.voided and less > 0:
        return "a librarian has voided a credit"
    if _void_is_settled(held) and (payment.booking is Booking.REVERSED or less < 0):
        return "a person has said that it was taken back"
    if 0 < -less <= lacking_by_hand(stage, held):
        return "a person has said that money given back was recorded by hand"
    if payment.id in stage.library.overslept and less < 0:
        return "a process slept for too long with a credit in its hand"  # what remains, and is promised by nobody
    return ""


def _void_is_settled(held: Held) -> bool:
    """Tell whether a person has said that what had to be voided is, where the bridge had booked it or people had."""
    if held.payment.booking is Booking.REVERSED:
        return _last(held, ("booking_reversal_seen",)) >= 0
    said = [event for event in held.events if event.kind == "settled"]
    return held.payment.collection is Collection.REVERSED and any(_is_about_void(event) for event in said)


def _is_about_void(event: Event) -> bool:
    return event.facts.get("case") == CaseKind.VOID_BY_HAND


def _settled_by_hand(held: Held) -> Decimal:
    """Return how much of a payment a person has last decided to leave to people, outside of the bridge."""
    left = [event.facts["not_booked"] for event in held.events if "not_booked" in event.facts]
    parts = left[-1] if left else {}
    assert isinstance(parts, dict)  # noqa: S101 - what each charge lacks
    return sum((Decimal(part) for part in parts.values()), Decimal(0))


def _has_had(stage: Stage, held: Held, kinds: Several[CaseKind]) -> bool:
    """Tell whether the payment has ever had a case of one of these kinds."""
    cases = stage.look(lambda connection: SqlTransaction(connection).cases_of(held.payment.id))
    return any(case.kind in kinds for case in cases)


def _last(held: Held, kinds: Sequence[str]) -> int:
    """Return where in the history a person has last decided so; -1 for never."""
    return max((n for n, event in enumerate(held.events) if _by_person(event, kinds)), default=-1)


def _by_person(event: Event, kinds: Sequence[str]) -> bool:
    return event.kind in kinds and event.actor not in OURS
