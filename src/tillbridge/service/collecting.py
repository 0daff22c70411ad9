# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply what is heard about the money, inside one transaction: state, event, claims, tasks and cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tillbridge.domain.lifecycle import REVERSED_TILL, Booking, Collection, Done, Heard, Reaction
from tillbridge.domain.payment import Payment
from tillbridge.service.alarming import put_on_list
from tillbridge.service.ports import World
from tillbridge.service.store_port import CaseKind, CreditState, TaskKind, Transaction

BOOKING_CASES = frozenset(
    {
        CaseKind.SUM_DIFFERS,
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

    @property
    def facts(self) -> dict[str, object]:
        """Return what the event keeps."""
        facts = {"via": self.via, "why": self.why, "receipt": self.receipt_number, "sum_minor": self.sum_minor}
        return {key: value for key, value in facts.items() if value not in ("", None)}


class Collecting:
    """Apply news to payments in one transaction at one instant."""

    def __init__(self, transaction: Transaction, now: float, world: World) -> None:
        self._tx, self._now, self._world = transaction, now, world

    @property
    def now(self) -> float:
        """Return the instant of the transaction."""
        return self._now

    def hear(self, payment: Payment, news: News) -> tuple[Payment, Reaction | None]:
        """Let the table decide what the news mean, store it, and set off what follows."""
        follows = self._follows(payment, news)
        if isinstance(follows, Reaction):
            return self._react(payment, news, follows), follows
        saved = self._tx.save(_with_receipt(follows, news))
        facts = news.facts | {"to": str(saved.standing)}
        self._tx.append_event(saved.id, self._now, news.actor, news.heard, facts)
        return self._consequences(payment, saved, news), None

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
            # What the library system has says nothing about the sum that the till named.
            answered = BOOKING_CASES - {CaseKind.SUM_DIFFERS} if done is Done.CONFIRMED else BOOKING_CASES
            self.close_cases(saved, answered, actor, str(done))
        if saved.booking not in LATE:
            self._tx.drop_tasks(saved.id, TaskKind.WATCH)
            self.close_cases(saved, frozenset({CaseKind.NOT_BOOKED}), actor, str(done))
        return saved

    def block(self, payment: Payment, kind: CaseKind, facts: Mapping[str, object], other: str | None = None) -> Payment:
        """Stop the booking until a person has acted, with its case."""
        saved = self.advance(payment, Done.BLOCK, "bridge", {"case": str(kind)} | dict(facts))
        self.open_case(saved, kind, facts, other)
        return saved

    def open_case(
        self, payment: Payment, kind: CaseKind, facts: Mapping[str, object], other: str | None = None
    ) -> None:
        """Put the payment on the list of open cases."""
        put_on_list(self._tx, self._world, kind, payment.id, self._now, facts, other)

    def close_cases(self, payment: Payment, kinds: frozenset[CaseKind], actor: str, resolution: str) -> None:
        """Take the payment's open cases of these kinds off the list."""
        for case in self._tx.open_cases(payment.id):
            if case.kind in kinds:
                self._tx.close_case(case.id, self._now, actor, resolution)

    def money_returned(self, payment: Payment, actor: str) -> Payment:
        """Take the booking back, or make it no longer due; a booking in doubt is settled first."""
        if payment.booking in (Booking.NONE, Booking.BOOKING, Booking.UNKNOWN):
            return payment
        if payment.booking in (Booking.REVERSAL_DUE, Booking.REVERSING, Booking.REVERSED):
            return payment
        states = {credit.state for credit in self._tx.credits(payment.id)}
        traces = payment.booking is Booking.BOOKED or states - {CreditState.PLANNED}
        done = Done.RETURNED_BOOKED if traces else Done.RETURNED_UNBOOKED
        saved = self.advance(payment, done, actor, {})
        self._tx.drop_tasks(saved.id, TaskKind.BOOK, TaskKind.LOOK_UP)
        if saved.booking is Booking.REVERSAL_DUE:
            self._ask_for_void(saved)
            surely_there = states & {CreditState.SENT, CreditState.BOOKED}
            pause = self._world.limits.look_again_s if surely_there else 0.0
            self._tx.add_task(saved.id, TaskKind.LOOK_UP, self._now + pause)
        return saved

    def _ask_for_void(self, payment: Payment) -> None:
        self.open_case(payment, CaseKind.VOID_BY_HAND, {"reference": payment.reference})

    def _follows(self, payment: Payment, news: News) -> Payment | Reaction:
        follows = payment.after(news.heard)
        if follows is not Reaction.CONTRADICTION or payment.standing != REVERSED_TILL:
            return follows
        same_receipt = news.receipt_number is not None and news.receipt_number == payment.receipt_number
        return Reaction.DUPLICATE if same_receipt else follows

    def _react(self, payment: Payment, news: News, reaction: Reaction) -> Payment:
        facts = news.facts | {"heard": str(news.heard)}
        self._tx.append_event(payment.id, self._now, news.actor, reaction, facts)
        if reaction is Reaction.CONTRADICTION:
            self.open_case(payment, CaseKind.CONTRADICTION, facts | {"stood": str(payment.standing)})
        if reaction is Reaction.DUPLICATE and news.heard is Heard.TILL_PAID:
            return self._paid_again(payment, news)
        return payment

    def _paid_again(self, payment: Payment, news: News) -> Payment:
        if payment.receipt_number is None and news.receipt_number is not None:
            payment = self._tx.save(replace(payment, receipt_number=news.receipt_number))
        if self._another_report(payment, news):
            self.open_case(payment, CaseKind.CONTRADICTION, news.facts | {"stood": str(payment.standing)})
        return self._doubt_the_sum(payment, news) if self._sum_differs(payment, news) else payment

    def _another_report(self, payment: Payment, news: News) -> bool:
        """Tell whether two reports name different receipts: the money may have been taken twice.

        An answer and a report may number differently, so they are not held against each other.
        """
        paid = (str(Heard.TILL_PAID), str(Reaction.DUPLICATE))
        events = [event.facts for event, _ in self._tx.history(payment.id) if event.kind in paid]
        receipts = {facts.get("receipt") for facts in events if facts.get("via") == news.via == "report"}
        return len(receipts - {None}) > 1

    def _consequences(self, before: Payment, payment: Payment, news: News) -> Payment:
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
            case Collection.PAID if self._sum_differs(payment, news):
                return self._doubt_the_sum(payment, news)
            case Collection.REVERSED if before.collection is Collection.PAID and payment.booking is Booking.NONE:
                # A person had settled it by hand, and only a person knows what there is to take back.
                self._ask_for_void(payment)
            case Collection.REVERSED:
                return self.money_returned(payment, news.actor)
            case Collection.CANCELLED | Collection.REFUSED:
                self._tx.release_claims(payment.id)
        return payment

    def money_taken(self, payment: Payment, news: News) -> Payment:
        """Make the booking due, unless a person must look at it first."""
        sums = {"collected_minor": payment.collected_minor, "rounding_minor": payment.rounding_minor}
        due = self.advance(payment, Done.MONEY_TAKEN, news.actor, sums)
        self._tx.add_task(due.id, TaskKind.WATCH, self._now + self._world.limits.late_s)
        other = self._tx.claim(due)
        if other is not None:
            self._tx.claim_free(due)
            due = self.block(due, CaseKind.COLLECTED_TWICE, {"other": other}, other)
        if self._sum_differs(due, news):
            return self._doubt_the_sum(due, news)
        if due.booking is Booking.DUE:
            self._tx.add_task(due.id, TaskKind.BOOK, self._now)
        return due

    def _sum_differs(self, payment: Payment, news: News) -> bool:
        if news.sum_minor is None:
            return False
        return abs(news.sum_minor - payment.total.minor) > self._world.limits.rounding_minor

    def _doubt_the_sum(self, payment: Payment, news: News) -> Payment:
        facts = {"collected_minor": news.sum_minor, "total_minor": payment.total.minor}
        if payment.booking is not Booking.DUE:
            self.open_case(payment, CaseKind.SUM_DIFFERS, facts)
            return payment
        self._tx.drop_tasks(payment.id, TaskKind.BOOK)
        return self.block(payment, CaseKind.SUM_DIFFERS, facts)


def _with_receipt(payment: Payment, news: News) -> Payment:
    if news.heard not in (Heard.TILL_PAID, Heard.CLERK_PAID):
        return payment
    collected = payment.total.minor if news.sum_minor is None else news.sum_minor
    return replace(payment, receipt_number=news.receipt_number or payment.receipt_number, collected_minor=collected)
