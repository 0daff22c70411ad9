# SPDX-License-Identifier: GPL-3.0-or-later
"""Say whether the bridge is ready, and how each of its parts is, at a bounded cost for the others.

Ready is a bridge that can store: a report must find it, also while the library system or a till is away. So these two
are shown, and do not decide. Anybody may ask; a library system's requests are scarce. Hence each part is asked once
in so many seconds at the most, however many want to know, and nobody waits for a part that does not decide.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from tillbridge.service.library_port import LibrarySystem
from tillbridge.service.ports import Clock, World
from tillbridge.service.register_port import Register
from tillbridge.service.store_port import Store

DATABASE, LIBRARY, REGISTER_SERVER = "bridge.database", "library", "register_server"
"""Parts are named like their settings."""

_ADDRESS = re.compile(
    r"""
    \w+://\S+                                 # an address
    | \[[0-9a-f:.]+\](:\d+)?                  # IPv6
    | \b(\d{1,3}\.){3}\d{1,3}(:\d+)?\b        # IPv4
    | \b[\w-]+(\.[\w-]+)*:\d{1,5}\b           # host:port
    | \b([\w-]+\.)+[^\W\d_][\w-]+\b           # a name with dots
    """,
    re.VERBOSE | re.IGNORECASE,
)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """Bound how often a part is asked, how long it may take, and how long somebody waits for what it says."""

    fresh_s: float
    limit_s: float
    wait_s: float


OURS = Pace(fresh_s=1.0, limit_s=3.0, wait_s=3.5)
"""The database decides, so it is waited for."""

OTHERS = Pace(fresh_s=10.0, limit_s=10.0, wait_s=0.5)
"""A part that is slow shows what was known last."""


@dataclass(frozen=True, slots=True)
class PartState:
    """Tell how a part is: `ok` None where it has not answered yet; `why` in plain words where it is not well."""

    part: str
    ok: bool | None
    why: str | None
    age_s: float


class Readiness:
    """Know how the parts of a bridge are."""

    def __init__(self, world: World, ours: Pace = OURS, others: Pace = OTHERS) -> None:
        self._database = _Part(DATABASE, lambda: _why_no_store(world.store), world.clock, ours)
        asked: dict[str, LibrarySystem | Register] = {LIBRARY: world.library}
        asked |= {f"{REGISTER_SERVER}.{name}": register for name, register in world.registers.items()}
        self._others = [_Part(name, adapter.ping, world.clock, others) for name, adapter in asked.items()]

    async def look(self) -> tuple[bool, tuple[PartState, ...]]:
        """Return whether the bridge is ready, and how each part is."""
        states = await asyncio.gather(*(part.state() for part in (self._database, *self._others)))
        return states[0].ok is True, tuple(states)

    async def close(self) -> None:
        """End what is under way."""
        for part in (self._database, *self._others):
            await part.close()


async def _why_no_store(store: Store) -> str | None:
    await store.read(lambda tx: tx.last_position())
    return None


class _Part:
    def __init__(self, name: str, ask: Callable[[], Awaitable[str | None]], clock: Clock, pace: Pace) -> None:
        self._name, self._ask, self._clock, self._pace = name, ask, clock, pace
        self._ok: bool | None = None
        self._why: str | None = "it has not answered yet"
        self._at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def state(self) -> PartState:
        """Ask anew where the last answer is old; whoever comes meanwhile shares what this brings."""
        if self._asking is None and self._clock.now() - self._at >= self._pace.fresh_s:
            self._asking = asyncio.create_task(self._ask_anew())
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=self._pace.wait_s)
        return PartState(self._name, self._ok, self._why, max(0.0, self._age_s()))

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    def _age_s(self) -> float:
        return 0.0 if self._ok is None else self._clock.now() - self._at

    async def _ask_anew(self) -> None:
        try:
            self._take(await self._answer())
        finally:
            self._asking = None

    async def _answer(self) -> str | None:
        try:
            async with asyncio.timeout(self._pace.limit_s):
                why = await self._ask()
        except TimeoutError:
            return f"no answer within {self._pace.limit_s:g} s"
        except Exception as error:  # noqa: BLE001 - whatever fails, the part is not well
            return f"it cannot be asked ({type(error).__name__})"
        return None if why is None else without_addresses(why)

    def _take(self, why: str | None) -> None:
        was, self._ok, self._why, self._at = self._ok, why is None, why, self._clock.now()
        if self._ok and was is False:
            _log.info("a part is back", part=self._name)
        elif not self._ok and was is not False:
            _log.warning("a part is away", part=self._name, why=why)


def without_addresses(words: str) -> str:
    """Take out of an adapter's words what names a machine: anybody may read them."""
    lines = (_ADDRESS.sub("", line).strip(" :,") for line in words.split(";"))
    return "; ".join(filter(None, (" ".join(line.split()) for line in lines))) or "it is away"
