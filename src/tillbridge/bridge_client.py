# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to a running bridge as any program may: over its HTTP API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import aiohttp

from tillbridge.errors import TillbridgeError

Json = dict[str, object]

LOOK_S = 0.05
"""How often a payment is looked at while it moves."""

IDLE_S = 15.0
"""How long a connection is kept that nobody uses; the bridge keeps its end open for longer."""

AWAY_S, AWAY_TRIES = 0.5, 60
"""How long a bridge that is away is waited for while a payment is under way."""

UNDECIDED = ("created", "sending", "at_register")
MOVING = ("due", "booking")


class Refusal(TillbridgeError):  # noqa: N818 - the bridge said no, that is no fault
    """Say why the bridge did not do it."""


class Unreachable(Refusal):
    """Say that the bridge did not answer: whatever was asked may have been done."""


class BridgeClient:
    """Start payments and follow them."""

    def __init__(self, address: str, key: str) -> None:
        self._address, self._key = address, key
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {self._key}"}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(keepalive_timeout=IDLE_S),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=60),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def start(self, order: Json) -> Json:
        """Start a payment; raise Refusal in the bridge's own words."""
        return await self._call("POST", "/api/v1/payments", order)

    async def payment(self, payment_id: str) -> Json:
        """Read a payment."""
        return await self._call("GET", f"/api/v1/payments/{payment_id}", None)

    async def follow(self, payment_id: str) -> AsyncIterator[Json]:
        """Yield the payment each time it has changed, until nothing more happens by itself.

        A bridge that is started again meanwhile is waited for; raises Unreachable where it stays away.
        """
        seen = -1
        while True:
            payment = await self._patiently(payment_id)
            history = payment["history"]
            assert isinstance(history, list)  # noqa: S101 - the bridge's own form
            if len(history) != seen:
                seen = len(history)
                yield payment
            if payment["collection"] not in UNDECIDED and payment["booking"] not in MOVING:
                return
            await asyncio.sleep(LOOK_S)

    async def _patiently(self, payment_id: str) -> Json:
        for _ in range(AWAY_TRIES):
            with contextlib.suppress(Unreachable):
                return await self.payment(payment_id)
            await asyncio.sleep(AWAY_S)
        return await self.payment(payment_id)

    async def _call(self, method: str, path: str, body: Json | None) -> Json:
        assert self._session is not None  # noqa: S101 - it is opened by `async with`
        try:
            async with self._session.request(method, self._address + path, json=body) as answer:
                content: Any = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unreachable(f"the bridge at {self._address} does not answer: {error}") from error
        if answer.status >= 400:  # noqa: PLR2004 - HTTP's line between yes and no
            raise Refusal(_reason(content))
        return dict(content)


def _reason(content: Any) -> str:
    problem = content if isinstance(content, dict) else {}
    words = str(problem.get("title") or problem.get("detail") or content)
    told = ("type", "title", "code", "detail", "status")
    extra = "; ".join(f"{key}: {value}" for key, value in problem.items() if key not in told)
    return f"{words} ({extra})" if extra else words
