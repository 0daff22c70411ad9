# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply what is heard about the money, inside one transaction: state, event, claims, tasks and cases."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import REVERSED_CLERK, REVERSED_TILL, Booking, Collection, Done, Heard, Reaction
from tillbridge.domain.payment import Payment
from tillbridge.service.alarming import put_on_list
from tillbridge.service.overtaking import overtake
from tillbridge.service.ports import World
from tillbridge.service.refund_steps import end_wish
from tillbridge.service.second_look_port import SecondLook
from tillbridge.service.store_port import Case, CaseKind, CreditState, TaskKind, Transaction

BOOKING_CASES = frozenset(
    {
        CaseKind.SUM_DIFFERS,
        CaseKind.SAME_RECEIPT,
        CaseKind.COLLECTED_TWICE,
        CaseKind.SURPLUS,
        CaseKind.NOT_APPLIED,
        CaseKind.WRONG_CREDIT,
        CaseKind.BOOKED_TWICE,
        CaseKind.CREDIT_VOIDED,
        CaseKind.PATRON_GONE,
        CaseKind.REFUSED_BY_LIBRARY,
    }
)
FOR_A_PERSON = frozenset({CaseKind.SUM_DIFFERS, CaseKind.SAME_RECEIPT})
"""Cases that no answer of the library system can end: until a person has decided, nothing more goes out."""

ANSWERED_THERE = frozenset({CaseKind.NOT_APPLIED, CaseKind.WRONG_CREDIT, CaseKind.BOOKED_TWICE})
"""Cases that a person settles in the library system, where the bridge sees it by itself."""

LATE = (Booking.DUE, Booking.BOOKING, Booking.UNKNOWN)
"""Bookings that should come to an end by themselves, and soon."""

OUTCOME_CASES = frozenset({CaseKind.UNKNOWN_OUTCOME, CaseKind.ODD_STATUS})

_WAITING = (TaskKind.SEND, TaskKind.LIMIT, TaskKind.ASK)


@dataclass(frozen=True, slots=True)
class News:
    """Carry one fact about a collection with where it comes from; `why` is in plain words, without names."""

    heard: Heard
    actor: str
    via: str
    why: str = ""
    receipt_number: str | None = None
    sum_minor: int | None = None
    seconded_by: str | None = None

    @property
    def facts(self) -> dict[str, object]:
        """Return what the event keeps."""
        facts = {"via": self.via, "why": self.why, "receipt": self.receipt_number, "sum_minor": self.sum_minor}
        facts["seconded_by"] = self.seconded_by
        return {key: value for key, value in facts.items() if value not in ("", None)}


@dataclass(frozen=True, slots=True)
class Past:
    """Hold a payment's events so far: what is heard now may have been heard before."""

    events: tuple[Event, ...] = ()

    @property
    def sums(self) -> list[int]:
        """List the sums that signed messages have named, in order."""
        return [found for event in self.events if isinstance(found := event.facts.get("sum_minor"), int)]

    @property
    def reported_receipts(self) -> set[object]:
        """Return the receipt numbers with which reports have said paid, while they were believed."""
        paid = (str(Heard.TILL_PAID), str(Reaction.DUPLICATE))
        reports = [event.facts for event in self.events if event.kind in paid and event.facts.get("via") == "report"]
        return {facts.get("receipt") for facts in reports} - {None}

    def ends_with(self, reaction: Reaction, facts: Mapping[str, object]) -> bool:
        """Tell whether this was noted since the payment last changed: a flood of it must not fill the disk."""
        since = itertools.takewhile(lambda event: event.kind in set(Reaction), reversed(self.events))
        return any((event.kind, event.facts) == (reaction, facts) for event in since)


class Collecting:
    """Apply news to payments in one transaction at one instant."""

    def __init__(self, transaction: Transaction, now: float, world: World) -> None:
        self._tx, self._now, self._world = transaction, now, world

    @property
    def now(self) -> float:
        """Return the instant of the transaction."""
        return self._now

    def hear(self, payment: Payment, news: News) -> tuple[Payment, Reaction | None]:
        """Let the table decide what the news mean, store it, and set off what follows, for other payments too."""
        after, reaction = self._hear(payment, news)
        if news.heard is Heard.TILL_PAID and news.receipt_number is not None:
            self._doubt_typed_receipts(after, news.receipt_number)
        return after, reaction

    def _hear(self, payment: Payment, news: News) -> tuple[Payment, Reaction | None]:
        follows = self._follows(payment, news)
        if isinstance(follows, Reaction):
            return self._react(payment, news, follows), follows
        # What went before an outcome says nothing about it, and is not read: this is the way that most payments go.
        past = Past() if payment.undecided else self._past(payment)
        saved = self._tx.save(_with_receipt(follows, news, past))
        facts = news.facts | {"to": str(saved.standing)}
        self._tx.append_event(saved.id, self._now, news.actor, news.heard, facts)
        if not payment.undecided or payment.collection is Collection.UNKNOWN:
            self._overtake(self._tx.open_second_looks(saved.id), news.actor)
        return self._consequences(payment, saved, news, past), None

    def advance(self, payment: Payment, done: Done, actor: str, facts: Mapping[str, object]) -> Payment:
        """Advance the booking by the table, with its event; a payment that lets go of its claims does so here."""
        saved = self._tx.save(payment.booked_on(done))
        self._tx.append_event(saved.id, self._now, actor, f"booking_{done}", dict(facts) | {"to": str(saved.booking)})
        if payment.holds_claims and not saved.holds_claims:
            self._tx.release_claims(saved.id)
        if payment.booking is Booking.DUE and saved.booking is not Booking.BOOKING:
            # Whoever was reading for this booking finds it gone, and may never come back to let go of the patron.
            self._tx.unlock_patron(saved, self._now)
        if payment.booking is Booking.BLOCKED:
            answered = BOOKING_CASES - FOR_A_PERSON if done is Done.CONFIRMED else BOOKING_CASES
            self.close_cases(saved, answered, actor, str(done))
        if saved.booking not in LATE:
            self._tx.drop_tasks(saved.id, TaskKind.WATCH)
            self.close_cases(saved, frozenset({CaseKind.NOT_BOOKED}), actor, str(done))
        if done is Done.ABSENT and self.waits_for_a_person(saved):
            return self.advance(saved, Done.BLOCK, "bridge", {"why": "a person must decide before it is sent again"})
        return saved

    def due_again(self, payment: Payment, actor: str, facts: Mapping[str, object]) -> Payment:
        """Let a blocked booking be tried again."""
        due = self.advance(payment, Done.TRY_AGAIN, actor, facts)
        # To book looks first at what is there; whoever looks for the case's sake looks in vain from now on.
        self._tx.drop_tasks(due.id, TaskKind.LOOK_UP)
        self._tx.claim_free(due)
        self._tx.add_task(due.id, TaskKind.BOOK, self._now)
        self._tx.add_task(due.id, TaskKind.WATCH, self._now + self._world.limits.late_s)
        return due

    def booking_cases(self, payment: Payment) -> list[Case]:
        """List the open cases that stand in the way of the payment's booking."""
        return [case for case in self._tx.open_cases(payment.id) if case.kind in BOOKING_CASES]

    def waits_for_a_person(self, payment: Payment) -> bool:
        """Tell whether a person must decide before anything more goes out for the payment."""
        return any(case.kind in FOR_A_PERSON for case in self._tx.open_cases(payment.id))

    def block(
        self, payment: Payment, kind: CaseKind, facts: Mapping[str, object], others: Sequence[str] = ()
    ) -> Payment:
        """Stop the booking until a person has acted, with its case."""
        named = {"others": list(others)} if others else {}
        saved = self.advance(payment, Done.BLOCK, "bridge", {"case": str(kind)} | dict(facts) | named)
        self.open_case(saved, kind, facts, others)
        return saved

    def open_case(
        self, payment: Payment, kind: CaseKind, facts: Mapping[str, object], others: Sequence[str] = ()
    ) -> None:
        """Put the payment on the list of open cases; the screens of the others say so at once."""
        cases = self._tx.open_cases(payment.id) if others else ()
        known = {other for case in cases if case.kind is kind for other in case.other_payment_ids}
        put_on_list(self._tx, self._world, kind, payment.id, self._now, facts, others)
        for other in sorted(set(others) - known):
            self._tx.append_event(other, self._now, "bridge", "named", {"case": str(kind), "other": payment.id})

    def close_cases(self, payment: Payment, kinds: frozenset[CaseKind], actor: str, resolution: str) -> None:
        """Take the payment's open cases of these kinds off the list."""
        for case in self._tx.open_cases(payment.id):
            if case.kind in kinds:
                self._tx.close_case(case.id, self._now, actor, resolution)
                self._overtake(self._tx.open_second_looks(case_id=case.id), actor)

    def _overtake(self, wishes: Sequence[SecondLook], actor: str) -> None:
        overtake(self._tx, wishes, self._now, actor, "it was answered before anyone agreed")

    def money_returned(self, payment: Payment, actor: str) -> Payment:
        """Take the booking back, or make it no longer due; a booking in doubt is settled first."""
        if payment.booking in (Booking.NONE, Booking.BOOKING, Booking.UNKNOWN):
            return payment
        if payment.booking in (Booking.REVERSAL_DUE, Booking.REVERSING, Booking.REVERSED):
            return payment
        states = {credit.state for credit in self._tx.credits(payment.id)}
        traces = payment.booking is Booking.BOOKED or states
        done = Done.RETURNED_BOOKED if traces else Done.RETURNED_UNBOOKED
        saved = self.advance(payment, done, actor, {})
        self._tx.drop_tasks(saved.id, TaskKind.BOOK, TaskKind.LOOK_UP)
        if saved.booking is Booking.REVERSAL_DUE:
            if self._world.library.abilities.reversal:
                self._tx.add_task(saved.id, TaskKind.REVERSE, self._now)
            else:
                self.ask_for_void(saved)
        return saved

    def ask_for_void(self, payment: Payment, why: str = "") -> None:
        """Let a person void the credit in the library system, and look whether that was done."""
        self.open_case(payment, CaseKind.VOID_BY_HAND, {"reference": payment.reference} | ({"why": why} if why else {}))
        states = {credit.state for credit in self._tx.credits(payment.id)}
        surely_there = states & {CreditState.SENT, CreditState.BOOKED}
        pause = self._world.limits.look_again_s if surely_there else 0.0
        self._tx.add_task(payment.id, TaskKind.LOOK_UP, self._now + pause)

    def reversal_seen(self, payment: Payment, facts: Mapping[str, object]) -> Payment:
        """Take it that nothing of the payment stands in the library system any more."""
        saved = self.advance(payment, Done.REVERSAL_SEEN, "library", facts)
        self._tx.drop_tasks(saved.id, TaskKind.LOOK_UP)
        self.close_cases(saved, frozenset({CaseKind.VOID_BY_HAND}), "library", "the void was seen")
        return saved

    def _follows(self, payment: Payment, news: News) -> Payment | Reaction:
        follows = payment.after(news.heard)
        if follows is not Reaction.CONTRADICTION or not self._was_rightly_paid(payment):
            return follows
        same_receipt = news.receipt_number is not None and news.receipt_number == payment.receipt_number
        return Reaction.DUPLICATE if same_receipt else follows

    def _was_rightly_paid(self, payment: Payment) -> bool:
        """Tell whether all of it was given back since, so that the till may say once more that it was paid."""
        if payment.standing == REVERSED_CLERK:
            return any(event.kind == Heard.GIVEN_BACK for event in self._past(payment).events)
        return payment.standing == REVERSED_TILL

    def _past(self, payment: Payment) -> Past:
        return Past(tuple(event for event, _ in self._tx.history(payment.id)))

    def _react(self, payment: Payment, news: News, reaction: Reaction) -> Payment:
        past, facts = self._past(payment), news.facts | {"heard": str(news.heard)}
        if not past.ends_with(reaction, facts):
            self._tx.append_event(payment.id, self._now, news.actor, reaction, facts)
        if reaction is Reaction.CONTRADICTION:
            self.open_case(payment, CaseKind.CONTRADICTION, facts | {"stood": str(payment.standing)})
        if reaction is Reaction.DUPLICATE and news.heard is Heard.TILL_PAID:
            return self._paid_again(payment, news, past)
        return payment

    def _paid_again(self, payment: Payment, news: News, past: Past) -> Payment:
        receipt = payment.receipt_number or news.receipt_number
        # In mode 2 the answer decides and names no sum: the report behind it is the first that does.
        known = replace(payment, receipt_number=receipt, collected_minor=_collected(payment, news, past))
        if known != payment:
            known = self._tx.save(known)
        if known.collected_minor != payment.collected_minor:
            sums = {"collected_minor": known.collected_minor, "rounding_minor": known.rounding_minor}
            self._tx.append_event(known.id, self._now, news.actor, "sum_named", sums)
        if _another_report(news, past):
            self.open_case(known, CaseKind.CONTRADICTION, news.facts | {"stood": str(known.standing)})
        return self._doubt_the_sum(known, news.sum_minor) if self._sum_is_odd(known, news, past) else known

    def _consequences(self, before: Payment, payment: Payment, news: News, past: Past) -> Payment:
        if payment.collection is Collection.UNKNOWN:
            self._tx.drop_tasks(payment.id, TaskKind.SEND, TaskKind.LIMIT)
            ask_at = max(self._now, payment.created_at + self._world.limits.ask_s)
            self._tx.add_task(payment.id, TaskKind.ASK, ask_at)
        if payment.undecided:
            return payment
        self._tx.drop_tasks(payment.id, *_WAITING)
        self._tx.forget_payer(payment.id)
        self.close_cases(payment, OUTCOME_CASES, news.actor, str(payment.standing))
        match payment.collection:
            case Collection.PAID if before.collection is not Collection.PAID:
                return self.money_taken(payment, news)
            case Collection.PAID:
                odd = self._sum_is_odd(payment, news, past)
                return self._prove(self._doubt_the_sum(payment, news.sum_minor) if odd else payment, news.actor)
            case Collection.REVERSED:
                return self._taken_back(before, payment, news.actor)
            case Collection.CANCELLED | Collection.REFUSED:  # the last case
                self._tx.release_claims(payment.id)
        return payment

    def _taken_back(self, before: Payment, payment: Payment, actor: str) -> Payment:
        was_paid = before.collection is Collection.PAID
        if was_paid and (why := end_wish(self._tx, self._now, payment, actor)):
            facts = {"why": why, "stood": str(payment.standing)}
            self.open_case(payment, CaseKind.CONTRADICTION, facts)
        if was_paid and payment.booking is Booking.NONE:
            # A person had settled it by hand, and only a person knows what there is to take back.
            self.open_case(payment, CaseKind.VOID_BY_HAND, {"reference": payment.reference})
            return payment
        return self.money_returned(payment, actor)

    def money_taken(self, payment: Payment, news: News) -> Payment:
        """Make the booking due, unless a person must look at it first."""
        sums = {"collected_minor": payment.collected_minor, "rounding_minor": payment.rounding_minor}
        due = self.advance(payment, Done.MONEY_TAKEN, news.actor, sums)
        self._tx.add_task(due.id, TaskKind.WATCH, self._now + self._world.limits.late_s)
        if others := self._tx.reclaim(due):
            due = self.block(due, CaseKind.COLLECTED_TWICE, {}, others)
        if self._beyond_rounding(due):
            return self._doubt_the_sum(due, due.collected_minor)
        if due.booking is Booking.DUE:
            self._tx.add_task(due.id, TaskKind.BOOK, self._now)
        return due

    def _sum_is_odd(self, payment: Payment, news: News, past: Past) -> bool:
        """Tell whether the till names a sum for the first time that is beyond rounding, or unlike its own first one.

        One that was heard before has had its case, which a person may have answered since.
        """
        if news.sum_minor is None or news.sum_minor in past.sums:
            return False
        return news.sum_minor != payment.collected_minor or self._beyond_rounding(payment)

    def _beyond_rounding(self, payment: Payment) -> bool:
        return abs(payment.rounding_minor) > self._world.limits.rounding_minor

    def _doubt_the_sum(self, payment: Payment, sum_minor: int | None) -> Payment:
        facts = {"collected_minor": sum_minor, "total_minor": payment.total.minor}
        return self._doubt(payment, CaseKind.SUM_DIFFERS, facts)

    def _doubt_typed_receipts(self, payment: Payment, receipt_number: str) -> None:
        """Doubt what a person typed for another payment: the till itself names it for this one.

        Once for each pair, and not where the two collide in a case already. Receipts that tills named are not held
        against each other, since tills may number alike.
        """
        holders = self._tx.typed_receipt_holders(payment, receipt_number)
        cases = self._tx.open_cases(payment.id) if holders else ()
        colliding = {other for case in cases for other in case.other_payment_ids}
        for holder in holders:
            if holder.id not in colliding:
                self._doubt(holder, CaseKind.SAME_RECEIPT, {"receipt": receipt_number}, (payment.id,))

    def _doubt(
        self, payment: Payment, kind: CaseKind, facts: Mapping[str, object], others: Sequence[str] = ()
    ) -> Payment:
        """Let a person decide before it is booked; what has been begun is settled, with its case beside it."""
        if payment.booking is not Booking.DUE:
            self.open_case(payment, kind, facts, others)
            return payment
        self._tx.drop_tasks(payment.id, TaskKind.BOOK)
        return self.block(payment, kind, facts, others)

    def _prove(self, payment: Payment, actor: str) -> Payment:
        """End what was doubted in a person's word: the till has said so itself."""
        self.close_cases(payment, frozenset({CaseKind.SAME_RECEIPT}), actor, str(payment.standing))
        if payment.booking is not Booking.BLOCKED or self.booking_cases(payment):
            return payment
        return self.due_again(payment, actor, {"why": "the till has said so itself"})


def _with_receipt(payment: Payment, news: News, past: Past) -> Payment:
    if news.heard not in (Heard.TILL_PAID, Heard.CLERK_PAID):
        return payment
    receipt = news.receipt_number or payment.receipt_number
    asked = replace(payment, receipt_number=receipt, collected_minor=payment.total.minor)
    return replace(asked, collected_minor=_collected(asked, news, past))


def _collected(payment: Payment, news: News, past: Past) -> int | None:
    """Return the first sum that the till has named, else what the payment has already."""
    sums = [*past.sums, *([] if news.sum_minor is None else [news.sum_minor])]
    return sums[0] if sums else payment.collected_minor


def _another_report(news: News, past: Past) -> bool:
    """Tell whether a report names another receipt than those before: the money may have been taken twice.

    An answer and a report may number differently, so they are not held against each other. One that was heard before
    has had its case, which a person may have answered since.
    """
    if news.via != "report" or news.receipt_number is None:
        return False
    return bool(past.reported_receipts) and news.receipt_number not in past.reported_receipts
