# SPDX-License-Identifier: GPL-3.0-or-later
"""Talk to the bridge's web application over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from fastapi import FastAPI
from yarl import URL

from support.installations import installation_of
from support.people import CHEAP
from support.worlds import Bench
from tillbridge.composition import Bridge
from tillbridge.operation.checks import Checks
from tillbridge.operation.metrics import Metrics
from tillbridge.operation.operation import operation_of
from tillbridge.operation.witness import Witness
from tillbridge.service.feed import Feed
from tillbridge.service.keys import KeyRing
from tillbridge.service.people import Door
from tillbridge.settings import DeskSettings
from tillbridge.simulation.store import InlineStore

KEY = "käy-ttö avain"


def bridge_of(bench: Bench, **changes: Any) -> Bridge:
    """Make a bridge of a world that a test owns, with a key that may do everything."""
    store, metrics = bench.store, Metrics()
    assert not isinstance(store, InlineStore)
    store.committed = Witness(metrics)
    feed = Feed(store)
    operation = operation_of(bench.world, feed, metrics)
    keys, desk = KeyRing(store, bench.clock, KEY), DeskSettings()
    door = Door(store, bench.clock, CHEAP, desk.session_h * 3600)
    checks = Checks(lambda: installation_of(bench), bench.clock)
    servers = {"ceepos": ("city",)}
    bridge = Bridge(
        bench.world, feed, keys, servers, operation, door, desk, "http://bridge.example", checks, "products.yaml"
    )
    return replace(bridge, **changes)


@dataclass(frozen=True)
class Answer:
    """Hold an answer as it came."""

    status: int
    kind: str
    text: str
    json: Any
    headers: Mapping[str, str]

    @property
    def problem(self) -> tuple[int, str]:
        """Return status and code of an answer that says no in the form of RFC 9457."""
        assert self.kind == "application/problem+json", self.text
        assert self.json["type"] == "about:blank"
        assert self.json["title"]
        return self.status, self.json["code"]


@dataclass
class Site:
    """Talk to the bridge over HTTP, with the key unless a test says otherwise."""

    bench: Bench
    address: str
    session: aiohttp.ClientSession
    app: FastAPI

    async def ask(self, method: str, path: str, *, key: str | None = f"Bearer {KEY}", **how: Any) -> Answer:
        """Send a request; the path goes out as it stands here."""
        headers = {**how.pop("headers", {}), **({} if key is None else {"Authorization": key})}
        url = URL(self.address + path, encoded=True)
        async with self.session.request(method, url, headers=headers, **how) as answer:
            text = await answer.text()
            kind = answer.content_type
            content = await answer.json(content_type=None) if "json" in kind else None
            return Answer(answer.status, kind, text, content, answer.headers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let news be handed on, as in a running bridge."""
        feed: Feed = self.app.state.bridge.feed

        async def wake() -> None:
            while True:
                feed.wake()
                await asyncio.sleep(0.02)

        await feed.begin()
        at_work = [asyncio.create_task(feed.run()), asyncio.create_task(wake())]
        try:
            yield
        finally:
            for each in at_work:
                each.cancel()
            await asyncio.gather(*at_work, return_exceptions=True)

    def set_desk(self, **settings: Any) -> None:
        """Change the settings of the pages."""
        bridge: Bridge = self.app.state.bridge
        self.app.state.bridge = replace(bridge, desk=bridge.desk.model_copy(update=settings))

    async def get(self, path: str, **how: Any) -> Answer:
        """GET."""
        return await self.ask("GET", path, **how)

    async def post(self, path: str, json: Any = None, **how: Any) -> Answer:
        """POST."""
        return await self.ask("POST", path, **({"json": json} | how))

    async def start(self, **changes: Any) -> Any:
        """Start a payment over the API and return its view."""
        order = {"branch": "CPL", "register": "10", "clerk": "anna", "card_number": "C1"} | changes
        answer = await self.post("/api/v1/payments", order)
        assert answer.status == 201, answer.text
        return answer.json

    async def at_register(self, **changes: Any) -> str:
        """Start a payment, let it reach the till and return its id."""
        payment_id = (await self.start(**changes))["id"]
        await self.bench.work()
        return str(payment_id)

    async def report(self, payment_id: str, raw: bytes) -> Answer:
        """Let a till post a report at the origin's address; tills have no key."""
        return await self.post(f"/api/v1/pos/cpu/{payment_id}/report", data=raw, json=None, key=None)
