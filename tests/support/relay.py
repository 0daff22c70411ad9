# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand between a till and several bridges, and hand every report on to all of them, once or more often."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
from aiohttp import web

from tillbridge.listening import listening_socket

PATIENCE = aiohttp.ClientTimeout(total=30)
"""How long a bridge is waited for: one that stands still takes the report from its socket when it goes on."""

Cut = Literal["request", "answer"]


@dataclass
class Relay:
    """Count what the bridges answered; None stands for no answer."""

    bridges: Sequence[str]
    copies: int
    """How often each bridge is given each report."""
    statuses: Counter[int | None] = field(default_factory=Counter)
    planned: deque[Cut] = field(default_factory=deque)
    """How the next reports are cut off: before they reach a bridge, or before the answer reaches the till."""
    cuts: Counter[str] = field(default_factory=Counter)

    @contextlib.asynccontextmanager
    async def running(self, host: str, port: int) -> AsyncIterator[None]:
        """Listen until the block ends."""
        runner = web.AppRunner(self._app(), access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, listening_socket(host, port)).start()
            yield
        finally:
            await runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        """Answer yes where one bridge has: it is stored then, and all bridges share the store."""
        raw = await request.read()
        cut = self.planned.popleft() if self.planned else None
        answers = [] if cut == "request" else await self._handed_on(request.path, raw)
        self.statuses.update(answers)
        if cut is not None:
            self.cuts[cut] += 1
            if request.transport is not None:
                request.transport.abort()
        return web.Response(status=200 if 200 in answers else 503)

    async def _handed_on(self, path: str, raw: bytes) -> list[int | None]:
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as http:
            places = [f"{bridge}{path}" for bridge in self.bridges] * self.copies
            return await asyncio.gather(*(_post(http, place, raw) for place in places))


async def _post(http: aiohttp.ClientSession, place: str, raw: bytes) -> int | None:
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with http.post(place, data=raw, headers={"Content-Type": "application/json"}) as answer:
            return answer.status
    return None
