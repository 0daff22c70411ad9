# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand where the bridge is, for the script on Koha's pages: it answers as it is told, and notes what it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

import tillbridge
from support.small_site import listening

SCRIPT = Path(tillbridge.__file__).parent / "web/static/koha/tillbridge.js"


@dataclass
class BridgeStub:
    """Hold what it answers about a patron, and what came."""

    port: int = 0
    open: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    asked: list[Mapping[str, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """The words that it was asked with."""
    at_desk: list[Mapping[str, str]] = field(default_factory=list)
    handed_over: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def pays(self, *charges: int, state: str = "at_register", amount: str = "6.00") -> None:
        """Let a payment of these charges be open."""
        number = len(self.open) + 1
        address = f"{self.address}/payments/P{number}/wait"
        facts = {"payment": f"P{number}", "charges": [str(charge) for charge in charges], "amount": amount}
        self.open.append({**facts, "register": "Kassa 1", "state": state, "address": address})

    async def script(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(SCRIPT, headers={"Content-Type": "text/javascript"})

    async def open_payments(self, request: web.Request) -> web.Response:
        allowed = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "authorization"}
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=allowed)
        self.asked.append(dict(request.query))
        self.shown.append(request.headers.get("Authorization", ""))
        said = {"open": self.open, "currency": "EUR", "on": True, "hide_confirm": False} | self.more
        return web.json_response(said, status=self.status, headers=allowed)

    async def desk(self, request: web.Request) -> web.Response:
        self.at_desk.append(dict(request.query))
        return web.Response(text="<title>Desk</title><p id=desk>Desk", content_type="text/html")

    async def hand_over(self, request: web.Request) -> web.Response:
        self.handed_over.append(str((await request.post())["token"]))
        return web.Response(text="<title>Wait</title><p id=wait>Wait", content_type="text/html")


@asynccontextmanager
async def bridge_stub() -> AsyncIterator[BridgeStub]:
    """Open it on a free port."""
    stub = BridgeStub()
    routes = {
        ("GET", "/koha/tillbridge.js"): stub.script,
        ("*", "/koha/open-payments"): stub.open_payments,
        ("GET", "/desk"): stub.desk,
        ("POST", "/koha/hand-over"): stub.hand_over,
    }
    async with listening(routes) as stub.port:
        yield stub
