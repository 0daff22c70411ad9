# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that alarms are posted to."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Receiver:
    """A web server that keeps what is posted to it, and answers as it is told."""

    port: int = 0
    scheme: str = "http"
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answer: Handler | None = None
    connections: set[Any] = field(default_factory=set)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/alarms?room=1"

    async def open(self, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._take)
        self.runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        self.port, self.scheme = self.runner.addresses[0][1], "https" if tls else "http"

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self.posts.append((dict(request.headers), await request.read()))
        self.connections.add(request.transport)
        self.arrived.set()
        return await self.answer(request) if self.answer else web.Response(status=204)

    async def messages(self, count: int) -> list[Any]:
        """Wait for so many messages and return all that are there."""
        async with asyncio.timeout(20):
            while len(self.posts) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return [json.loads(body) for _, body in self.posts]

    async def close(self) -> None:
        if self.runner is not None:
            await self.runner.cleanup()
