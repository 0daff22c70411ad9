# SPDX-License-Identifier: GPL-3.0-or-later
"""Take request bodies without letting anyone fill the memory or hold the line for ever."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 65_536
"""How many bytes a request's body may have."""

BODY_S = 30.0
"""How long a request's body may take to arrive."""


class BoundedBodies:
    """Refuse a body that is too long (413) or too slow (408), on every route and before its key is looked at."""

    def __init__(self, app: ASGIApp, limit: int = BODY_LIMIT, limit_s: float = BODY_S) -> None:
        self._app, self._limit, self._limit_s = app, limit, limit_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        bounded = _Body(receive, self._limit, self._limit_s).receive if scope["type"] == "http" else receive
        await self._app(scope, bounded, send)


class _Body:
    def __init__(self, receive: Receive, limit: int, limit_s: float) -> None:
        self._receive, self._limit, self._left = receive, limit, limit
        self._until: float | None = asyncio.get_running_loop().time() + limit_s

    async def receive(self) -> Message:
        """Pass one piece on; once the body is whole, whoever waits here waits for the caller to go."""
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, "The body took too long to arrive.") from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, f"A body has at most {self._limit} bytes.")
        if not message.get("more_body", False):
            self._until = None
        return message
