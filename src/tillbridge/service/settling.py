# SPDX-License-Identifier: GPL-3.0-or-later
"""Settle one booking inside one transaction: what was found or answered becomes its state, cases and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from tillbridge.domain.allocation import PlannedCredit
from tillbridge.domain.lifecycle import AT_REST, Booking, Collection, Done
from tillbridge.domain.payment import Payment
from tillbridge.service.collecting import ANSWERED_THERE, Collecting
from tillbridge.service.library_port import (
    GUESSES,
    BookingAnswer,
    Credit,
    Effect,
    MaybeRecorded,
    NotRecorded,
    Recorded,
)
from tillbridge.service.planning import (
    Owed,
    as_intended,
    first_of,
    is_sent_again,
    lacking_sum,
    owed_after,
    plan_rest,
    surely_ended_at,
    unbooked_lines,
    unsent_charges,
)
from tillbridge.service.ports import World
from tillbridge.service.store_port import CaseKind, CreditState, StoredCredit, Task, TaskKind, Transaction
from tillbridge.service.weighing import (
    TRACES,
    Weighed,
    Whole,
    Wrong,
    may_spill,
    reference_of,
    strangers,
    taken_back,
    too_many,
    weigh_all,
    weigh_answer,
)

SETTLED_THERE = (Booking.BLOCKED, Booking.REVERSAL_DUE)
"""Bookings that a person settles in the library system, so that looking again may end them."""

ANEW: Mapping[str, object] = MappingProxyType({"anew": True})
"""What the event keeps where a booking goes on at once with another plan: that is no new beginning."""

_LOOKED_UP_YET = (Booking.DUE, Booking.UNKNOWN, Booking.REVERSAL_DUE)
"""Bookings for which the library system is asked again anyway, so that a late credit is found."""


class Settling:
    """Hold one payment's booking for the length of a transaction."""

    def __init__(self, tx: Transaction, world: World, task: Task, payment: Payment, *, keyed: bool = False) -> None:
        """Begin; what goes out from now on is `keyed`, or not."""
        self._tx, self._world, self._task, self._payment, self._keyed = tx, world, task, payment, keyed
        self._now = world.clock.now()
        self._collecting = Collecting(tx, self._now, world)
        self._known: tuple[StoredCredit, ...] | None = None

    def start(self, found: Sequence[Credit], owed: Owed, asked_at: float) -> StoredCredit | None:
        """Store `booking` with its plan and return the first credit to send.

        None where nothing is to be sent: an earlier attempt has come through after all or may still do so, or
        nothing is owed.
        """
        if self._concerns(found):
            self.advance(Done.START, {"found": len(found)})
            self.adopt(found, owed)
            self.let_go()
            return None
        if asked_at < self._surely_ended_at():
            self._wait_for_the_end()
            return None
        self._give_up_sent()
        return self._start_plan(owed)

    def start_unread(self) -> StoredCredit | None:
        """Store `booking` with its plan as the payment has it: the library system itself compares the charges."""
        return self._start_plan(as_intended(self._payment))

    def send_again(self) -> StoredCredit | None:
        """Store `booking` and return the credit that no one knows of, to be sent as it was."""
        asked = next(credit for credit in self._credits() if credit.state is CreditState.SENT)
        self.advance(Done.START, {"credits": [[list(asked.charge_ids), str(asked.amount)]], "again": True})
        return asked

    def _start_plan(self, owed: Owed, more: Mapping[str, object] = MappingProxyType({})) -> StoredCredit | None:
        planned = plan_rest(self._payment, self._credits(), owed)
        self.advance(Done.START, {"credits": [[list(c.charge_ids), str(c.amount)] for c in planned], **more})
        return self._send_first(planned, owed)

    def recorded(self, asked: StoredCredit, answer: Recorded, owed_now: Owed | None) -> StoredCredit | None:
        """Take the library system's own answer; return the next credit to send, if there is one.

        The rest is planned anew against `owed_now`, the reading since: nothing goes out on an older one but what is
        compared with the charges once more.
        """
        credit = answer.credit
        weighed = weigh_answer(reference_of(self._payment, asked.n), asked, credit, owed_now)
        if isinstance(weighed, Wrong):
            self.block(weighed)
            if owed_now is None and may_spill(asked):
                self._tx.add_task(self._payment.id, TaskKind.LOOK_UP, self._now + self.pause())
            self.let_go()
            return None
        self._put(replace(asked, state=CreditState.BOOKED, ended=True, credit_id=credit.credit_id))
        self._keep_effects(answer.effects)
        if asked.keyed:
            return self._go_on(owed_after(asked))
        # What was not read again owed nothing besides.
        return self._go_on(owed_now or {})

    def _keep_effects(self, effects: frozenset[Effect] | None) -> None:
        """Let what the library system tells take the place of what was guessed."""
        if effects is None:
            return
        known = [remark for remark in self._payment.remarks if remark not in GUESSES]
        remarks = (*known, *sorted(set(effects).difference(known)))
        if remarks != self._payment.remarks:
            self._payment = self._tx.save(replace(self._payment, remarks=remarks))

    def overtaken(self, asked: StoredCredit, answer: BookingAnswer) -> None:
        """Take an answer to a request that another process has given up: what it did must not stay unseen."""
        if self._payment.booking is Booking.BOOKING:
            self.doubt(MaybeRecorded("an earlier request has been answered after all", ended=False))
            return
        known = {credit.credit_id for credit in self._credits()}
        unseen = isinstance(answer, Recorded) and answer.credit.credit_id not in known
        if unseen and self._payment.booking not in _LOOKED_UP_YET:
            self._collecting.open_case(self._payment, CaseKind.BOOKED_TWICE, {"why": "a late answer"})
        if isinstance(answer, MaybeRecorded):
            self._may_come_late(asked, answer)
        self._tx.postpone_task(self._task, self._now, self._task.attempt)

    def _may_come_late(self, asked: StoredCredit, doubt: MaybeRecorded) -> None:
        """Wait once more for the end of a request that was under way until now, and look what it has left behind."""
        if self._payment.booking in AT_REST:
            ends_in_s = 0.0 if doubt.ended else self._world.limits.surely_ended_s
            self._tx.add_task(self._payment.id, TaskKind.LOOK_UP, self._now + ends_in_s)
            return
        for credit in self._credits():
            if credit.n == asked.n:
                # What is booked stays so, and another one of its number may still come.
                state = CreditState.SENT if credit.state in TRACES else credit.state
                self._put(replace(credit, state=state, sent_at=self._now, ended=doubt.ended))

    def not_recorded(self, asked: StoredCredit, no: NotRecorded, *, again: bool) -> StoredCredit | None:
        """Take the proof that nothing was recorded; return what to send in its place, if there is something.

        `again`: an earlier request for the same may still be under way, of which this proves nothing.
        """
        if not again:
            self._put(replace(asked, state=CreditState.ABSENT))
        if no.again and not no.patron_gone:
            if no.owed is not None and not again:
                return self._plan_anew({**asked.owed_before, **no.owed})
            self.book_again(no.why)
            return None
        self.block(Wrong(CaseKind.PATRON_GONE if no.patron_gone else CaseKind.REFUSED_BY_LIBRARY, {"why": no.why}))
        self.let_go()
        return None

    def _plan_anew(self, owed: Owed) -> StoredCredit | None:
        self.advance(Done.ABSENT, {"why": "the charges have changed"})
        self._take_back_if_reversed()
        if self._payment.booking is Booking.DUE:
            return self._start_plan(owed, ANEW)
        self.let_go()
        return None

    def doubt(self, doubt: MaybeRecorded) -> None:
        """Take it that no one knows: keep the patron's lock and look up at once."""
        for credit in self._credits():
            if credit.state is CreditState.SENT:
                self._put(replace(credit, sent_at=self._now, ended=doubt.ended))
        self.advance(Done.UNCLEAR, {"why": doubt.why})
        self._tx.add_task(self._payment.id, TaskKind.LOOK_UP, self._now)
        self._tx.finish_task(self._task)

    def adopt(self, found: Sequence[Credit], owed: Owed) -> bool:
        """Settle a booking in doubt by what was found; False where nothing was found of what was sent."""
        if credits_ := self._too_many(found):
            self.block(Wrong(CaseKind.BOOKED_TWICE, {"credits": credits_}))
            return True
        weighed = [(asked, result) for asked, result in self._weigh_sent(found, owed) if asked.state in TRACES]
        self._keep_whole(weighed)
        wrongs = [result for _, result in weighed if isinstance(result, Wrong)] + self._taken_back(found)
        if wrongs:
            self.block(wrongs[0])
            return True
        if not any(isinstance(result, Whole) for _, result in weighed):
            return False
        self._book_the_rest()
        return True

    def missed(self, asked_at: float) -> None:
        """Take a look-up that began at `asked_at` and found nothing: repeat only what has surely ended."""
        if self._world.library.abilities.keyed and is_sent_again(self._credits()):
            self.book_again("the library system does not have it yet: it is sent again under the same key")
            return
        if asked_at < self._surely_ended_at():
            self._wait_for_the_end()
            return
        self._give_up_sent()
        self.book_again("the library system does not have it")

    def book_again(self, why: str) -> None:
        """Make the booking due again, after a pause."""
        self.advance(Done.ABSENT, {"why": why})
        self._take_back_if_reversed()
        again_at = self._now + self._pause_before_repeat()
        if self._payment.booking is Booking.DUE and self._task.kind is TaskKind.BOOK:
            self._tx.postpone_task(self._task, again_at, self._task.attempt + 1)
            self._tx.unlock_patron(self._payment, self._now)
            return
        if self._payment.booking is Booking.DUE:
            self._tx.add_task(self._payment.id, TaskKind.BOOK, again_at)
        self.let_go()

    def block(self, wrong: Wrong, others: Sequence[str] = ()) -> None:
        """Stop until a person has acted; of several credits the case names the charges that nothing went out for."""
        unsent = unsent_charges(self._payment, self._credits())
        facts = dict(wrong.facts) | ({"unsent": unsent} if unsent else {})
        self._payment = self._collecting.block(self._payment, wrong.kind, facts, others)
        if wrong.kind in ANSWERED_THERE:
            self._tx.add_task(self._payment.id, TaskKind.LOOK_UP, self._now + self._world.limits.look_again_s)
        self._take_back_if_reversed()

    def let_go(self) -> None:
        """End the task and release the patron; a case that is settled elsewhere is looked at again later."""
        if self._task.kind is TaskKind.LOOK_UP and self._payment.booking in SETTLED_THERE:
            again_at = self._now + self._world.limits.look_again_s
            self._tx.postpone_task(self._task, again_at, self._task.attempt)
        elif self._task.kind is TaskKind.BOOK and self._payment.booking is Booking.DUE:
            self._tx.postpone_task(self._task, self._now, self._task.attempt)
        else:
            self._tx.finish_task(self._task)
        self._tx.unlock_patron(self._payment, self._now)

    def advance(self, done: Done, facts: Mapping[str, object]) -> None:
        """Advance the booking by the table."""
        self._payment = self._collecting.advance(self._payment, done, "library", facts)

    def pause(self) -> float:
        """Return how long to wait after so many attempts."""
        return self._pause_after(self._task.attempt)

    def _pause_before_repeat(self) -> float:
        """Return the pause by how often the booking was begun: look-ups in between do not start it anew."""
        begun = [event for event, _ in self._tx.history(self._payment.id) if event.kind == f"booking_{Done.START}"]
        return self._pause_after(sum(not (event.facts.items() >= ANEW.items()) for event in begun) - 1)

    def _pause_after(self, attempts: int) -> float:
        pauses = self._world.limits.booking_again_s
        return pauses[min(attempts, len(pauses) - 1)]

    def _surely_ended_at(self) -> float:
        return surely_ended_at(self._credits(), self._world.limits.surely_ended_s)

    def _wait_for_the_end(self) -> None:
        due_at = min(self._now + self.pause(), max(self._surely_ended_at(), self._now))
        self._tx.postpone_task(self._task, due_at, self._task.attempt + 1)

    def _give_up_sent(self) -> None:
        for credit in self._credits():
            if credit.state is CreditState.SENT:
                self._put(replace(credit, state=CreditState.ABSENT))

    def _concerns(self, found: Sequence[Credit]) -> bool:
        states = {reference_of(self._payment, credit.n): credit.state for credit in self._credits()}
        sent_before = any(states.get(credit.reference) in TRACES for credit in found)
        return sent_before or bool(strangers(self._payment, self._credits(), found)) or bool(self._taken_back(found))

    def _too_many(self, found: Sequence[Credit]) -> list[str]:
        return too_many(self._payment, self._credits(), found)

    def _taken_back(self, found: Sequence[Credit]) -> list[Wrong]:
        booked = [credit for credit in self._credits() if credit.state is CreditState.BOOKED]
        return taken_back(self._payment, booked, found)

    def _keep_whole(self, weighed: Iterable[tuple[StoredCredit, Weighed]]) -> None:
        for asked, result in weighed:
            if isinstance(result, Whole):
                booked = replace(asked, state=CreditState.BOOKED, ended=True, credit_id=result.credit_id)
                self._put(booked)

    def _book_the_rest(self) -> None:
        if not unbooked_lines(self._payment, self._credits()):
            self._finish()
            return
        self.advance(Done.ABSENT, {"why": "some credits are there, the rest is to be booked"})
        self._take_back_if_reversed()
        if self._payment.booking is Booking.DUE:
            self._tx.add_task(self._payment.id, TaskKind.BOOK, self._now)

    def _go_on(self, owed: Owed) -> StoredCredit | None:
        planned = plan_rest(self._payment, self._credits(), owed)
        if planned and self._must_not_go_on():
            self.advance(Done.ABSENT, {"why": "the rest is not sent"})
            self._take_back_if_reversed()
            self.let_go()
            return None
        return self._send_first(planned, owed)

    def _must_not_go_on(self) -> bool:
        """Tell whether something was heard since the last credit went out that speaks against the next one."""
        return self._payment.collection is Collection.REVERSED or self._collecting.waits_for_a_person(self._payment)

    def _send_first(self, planned: Sequence[PlannedCredit], owed: Owed) -> StoredCredit | None:
        if not planned:
            self._finish()
            self.let_go()
            return None
        sent = first_of(planned, self._credits(), owed, self._now, keyed=self._keyed)
        self._put(sent)
        return sent

    def _finish(self) -> None:
        """End a booking: whole, or with a surplus that must not be sent since it would spill over."""
        surplus = lacking_sum(self._payment, self._credits())
        if surplus > 0:
            others = self._tx.collectors_since(self._payment)
            kind = CaseKind.COLLECTED_TWICE if others else CaseKind.SURPLUS
            self.block(Wrong(kind, {"surplus": str(surplus)}), others)
            return
        booked = [credit.credit_id for credit in self._credits() if credit.state is CreditState.BOOKED]
        self.advance(Done.CONFIRMED, {"credits": booked})
        self._take_back_if_reversed()

    def _weigh_sent(self, found: Sequence[Credit], owed: Owed) -> list[tuple[StoredCredit, Weighed]]:
        sent = [credit for credit in self._credits() if credit.state is not CreditState.VOIDED]
        return weigh_all(self._payment, sent, found, owed)

    def _take_back_if_reversed(self) -> None:
        """Take the booking back where the till took the money back while the booking was in doubt."""
        if self._payment.collection is Collection.REVERSED:
            self._payment = self._collecting.money_returned(self._payment, "till")

    def _put(self, credit: StoredCredit) -> None:
        self._tx.put_credit(self._payment.id, credit)
        self._known = None

    def _credits(self) -> tuple[StoredCredit, ...]:
        """Read the credits, once until one of them changes: nobody else can change them within this transaction."""
        if self._known is None:
            self._known = self._tx.credits(self._payment.id)
        return self._known
