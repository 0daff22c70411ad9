# SPDX-License-Identifier: GPL-3.0-or-later
"""Money is given back in the simulator too: each story leads where it says, and each rule is broken by a fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest

from tillbridge.domain.refund import left_of
from tillbridge.libraries.koha.adapter import KohaLibrary
from tillbridge.service import recording_refunds, refunding
from tillbridge.service.library_port import MaybeRecorded, NotRecorded, Refunded
from tillbridge.service.recording_refunds import Recorder
from tillbridge.service.refund_steps import open_refund
from tillbridge.service.store_port import TaskKind
from tillbridge.simulation import mishaps
from tillbridge.simulation.chance import Chance
from tillbridge.simulation.mishaps import pick_of
from tillbridge.simulation.play import Outcome, play
from tillbridge.simulation.plots import REFUND_PLOTS, told
from tillbridge.simulation.refunds import ALL, FORGETS, MISTAKEN, PART, RIGHT, WHOLE
from tillbridge.simulation.script import Script, Setup, Step
from tillbridge.store.transaction import SqlTransaction

pytestmark = pytest.mark.timeout(300)

Plant = Callable[[pytest.MonkeyPatch], None]

WITH_PLUGIN = Setup(plugin=True, patrons=(("Virtanen", ("2.40", "0.20", "5.00")),))
PAID = (Step(1.0, "start", 0, 0.5), Step(20.0, "pay", 0, 0.2))
GIVEN = Step(90.0, "hand_out", 0, RIGHT)


def asked(pick: float, at: float = 60.0) -> Step:
    return Step(at, "ask_refund", 0, pick)


def harmed(harm: str) -> Step:
    return Step(80.0, "harm_write", 0, pick_of(mishaps.WRITE_HARMS, harm))


def played(*steps: Step, setup: Setup = WITH_PLUGIN) -> Outcome:
    return play(Script(1, setup, (*PAID, *steps)))


LEADS_TO: dict[str, tuple[str, ...]] = {
    "given back as a whole": (
        "paid by till + given_back",
        "refund asked + take_back",
        "booking reversing + reversal_seen",
    ),
    "given back in parts": ("refund asked + given_back", "refund recording + confirmed"),
    "given back, and the word of it is lost": ("refund recording + unclear", "refund recording + absent"),
    "given back, and no word of it arrives": ("refund asked + given_back", "refund recording + unclear"),
    "given back, and Koha is away": ("refund recording + absent", "refund due + settled_by_hand"),
    "given back, and a librarian was faster": ("refund recording + block", "refund blocked + settled_by_hand"),
    "to be given back, and the till takes all of it back": ("paid by till + till_cancelled",),
    "to be given back, and nobody says so": ("refund asked + given_back",),
    "to be given back, and withdrawn": ("refund asked + withdraw",),
    "what a clerk has said is paid is given back": ("paid by clerk + given_back",),
}


def test_of_every_story_it_is_known_where_it_leads() -> None:
    assert LEADS_TO.keys() == REFUND_PLOTS.keys()


@pytest.mark.parametrize("name", LEADS_TO)
def test_a_story_leads_where_it_says(name: str) -> None:
    reached = set[str]()
    for seed in range(4):  # chance decides what the story leaves open
        steps = (Step(1.0, "start", 0, 0.5), *told(Chance(seed).of("story"), name, 0, 1.0))
        outcome = play(Script(seed, WITH_PLUGIN, steps))
        assert outcome.broken is None
        reached |= {row for row, often in outcome.telling.rows.items() if often}
    assert reached >= set(LEADS_TO[name])


def test_the_drawer_and_both_ledgers_are_counted_down() -> None:
    before, after = played().sums, played(asked(ALL), GIVEN).sums
    assert before.till_minor == before.bridge_minor == before.library * 100 > 0
    assert not any((after.till_minor, after.bridge_minor, after.library, after.named))


def test_a_mistaken_word_is_a_difference_with_a_name() -> None:
    outcome = played(asked(PART), replace(GIVEN, pick=MISTAKEN))
    assert outcome.broken is None
    assert outcome.sums.till_minor > outcome.sums.bridge_minor
    assert outcome.sums.named > 0


def test_where_koha_has_no_plugin_nobody_can_ask_for_money_back() -> None:
    outcome = played(asked(WHOLE), asked(PART), GIVEN, setup=replace(WITH_PLUGIN, plugin=False))
    assert outcome.broken is None
    assert not any(row.startswith("refund") for row in outcome.telling.rows)


# --- faults that are planted ---


def _tells_before_anybody_has_said_so(patch: pytest.MonkeyPatch) -> None:
    refund = Recorder.refund

    async def hasty(self: Recorder, task: Any, lease: Any) -> None:
        world = self._world
        payment = await world.store.read(lambda tx: tx.payment(task.payment_id))
        waiting = await world.store.read(lambda tx: open_refund(tx, task.payment_id))
        if payment is not None and waiting is not None:
            for order in recording_refunds._orders(payment, waiting):
                await world.library.refund(order)
        await refund(self, task, lease)

    patch.setattr(Recorder, "refund", hasty)


def _names_another_reference_each_time(patch: pytest.MonkeyPatch) -> None:
    order, numbers = recording_refunds._order, count(7)

    def careless(*given: Any) -> Any:
        made = order(*given)
        return replace(made, reference=made.reference.replace(":refund:", f":{next(numbers)}:refund:"))

    patch.setattr(recording_refunds, "_order", careless)


def _records_half(patch: pytest.MonkeyPatch) -> None:
    order = recording_refunds._order

    def careless(*given: Any) -> Any:
        made = order(*given)
        return replace(made, shares={charge: share / 2 for charge, share in made.shares.items()})

    patch.setattr(recording_refunds, "_order", careless)


def _forgets_what_was_given_before(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(refunding, "left_of", lambda booked, _: left_of(booked, ()))


def _forgets_the_work(patch: pytest.MonkeyPatch) -> None:
    add = SqlTransaction.add_task

    def forgetful(tx: SqlTransaction, payment_id: str, kind: TaskKind, due_at: float) -> None:
        if kind is not TaskKind.REFUND:
            add(tx, payment_id, kind, due_at)

    patch.setattr(SqlTransaction, "add_task", forgetful)


def _puts_nothing_on_the_list(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Recorder, "_list", lambda *_: None)


def _takes_silence_for(answer: Any) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        refund = KohaLibrary.refund

        async def careless(self: KohaLibrary, order: Any) -> Any:
            said = await refund(self, order)
            return answer if isinstance(said, MaybeRecorded) else said

        patch.setattr(KohaLibrary, "refund", careless)

    return plant


@dataclass(frozen=True)
class Case:
    """A fault, the steps that it needs, and the rule that it breaks."""

    plant: Plant
    steps: Sequence[Step]
    rule: str


AWAY = Step(80.0, "koha_away", 0, 0.1)
LATER = Step(2050.0, "decide", 0, 0.1)

CASES = {
    "the library is told too early": Case(
        _tells_before_anybody_has_said_so, (asked(PART), replace(GIVEN, pick=FORGETS)), "nobody said so at the till"
    ),
    "each word has a reference of its own": Case(
        _names_another_reference_each_time, (asked(PART), harmed("answer_lost"), GIVEN), "refunded more than once"
    ),
    "more is given back than was booked": Case(
        _forgets_what_was_given_before,
        (asked(ALL), GIVEN, asked(ALL, 150.0), replace(GIVEN, at=180.0)),
        "more is given back than was booked",
    ),
    "nobody goes on with it": Case(_forgets_the_work, (asked(PART), GIVEN), "with nothing to follow"),
    "nobody hears that it is late": Case(
        _puts_nothing_on_the_list, (asked(PART), AWAY, GIVEN, LATER), "not recorded, and on no list"
    ),
    "half of it is recorded": Case(_records_half, (asked(PART), GIVEN), "is meant: why?"),
    "silence counts for recorded": Case(
        _takes_silence_for(Refunded(("1", "2"))),
        (asked(PART), harmed("lost"), GIVEN),
        "have arrived, and by the answers",
    ),
    "silence counts for not recorded": Case(
        _takes_silence_for(NotRecorded("lost", again=True)),
        (asked(PART), harmed("answer_lost"), GIVEN),
        "have arrived, and by the answers",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_rule_is_broken_by_the_fault_that_is_planted_for_it(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert played(*case.steps).broken is None
    case.plant(monkeypatch)
    broken = played(*case.steps).broken
    assert broken is not None
    assert case.rule in broken
