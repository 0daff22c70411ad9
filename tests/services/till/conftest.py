# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from support.patience import PATIENCE_S
from tillbridge.simulators.till import Outside, RunningTill, TillSettings, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

SECRET = "top_secret"
SETTINGS = TillSettings("KOHA", SECRET, {"10": "Kassa 1", "11": "Kassa 2"})


class Clock:
    """Stand still until told to go on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 9, 30, tzinfo=timezone(timedelta(hours=2)))

    def __call__(self) -> datetime:
        return self.time


class Receiver:
    """Be the address that reports go to: keep what came, answer as told, and wait at the gate if it is shut."""

    def __init__(self) -> None:
        self.address = ""
        self.statuses: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._came: list[dict[str, Any]] = []
        self._more = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        async with self._more:
            self._came.append(json.loads(await request.read()))
            self._more.notify_all()
        await self.gate.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Location": self.address})

    async def until(self, count: int, payment_id: str | None = None) -> list[dict[str, Any]]:
        """Wait for that many reports, of one payment or of all."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self._came if payment_id in (None, one["Id"])]

        async with asyncio.timeout(PATIENCE_S), self._more:
            await self._more.wait_for(lambda: len(found()) >= count)
        return found()


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def signed(message: dict[str, Any], secret: str = SECRET) -> dict[str, Any]:
    """Sign like a client at a point of sale: values in the order of their keys."""
    slots: list[str] = []
    for key in sorted(message.keys() - {"Hash"}):
        parts = [p[k] for p in message[key] for k in sorted(p)] if key == "Products" else [message[key]]
        slots += ["" if part is None else str(part) for part in parts]
    return {**message, "Hash": sha256("&".join([*slots, secret]).encode()).hexdigest()}


class Shop:
    """Hold a running till, its reports' receiver and a client that sends payments like a library would."""

    def __init__(self, till: RunningTill, client: aiohttp.ClientSession, receiver: Receiver, clock: Clock) -> None:
        self.address, self.till = till.address, till.till
        self.client, self.receiver, self.clock = client, receiver, clock
        self._numbers = itertools.count(1)

    def request(self, payment_id: str | None = None, **changes: Any) -> dict[str, Any]:
        """Return a rightly signed request."""
        message = {
            "ApiVersion": "2.0",
            "Source": "KOHA",
            "Id": payment_id or f"P{next(self._numbers)}",
            "Mode": 2,
            "Description": "Virtanen, Matti (A1)",
            "Products": [{"Code": "1000", "Description": "Myöhästymismaksu", "Price": 250}],
            "NotificationAddress": self.receiver.address,
            "Office": "10",
        }
        return signed({**message, **changes})

    async def post(self, message: dict[str, Any] | bytes) -> Got:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.ask("POST", "/maksu.html", body)

    async def ask(self, method: str, path: str, body: bytes | object = None, **headers: str) -> Got:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.request(
            method, self.address + path, data=data, headers=named, allow_redirects=False
        ) as got:
            lowered = {name.lower(): value for name, value in got.headers.items()}
            return Got(got.status, lowered, await got.text())

    async def held(self, message: dict[str, Any]) -> asyncio.Task[Got]:
        """Send a request in mode 2 and come back once its payment is on the till."""
        task = asyncio.create_task(self.post(message))
        await self.on_till(message["Id"])
        return task

    async def on_till(self, payment_id: str, state: str = "waiting") -> None:
        def there() -> bool:
            payment = self.till.book.get(payment_id)
            return payment is not None and payment.state == state

        assert await self.till.until(there, PATIENCE_S), payment_id

    async def act(self, payment_id: str, action: str, order: object = None) -> Any:
        got = await self.ask("POST", f"/api/payments/{payment_id}/{action}", order)
        assert got.status == 200, got.text
        return got.json

    async def noted(self, kind: str, remark: str = "") -> Any:
        """Wait for a message in the book."""

        def found() -> list[Any]:
            return [note for note in self.till.book.notes() if note.kind == kind and remark in note.remark]

        assert await self.till.until(lambda: bool(found()), PATIENCE_S), (kind, remark)
        return found()[-1]


class Shops:
    """Open shops with settings of their own."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def open(self, **changes: Any) -> Shop:
        receiver, clock = Receiver(), Clock()
        receiver.address = await self._listen(receiver)
        outside = Outside(now=clock, other_id=lambda: "F" * 24, chance=lambda: 0.5)
        till = await self._stack.enter_async_context(running(replace(SETTINGS, **changes), outside=outside))
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        client = await self._stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        return Shop(till, client, receiver, clock)

    async def _listen(self, receiver: Receiver) -> str:
        app = web.Application()
        app.router.add_post("/report", receiver.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}/report"


@pytest.fixture
async def shops() -> AsyncIterator[Shops]:
    async with AsyncExitStack() as stack:
        yield Shops(stack)


@pytest.fixture
async def shop(shops: Shops) -> Shop:
    return await shops.open()


def right(message: dict[str, Any], secret: str = SECRET) -> bool:
    """Check an answer's or a 2.0 report's hash."""
    slots: Sequence[object] = [message[key] for key in ("Source", "Id", "Status", "Reference") if key in message]
    text = "&".join([*("" if slot is None else str(slot) for slot in slots), secret])
    return bool(message["Hash"] == sha256(text.encode()).hexdigest())


@pytest.fixture
def signing() -> Any:
    """Hand out the client's side of signing."""
    return signed


@pytest.fixture
def check() -> Any:
    """Hand out the client's check of a hash."""
    return right
