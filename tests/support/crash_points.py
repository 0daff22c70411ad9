# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a process die at every point of a kind of payment, start it again, and compare what there is at the end.

How many points there are is not written anywhere: a first run, in which nobody dies, counts them. The same kind then
runs once for each of them. Every rule of the simulation is looked at after every change, and the ledgers of till,
bridge and library system are compared at rest, to the cent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from support.crash_kinds import PAID, Kind
from support.crash_people import People, pay, start
from tillbridge.simulation.ledgers import Sums
from tillbridge.simulation.play import begin, come_to_rest, perform
from tillbridge.simulation.points import Points
from tillbridge.simulation.rules import need
from tillbridge.simulation.stage import Stage
from tillbridge.simulation.store import InlineStore, OneAtATime
from tillbridge.simulation.telling import Telling

SEED = 1
AFTER_S = 25.0
"""How long it goes on by itself, and how long then with no fault any more, before honest people look at what is left.

Whoever died is started again by then.
"""

OpenStore = Callable[[Points], OneAtATime]


def in_memory(points: Points) -> InlineStore:
    """Open a database in memory, each of whose statements is a point."""
    store = InlineStore()
    points.listen(store.connection)
    return store


@dataclass(frozen=True)
class Lived:
    """Say how one run went."""

    points: Points
    sums: Sums
    broken: str | None
    restarts: int
    trace: str


def live(kind: Kind, dies_at: int | None = None, open_store: OpenStore = in_memory) -> Lived:
    """Let everything of a kind happen once; the process at the point dies."""
    points, telling = Points(dies_at, kind.dies_before), Telling()
    stage = Stage(SEED, kind.setup, telling, open_store(points))
    stage.fleet.points, stage.fleet.limits = points, replace(stage.fleet.limits, reach_s=kind.reach_s)
    sums, broken = perform(stage, _lived(stage, kind, points))
    trace = "".join(f"{at:12.3f}  {text}\n" for at, text in telling.lines)
    return Lived(points, sums, broken, stage.fleet.starts - kind.setup.processes, trace)


async def _lived(stage: Stage, kind: Kind, points: Points) -> Sums:
    people = People(stage)
    await begin(stage)
    for deed in kind.deeds:
        await deed(people)
    sums, expected = await _at_rest(stage), (kind.till, kind.library)
    anew = 0
    while kind.till and not sums.till_minor and anew < points.deaths:
        # It died before the till had the payment: people begin anew, after each death.
        anew += 1
        await start(people)
        await pay(people)
        sums, expected = await _at_rest(stage), (PAID, PAID)
    _compare(sums, expected, *kind.or_else)
    return sums


async def _at_rest(stage: Stage) -> Sums:
    """Let all come to rest, once more where a process died on the way and is started again."""
    await asyncio.sleep(AFTER_S)
    sums = await come_to_rest(stage, AFTER_S)
    if all(process.life.alive for process in stage.fleet.processes.values()):
        return sums
    return await come_to_rest(stage, AFTER_S)


def _compare(sums: Sums, *expected: tuple[int, int | Decimal]) -> None:
    library = sums.library * 100
    need((sums.till_minor, library) in expected, f"the till has {sums.till_minor} cents, the library has {library}")


@dataclass(frozen=True)
class Counted:
    """Sum up the points of one kind: how many there are, at how many a process died, and how many came to rest."""

    kind: str
    points: int
    killed: int
    at_rest: int
    restarts: int
    seconds: float
    broken: tuple[tuple[int, str, str], ...]
    """Number and name of each point with the rule that is broken."""
    planned: int = 0
    """At how many of the points a process was to die."""

    @property
    def whole(self) -> bool:
        """Tell whether a process died at every point that was planned, was started again, and came to rest."""
        return self.killed == self.restarts == self.at_rest == self.planned > 0


def die_everywhere(kind: Kind, stride: int = 1, first: int = 0, open_store: OpenStore = in_memory) -> Counted:
    """Let a process die at every point of a kind, or at every so manyth from the `first` on."""
    begun = time.monotonic()
    usual = live(kind, None, open_store)
    if usual.broken is not None:
        raise AssertionError(f"{kind.name}, and nobody dies: {usual.broken}\n{usual.trace}")
    names, killed, restarts, broken = usual.points.names, 0, 0, []
    for n in range(first, len(names), stride):
        lived = live(kind, n, open_store)
        killed += _died(kind, lived, names, n)
        restarts += lived.restarts - (kind.dies_before is not None)
        if lived.broken is not None:
            broken.append((n, names[n], lived.broken))
    seconds = round(time.monotonic() - begun, 1)
    planned = len(range(first, len(names), stride))
    return Counted(kind.name, len(names), killed, killed - len(broken), restarts, seconds, tuple(broken), planned)


def _died(kind: Kind, lived: Lived, names: list[str], n: int) -> bool:
    """Tell whether a process died at the point that was meant; what went before must be what it always is."""
    assert lived.points.names[: n + 1] == names[: n + 1], f"{kind.name}: point {n} is not the same one every time"
    return lived.points.deaths == 1 + (kind.dies_before is not None)
