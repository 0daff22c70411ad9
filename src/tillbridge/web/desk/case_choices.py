# SPDX-License-Identifier: GPL-3.0-or-later
"""Word what can be decided about a case: as a person would say it, with what will happen then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tillbridge.domain.lifecycle import Done
from tillbridge.marking import marked
from tillbridge.service.resolving import Action, Matter, fitting
from tillbridge.service.store_port import Case, CaseKind
from tillbridge.web.desk.texts import Texts
from tillbridge.web.desk.words import standing_words


@dataclass(frozen=True, slots=True)
class Choice:
    """Hold a decision with the words that a person says by it, and what follows from it."""

    action: Action
    says: str
    follows: str


Words = tuple[str, str]

_LOOKS = marked(
    "The bridge looks in the library system now. If all is well there, the case ends by itself; otherwise it stays."
)
_NOTHING_MORE = marked("The case ends. The bridge books nothing more of this payment.")
_AS_IT_IS = marked("The case ends, and the payment stays as it is.")
_BOOKED_NOW = marked("The bridge reads the charges again, and books what they still owe.")

USUAL: Mapping[Action, Words] = {
    Action.PAID: (
        marked("The till took the money: the receipt is there"),
        marked("The payment counts as paid, and is booked in the library system."),
    ),
    Action.NOT_PAID: (
        marked("The till did not take the money: I made sure of it"),
        marked("Nothing is booked, and the charges can be paid again."),
    ),
    Action.BOOK: (marked("Book it again"), _BOOKED_NOW),
    Action.LOOK: (marked("I have put it right in the library system: look again"), _LOOKS),
    Action.OTHER_PATRON: (
        marked("Another patron has the charges now"),
        marked("The bridge looks at that patron's account, and books there what is not booked yet."),
    ),
    Action.SETTLED: (marked("I have settled it by hand"), _NOTHING_MORE),
    Action.GIVEN_BACK: (
        marked("The till has given the money back: the receipt is there"),
        marked("The bridge tells the library system of it."),
    ),
    Action.NOT_GIVEN_BACK: (
        marked("No money was given back: I made sure of it"),
        marked("The payment stays as it is, and money of it can be given back later."),
    ),
}
"""How a decision is worded where its case has no words of its own for it."""

OWN: Mapping[tuple[CaseKind, Action], Words] = {
    (CaseKind.ODD_STATUS, Action.SETTLED): (
        marked("The status means nothing: close the case"),
        marked("The payment stays in doubt until the till reports, or a person says what became of it."),
    ),
    (CaseKind.CONTRADICTION, Action.NOT_PAID): (
        marked("It is not paid: what was said before was a mistake"),
        marked("The payment counts as not paid. What is booked already must be taken back in the library system."),
    ),
    (CaseKind.CONTRADICTION, Action.SETTLED): (marked("I have compared it, and it is settled"), _AS_IT_IS),
    (CaseKind.PAID_FOR_UNKNOWN_ID, Action.SETTLED): (
        marked("I have booked it in the library system by hand, or the money is given back"),
        marked("The case ends. The bridge does nothing about this money."),
    ),
    (CaseKind.SUM_DIFFERS, Action.BOOK): (
        marked("Book the sums that were asked for"),
        marked("The charges are booked as they were sent to the till. The difference stays in the payment's history."),
    ),
    (CaseKind.SAME_RECEIPT, Action.BOOK): (
        marked("Both are paid: the till has used the number twice"),
        marked("This payment is booked; the other one stays as it is."),
    ),
    (CaseKind.SAME_RECEIPT, Action.NOT_PAID): (
        marked("The receipt belongs to the other payment: this one was not paid"),
        marked("The payment counts as not paid. What is booked already must be taken back in the library system."),
    ),
    (CaseKind.COLLECTED_TWICE, Action.BOOK): (marked("Book it on what the charges owe now"), _BOOKED_NOW),
    (CaseKind.COLLECTED_TWICE, Action.SETTLED): (
        marked("The money of one of them is given back, or left as the patron's credit"),
        _NOTHING_MORE,
    ),
    (CaseKind.SURPLUS, Action.BOOK): (marked("The charges owe it now: book the rest"), _BOOKED_NOW),
    (CaseKind.SURPLUS, Action.SETTLED): (
        marked("The rest is given back at the till, or left as the patron's credit"),
        _NOTHING_MORE,
    ),
    (CaseKind.NOT_BOOKED, Action.LOOK): (
        marked("Try it again now"),
        marked("The bridge asks the library system at once. The case ends by itself as soon as the payment is booked."),
    ),
    (CaseKind.NOT_APPLIED, Action.LOOK): (
        marked("I have applied the credit in the library system: look again"),
        _LOOKS,
    ),
    (CaseKind.BOOKED_TWICE, Action.LOOK): (
        marked("I have voided all but one in the library system: look again"),
        _LOOKS,
    ),
    (CaseKind.CREDIT_VOIDED, Action.BOOK): (
        marked("It was voided by mistake: book it again"),
        marked("The bridge makes a new credit for what the charges still owe."),
    ),
    (CaseKind.CREDIT_VOIDED, Action.SETTLED): (
        marked("It was meant so: I have settled the rest by hand"),
        _NOTHING_MORE,
    ),
    (CaseKind.PATRON_GONE, Action.BOOK): (marked("The patron is there again: book it"), _BOOKED_NOW),
    (CaseKind.REFUSED_BY_LIBRARY, Action.BOOK): (
        marked("What was wrong is mended: book it again"),
        _BOOKED_NOW,
    ),
    (CaseKind.REFUND_NOT_RECORDED, Action.BOOK): (
        marked("What was wrong is mended: tell the library system again"),
        marked("The bridge tells the library system again of the money that was given back."),
    ),
    (CaseKind.REFUND_NOT_RECORDED, Action.SETTLED): (
        marked("I have recorded it in the library system by hand"),
        marked("The case ends. The bridge tells the library system nothing more of this money."),
    ),
    (CaseKind.VOID_BY_HAND, Action.LOOK): (
        marked("I have voided the credit in the library system: look again"),
        _LOOKS,
    ),
    (CaseKind.VOID_BY_HAND, Action.SETTLED): (
        marked("I have settled it by hand: nothing is left to take back"),
        marked("The case ends. The bridge takes the booking for taken back."),
    ),
}
"""How the decisions of one kind of case are worded."""

ENDED: Mapping[str, str] = {
    "settled in the library system": marked("it is settled in the library system"),
    "the void was seen": marked("the void was seen in the library system"),
    Done.CONFIRMED: marked("the library system has it"),
    Done.ABSENT: marked("it is booked again"),
    Done.START: marked("it is being booked"),
    Done.BLOCK: marked("another case asks about it"),
    Done.TRY_AGAIN: marked("it is booked again"),
    Done.SETTLED_BY_HAND: marked("it was settled by hand"),
    Done.RETURNED_UNBOOKED: marked("the till took the money back before it was booked"),
    Done.RETURNED_BOOKED: marked("the till took the money back"),
}
"""How a case ended that nobody decided."""


@dataclass(frozen=True, slots=True)
class Closing:
    """Hold how a case ended: what was decided and why, or what ended it by itself."""

    decided: bool
    says: str
    reason: str = ""


def choices(texts: Texts, matter: Matter) -> list[Choice]:
    """List what a person can decide about a case as it stands now."""
    return [choice_of(texts, matter.case, action) for action in fitting(matter)]


def choice_of(texts: Texts, case: Case | None, action: Action) -> Choice:
    """Word one decision about a case, or about a payment in doubt that has none."""
    kind = case.kind if case is not None else CaseKind.UNKNOWN_OUTCOME
    says, follows = OWN.get((kind, action), USUAL[action])
    return Choice(action, texts.gettext(says), texts.gettext(follows))


def closing_of(texts: Texts, case: Case) -> Closing:
    """Say how a closed case ended."""
    resolution = case.resolution or ""
    action, _, reason = resolution.partition(": ")
    if action in set(Action):
        return Closing(True, choice_of(texts, case, Action(action)).says, reason)
    return Closing(False, _ended(texts, resolution))


def _ended(texts: Texts, resolution: str) -> str:
    return texts.gettext(ENDED[resolution]) if resolution in ENDED else standing_words(texts, resolution)
