# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve a small web application of a test's own on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


@asynccontextmanager
async def listening(routes: Mapping[tuple[str, str], Any]) -> AsyncIterator[int]:
    """Answer these routes (method and path → handler) while the block runs; return the port."""
    app = web.Application()
    for (method, path), handler in routes.items():
        app.router.add_route(method, path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
