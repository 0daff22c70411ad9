# SPDX-License-Identifier: GPL-3.0-or-later
"""Run many seeds, on several processors, and add up what they reached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from tillbridge.domain.lifecycle import STANDINGS, Booking
from tillbridge.simulation.drawing import draw
from tillbridge.simulation.play import play
from tillbridge.simulation.telling import FAULTS, ROWS, name_of

BATCH = 10
"""How many seeds a process is given at a time."""

NOT_REACHED_STATES = frozenset({"booking reversing"})
"""States of library systems that can be told to take a credit back."""


@dataclass
class Tally:
    """Add up the runs of some seeds."""

    seeds: int = 0
    payments: int = 0
    seconds: float = 0.0
    broken: dict[int, str] = field(default_factory=dict)
    faults: Counter[int] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.seeds += other.seeds
        self.payments += other.payments
        self.seconds += other.seconds
        self.broken |= other.broken
        for mine, theirs in zip(self._counts(), other._counts(), strict=True):
            mine.update(theirs)  # type: ignore[arg-type]

    def missing(self) -> list[str]:
        """List the classes of faults, the states and the rows of the tables that no seed has reached."""
        states = {*map(str, STANDINGS), *(f"booking {state}" for state in Booking)} - NOT_REACHED_STATES
        faults = [f"fault {number} ({name})" for number, name in FAULTS.items() if not self.faults[number]]
        rows = [name_of(row) for row in ROWS if not self.rows[name_of(row)]]
        return faults + sorted(state for state in states if not self.states[state]) + rows

    def _counts(self) -> tuple[Counter[int] | Counter[str], ...]:
        return self.faults, self.rows, self.states, self.cases


def run_batch(seeds: range) -> Tally:
    """Run some seeds one after the other."""
    tally = Tally()
    for seed in seeds:
        outcome = play(draw(seed))
        told = outcome.telling
        broken = {seed: outcome.broken} if outcome.broken is not None else {}
        one = Tally(1, outcome.payments, outcome.seconds, broken, told.faults, told.rows, told.states, told.cases)
        tally.add(one)
    return tally


def run_all(seeds: range, jobs: int, done: Callable[[Tally], object] = lambda _: None) -> Tally:
    """Run all seeds; `done` is told after every batch."""
    tally = Tally()
    for batch in _batches(seeds, jobs):
        tally.add(batch)
        done(batch)
    return tally


def _batches(seeds: range, jobs: int) -> Iterable[Tally]:
    parts = [seeds[start : start + BATCH] for start in range(0, len(seeds), BATCH)]
    if jobs == 1:
        yield from map(run_batch, parts)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(run_batch, parts)
