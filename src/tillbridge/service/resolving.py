# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a person's word: for an unknown outcome, and for every other open case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from tillbridge.domain.lifecycle import (
    AT_REST,
    REFUND,
    Booking,
    Collection,
    Done,
    Heard,
    Reaction,
    RefundStep,
)
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund
from tillbridge.errors import Declined
from tillbridge.service.collecting import BOOKING_CASES, Collecting, News
from tillbridge.service.overtaking import overtake
from tillbridge.service.planning import lacking
from tillbridge.service.ports import World
from tillbridge.service.refund_steps import REFUND_CASES, open_refund, take_step
from tillbridge.service.refunding import need_refund_receipt, take_given_back
from tillbridge.service.second_look_port import SecondLook
from tillbridge.service.settling import SETTLED_THERE
from tillbridge.service.starting import need_fresh_receipt
from tillbridge.service.store_port import Case, CaseKind, CreditState, TaskKind, Transaction


class Action(StrEnum):
    """Name what a person can decide about a case."""

    PAID = "paid"
    NOT_PAID = "not_paid"
    BOOK = "book"
    LOOK = "look"
    OTHER_PATRON = "other_patron"
    SETTLED = "settled"
    GIVEN_BACK = "given_back"
    NOT_GIVEN_BACK = "not_given_back"


ACTIONS: dict[CaseKind, frozenset[Action]] = {
    CaseKind.UNKNOWN_OUTCOME: frozenset({Action.PAID, Action.NOT_PAID}),
    CaseKind.ODD_STATUS: frozenset({Action.PAID, Action.NOT_PAID, Action.SETTLED}),
    CaseKind.CONTRADICTION: frozenset({Action.PAID, Action.NOT_PAID, Action.SETTLED}),
    CaseKind.PAID_FOR_UNKNOWN_ID: frozenset({Action.SETTLED}),
    CaseKind.SUM_DIFFERS: frozenset({Action.BOOK, Action.SETTLED}),
    CaseKind.SAME_RECEIPT: frozenset({Action.BOOK, Action.NOT_PAID, Action.SETTLED}),
    CaseKind.COLLECTED_TWICE: frozenset({Action.OTHER_PATRON, Action.BOOK, Action.SETTLED}),
    CaseKind.NOT_BOOKED: frozenset({Action.LOOK}),
    CaseKind.SURPLUS: frozenset({Action.OTHER_PATRON, Action.BOOK, Action.SETTLED}),
    CaseKind.NOT_APPLIED: frozenset({Action.LOOK, Action.SETTLED}),
    CaseKind.WRONG_CREDIT: frozenset({Action.LOOK, Action.SETTLED}),
    CaseKind.BOOKED_TWICE: frozenset({Action.LOOK, Action.SETTLED}),
    CaseKind.CREDIT_VOIDED: frozenset({Action.OTHER_PATRON, Action.BOOK, Action.SETTLED}),
    CaseKind.PATRON_GONE: frozenset({Action.OTHER_PATRON, Action.BOOK, Action.SETTLED}),
    CaseKind.REFUSED_BY_LIBRARY: frozenset({Action.BOOK, Action.SETTLED}),
    CaseKind.VOID_BY_HAND: frozenset({Action.LOOK, Action.SETTLED}),
    CaseKind.REFUND_UNDECIDED: frozenset({Action.GIVEN_BACK, Action.NOT_GIVEN_BACK}),
    CaseKind.REFUND_NOT_RECORDED: frozenset({Action.BOOK, Action.SETTLED}),
}
"""What may be decided about which case.

Another patron may be named wherever the charges, or a credit, were looked for and not found: at the wrong one, perhaps.
"""

REFUND_STEPS = {
    Action.GIVEN_BACK: RefundStep.GIVEN_BACK,
    Action.NOT_GIVEN_BACK: RefundStep.WITHDRAW,
    Action.BOOK: RefundStep.TRY_AGAIN,
    Action.SETTLED: RefundStep.SETTLED_BY_HAND,
}
"""What happens to a refund when a person says so."""

OUTCOMES = {Action.PAID: Heard.CLERK_PAID, Action.NOT_PAID: Heard.CLERK_CANCELLED}
"""What is heard when a person says how the collection ended."""


@dataclass(frozen=True, slots=True)
class Word:
    """Hold a person's decision with its reason; the receipt number goes with `paid`.

    `seconded_by` is who has agreed to it, where another person had to.
    """

    action: Action
    person: str
    reason: str
    receipt_number: str | None = None
    patron_id: str | None = None
    seconded_by: str | None = None

    @property
    def facts(self) -> dict[str, object]:
        """Return what the event keeps of a decision about a case."""
        facts: dict[str, object] = {"action": str(self.action), "why": self.reason}
        return facts | ({"seconded_by": self.seconded_by} if self.seconded_by else {})

    @property
    def receipt(self) -> str | None:
        """Return the receipt number without what surrounds it."""
        return (self.receipt_number or "").strip() or None

    @property
    def resolution(self) -> str:
        """Return what a closed case keeps."""
        return f"{self.action}: {self.reason}" + (f" ({self.seconded_by} agreed)" if self.seconded_by else "")


@dataclass(frozen=True, slots=True)
class Matter:
    """Hold what a person decides about: a payment in doubt, or an open case with its payment if it has one.

    `refund` is the payment's refund of which something is still to be done.
    """

    case: Case | None
    payment: Payment | None
    refund: Refund | None = None

    @property
    def of_refund(self) -> bool:
        """Tell whether it is about money that is given back."""
        return self.case is not None and self.case.kind in REFUND_CASES

    def second_looks(self, tx: Transaction) -> tuple[SecondLook, ...]:
        """Return what waits for a second look: one decision for a payment at a time, whatever it is about."""
        if self.payment is not None:
            return tx.open_second_looks(self.payment.id)
        return tx.open_second_looks(case_id=self.case.id) if self.case is not None else ()


def matter_of_payment(tx: Transaction, payment_id: str) -> Matter:
    """Read a payment to decide about; raise Declined where it is not in doubt."""
    payment = _known(tx, payment_id)
    if payment.collection is not Collection.UNKNOWN:
        raise Declined("not_unknown", f"This payment is not in doubt, it is {payment.collection}.")
    return Matter(None, payment)


def matter_of_case(tx: Transaction, case_id: int) -> Matter:
    """Read a case to decide about; raise Declined where it is not open."""
    case = _open_case(tx, case_id)
    payment = _known(tx, case.payment_id) if case.payment_id else None
    # Read again now that the payment is held: another person may have decided while this one waited for it.
    return Matter(_open_case(tx, case_id), payment, open_refund(tx, payment.id) if payment else None)


async def resolve_payment(world: World, payment_id: str, word: Word) -> None:
    """Take a person's word that an unknown payment is paid, or that the till has surely cancelled it."""
    await _resolve(world, word, lambda tx: matter_of_payment(tx, payment_id))


async def stop_waiting(world: World, payment_id: str, clerk: str) -> Payment:
    """Stop waiting for the till at the clerk's wish: what became of the payment is then unknown."""

    def store(tx: Transaction) -> Payment:
        payment = _known(tx, payment_id)
        if payment.collection is not Collection.AT_REGISTER:
            raise Declined("not_at_register", f"This payment is not waiting at the till, it is {payment.collection}.")
        news = News(Heard.LOST, clerk, "clerk", "the clerk stopped waiting")
        return Collecting(tx, world.clock.now(), world).hear(payment, news)[0]

    payment = await world.store.write(store)
    world.notifier.changed()
    return payment


async def resolve_case(world: World, case_id: int, word: Word) -> None:
    """Take a person's decision about an open case; raise Declined where it does not fit the case."""
    await _resolve(world, word, lambda tx: matter_of_case(tx, case_id))


async def _resolve(world: World, word: Word, read: Callable[[Transaction], Matter]) -> None:
    need_reason(word)

    def store(tx: Transaction) -> None:
        matter = read(tx)
        need_fit(tx, matter, word)
        carry_out(tx, world, matter, word)

    await world.store.write(store)
    world.notifier.changed()


def fitting(matter: Matter) -> tuple[Action, ...]:
    """List what can be decided about a case as its payment stands now: what `need_fit` may let pass."""
    allowed = OUTCOMES if matter.case is None else ACTIONS[matter.case.kind]
    return tuple(action for action in Action if action in allowed and _possible(matter, action))


def _possible(matter: Matter, action: Action) -> bool:
    if matter.of_refund:
        return matter.refund is not None and (matter.refund.state, REFUND_STEPS[action]) in REFUND
    if matter.payment is None:
        return True
    if action in OUTCOMES:
        return not isinstance(matter.payment.after(OUTCOMES[action]), Reaction)
    return action not in (Action.BOOK, Action.OTHER_PATRON) or matter.payment.booking is Booking.BLOCKED


def need_reason(word: Word) -> None:
    """Raise Declined where a word is nobody's, or says not why."""
    if not word.reason.strip() or not word.person.strip():
        raise Declined("reason_missing", "Say who you are and give a reason.")


def need_fit(tx: Transaction, matter: Matter, word: Word) -> None:
    """Raise Declined where a word does not fit what it is about; what fits can be carried out."""
    if matter.case is not None and word.action not in ACTIONS[matter.case.kind]:
        raise Declined("wrong_action", f"A case of this kind cannot be resolved by {word.action}.")
    if matter.payment is None:
        return
    if matter.of_refund:
        _need_refund(tx, matter, word)
        return
    if matter.case is None or word.action in OUTCOMES:
        _need_outcome(tx, matter.payment, word)
    if word.action in (Action.BOOK, Action.OTHER_PATRON):
        _need_blocked(matter.payment, word)


def _need_refund(tx: Transaction, matter: Matter, word: Word) -> None:
    if not _possible(matter, word.action):
        raise Declined("not_blocked", "This refund is not waiting for a person right now, it goes on by itself.")
    if word.action is Action.GIVEN_BACK and matter.payment is not None and matter.refund is not None:
        need_refund_receipt(tx, matter.payment, matter.refund, word.receipt)


def _need_outcome(tx: Transaction, payment: Payment, word: Word) -> None:
    if word.action not in OUTCOMES:
        raise Declined("wrong_action", "Say that it is paid, or that the till has surely cancelled it.")
    if word.action is Action.PAID and word.receipt is None:
        raise Declined("receipt_missing", "Type the number of the till's receipt.")
    if word.receipt is not None:
        need_fresh_receipt(tx, payment, word.receipt)
    if isinstance(payment.after(OUTCOMES[word.action]), Reaction):
        raise Declined("wrong_action", f"A payment that is {payment.collection} cannot be resolved like this.")


def _need_blocked(payment: Payment, word: Word) -> None:
    if payment.booking is not Booking.BLOCKED:
        raise Declined("not_blocked", f"The booking is not waiting for a person, it is {payment.booking}.")
    if word.action is Action.OTHER_PATRON and not word.patron_id:
        raise Declined("patron_missing", "Name the patron who has the charges now.")


def carry_out(tx: Transaction, world: World, matter: Matter, word: Word) -> None:
    """Do what a person has decided and `need_fit` has let pass; what waited for a second look is overtaken by it."""
    case, payment = matter.case, matter.payment
    if word.action is not Action.LOOK:
        overtake(tx, matter.second_looks(tx), world.clock.now(), word.person, "a person has decided meanwhile")
    if case is not None and word.action is not Action.LOOK:
        tx.close_case(case.id, world.clock.now(), word.person, word.resolution)
    if payment is not None and matter.refund is not None and matter.of_refund:
        _decide_refund(tx, world, payment, matter.refund, word)
    elif payment is not None and case is not None:
        _decide(tx, world, case, payment, word)
    elif payment is not None:
        _take_outcome(tx, world, payment, word)


def _decide_refund(tx: Transaction, world: World, payment: Payment, refund: Refund, word: Word) -> None:
    """Take a person's word whether money was given back, let it be recorded again, or take it for settled by hand."""
    now, step = world.clock.now(), REFUND_STEPS[word.action]
    if step is RefundStep.GIVEN_BACK:
        take_given_back(tx, world, payment, refund, word.person, word.receipt or "", word.facts)
        return
    if take_step(tx, now, refund, step, word.person, word.facts).open:
        tx.add_task(payment.id, TaskKind.REFUND, now)


def _open_case(tx: Transaction, case_id: int) -> Case:
    case = tx.case(case_id)
    if case is None or case.closed_at is not None:
        raise Declined("no_such_case", "There is no such open case.")
    return case


def _decide(tx: Transaction, world: World, case: Case, payment: Payment, word: Word) -> None:
    now = world.clock.now()
    collecting = Collecting(tx, now, world)
    facts: dict[str, object] = {"case": str(case.kind)} | word.facts
    if case.kind is CaseKind.CREDIT_VOIDED and word.action is not Action.OTHER_PATRON:
        _take_for_void(tx, payment, case)
    match word.action:
        case Action.PAID | Action.NOT_PAID:
            _take_outcome(tx, world, payment, word)
        case Action.LOOK:
            if payment.booking in (Booking.UNKNOWN, *SETTLED_THERE, *AT_REST):
                tx.add_task(payment.id, TaskKind.LOOK_UP, now)
            if payment.booking is Booking.DUE:
                tx.add_task(payment.id, TaskKind.BOOK, now)
            tx.append_event(payment.id, now, word.person, "look", facts)
        case Action.BOOK | Action.OTHER_PATRON:
            _book_again(tx, world, payment, case, word, facts)
        case Action.SETTLED:  # the last case
            _settle(tx, collecting, payment, case, word, facts)


def _take_for_void(tx: Transaction, payment: Payment, case: Case) -> None:
    """Know a credit that a librarian took back to be void from now on: the next one gets a reference of its own."""
    for credit in tx.credits(payment.id):
        if credit.n == case.facts["n"]:
            tx.put_credit(payment.id, replace(credit, state=CreditState.VOIDED))


def _book_again(
    tx: Transaction, world: World, payment: Payment, case: Case, word: Word, facts: dict[str, object]
) -> None:
    collecting = Collecting(tx, world.clock.now(), world)
    if word.action is Action.OTHER_PATRON and word.patron_id:
        payment = replace(payment, patron_id=word.patron_id)
        facts["patron"] = word.patron_id
    if _others(tx, payment, case):
        tx.append_event(payment.id, collecting.now, word.person, "settled", facts)
        tx.save(payment)
        return
    collecting.due_again(payment, word.person, facts)


def _others(tx: Transaction, payment: Payment, case: Case) -> bool:
    """Tell whether something else keeps the booking blocked: one decision answers one case."""
    return any(other.kind in BOOKING_CASES and other.id != case.id for other in tx.open_cases(payment.id))


def _settle(
    tx: Transaction, collecting: Collecting, payment: Payment, case: Case, word: Word, facts: dict[str, object]
) -> None:
    credits_ = tx.credits(payment.id)
    booked = any(credit.state is CreditState.BOOKED for credit in credits_)
    if case.kind in BOOKING_CASES and (lacks := lacking(payment, credits_)):
        facts["not_booked"] = lacks
    if payment.booking is Booking.BLOCKED and case.kind in BOOKING_CASES and not _others(tx, payment, case):
        collecting.advance(payment, Done.CONFIRMED if booked else Done.SETTLED_BY_HAND, word.person, facts)
        tx.drop_tasks(payment.id, TaskKind.LOOK_UP)
    elif payment.booking is Booking.REVERSAL_DUE and case.kind is CaseKind.VOID_BY_HAND:
        collecting.advance(payment, Done.REVERSAL_SEEN, word.person, facts)
        tx.drop_tasks(payment.id, TaskKind.LOOK_UP, TaskKind.REVERSE)
    else:
        tx.append_event(payment.id, collecting.now, word.person, "settled", facts)


def _take_outcome(tx: Transaction, world: World, payment: Payment, word: Word) -> None:
    news = News(OUTCOMES[word.action], word.person, "word", word.reason, word.receipt, seconded_by=word.seconded_by)
    Collecting(tx, world.clock.now(), world).hear(payment, news)


def _known(tx: Transaction, payment_id: str) -> Payment:
    payment = tx.payment(payment_id)
    if payment is None:
        raise Declined("no_such_payment", "There is no such payment.")
    return payment
