# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a bridge at work when an administrator asks: one check at a time, for a limited time, and nothing is changed.

Servers of others are asked meanwhile, so whoever asks while a check runs shares it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from tillbridge.errors import SettingsError
from tillbridge.service.checking import check
from tillbridge.service.findings import Finding
from tillbridge.service.installation import Installation
from tillbridge.service.ports import Clock
from tillbridge.service.store_port import Store, Transaction

T = TypeVar("T")

LIMIT_S = 120.0
"""How long a check may take; servers that are away are each waited for."""

_log = structlog.get_logger()


class Outcome(StrEnum):
    """Say how a check ended."""

    DONE = "done"
    TOO_SLOW = "too_slow"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Begun:
    """Hold who began a check, and when."""

    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Checked:
    """Hold what a check found, or that it found nothing."""

    by: str
    at: float
    outcome: Outcome
    findings: tuple[Finding, ...] = ()


class Checks:
    """Run checks of one bridge, and keep what the last one found."""

    def __init__(self, look: Callable[[], Installation], clock: Clock, limit_s: float = LIMIT_S) -> None:
        """Take a way to put the bridge's own parts together for looking at them."""
        self.look, self._clock, self._limit_s = look, clock, limit_s
        self.last: Checked | None = None
        self.running: Begun | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, by: str) -> None:
        """Begin a check where none is running."""
        if self.running is None:
            self.running = Begun(by, self._clock.now())
            self._task = asyncio.create_task(self._run(self.running))

    async def wait(self, seconds: float) -> None:
        """Wait for the check that is running, but no longer than this."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=seconds)

    async def close(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, begun: Begun) -> None:
        try:
            self.last = await self._checked(begun)
        finally:
            self.running = None

    async def _checked(self, begun: Begun) -> Checked:
        try:
            async with asyncio.timeout(self._limit_s):
                found = await check(await asyncio.to_thread(self.look))
        except TimeoutError:
            _log.warning("a check took too long and was ended")
            return Checked(begun.by, self._clock.now(), Outcome.TOO_SLOW)
        except Exception:  # noqa: BLE001 - logged; the bridge goes on
            _log.exception("a check has failed")
            return Checked(begun.by, self._clock.now(), Outcome.FAILED)
        return Checked(begun.by, self._clock.now(), Outcome.DONE, found)


class StoreAtWork:
    """Let a check read the store that the bridge has open, instead of opening the database once more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def is_there(self) -> bool:
        """Tell that a bridge has its tables: this one does."""
        return True

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` that changes nothing; raise SettingsError where the database cannot be used."""
        try:
            return await self._store.read(work)
        except SQLAlchemyError as error:
            what, remedy = "the database cannot be used right now", "Look at the log, and at the database"
            raise SettingsError("bridge.database", what, remedy) from error
