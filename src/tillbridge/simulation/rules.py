# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that hold at every instant, for what a store and a library system have about a payment."""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal

from sqlalchemy import Connection, Select, Table, bindparam, select

from tillbridge.domain.history import Event, first_break
from tillbridge.domain.lifecycle import (
    CREATED,
    IN_DOUBT,
    PAID_CLERK,
    Booking,
    Collection,
    Done,
    Heard,
    NotInTheTable,
    Reaction,
    RefundState,
    Standing,
    advance,
    hear,
)
from tillbridge.domain.money import exact_of
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund
from tillbridge.service.collecting import BOOKING_CASES
from tillbridge.service.resolving import Matter, fitting
from tillbridge.service.store_port import Case, CaseKind, CreditState, StoredCredit, TaskKind
from tillbridge.service.telling import tell, tell_case
from tillbridge.store import tables as t
from tillbridge.store.transaction import SqlTransaction

OURS = ("bridge", "library", "till")
"""Who acts in events when no person does."""

REVERSAL = (Booking.REVERSAL_DUE, Booking.REVERSING)
"""Bookings that must be taken back."""

ASKED_BACK = "refund_asked"
"""The event with which a refund begins."""

_NOTHING = Decimal(0)
_HALF_A_CENT = Decimal("0.005")


def _of_payment(table: Table, column: str) -> Select[str]:
    return select(table.c[column]).where(table.c.payment_id == bindparam("of_payment"))


# Built once: to build a statement takes longer than to run it.
_TASKS, _CLAIMS = _of_payment(t.task, "kind"), _of_payment(t.claim, "charge_id")
_PAYERS = _of_payment(t.payer, "payment_id")


class BrokenRule(AssertionError):  # noqa: N818 - reads as the sentence it is
    """Say which rule is broken, and by which payment."""


def need(holds: object, rule: str) -> None:
    """Raise BrokenRule where something does not hold."""
    if not holds:
        raise BrokenRule(rule)


@dataclass(frozen=True)
class Held:
    """Hold what the store has about one payment."""

    payment: Payment
    events: tuple[Event, ...]
    credits: tuple[StoredCredit, ...]
    cases: tuple[Case, ...]
    tasks: frozenset[TaskKind]
    claims: frozenset[str]
    payer: bool
    refunds: tuple[Refund, ...] = ()

    @property
    def kinds(self) -> frozenset[CaseKind]:
        """Return the kinds of the open cases."""
        return frozenset(case.kind for case in self.cases)

    @property
    def whole(self) -> Decimal:
        """Return the exact sum that the library system is to get."""
        return sum((line.exact for line in self.payment.lines), _NOTHING)

    @property
    def collected(self) -> bool:
        """Tell whether the till, or a person, has ever said that the money was taken."""
        return any(event.kind in ("till_paid", "clerk_paid") or "via" in event.facts for event in self.events)

    def by_person(self, *kinds: str) -> bool:
        """Tell whether a person's decision of these kinds is in the history."""
        return any(event.kind in kinds and event.actor not in OURS for event in self.events)


@dataclass(frozen=True)
class ThereCredit:
    """Hold one credit that the library system has as valid: its reference and amount."""

    reference: str
    amount: Decimal


def held_in(connection: Connection, payment_id: str) -> Held:
    """Read what the store has about a payment."""
    tx = SqlTransaction(connection, writes=False)
    payment = tx.payment(payment_id)
    assert payment is not None  # noqa: S101 - whoever asks has seen an event of it
    history = tx.history(payment_id)
    need(first_break(history) is None, "the chain is broken")

    def rows(of: Select[str]) -> frozenset[str]:
        return frozenset(connection.execute(of, {"of_payment": payment_id}).scalars())

    return Held(
        payment=payment,
        events=tuple(event for event, _ in history),
        credits=tx.credits(payment_id),
        cases=tx.open_cases(payment_id),
        tasks=frozenset(TaskKind(kind) for kind in rows(_TASKS)),
        claims=rows(_CLAIMS),
        payer=bool(rows(_PAYERS)),
        # Most payments have none, and this is read after every change.
        refunds=tx.refunds_of(payment_id) if any(event.kind == ASKED_BACK for event, _ in history) else (),
    )


def locks_in(connection: Connection) -> dict[str, str]:
    """Read which payment holds which patron."""
    return {row.patron_id: row.payment_id for row in connection.execute(t.patron_lock.select())}


def check_held(held: Held) -> None:
    """Hold what the store has about a payment to the rules."""
    _history_follows_the_table(held)
    _lines_are_as_begun(held)
    _cases_say_what_to_do(held)
    _something_follows(held)
    _claims_are_held(held)
    _collected_is_booked_or_listed(held)
    _only_another_person_seconds(held)
    need(held.payer <= held.payment.undecided, "a name outlives the question to the till")


def check_library(held: Held, valid: Sequence[ThereCredit], charges: Iterable[str]) -> None:
    """Hold what the library system has of a payment, and the charges that it has paid, to the rules."""
    need(held.collected or not valid, "nothing may be booked that nobody has collected")
    need(len({credit.reference for credit in valid}) == len(valid), "one reference is there twice")
    need(sum((credit.amount for credit in valid), _NOTHING) <= held.whole, "more is booked than was collected")
    own = {line.charge_id for line in held.payment.lines}
    need(set(charges) <= own, "money on a strange charge")


def check_sends(held: Held, sends: int) -> None:
    """Hold how often a payment was sent to the rule: once, and again only after proof that nothing was."""
    proven = sum(event.kind == "never_sent" for event in held.events)
    need(sends <= 1 + proven, "sent twice")


def check_locks(locks: Mapping[str, str], payments: Mapping[str, Payment], refunding: Several[str] = ()) -> None:
    """Hold the patrons' locks to the rules: who is in doubt has its patron's, and who has nothing to book has none.

    Of the payments in `refunding` the library system is being told that money was given back.
    """
    for payment in payments.values():
        locked = payment.booking not in IN_DOUBT or locks.get(payment.patron_id) == payment.id
        need(locked, f"{payment.id} is {payment.booking}, and its patron is not locked for it")
    for patron, payment_id in locks.items():
        holder = payments[payment_id]
        need(
            holder.booking in (Booking.DUE, *IN_DOUBT, *REVERSAL) or payment_id in refunding,
            f"{patron} stays locked by a payment that is {holder.booking}",
        )
        need(holder.patron_id == patron, "a payment locks a patron who is not its own")


def check_claims(everything: Iterable[Held]) -> None:
    """Hold the claims of all payments to the rule: one claim a charge."""
    claims = [charge for held in everything for charge in held.claims]
    need(len(set(claims)) == len(claims), "two payments claim one charge")


def check_rest(everything: Iterable[Held]) -> None:
    """Hold everything to the rule that nothing moves any more: booked, or on the list."""
    for held in everything:
        payment = held.payment
        need(payment.booking not in (Booking.DUE, Booking.BOOKING, Booking.UNKNOWN), f"{payment.booking} at rest")
        need(not payment.undecided or held.cases, f"{payment.collection} at rest without a case")
        listed = payment.booking not in (Booking.BLOCKED, Booking.REVERSAL_DUE) or held.cases
        need(listed, f"booking {payment.booking} at rest without a case")
        need(not held.tasks or held.cases, f"{sorted(held.tasks)} left")


def _history_follows_the_table(held: Held) -> None:
    need(held.events[0].kind == "created", "a history begins with something else than created")
    standing = PAID_CLERK if held.events[0].facts.get("via") == "by_hand" else CREATED
    booking = Booking.NONE
    for event in held.events:
        tell(event)
        if event.kind in set(Heard):
            standing = _followed(standing, event)
        elif event.kind in set(Reaction):
            reaction = isinstance(hear(standing, Heard(str(event.facts["heard"]))), Reaction)
            need(reaction, "a state that should have changed did not")
        elif event.kind.startswith("booking_"):
            booking = _advanced(booking, Done(event.kind.removeprefix("booking_")))
            need(event.facts["to"] == booking, "a booking went where the table does not lead")
    states = (held.payment.standing, held.payment.booking)
    need((standing, booking) == states, "a state changed without an event")


def _advanced(booking: Booking, done: Done) -> Booking:
    try:
        return advance(booking, done)
    except NotInTheTable as no:
        raise BrokenRule(str(no)) from no


def _lines_are_as_begun(held: Held) -> None:
    begun, lines = held.events[0].facts, held.payment.lines
    need(begun["total_minor"] == sum(line.amount_minor for line in lines), "the lines do not sum to the total")
    as_begun = [[line.charge_id, line.amount_minor, str(line.owed), line.product_code] for line in lines]
    need(begun["lines"] == as_begun, "the lines are others than those it began with")
    beside = max(abs(line.exact - exact_of(line.amount_minor)) for line in lines)
    need(beside <= _HALF_A_CENT, f"the library is to get {beside} beside what the till takes")


def _cases_say_what_to_do(held: Held) -> None:
    """Need that every open case tells what has happened and what to do, and that a person can do something about it.

    Only while the library system is being told of a refund its case must wait for the answer.
    """
    refund = next((refund for refund in held.refunds if refund.open), None)
    told_now = refund is not None and refund.state is RefundState.RECORDING
    for case in held.cases:
        need(all(tell_case(case.kind)), f"a case of {case.kind} says nothing")
        waits = told_now and case.kind is CaseKind.REFUND_NOT_RECORDED
        decidable = fitting(Matter(case, held.payment, refund)) or waits
        need(decidable, f"nothing can be decided about a case of {case.kind}")


def _followed(standing: Standing, event: Event) -> Standing:
    follows = hear(standing, Heard(event.kind))
    if not isinstance(follows, Standing):
        raise BrokenRule(f"{event.kind} changed a payment that was {standing}")
    need(event.facts["to"] == str(follows), "a collection went where the table does not lead")
    return follows


def _something_follows(held: Held) -> None:
    payment = held.payment
    follows: dict[object, bool] = {
        Collection.CREATED: TaskKind.SEND in held.tasks,
        Collection.SENDING: TaskKind.SEND in held.tasks,
        Collection.AT_REGISTER: bool(held.tasks & {TaskKind.SEND, TaskKind.LIMIT}),
        Collection.UNKNOWN: TaskKind.ASK in held.tasks or CaseKind.UNKNOWN_OUTCOME in held.kinds,
    }
    need(follows.get(payment.collection, True), f"{payment.collection} with nothing to follow")
    follows = {
        Booking.DUE: TaskKind.BOOK in held.tasks,
        Booking.BOOKING: TaskKind.BOOK in held.tasks,
        Booking.UNKNOWN: TaskKind.LOOK_UP in held.tasks,
        Booking.BLOCKED: bool(held.kinds & BOOKING_CASES),
        Booking.REVERSAL_DUE: TaskKind.REVERSE in held.tasks
        or (CaseKind.VOID_BY_HAND in held.kinds and TaskKind.LOOK_UP in held.tasks),
        Booking.REVERSING: TaskKind.REVERSE in held.tasks,
    }
    need(follows.get(payment.booking, True), f"booking {payment.booking} with nothing to follow")


def _claims_are_held(held: Held) -> None:
    charges = {line.charge_id for line in held.payment.lines}
    need(held.claims <= charges, "a claim on a charge that is not the payment's")
    if held.payment.undecided:
        need(held.claims == charges, "an undecided payment lost its claims")
    if not held.payment.holds_claims:
        need(not held.claims, "a claim outlives its payment")


def _collected_is_booked_or_listed(held: Held) -> None:
    payment = held.payment
    booked = sum((credit.amount for credit in held.credits if credit.state is CreditState.BOOKED), _NOTHING)
    if payment.booking is Booking.BOOKED:
        need(booked == held.whole or held.by_person("booking_confirmed"), "booked, but not whole")
    if payment.collection is Collection.PAID:
        forgotten = payment.booking is Booking.NONE and not held.by_person("booking_settled_by_hand")
        need(not forgotten, "paid and forgotten")
        need(payment.booking not in (Booking.REVERSAL_DUE, Booking.REVERSED), "paid, and taken back in the library")
    elif payment.collection is not Collection.REVERSED:
        need(payment.booking is Booking.NONE, "booked, and the till has not taken it")


def _only_another_person_seconds(held: Held) -> None:
    """Need what was agreed to right behind the wish, but for what tells of nothing to rest a decision on."""
    kinds = [event.kind for event in held.events]
    for n, event in enumerate(held.events):
        second = event.facts.get("seconded_by")
        if second is None:
            continue
        need(second != event.actor, "a person has agreed to the own decision")
        wished = max(i for i, kind in enumerate(kinds[:n]) if kind == "second_look_wished")
        heard = {e.kind for e in held.events[wished:n] if e.actor in OURS}
        need(not heard, f"{sorted(heard)} came before anyone agreed")


def no_words_in(value: object, words: Several[str]) -> None:
    """Hold a value, with all that it is made of, to the rule that no card number or name (`words`) is in it."""
    for text in _texts(value):
        for word in words:
            need(word not in text, "a card number or a name stands where none may")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = (*value.keys(), *value.values())
    elif is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, each.name) for each in fields(value)]
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for each in value:
            yield from _texts(each)
    else:
        yield value.decode(errors="replace") if isinstance(value, bytes) else str(value)
