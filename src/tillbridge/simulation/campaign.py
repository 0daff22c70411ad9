# SPDX-License-Identifier: GPL-3.0-or-later
"""Run many seeds, on several processors, and add up what they reached."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from tillbridge.simulation.drawing import draw
from tillbridge.simulation.play import play
from tillbridge.simulation.reaching import NOT_REACHED, TABLES

BATCH = 10
"""How many seeds a process is given at a time."""


@dataclass
class Tally:
    """Add up the runs of some seeds."""

    seeds: int = 0
    payments: int = 0
    seconds: float = 0.0
    broken: dict[int, str] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {table: Counter() for table in TABLES})

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.seeds += other.seeds
        self.payments += other.payments
        self.seconds += other.seconds
        self.broken |= other.broken
        for table, counted in other.counts.items():
            self.counts[table].update(counted)

    def document(self) -> dict[str, object]:
        """Return the sums as what JSON can hold; simulated time is in seconds."""
        tables = {
            table: {name: counted[name] for name in (TABLES[table] or counted)}
            for table, counted in self.counts.items()
        }
        return {"payments": self.payments, "simulated_s": round(self.seconds), "broken": self.broken, "tables": tables}

    def missing(self) -> list[str]:
        """List what no seed has reached and should, and what one has reached although it is said that none can."""
        return [name for names in self.missing_by_table().values() for name in names]

    def missing_by_table(self) -> dict[str, list[str]]:
        """List what is missing under the tables it is missing from; no table without any."""
        missing = {table: self._missing_from(table, names) for table, names in TABLES.items()}
        return {table: names for table, names in missing.items() if names}

    def _missing_from(self, table: str, names: Sequence[str]) -> list[str]:
        counted = self.counts[table]
        never = [name for name in names if not counted[name] and name not in NOT_REACHED]
        surprises = [name for name in counted if counted[name] and name in NOT_REACHED]
        return never + [f"{name}, which is said to be out of reach" for name in surprises]


def run_batch(seeds: range) -> Tally:
    """Run some seeds one after the other."""
    tally = Tally()
    for seed in seeds:
        outcome = play(draw(seed))
        broken = {seed: outcome.broken} if outcome.broken is not None else {}
        tally.add(Tally(1, outcome.payments, outcome.seconds, broken, outcome.telling.tables))
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
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin) as pool:
        yield from pool.map(run_batch, parts)


def _begin() -> None:
    """Look for no garbage among what was loaded, which stays: a run makes much of its own."""
    gc.freeze()
