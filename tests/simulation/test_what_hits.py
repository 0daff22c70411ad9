# SPDX-License-Identifier: GPL-3.0-or-later
"""A fault counts when it has hit something: what is only laid down, and meets nobody, counts for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tillbridge.simulation import mishaps
from tillbridge.simulation.mishaps import pick_of
from tillbridge.simulation.play import Outcome, play
from tillbridge.simulation.script import Script, Setup, Step
from tillbridge.simulators.library.faults import FaultKind

pytestmark = pytest.mark.timeout(300)

START, PAY = Step(1.0, "start", 0, 0.5), Step(20.0, "pay", 0, 0.2)
PATRONS = (("Virtanen", ("2.40", "0.20", "5.00")),)
ALONE = Setup(patrons=PATRONS)

MEET_NOBODY = {
    "harm_till": len(mishaps.TILL_HARMS),
    "harm_report": len(mishaps.REPORT_HARMS),
    "harm_write": len(mishaps.WRITE_HARMS),
    "till_fault": len(mishaps.TILL_FAULTS),
    "koha_fault": len(mishaps.KOHA_FAULTS),
    **dict.fromkeys(("rotate", "jump", "koha_away", "harm_read", "oversleep", "alarm_fault"), 3),
    **dict.fromkeys(("other_sum", "lie", "forge", "odd_report", "take_back", "cancel", "word"), 5),
    **dict.fromkeys(("grow", "write_off", "pay_in_koha", "delete", "void", "change_charge"), 3),
    **dict.fromkeys(("meet_librarian", "meet_other_bridge", "void_at_once"), 1),
}
"""Deeds, and how many kinds of each are tried."""


def played(*steps: Step, setup: Setup = ALONE) -> Outcome:
    outcome = play(Script(1, setup, steps))
    assert outcome.broken is None
    return outcome


@pytest.mark.parametrize("do", MEET_NOBODY)
def test_what_meets_nobody_does_not_count(do: str) -> None:
    kinds = MEET_NOBODY[do]
    outcome = played(*(Step(5.0, do, kind, (kind + 0.5) / kinds) for kind in range(kinds)))
    assert dict(outcome.telling.faults) == {}
    assert dict(outcome.telling.quirks) == {}


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (Step(0.5, "harm_till", 0, pick_of(mishaps.TILL_HARMS, "lost")), 1),
        (Step(0.5, "harm_till", 0, pick_of(mishaps.TILL_HARMS, "answer_lost")), 2),
        (Step(10.0, "harm_report", 0, pick_of(mishaps.REPORT_HARMS, "lost")), 4),
        (Step(10.0, "harm_report", 0, pick_of(mishaps.REPORT_HARMS, "doubled")), 5),
        (Step(10.0, "harm_report", 0, pick_of(mishaps.REPORT_HARMS, "damaged")), 9),
        (Step(10.0, "harm_report", 0, pick_of(mishaps.REPORT_HARMS, "doubled_at_once")), 10),
        (Step(10.0, "harm_write", 0, pick_of(mishaps.WRITE_HARMS, "answer_lost")), 16),
        (Step(10.0, "koha_fault", 0, pick_of(mishaps.KOHA_FAULTS, FaultKind.CREDIT_500_KEPT)), 17),
        (Step(10.0, "koha_fault", 0, pick_of(mishaps.KOHA_FAULTS, FaultKind.FORBIDDEN)), 21),
        (Step(10.0, "koha_fault", 0, pick_of(mishaps.KOHA_FAULTS, FaultKind.CREDIT_400)), 21),
        (Step(10.0, "koha_away", 0, 0.0), 18),
        (Step(10.0, "change_charge", 0, 0.0), 19),
        (Step(10.0, "delete_payer", 0, 0.0), 20),
        (Step(10.0, "cancel", 0, 0.0), 12),
        (Step(10.0, "rotate", 0, pick_of(("old", "wrong", "right"), "wrong")), 26),
        (Step(30.0, "take_back", 0, 0.0), 23),
    ],
)
def test_what_hits_is_counted(step: Step, fault: int) -> None:
    told = played(START, step, PAY, setup=replace(ALONE, version="3.0.5")).telling
    assert told.faults[fault]
