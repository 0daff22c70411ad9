# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a person's word: for an unknown outcome, and for every other open case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from tillbridge.domain.lifecycle import Booking, Collection, Done, Heard
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.collecting import BOOKING_CASES, Collecting, News
from tillbridge.service.planning import lacking
from tillbridge.service.ports import World
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
}
"""What may be decided about which case.

Another patron may be named wherever the charges, or a credit, were looked for and not found: at the wrong one, perhaps.
"""


@dataclass(frozen=True, slots=True)
class Word:
    """Hold a person's decision with its reason; the receipt number goes with `paid`."""

    action: Action
    person: str
    reason: str
    receipt_number: str | None = None
    patron_id: str | None = None


async def resolve_payment(world: World, payment_id: str, word: Word) -> Payment:
    """Take a person's word that an unknown payment is paid, or that the till has surely cancelled it."""
    _need_reason(word)

    def store(tx: Transaction) -> Payment:
        payment = _known(tx, payment_id)
        if payment.collection is not Collection.UNKNOWN:
            raise Declined("not_unknown", f"This payment is not in doubt, it is {payment.collection}.")
        return _take_word(tx, world, payment, word)

    payment = await world.store.write(store)
    world.notifier.changed()
    return payment


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
    _need_reason(word)
    await world.store.write(lambda tx: _resolve(tx, world, case_id, word))
    world.notifier.changed()


def _resolve(tx: Transaction, world: World, case_id: int, word: Word) -> None:
    case = _open_case(tx, case_id)
    payment = _known(tx, case.payment_id) if case.payment_id else None
    # Read again now that the payment is held: another person may have decided while this one waited for it.
    case = _open_case(tx, case_id)
    if word.action not in ACTIONS[case.kind]:
        raise Declined("wrong_action", f"A case of this kind cannot be resolved by {word.action}.")
    if word.action is not Action.LOOK:
        tx.close_case(case.id, world.clock.now(), word.person, f"{word.action}: {word.reason}")
    if payment is not None:
        _decide(tx, world, case, payment, word)


def _open_case(tx: Transaction, case_id: int) -> Case:
    case = tx.case(case_id)
    if case is None or case.closed_at is not None:
        raise Declined("no_such_case", "There is no such open case.")
    return case


def _decide(tx: Transaction, world: World, case: Case, payment: Payment, word: Word) -> None:
    now = world.clock.now()
    collecting = Collecting(tx, now, world)
    facts: dict[str, object] = {"case": str(case.kind), "action": str(word.action), "why": word.reason}
    if case.kind is CaseKind.CREDIT_VOIDED and word.action is not Action.OTHER_PATRON:
        _take_for_void(tx, payment, case)
    match word.action:
        case Action.PAID | Action.NOT_PAID:
            _take_word(tx, world, payment, word)
        case Action.LOOK:
            if payment.booking in (Booking.UNKNOWN, *SETTLED_THERE):
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
    if payment.booking is not Booking.BLOCKED:
        raise Declined("not_blocked", f"The booking is not waiting for a person, it is {payment.booking}.")
    if word.action is Action.OTHER_PATRON:
        if not word.patron_id:
            raise Declined("patron_missing", "Name the patron who has the charges now.")
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
        tx.drop_tasks(payment.id, TaskKind.LOOK_UP)
    else:
        tx.append_event(payment.id, collecting.now, word.person, "settled", facts)


def _take_word(tx: Transaction, world: World, payment: Payment, word: Word) -> Payment:
    heard = {Action.PAID: Heard.CLERK_PAID, Action.NOT_PAID: Heard.CLERK_CANCELLED}.get(word.action)
    if heard is None:
        raise Declined("wrong_action", "Say that it is paid, or that the till has surely cancelled it.")
    receipt = (word.receipt_number or "").strip() or None
    if heard is Heard.CLERK_PAID and receipt is None:
        raise Declined("receipt_missing", "Type the number of the till's receipt.")
    if receipt is not None:
        need_fresh_receipt(tx, payment, receipt)
    collecting = Collecting(tx, world.clock.now(), world)
    after, reaction = collecting.hear(payment, News(heard, word.person, "word", word.reason, receipt))
    if reaction is not None:
        raise Declined("wrong_action", f"A payment that is {payment.collection} cannot be resolved like this.")
    return after


def _known(tx: Transaction, payment_id: str) -> Payment:
    payment = tx.payment(payment_id)
    if payment is None:
        raise Declined("no_such_payment", "There is no such payment.")
    return payment


def _need_reason(word: Word) -> None:
    if not word.reason.strip() or not word.person.strip():
        raise Declined("reason_missing", "Say who you are and give a reason.")
