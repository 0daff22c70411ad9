# SPDX-License-Identifier: GPL-3.0-or-later
"""Payments on an installation to which everything happens; then the faults end, and the three ledgers are compared."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from support.commands import run
from support.desk import Json
from support.ledgers import Compared, compare, read_books
from support.mishaps import Mishap, mishaps
from support.rig import OverError, Rig
from tillbridge.composition import database_of
from tillbridge.settings import read_settings
from tillbridge.store import tables as t
from tillbridge.store.reading import StoreForReading

SETTLED_AT_ONCE = 100

NEVER_WAIT = 4
"""How many clerks go on where the others wait for mishaps that have fallen behind: these want something to hit."""

SANE = frozenset({200, 400, 404, 503, None})
"""What a report may be answered: stored; wrongly signed; of an id that nobody knows; "come again" from a bridge whose
database is away; nothing from one that is dead or stands still."""


@dataclass
class Outcome:
    """Hold what a run came to."""

    payments: list[Json]
    compared: Compared
    events: Counter[str]
    cases: Counter[str]
    verified: str
    """What `tillbridge verify-history` said."""


@dataclass
class Turmoil:
    """Run payments while mishaps happen at moments that the payments' progress names."""

    rig: Rig
    chance: random.Random
    payments: int
    clerks: int
    until: float | None = None
    """When no further customer comes, by the clock that nobody sets; None where only their number counts."""
    done: int = 0
    mishaps: int = 0
    """How many mishaps are to happen."""
    happened: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each mishap has hit, by its group and name."""
    happening: dict[str, str] = field(default_factory=dict)
    """Lane → what is happening in it now, or is to happen next."""

    async def blow(self, deck: Sequence[Mishap]) -> None:
        """Let customers come until there were enough of them and every mishap has hit."""
        lanes: defaultdict[str, list[Mishap]] = defaultdict(list)
        for mishap in deck:
            lanes[mishap.lane].append(mishap)
        self.happening = dict.fromkeys(lanes, "")
        numbers = itertools.count(1)
        self.mishaps = len(deck)
        async with asyncio.TaskGroup() as working:
            for name, lane in lanes.items():
                chance = random.Random(self.chance.random())  # noqa: S311 - no secret
                working.create_task(self._deal(name, lane, chance))
            for number in range(self.clerks):
                working.create_task(self._clerk(numbers, waits=number >= NEVER_WAIT))

    async def _clerk(self, numbers: Iterator[int], *, waits: bool) -> None:
        await asyncio.sleep(self.chance.uniform(0, self.rig.desk.glance_s))
        while self._go_on():
            if waits and self._ahead:
                await asyncio.sleep(self.rig.desk.glance_s)
                continue
            card = await self.rig.desk.patron(next(numbers))
            await self.rig.desk.settle(await self.rig.desk.pay(card))
            self.done += 1

    @property
    def _ahead(self) -> bool:
        """Tell whether the payments are ahead of the mishaps, as where the machine is busy with other things."""
        if not self.happening:
            return False
        share = self.happened.total() / self.mishaps
        return len(self.rig.desk.payments) > self.payments * share + self.clerks

    def _go_on(self) -> bool:
        if self.until is not None and time.monotonic() > self.until:
            self.rig.over = True
            return False
        return bool(self.happening) or len(self.rig.desk.payments) < self.payments

    async def _deal(self, name: str, lane: Sequence[Mishap], chance: random.Random) -> None:
        moments = sorted(chance.uniform(0, 0.9 * self.payments) for _ in lane)
        with contextlib.suppress(OverError):
            for moment, mishap in zip(moments, chance.sample(lane, len(lane)), strict=True):
                self.happening[name] = f"{mishap.group}: {mishap.name}"
                await self.rig.until(lambda: self.done >= moment)  # noqa: B023 - at once
                await mishap.deed(self.rig, chance)
                self.happened[mishap.group, mishap.name] += 1
        del self.happening[name]

    def where_it_stands(self) -> str:
        """Say what is waited for, where a run does not come to an end."""
        waits = ", ".join(f"{lane}: {what}" for lane, what in self.happening.items()) or "no mishap is waited for"
        pauses = [len(bridge.pauses) for bridge in self.rig.bridges]
        happened = f"{self.happened.total()} of {self.mishaps} mishaps, pauses of the bridges {pauses}"
        return f"{self.done} of {len(self.rig.desk.payments)} payments are settled; {happened}; {waits}"

    async def rest(self) -> Outcome:
        """End the faults, wait for the very last word about every payment, stop the bridges and compare."""
        rig = self.rig
        await rig.desk.at_till("/faults", "DELETE")
        await rig.desk.in_library("/faults", "DELETE")
        payments = await self._settled()
        left = [f"a case is left open: {case}" for case in await rig.desk.open_cases()]
        books = await read_books(rig.desk, payments)
        for bridge in rig.bridges:
            await bridge.stop()
        events, cases = _counted(rig, t.event.c.kind), _counted(rig, t.open_case.c.kind)
        verified = await run("verify-history", "--settings", str(rig.settings))
        compared = compare(books)
        compared.differences += [*rig.desk.odd, *left, *([] if verified.status == 0 else [verified.out + verified.err])]
        compared.differences += [
            f"a report was answered {status}, {times} times"
            for status, times in rig.reports.statuses.items()
            if status not in SANE
        ]
        return Outcome(payments, compared, events, cases, verified.out.strip())

    async def _settled(self) -> list[Json]:
        desk = self.rig.desk
        while await desk.at_till("/payments?state=waiting"):  # noqa: ASYNC110 - the till is on the other side of HTTP
            await asyncio.sleep(desk.glance_s)
        started = list(desk.payments)
        found: list[Json] = []
        for start in range(0, len(started), SETTLED_AT_ONCE):
            found += await asyncio.gather(*map(desk.settle, started[start : start + SETTLED_AT_ONCE]))
        return found


def deck_of(rig: Rig, often: Callable[[Mishap], int]) -> list[Mishap]:
    """Take each mishap so many times."""
    return [mishap for mishap in mishaps(rig.engine) for _ in range(often(mishap))]


def _counted(rig: Rig, column: object) -> Counter[str]:
    """Count by a column of the bridges' database."""
    stored = StoreForReading(database_of(read_settings(rig.settings)))

    def count(connection: Connection) -> Mapping[str, int]:
        return dict(connection.execute(select(column, func.count()).group_by(column)).all())  # type: ignore[call-overload]

    try:
        return Counter(stored.look(count))
    finally:
        stored.close()
