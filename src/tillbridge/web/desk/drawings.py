# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw once what many pages show alike, however many of them are open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

KEPT_S = 60.0
"""After how long a drawing is thrown away; none is shown that is so old."""


@dataclass(frozen=True, slots=True)
class _Drawing:
    begun_at: float
    work: asyncio.Future[str]

    def serves(self, since: float) -> bool:
        """Tell whether it shows, or will show, everything that was stored at that instant."""
        return self.begun_at >= since and not (self.work.done() and self._failed)

    @property
    def _failed(self) -> bool:
        return self.work.cancelled() or self.work.exception() is not None


class Drawings:
    """Keep the last drawing of each kind; at most one of a kind is being made."""

    def __init__(self) -> None:
        self._last: dict[Hashable, _Drawing] = {}

    async def get(self, what: Hashable, since: float, draw: Callable[[], Awaitable[str]]) -> str:
        """Return a drawing that was begun no earlier than `since` (by the event loop's clock)."""
        while True:
            last = self._last.get(what)
            if last is not None and last.serves(since):
                # Whoever hangs up takes nothing from the others who wait for it.
                return await asyncio.shield(last.work)
            if last is None or last.work.done():
                self._begin(what, draw)
            else:
                await asyncio.wait([last.work])

    def _begin(self, what: Hashable, draw: Callable[[], Awaitable[str]]) -> None:
        now = asyncio.get_running_loop().time()
        self._last = {each: made for each, made in self._last.items() if made.begun_at > now - KEPT_S}
        self._last[what] = _Drawing(now, asyncio.ensure_future(draw()))
