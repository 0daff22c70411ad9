# SPDX-License-Identifier: GPL-3.0-or-later
"""The one database of all processes, with what goes wrong with it, and the store through which a process sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from tillbridge.domain.history import Event
from tillbridge.service.finding_port import SEARCH_LIMIT_S
from tillbridge.service.store_port import Committed, Transaction, nobody
from tillbridge.simulation.points import DiedError, Points
from tillbridge.simulation.store import OneAtATime
from tillbridge.simulation.telling import Telling
from tillbridge.store.tables import task

T = TypeVar("T")


class Gates(Protocol):
    """Be a process that may die or sleep before and after each transaction."""

    async def gate(self, where: str) -> None:
        """Stand between two steps."""

    def dies_within(self) -> bool:
        """Tell whether the process dies in the middle of this transaction."""

    async def die(self, where: str) -> None:
        """End here and now."""

    @property
    def points(self) -> Points:
        """Return where processes may die."""

    async def point(self, where: str) -> None:
        """Stand where a campaign may want the process to die."""


@dataclass
class Database:
    """Hold the one database, what is wrong with it, and who looks at each commit."""

    inline: OneAtATime
    telling: Telling
    now: Callable[[], float]
    seconds: Callable[[], float]
    alone: bool
    committed: Callable[[Sequence[Event]], None] = nobody
    away_until: float = 0.0
    full_until: float = 0.0
    serial: int = 0
    unknown: int = 0
    outages: int = 0
    """How often it has failed so far."""

    def need_up(self, *, writes: bool) -> None:
        """Raise what a database that is away, or whose disk is full, raises."""
        if self.seconds() < self.away_until:
            self.outages += 1
            self.telling.fault(15, "the database is away")
            raise OperationalError("", {}, Exception("the database is away"))
        if writes and self.seconds() < self.full_until:
            self.outages += 1
            self.telling.fault(15, "the disk is full")
            raise OperationalError("", {}, Exception("database or disk is full"))

    def leased_until(self, owner: str) -> float:
        """Return when the last lease of a process ends; 0 where it has none."""
        asked = select(func.max(task.c.lease_until)).where(task.c.lease_owner == owner)
        found = self.inline.connection.execute(asked).scalar()
        self.inline.connection.rollback()
        return float(found or 0.0)

    def heal(self) -> None:
        """End all that is wrong."""
        self.away_until = self.full_until = 0.0
        self.serial = self.unknown = 0


class SimulatedStore:
    """Be the store of one process: each transaction in one piece, with gates before and after it."""

    def __init__(self, database: Database, process: Gates) -> None:
        self._database, self._process = database, process
        self.alone = database.alone
        self.committed: Committed = nobody

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` and commit."""
        await self._process.gate("a transaction")
        database = self._database
        database.need_up(writes=True)
        if database.serial:
            database.serial -= 1
            database.telling.fault(15, "a transaction is rolled back by the database, and begun anew")
            database.inline.run(work, commit=False)
            await asyncio.sleep(0.01)
        if self._process.dies_within():
            database.inline.run(work, commit=False)
            await self._process.die("within a transaction, which is rolled back")
        result, events = await self._outlived(lambda: database.inline.run(work))
        database.committed(events)
        await self._process.point("behind COMMIT")
        self.committed(events)
        await self._process.gate("a commit")
        if database.unknown:
            database.unknown -= 1
            database.outages += 1
            database.telling.fault(15, "the database commits, and its answer is lost")
            raise OperationalError("", {}, Exception("the connection to the database was lost"))
        return result

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` that changes nothing."""
        await asyncio.sleep(0)
        self._database.need_up(writes=False)
        result = await self._outlived(lambda: self._database.inline.look(work))
        await self._process.point("behind ROLLBACK")
        return result

    async def _outlived(self, run: Callable[[], T]) -> T:
        """Run statements; whoever dies among them never hears of it."""
        try:
            with self._process.points.among_statements():
                return run()
        except DiedError:
            await self._process.die("within a transaction, which is rolled back")
            raise

    async def search(self, work: Callable[[Transaction], T], limit_s: float = SEARCH_LIMIT_S) -> T:
        """Run `work` that looks among much."""
        del limit_s
        return await self.read(work)

    def time(self) -> float:
        """Return the database's own time."""
        return self._database.now()

    def close(self) -> None:
        """Do nothing: the database goes on."""
