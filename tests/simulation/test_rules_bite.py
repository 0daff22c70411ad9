# SPDX-License-Identifier: GPL-3.0-or-later
"""Each rule is broken by a fault that is planted for it alone: a rule that nothing can break proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tillbridge.libraries.koha import adapter as koha
from tillbridge.libraries.koha.booking import judge as judge_credit
from tillbridge.libraries.koha.transport import Unanswered
from tillbridge.registers.ceepos import judge
from tillbridge.registers.ceepos.adapter import Ceepos
from tillbridge.service import alarming, booking, reporting, settling, starting
from tillbridge.service.library_port import Credit, NotRecorded, Recorded
from tillbridge.service.register_port import NoOutcome, Paid, Refused
from tillbridge.service.reporting import Reply
from tillbridge.service.weighing import weigh_answer
from tillbridge.simulation import mishaps
from tillbridge.simulation.mishaps import pick_of
from tillbridge.simulation.play import play
from tillbridge.simulation.script import Script, Setup, Step
from tillbridge.simulators.library.faults import FaultKind
from tillbridge.store import records
from tillbridge.store.transaction import SqlTransaction

pytestmark = pytest.mark.timeout(300)

Plant = Callable[[pytest.MonkeyPatch], None]

START, PAY = Step(1.0, "start", 0, 0.5), Step(20.0, "pay", 0, 0.2)
LOST = Step(0.5, "harm_till", 0, pick_of(mishaps.TILL_HARMS, "answer_lost"))
FORGED = Step(10.0, "forge", 0, 0.0)
CREDIT_LOST = Step(15.0, "harm_write", 0, pick_of(mishaps.WRITE_HARMS, "lost"))
CREDIT_KEPT = Step(15.0, "harm_write", 0, pick_of(mishaps.WRITE_HARMS, "answer_lost"))
NOT_APPLIED = Step(15.0, "koha_fault", 0, pick_of(mishaps.KOHA_FAULTS, FaultKind.CREDIT_201_UNAPPLIED))


def _patch(place: object, name: str, planted: object) -> Plant:
    return lambda patch: patch.setattr(place, name, planted)


async def _nothing(*_: object) -> None:
    """Leave it undone."""


async def _fails(*_: object) -> None:
    raise ZeroDivisionError


def _locks_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SqlTransaction, "lock_patron", lambda *_: True)


def _names_the_card_in_an_event(patch: pytest.MonkeyPatch) -> None:
    intent = starting._intent
    patch.setattr(starting, "_intent", lambda payment: intent(payment) | {"card": "LK-100-0077"})


def _names_the_card_in_a_message(patch: pytest.MonkeyPatch) -> None:
    keep = SqlTransaction.keep_message
    patch.setattr(
        SqlTransaction, "keep_message", lambda tx, message: keep(tx, replace(message, verdict="card LK-100-0077"))
    )


def _names_the_patron_in_an_alarm(patch: pytest.MonkeyPatch) -> None:
    news = alarming._news
    patch.setattr(alarming, "_news", lambda *given: replace(news(*given), words="Virtanen has paid"))


def _logs_the_secret(patch: pytest.MonkeyPatch) -> None:
    look = alarming.Herald.look

    async def talkative(self: Any, *given: Any) -> None:
        alarming._log.info("looking", secret="new-secret")
        await look(self, *given)

    patch.setattr(alarming.Herald, "look", talkative)


def _believes_anything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judge, "_why_unproven", lambda *_: None)


def _takes_a_lost_credit_for_refused(patch: pytest.MonkeyPatch) -> None:
    def careless(outcome: Any, order: Any) -> Any:
        return NotRecorded("lost", again=True) if isinstance(outcome, Unanswered) else judge_credit(outcome, order)

    patch.setattr(koha, "judge", careless)


def _takes_a_lost_credit_for_recorded(patch: pytest.MonkeyPatch) -> None:
    def careless(outcome: Any, order: Any) -> Any:
        if isinstance(outcome, Unanswered):
            return Recorded(Credit("1", order.reference, order.amount, order.amount - order.amount, void=False))
        return judge_credit(outcome, order)

    patch.setattr(koha, "judge", careless)


def _takes_a_lost_order_for_refused(patch: pytest.MonkeyPatch) -> None:
    send = Ceepos.send

    async def careless(self: Ceepos, order: Any, at_register: Any) -> Any:
        answer = await send(self, order, at_register)
        return Refused("lost", b"") if isinstance(answer, NoOutcome) else answer

    patch.setattr(Ceepos, "send", careless)


def _makes_up_a_receipt(patch: pytest.MonkeyPatch) -> None:
    report = Ceepos.judge_report

    def careless(self: Ceepos, *given: Any) -> Any:
        verdict = report(self, *given)
        return replace(verdict, receipt_number="K000009") if isinstance(verdict, Paid) else verdict

    patch.setattr(Ceepos, "judge_report", careless)


def _seals_anything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(records, "day_seal", lambda *_: "0" * 64)


def _closes_what_is_not_applied(patch: pytest.MonkeyPatch) -> None:
    def careless(reference: str, asked: Any, credit: Credit, owed: Any) -> Any:
        return weigh_answer(reference, asked, replace(credit, unapplied=credit.unapplied * 0), owed)

    patch.setattr(settling, "weigh_answer", careless)


@dataclass(frozen=True)
class Case:
    """A fault, the steps that it needs, and the rule that it breaks."""

    plant: Plant
    steps: tuple[Step, ...]
    rule: str
    patrons: tuple[tuple[str, tuple[str, ...]], ...] = (("Virtanen", ("2.40", "0.20", "5.00")),)


CASES = {
    "a patron is locked for nobody": Case(_locks_nobody, (START, PAY), "its patron is not locked for it"),
    "an event names a card": Case(_names_the_card_in_an_event, (START,), "a card number or a name"),
    "a stored message names a card": Case(_names_the_card_in_a_message, (START, PAY), "a card number or a name"),
    "an alarm names the patron": Case(
        _names_the_patron_in_an_alarm, (START, NOT_APPLIED, PAY), "a card number or a name"
    ),
    "a log names a secret": Case(_logs_the_secret, (START,), "a card number or a name"),
    "a task fails": Case(
        _patch(booking.Booker, "book", _fails), (START, PAY), "the bridge failed: a task failed: ZeroDivisionError"
    ),
    "people are told again": Case(
        _patch(SqlTransaction, "alarm_tried", lambda *_, **__: None), (START, NOT_APPLIED, PAY), "told of a case twice"
    ),
    "nobody is told": Case(
        _patch(alarming.Herald, "_send", _nothing), (START, NOT_APPLIED, PAY), "is open, and nobody was told of it"
    ),
    "nobody is to be told": Case(
        _patch(SqlTransaction, "add_alarm", lambda *_: None), (START, NOT_APPLIED, PAY), "nobody was ever to be told"
    ),
    "nobody minds that it is late": Case(
        _patch(booking.Booker, "watch", _nothing), (START, CREDIT_LOST, PAY), "is paid, not booked, and on no list"
    ),
    "a forged report counts": Case(_believes_anything, (START, FORGED), "and no till has said so"),
    "a receipt is made up": Case(_makes_up_a_receipt, (START, PAY), "and no till has said so"),
    "a report is answered and not heard": Case(
        _patch(reporting, "_take", lambda *_: Reply(200)), (START, PAY), "and its history does not know it"
    ),
    "a credit counts for refused that is there": Case(
        _takes_a_lost_credit_for_refused, (START, CREDIT_KEPT, PAY), "have arrived, and by the answers"
    ),
    "a credit counts for recorded that is not there": Case(
        _takes_a_lost_credit_for_recorded, (START, CREDIT_LOST, PAY), "have arrived, and by the answers"
    ),
    "an order counts for refused that is lost": Case(
        _takes_a_lost_order_for_refused,
        (replace(LOST, pick=pick_of(mishaps.TILL_HARMS, "lost")), START),
        "have arrived, and by the answers",
    ),
    "a credit counts for applied that is not": Case(
        _closes_what_is_not_applied, (START, NOT_APPLIED, PAY), "is meant: why?", (("Virtanen", ("2.40",)),)
    ),
    "a day is sealed with anything": Case(
        _seals_anything,
        (START, PAY, replace(START, at=90_000.0, pick=0.1)),
        "the history does not verify",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_rule_is_broken_by_the_fault_that_is_planted_for_it(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(1, Setup(patrons=case.patrons), case.steps)
    assert play(script).broken is None
    case.plant(monkeypatch)
    broken = play(script).broken
    assert broken is not None
    assert case.rule in broken
