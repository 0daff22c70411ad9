# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the faults that are to happen, and decide which request each one hits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """Name what goes wrong."""

    CREDIT_500_KEPT = "credit_500_kept"
    CREDIT_500_UNAPPLIED = "credit_500_unapplied"
    CREDIT_201_UNAPPLIED = "credit_201_unapplied"
    CREDIT_400 = "credit_400"
    DEADLOCK = "deadlock"
    LOST_UPDATE = "lost_update"
    ANSWER_LOST = "answer_lost"
    DROP_BEFORE = "drop_before"
    DELAY = "delay"
    HTTP_502 = "http_502"
    HTTP_503 = "http_503"
    HTTP_504 = "http_504"
    STALL = "stall"
    UNAVAILABLE = "unavailable"
    FORGET_TOKENS = "forget_tokens"
    FORBIDDEN = "forbidden"
    PLUGIN_500 = "plugin_500"
    PLUGIN_500_KEPT = "plugin_500_kept"


OF_PAIRS = frozenset({FaultKind.DEADLOCK, FaultKind.LOST_UPDATE})
OF_CREDITS = OF_PAIRS | {
    FaultKind.CREDIT_500_KEPT,
    FaultKind.CREDIT_500_UNAPPLIED,
    FaultKind.CREDIT_201_UNAPPLIED,
    FaultKind.CREDIT_400,
}
OF_PLUGIN = frozenset({FaultKind.PLUGIN_500, FaultKind.PLUGIN_500_KEPT})
_MOST_FAULTS = 1000


@dataclass(slots=True)
class Fault:
    """Plan one fault.

    `left` is for how many more requests (None: all). `method` and `route` narrow the requests down. `seconds` is how
    long it lasts (None for a delay: until it is released). `stored` tells whether the request is carried out: for a
    delay, before the waiting instead of after it.
    """

    number: int
    kind: FaultKind
    left: int | None = 1
    method: str | None = None
    route: str | None = None
    seconds: float | None = None
    stored: bool = False
    until: float | None = None
    hits: int = 0

    def fits(self, method: str, route: str) -> bool:
        """Tell whether a request is one that this fault is for."""
        if self.kind in OF_CREDITS and (method, route) != ("POST", "credits"):
            return False
        if self.kind in OF_PLUGIN and not (method == "POST" and route.startswith("plugin_")):
            return False
        return self.method in {None, method} and self.route in {None, route} and self.left != 0

    def take(self) -> None:
        """Use the fault up for one request."""
        self.hits += 1
        self.left = None if self.left is None else self.left - 1

    def give_back(self) -> None:
        """Undo `take`: the fault could not happen."""
        self.hits -= 1
        self.left = None if self.left is None else self.left + 1


@dataclass(slots=True)
class Restarts:
    """Count requests: after every `after` of them (0: never) a worker is replaced, and all wait for `seconds`.

    Measured: Debian's Koha replaces a worker after 50 requests, and stalls for about 6 s.
    """

    after: int
    seconds: float
    answered: int = 0

    def due(self) -> bool:
        """Count a request that was answered, and tell whether a worker is replaced now."""
        self.answered += 1
        if not self.after or self.answered < self.after:
            return False
        self.answered = 0
        return True


class FaultBoard:
    """Hold the planned faults and everything that waits because of one; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._numbers = 0
        self.planned: list[Fault] = []
        self.held = 0
        self._let_go = asyncio.Event()
        self._arrived = asyncio.Event()
        self._stalled_until = 0.0

    def plan(self, fault: Fault) -> Fault:
        """Add a fault; the oldest one that fits a request is the one that happens."""
        self._numbers += 1
        fault.number = self._numbers
        if fault.kind is FaultKind.UNAVAILABLE and fault.seconds is not None:
            fault.until, fault.left = self._clock() + fault.seconds, None
        self.planned = [*self.planned, fault][-_MOST_FAULTS:]
        return fault

    def take(self, method: str, route: str) -> Fault | None:
        """Return the fault that hits this request, and count it."""
        now = self._clock()
        self.planned = [one for one in self.planned if one.until is None or one.until > now]
        for fault in self.planned:
            if fault.fits(method, route):
                fault.take()
                return fault
        return None

    def clear(self) -> None:
        """Forget every fault and let go of everything that waits."""
        self.planned.clear()
        self._stalled_until = 0.0
        self.release()

    def release(self) -> int:
        """Let go of every request that a delay or a stall holds; return how many there were."""
        count, self.held = self.held, 0
        self._stalled_until = 0.0
        self._let_go.set()
        self._let_go = asyncio.Event()
        return count

    async def hold(self, seconds: float | None) -> None:
        """Wait for some seconds, or until released."""
        self.held += 1
        self._arrived.set()
        self._arrived = asyncio.Event()
        let_go = self._let_go
        with suppress(TimeoutError):
            await asyncio.wait_for(let_go.wait(), seconds)
        if not let_go.is_set():
            self.held -= 1

    async def until_held(self, count: int) -> None:
        """Wait until at least so many requests are held."""
        while self.held < count:
            await self._arrived.wait()

    def stall(self, seconds: float | None) -> None:
        """Let every request wait from now on, as when Koha's worker is being replaced (measured: about 6 s)."""
        self._stalled_until = self._clock() + (seconds or 0)

    async def sit_out(self) -> None:
        """Wait until no stall is on."""
        while (rest := self._stalled_until - self._clock()) > 0:
            await self.hold(rest)
