# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve the demo library, with a server that can cut a connection and that stops at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tillbridge.listening import KEEP_ALIVE_S, listening_socket
from tillbridge.simulators.library.answers import ABORT
from tillbridge.simulators.library.library import DemoLibrary


class _CuttableProtocol(HttpToolsProtocol):
    """Offer the application a way to abort its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item]


class _Server(uvicorn.Server):
    """Run without handlers of signals, say when it listens, and stop without a tick's delay."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._stop = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 1)

    def stop(self) -> None:
        self.should_exit = True
        self._stop.set()


@asynccontextmanager
async def serving(app: Starlette, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve the demo library inside the block and yield its address; port 0 takes a free one.

    At the end held requests are let go of, what does not end within a second is cut, and the ledger's file is closed.
    """
    listener = listening_socket(host, port)
    server = _Server(_config(app))
    running = asyncio.create_task(server.serve([listener]))
    try:
        await server.listening.wait()
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        _let_go(app)
        server.stop()
        await running
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        app.state.library.close()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_CuttableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )


def _let_go(app: Starlette) -> None:
    library: DemoLibrary = app.state.library
    library.faults.clear()
