# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve the bridge's web application inside a running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from fastapi import FastAPI

from tillbridge.listening import KEEP_ALIVE_S

STOP_S = 3
"""How long requests that are under way may take to end when the bridge stops."""


class _Server(uvicorn.Server):
    """Leave signals to whoever runs the server, and say when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@contextlib.asynccontextmanager
async def serving(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the application on a socket until the block ends."""
    server = _Server(_config(app))
    running = asyncio.create_task(server.serve([listener]))
    try:
        await server.listening.wait()
        yield
    finally:
        # Streams of events have no end of their own: they would be cut off, which is told as a fault.
        app.state.bridge.feed.dismiss()
        server.should_exit = True
        await running


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
    )
