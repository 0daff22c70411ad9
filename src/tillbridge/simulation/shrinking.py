# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a failing script shorter by delta debugging: leave steps out as long as the same rule is still broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from tillbridge.simulation.play import Outcome, play
from tillbridge.simulation.script import Script, Step

MOST_TRIES = 400
_PARTICULAR = re.compile(r"[0-9A-F]{24}|[0-9]+(\.[0-9]+)?")


def shrunk(failing: Outcome, most_tries: int = MOST_TRIES) -> Outcome:
    """Return the shortest run found that breaks the same rule; its script plays again."""
    best = [failing]
    kind = kind_of(failing)

    def fails(steps: Sequence[Step]) -> bool:
        outcome = play(replace(failing.script, steps=tuple(steps)))
        if kind_of(outcome) != kind:
            return False
        best[0] = outcome
        return True

    tries = _Budget(fails, most_tries)
    steps = _without_parts(list(failing.script.steps), tries)
    _with_fewer_processes(replace(failing.script, steps=tuple(steps)), kind, best)
    return best[0]


def kind_of(outcome: Outcome) -> str | None:
    """Return which rule is broken, without the ids and amounts of this run."""
    return None if outcome.broken is None else rule_in(outcome.broken)


def rule_in(broken: str, instead: str = "") -> str:
    """Return what is said of a broken rule, with something else in the place of ids and amounts."""
    return _PARTICULAR.sub(instead, broken)


class _Budget:
    """Ask no more often than so many times."""

    def __init__(self, fails: Callable[[Sequence[Step]], bool], most: int) -> None:
        self._fails, self._left = fails, most

    def __call__(self, steps: Sequence[Step]) -> bool:
        self._left -= 1
        return self._left >= 0 and self._fails(steps)


def _without_parts(steps: list[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """Leave out halves, quarters and so on, down to single steps, until none can be left out."""
    size = max(1, len(steps) // 2)
    while True:
        left_out = False
        start = 0
        while start < len(steps):
            fewer = steps[:start] + steps[start + size :]
            if fails(fewer):
                steps, left_out = fewer, True
            else:
                start += size
        if size == 1 and not left_out:
            return steps
        size = max(1, size // 2)


def _with_fewer_processes(script: Script, kind: str | None, best: list[Outcome]) -> None:
    if script.setup.processes == 1:
        return
    outcome = play(replace(script, setup=replace(script.setup, processes=1)))
    if kind_of(outcome) == kind:
        best[0] = outcome
