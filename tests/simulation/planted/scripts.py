# SPDX-License-Identifier: GPL-3.0-or-later
"""Short scripts that lead to where chance alone seldom goes: the healthy bridge breaks no rule in any of them."""

from __future__ import annotations

from typing import Any

from tillbridge.simulation import mishaps
from tillbridge.simulation.mishaps import pick_of
from tillbridge.simulation.script import Script, Setup, Step
from tillbridge.simulators.library.faults import FaultKind

PATRONS = (("Virtanen", ("2.40", "0.20", "5.00")), ("Mäkinen", ("1.00",)))
START, PAY = Step(1.0, "start", 0, 0.5), Step(20.0, "pay", 0, 0.2)
SLOW_READ = Step(31.5, "harm_read", 0, pick_of(mishaps.READ_HARMS, "slow"))
NOT_APPLIED = Step(15.0, "koha_fault", 0, pick_of(mishaps.KOHA_FAULTS, FaultKind.CREDIT_201_UNAPPLIED))
LIES = [(kind, bool(options.collected)) for kind, options in mishaps.TILL_FAULTS]


def _script(*steps: Step, patrons: Any = PATRONS, **setup: Any) -> Script:
    return Script(1, Setup(patrons=patrons, **setup), steps)


DIES_AT_THE_TILL = _script(START, Step(0.95, "crash", 0, 0.6), mode=1)
STATUS_97 = _script(START, Step(10.0, "odd_report", 4, 0.0), PAY)
PAID_AFTER_CANCELLED = _script(Step(0.5, "till_fault", 0, pick_of(LIES, ("cancelled", True))), START, PAY, mode=1)
ANOTHER_SUM = _script(START, Step(10.0, "other_sum", 0, 0.99), PAY, version="3.0.5")
BROWSER_SAYS_99 = _script(Step(1.0, "tamper", 0, 0.1))
BROWSER_NAMES_ANOTHERS = _script(Step(1.0, "tamper", 0, 0.9))

TAKEN_BACK_WHILE_IT_IS_READ = _script(
    START, SLOW_READ, SLOW_READ, Step(32.0, "pay", 0, 0.2), Step(62.0, "take_back", 0, 0.0)
)
"""The plugin is asked for at first, and then the charges are read."""
TWO_AT_ONCE = _script(
    Step(1.0, "start", 0, 0.0),
    Step(3.0, "start", 0, 0.01),
    Step(15.0, "slow_write", 0, 0.9),
    PAY,
    Step(20.5, "pay", 1, 0.1),
)
SLEEPS_BEFORE_THE_CREDIT = _script(START, Step(19.9, "sleep", 6, 0.7), PAY, processes=2, mode=1)
CLOCK_SET_FORWARD = _script(
    START, Step(15.0, "slow_write", 0, 0.45), PAY, Step(60.0, "jump", 0, 0.1), patrons=(("Virtanen", ("2.40",)),)
)
CHANGED_WHILE_IT_IS_PAID = _script(START, Step(10.0, "write_off", 0, 0.5), PAY)
SPILLS_OVER = _script(START, Step(15.0, "slow_write", 0, 0.1), PAY, Step(30.0, "change_charge", 0, 0.1))

TAKEN_BACK_THOUGH_NOT_APPLIED = _script(
    START,
    Step(5.0, "switch_plugin"),
    NOT_APPLIED,
    PAY,
    Step(60.0, "switch_plugin"),
    Step(350.0, "start", 1, 0.5),
    Step(370.0, "pay", 1, 0.2),
    Step(420.0, "take_back", 0, 0.0),
    plugin=True,
)
"""The second payment learns that the plugin is there again."""
SEVERAL_CREDITS_TAKEN_BACK = _script(
    Step(1.0, "start", 0, 0.02), Step(10.0, "change_charge", 0, 0.1), PAY, Step(60.0, "take_back", 0, 0.0), plugin=True
)
A_PART_TAKEN_BACK = _script(
    Step(1.0, "start", 0, 0.06),
    PAY,
    Step(60.0, "start", 0, 0.1),
    Step(80.0, "pay", 1, 0.2),
    Step(120.0, "take_back", 0, 0.0),
    plugin=True,
    patrons=(("Virtanen", ("10.00",)),),
)
