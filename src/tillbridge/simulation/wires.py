# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual network: how long a message is under way, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, TypeVar

from tillbridge.simulation.loop import VirtualLoop
from tillbridge.simulation.telling import Telling

T = TypeVar("T")

Link = Literal["till", "report", "read", "write"]
Harm = Literal[
    "refused", "unreachable", "lost", "answer_lost", "proxy", "proxy_after", "truncated", "slow", "slow_after",
    "doubled", "doubled_at_once", "damaged",
]  # fmt: skip

Stop = Callable[[str], Awaitable[None]]
"""A place on the way, which is given, where a process may stand still or die."""

SLOWEST_S = 560.0
"""How long a request may be on its way to the library system: less than after which it has surely ended."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Say how one message fares."""

    harm: Harm | None
    there_s: float
    back_s: float
    slow_s: float = 0.0


class Wires:
    """Decide about each message; harms are put on a link and hit what comes next."""

    def __init__(self, loop: VirtualLoop, draws: Random, telling: Telling) -> None:
        self._loop, self._draws, self._telling = loop, draws, telling
        self._armed: defaultdict[Link, deque[tuple[Harm, float]]] = defaultdict(deque)
        self._down_until: defaultdict[Link, float] = defaultdict(float)
        self.calm = False

    def arm(self, link: Link, harm: Harm, slow_s: float = 0.0) -> None:
        """Let something go wrong with the next message on a link."""
        self._armed[link].append((harm, slow_s))

    def cut(self, link: Link, seconds: float) -> None:
        """Let nothing get through to the library system on a link for some time."""
        self._down_until[link] = max(self._down_until[link], self._loop.time() + seconds)

    def heal(self) -> None:
        """End all that is wrong."""
        self.calm = True
        self._armed.clear()
        self._down_until.clear()

    def pass_on(self, link: Link) -> Passage:
        """Decide about a message."""
        there, back = (0.005 + 0.2 * self._draws.random() ** 3 for _ in range(2))
        if self._loop.time() < self._down_until[link]:
            self._telling.fault(18, f"nothing gets through to Koha ({link})")
            return Passage("refused", there, back)
        if self._armed[link]:
            harm, slow_s = self._armed[link].popleft()
            return Passage(harm, there, back, slow_s)
        return Passage(None, there, back)

    def outside(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin work that no death of a process of the bridge ends."""
        return self._loop.start(work)
