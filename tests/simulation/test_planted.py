# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge that is broken on purpose is found out, quickly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tillbridge.domain import lifecycle
from tillbridge.domain.lifecycle import CANCELLED_CLERK, Collection, Heard, Reaction
from tillbridge.registers.ceepos.adapter import Ceepos
from tillbridge.service import sending, settling
from tillbridge.service.register_port import NeverSent, NoOutcome
from tillbridge.service.weighing import Whole
from tillbridge.simulation.drawing import draw
from tillbridge.simulation.play import Outcome, play
from tillbridge.simulation.shrinking import kind_of, shrunk
from tillbridge.store.transaction import SqlTransaction

pytestmark = pytest.mark.timeout(300)

MOST_SEEDS = 200
Plant = Callable[[pytest.MonkeyPatch], None]


def _repeats_without_waiting_for_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settling.Settling, "_surely_ended_at", lambda _: 0.0)


def _takes_a_lost_answer_for_never_sent(patch: pytest.MonkeyPatch) -> None:
    send = Ceepos.send

    async def careless(self: Ceepos, order: Any, at_register: Any) -> Any:
        answer = await send(self, order, at_register)
        return NeverSent(answer.why) if isinstance(answer, NoOutcome) else answer

    patch.setattr(Ceepos, "send", careless)


def _sends_again_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    begin = sending.Sending._begin

    def careless(self: Any, tx: Any, task: Any) -> Any:
        payment = tx.payment(task.payment_id)
        if payment.collection in (Collection.SENDING, Collection.AT_REGISTER):
            return payment.register_server, sending._order(tx, payment)
        return begin(self, tx, task)

    patch.setattr(sending.Sending, "_begin", careless)


def _believes_a_clerk_more_than_the_till(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(lifecycle.COLLECTION, (CANCELLED_CLERK, Heard.TILL_PAID), Reaction.NOTED)


def _takes_every_answer_for_booked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(settling, "weigh_answer", lambda _, __, credit, ___: Whole(credit.credit_id))


def _claims_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SqlTransaction, "claim", lambda _, __: None)


PLANTED: tuple[Plant, ...] = (
    _repeats_without_waiting_for_the_end,
    _takes_a_lost_answer_for_never_sent,
    _sends_again_after_a_restart,
    _believes_a_clerk_more_than_the_till,
    _takes_every_answer_for_booked,
    _claims_nothing,
)


def first_broken() -> Outcome:
    for seed in range(MOST_SEEDS):
        outcome = play(draw(seed))
        if outcome.broken is not None:
            return outcome
    raise AssertionError("nobody has noticed")


@pytest.mark.parametrize("plant", PLANTED)
def test_a_bridge_that_is_broken_on_purpose_is_found_out(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert first_broken().broken


def test_a_failing_script_is_made_shorter_and_still_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    _takes_a_lost_answer_for_never_sent(monkeypatch)
    failing = first_broken()
    short = shrunk(failing)
    assert kind_of(short) == kind_of(failing)
    assert len(short.script.steps) < len(failing.script.steps)
    assert play(short.script).trace == short.trace
    monkeypatch.undo()
    assert play(short.script).broken is None
