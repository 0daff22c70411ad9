# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the register server together as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tillbridge.simulators.dated import Dated
from tillbridge.simulators.till.api import Api
from tillbridge.simulators.till.outside import Outside
from tillbridge.simulators.till.page import Page
from tillbridge.simulators.till.protocol import PaymentEndpoint
from tillbridge.simulators.till.settings import TillSettings
from tillbridge.simulators.till.till import Till

PROTOCOL_PATH = "/maksu.html"
_OWN_PAGES = (b"same-origin", b"none")


class OwnPagesOnly:
    """Refuse what the page of another site tries to make a browser do here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let reading and everything that is not a foreign page through."""
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            site = dict(scope["headers"]).get(b"sec-fetch-site", b"none")
            if site not in _OWN_PAGES:
                await PlainTextResponse("Not from another site", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def build_app(settings: TillSettings, outside: Outside | None = None) -> Starlette:
    """Return the application; its `state.till` is the Till behind it.

    It serves the protocol at ``/maksu.html``, the JSON interface under ``/api`` and the cashier's page at ``/``.
    """
    return app_of(Till(settings, outside))


def app_of(till: Till) -> Starlette:
    """Return the application of a till that was built before."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await till.open()
        try:
            yield
        finally:
            await till.close()

    protocol = Route(PROTOCOL_PATH, PaymentEndpoint(till), methods=["POST"])
    app = Starlette(
        routes=[protocol, *Api(till).routes(), *Page(till).routes()],
        middleware=[Middleware(Dated, now=till.outside.now), Middleware(OwnPagesOnly)],
        lifespan=lifespan,
    )
    app.state.till = till
    return app
