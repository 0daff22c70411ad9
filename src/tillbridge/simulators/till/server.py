# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve the application so that connections can be dropped on demand and stopping takes no time."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tillbridge.listening import KEEP_ALIVE_S, listening_socket
from tillbridge.simulators.till.app import app_of
from tillbridge.simulators.till.outside import Outside
from tillbridge.simulators.till.protocol import ABORT
from tillbridge.simulators.till.settings import TillSettings
from tillbridge.simulators.till.till import Till

_LONGEST_STOP_S = 1.0
_GLANCE_S = 0.005
_log = logging.getLogger(__name__)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Tls:
    """Name the files of HTTPS in PEM; with `client_ca` every client must show a certificate of it."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class RunningTill:
    """Hold a till that listens: `address` is its root, without a slash at the end."""

    address: str
    till: Till

    @property
    def protocol_address(self) -> str:
        """Return where payment requests go."""
        return f"{self.address}/maksu.html"


class _Droppable(HttpToolsProtocol):
    """Hand the application a way to cut its connection off, which ASGI itself has none of."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the parent does
        super().connection_made(transport)
        served: ASGIApp = self.app

        async def droppable(scope: Scope, receive: Receive, send: Send) -> None:
            await served({**scope, ABORT: transport.abort}, receive, send)

        self.app = droppable


class _Server(uvicorn.Server):
    """Stop without waiting for held requests, and leave signals to whoever runs the server."""

    def __init__(self, config: uvicorn.Config, till: Till) -> None:
        super().__init__(config)
        self._till = till
        self.listening = asyncio.Event()
        self.stop = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    async def main_loop(self) -> None:
        """Wait to be stopped, without the parent's ticks: they serve a Date header and limits that are not used."""
        await self.stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop held requests, let answers that are being written go out, and cut off what is left after a second."""
        self._till.hang_up()
        for server in self.servers:
            server.close()
        for bound in sockets or ():
            bound.close()
        for connection in tuple(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(_LONGEST_STOP_S):
                await self._idle()
        except TimeoutError:
            _log.warning("cut off %d connections that did not end", len(self.server_state.connections))
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        await self.lifespan.shutdown()

    async def _idle(self) -> None:
        state = self.server_state
        while state.connections or state.tasks:  # noqa: ASYNC110 - uvicorn has no event for this
            await asyncio.sleep(_GLANCE_S)


@asynccontextmanager
async def running(
    settings: TillSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Tls | None = None,
    outside: Outside | None = None,
) -> AsyncIterator[RunningTill]:
    """Run a till inside this event loop; port 0 finds a free one. Raises OSError if the port is taken."""
    till = Till(settings, outside)
    bound = listening_socket(host, port)
    server = _Server(_config(till, tls), till)
    serving = asyncio.create_task(server.serve([bound]))
    try:
        await _first(serving, server.listening.wait())
        yield RunningTill(_address(bound, tls), till)
    finally:
        server.stop.set()
        await serving


async def serve(settings: TillSettings, host: str, port: int, tls: Tls | None, say: Callable[[str], None]) -> None:
    """Run a till until SIGINT or SIGTERM; `say` gets its address once it listens."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    async with running(settings, host=host, port=port, tls=tls) as till:
        say(till.address)
        await stop.wait()


async def _first(serving: asyncio.Task[None], listening: object) -> None:
    """Wait until the server listens; a server that ends before raises what ended it."""
    waiting = asyncio.ensure_future(listening)  # type: ignore[call-overload]
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if serving.done():
        await serving
        raise OSError("the server did not start")


def _config(till: Till, tls: Tls | None) -> uvicorn.Config:
    return uvicorn.Config(
        app_of(till),
        http=_Droppable,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        ssl_ca_certs=tls.client_ca if tls else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if tls and tls.client_ca else ssl.CERT_NONE,
    )


def _address(bound: socket.socket, tls: Tls | None) -> str:
    host, port = bound.getsockname()[:2]
    named = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{named}:{port}"
