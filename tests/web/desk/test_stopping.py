# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge that stops lets its open pages go, instead of cutting them off."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import aiohttp
import pytest

from support.site import Site, bridge_of
from support.staff import signed_in
from support.worlds import Bench
from tillbridge.listening import listening_socket
from tillbridge.web.app import make_app
from tillbridge.web.serving import STOP_S, serving


async def test_open_pages_are_let_go_when_the_bridge_stops(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    app, listener = make_app(bridge_of(bench)), listening_socket("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    running = contextlib.AsyncExitStack()
    await running.enter_async_context(serving(app, listener))
    async with (
        aiohttp.ClientSession() as programs,
        running,
        signed_in(Site(bench, address, programs, app)) as colleague,
    ):
        page = await colleague.session.get(f"{address}/live")
        assert await page.content.readline() == b"event: part\n"
        stopping = asyncio.get_running_loop().time()
        await running.aclose()
        assert asyncio.get_running_loop().time() - stopping < STOP_S
        assert await page.content.read() != b""
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []
