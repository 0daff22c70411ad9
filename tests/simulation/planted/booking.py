# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges that book wrongly: too early, twice, on strange charges, or only in their own eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from simulation.planted import scripts
from simulation.planted.bug import Bug, patched
from tillbridge.composition import begin
from tillbridge.domain.allocation import CreditPlan, PlannedCredit, plan_credits
from tillbridge.domain.lifecycle import Booking, Done
from tillbridge.domain.payment import Line, Payment
from tillbridge.libraries.koha import adapter as koha
from tillbridge.libraries.koha.booking import judge
from tillbridge.service import booking, planning, settling, weighing
from tillbridge.service.booking import Booker
from tillbridge.service.lease import Lease
from tillbridge.service.library_port import Credit, MaybeRecorded, NotRecorded
from tillbridge.service.settling import Settling
from tillbridge.service.store_port import CreditState, StoredCredit, Task, Transaction
from tillbridge.service.weighing import Whole
from tillbridge.simulation import bridge
from tillbridge.store.transaction import SqlTransaction

LESS = "is meant: why?"


def _repeats_without_a_look(patch: pytest.MonkeyPatch) -> None:
    answered = Booker._answered

    def careless(self: Booker, tx: Transaction, task: Task, asked: Any, answer: Any, owed: Any) -> Any:
        if isinstance(answer, MaybeRecorded) and booking._payment(tx, task).booking is Booking.BOOKING:
            return asked.credit
        return answered(self, tx, task, asked, answer, owed)

    patch.setattr(Booker, "_answered", careless)


def _says_booked_before_the_answer(patch: pytest.MonkeyPatch) -> None:
    send_first = Settling._send_first

    def careless(self: Settling, planned: Sequence[PlannedCredit], owed: Any) -> StoredCredit | None:
        sent = send_first(self, planned, owed)
        if sent is None or len(planned) > 1:
            return sent
        self._put(replace(sent, state=CreditState.BOOKED, credit_id="0"))
        self.advance(Done.CONFIRMED, {"credits": ["0"]})
        self.let_go()
        return sent

    patch.setattr(Settling, "_send_first", careless)
    patch.setattr(Booker, "_answered", lambda *_: None)


def _takes_an_error_for_refused(patch: pytest.MonkeyPatch) -> None:
    def careless(outcome: Any, order: Any) -> Any:
        answer = judge(outcome, order)
        failed = isinstance(answer, MaybeRecorded) and answer.ended
        return NotRecorded("Koha has failed", again=True) if failed else answer

    patch.setattr(koha, "judge", careless)


def _takes_every_answer_for_booked(patch: pytest.MonkeyPatch) -> None:
    def careless(_: str, __: StoredCredit, credit: Credit, ___: Any) -> Whole:
        return Whole(credit.credit_id)

    patch.setattr(settling, "weigh_answer", careless)


def _sends_the_whole_to_changed_charges(patch: pytest.MonkeyPatch) -> None:
    def careless(lines: Sequence[Line], owed_now: Any) -> CreditPlan:
        del owed_now
        return plan_credits(lines, {line.charge_id: line.owed for line in lines})

    patch.setattr(planning, "plan_credits", careless)


def _goes_by_what_it_has_read_before(patch: pytest.MonkeyPatch) -> None:
    def careless(self: Booker, tx: Transaction, task: Task, begun: Payment) -> Payment:
        now = tx.payment(begun.id)
        return begun if now is None else replace(begun, version=now.version)

    patch.setattr(Booker, "_unmoved", careless)


def _takes_the_patron_from_others(patch: pytest.MonkeyPatch) -> None:
    lock = SqlTransaction.lock_patron

    def careless(self: SqlTransaction, payment: Payment) -> bool:
        for other in self.payments_in_doubt():
            if other.patron_id == payment.patron_id and other.id != payment.id:
                self.unlock_patron(other, 0.0)
        return lock(self, payment)

    patch.setattr(SqlTransaction, "lock_patron", careless)


def _goes_by_the_clock_on_the_wall(patch: pytest.MonkeyPatch) -> None:
    async def careless(store: Any, passed: Any) -> Any:
        clock = await begin(store, passed)
        clock.now = store.time  # type: ignore[method-assign]
        return clock

    patch.setattr(bridge, "begin", careless)


BUGS = (
    Bug("a booking is sent again without a look", _repeats_without_a_look, "one reference is there twice", 39),
    Bug(
        "a booking is sent again before the first one has surely ended",
        patched(Settling, "_surely_ended_at", lambda _: 0.0),
        "one reference is there twice",
        84,
    ),
    Bug("booked is stored before the library has answered", _says_booked_before_the_answer, LESS, 5),
    Bug("every answer of the library is taken for booked", _takes_every_answer_for_booked, LESS, 10),
    Bug(
        "an error of the library is taken for refused",
        _takes_an_error_for_refused,
        "have arrived, and by the answers",
        39,
    ),
    Bug(
        "the whole sum is sent although the charges have changed",
        _sends_the_whole_to_changed_charges,
        "money on a strange charge",
        script=scripts.CHANGED_WHILE_IT_IS_PAID,
    ),
    Bug(
        "money that lands on other charges is not seen",
        patched(weighing, "_on_its_charges", lambda *_: True),
        "has spilled over to another charge, and nobody was told",
        script=scripts.SPILLS_OVER,
    ),
    Bug(
        "what was read before is stored over what has changed since",
        _goes_by_what_it_has_read_before,
        "a booking that is none cannot hear start",
        script=scripts.TAKEN_BACK_WHILE_IT_IS_READ,
    ),
    Bug(
        "two payments of one patron are booked at once",
        _takes_the_patron_from_others,
        "is not locked for it",
        script=scripts.TWO_AT_ONCE,
    ),
    Bug(
        "a lease that is over is ignored",
        patched(Lease, "good_for", lambda *_: True),
        "one reference is there twice",
        script=scripts.SLEEPS_BEFORE_THE_CREDIT,
    ),
    Bug(
        "time is told by the clock on the wall",
        _goes_by_the_clock_on_the_wall,
        "one reference is there twice",
        script=scripts.CLOCK_SET_FORWARD,
    ),
)
