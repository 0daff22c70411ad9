# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges that hear a till wrongly, or send to it twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from simulation.planted import scripts
from simulation.planted.bug import Bug, Plant, patched
from tillbridge.domain import lifecycle
from tillbridge.domain.lifecycle import CANCELLED_CLERK, CANCELLED_TILL, PAID_TILL, Collection, Heard, Reaction
from tillbridge.domain.payment import Payment
from tillbridge.registers.ceepos import judge
from tillbridge.registers.ceepos.reading import Message
from tillbridge.service import reporting, sending
from tillbridge.service.booking import Booker
from tillbridge.service.ports import World
from tillbridge.service.register_port import Answer, AtRegister, Cancelled, NeverSent, NoOutcome, Paid
from tillbridge.service.reporting import Reply, take_report
from tillbridge.service.sending import Sending
from tillbridge.service.store_port import CreditState, StoredCredit, Task, Transaction
from tillbridge.simulation import stage

NOT_SAID = "and no till has said so"


def _takes(one: type[Answer], other: Callable[[], Answer]) -> Plant:
    """Return what takes answers of one kind for others."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        take = Sending.take_answer

        async def careless(self: Sending, task: Task, answer: Answer) -> None:
            await take(self, task, other() if isinstance(answer, one) else answer)

        patch.setattr(Sending, "take_answer", careless)

    return plant


def _table(standing: lifecycle.Standing, heard: Heard) -> Plant:
    """Return what passes over something that is heard."""
    return lambda patch: patch.setitem(lifecycle.COLLECTION, (standing, heard), Reaction.NOTED)


def _ignores_reports_when_the_request_has_failed(patch: pytest.MonkeyPatch) -> None:
    take = reporting._take

    def careless(collecting: Any, payment: Payment, verdict: Any) -> Reply:
        if payment.collection is Collection.UNKNOWN:
            return Reply(200, payment_id=payment.id)
        return take(collecting, payment, verdict)

    patch.setattr(reporting, "_take", careless)


def _answers_before_it_stores(patch: pytest.MonkeyPatch) -> None:
    storing = set[Any]()

    async def careless(*given: Any) -> Reply:
        storing.add(asyncio.ensure_future(take_report(*given)))
        return Reply(200)

    patch.setattr(stage, "take_report", careless)


def _books_with_each_report(patch: pytest.MonkeyPatch) -> None:
    async def careless(world: World, *given: Any) -> Reply:
        reply = await take_report(world, *given)
        known = await world.store.read(lambda tx: tx.payment(reply.payment_id or ""))
        if known is not None:
            for credit in await world.store.read(lambda tx: tx.credits(known.id)):
                await _book_again(world, known, credit)
        return reply

    async def _book_again(world: World, payment: Payment, credit: StoredCredit) -> None:
        if payment.collection is Collection.PAID and credit.state is CreditState.BOOKED:
            await Booker(world)._record(payment, credit)

    patch.setattr(stage, "take_report", careless)


def _takes_status_97_for_cancelled(patch: pytest.MonkeyPatch) -> None:
    fact = judge._fact

    def careless(message: Message, raw: bytes, tail: Any) -> Any:
        return Cancelled(raw) if message.get("Status") == 97 else fact(message, raw, tail)

    patch.setattr(judge, "_fact", careless)


def _sends_again_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    begin = Sending._begin

    def careless(self: Sending, tx: Transaction, task: Task) -> Any:
        payment = tx.payment(task.payment_id)
        if payment is not None and payment.collection in (Collection.SENDING, Collection.AT_REGISTER):
            return payment.register_server, sending._order(tx, payment)
        return begin(self, tx, task)

    patch.setattr(Sending, "_begin", careless)


def _sends_again_where_no_answer_comes(patch: pytest.MonkeyPatch) -> None:
    send = sending._send

    async def careless(*given: Any) -> Answer:
        answer = await send(*given)
        return await send(*given) if isinstance(answer, NoOutcome) else answer

    patch.setattr(sending, "_send", careless)


BUGS = (
    Bug("a time-out is taken for cancelled", _takes(NoOutcome, Cancelled), NOT_SAID, 10, row=1),
    Bug(
        "a report is ignored where the held request has failed",
        _ignores_reports_when_the_request_has_failed,
        "and its history does not know it",
        36,
        row=1,
    ),
    Bug(
        "a lost answer is taken for a message that was never sent",
        _takes(NoOutcome, lambda: NeverSent("no answer came")),
        "the bridge says created, and at the till it is",
        12,
    ),
    Bug(
        "where no answer comes, the order is sent again",
        _sends_again_where_no_answer_comes,
        "sent twice",
        10,
    ),
    Bug(
        "after a restart the order is sent again",
        _sends_again_after_a_restart,
        "sent twice",
        script=scripts.DIES_AT_THE_TILL,
    ),
    Bug(
        "an answer of paid books nothing: only a report does",
        _takes(Paid, AtRegister),
        "an answer has said till_paid, and the history does not know it",
        5,
        row=5,
    ),
    Bug(
        "an answer of cancelled leaves the payment pending",
        _takes(Cancelled, AtRegister),
        "an answer has said till_cancelled, and the history does not know it",
        6,
        row=5,
    ),
    Bug("every report of paid books", _books_with_each_report, "one reference is there twice", 12, row=6),
    Bug("a report is answered before it is stored", _answers_before_it_stores, "acknowledged, not stored", 5),
    Bug("a forged report counts", patched(judge, "_why_unproven", lambda *_: None), NOT_SAID, 10),
    Bug("status 97 is taken for cancelled", _takes_status_97_for_cancelled, NOT_SAID, script=scripts.STATUS_97, row=11),
    Bug(
        "a clerk is believed more than the till",
        _table(CANCELLED_CLERK, Heard.TILL_PAID),
        "the bridge says 0: why?",
        10,
    ),
    Bug(
        "money that the till gives back is not noticed",
        _table(PAID_TILL, Heard.TILL_CANCELLED),
        "the till has 0 cents",
        18,
    ),
    Bug(
        "a till that says paid after cancelled is passed over",
        _table(CANCELLED_TILL, Heard.TILL_PAID),
        "has said cancelled and then paid, and nobody was told",
        script=scripts.PAID_AFTER_CANCELLED,
    ),
)
