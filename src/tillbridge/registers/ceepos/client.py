# SPDX-License-Identifier: GPL-3.0-or-later
"""Send one message over one fresh connection, and know for sure whether anything can have left.

How "never sent" is known (read in aiohttp 3.14, and held by the contract tests): ``on_connection_create_end`` is
signalled after TCP and TLS are made and before the request is handed to the connection, so whatever fails without
that signal has sent no byte of the request. aiohttp repeats only idempotent methods, and never a POST.
With TLS 1.3 a server judges the client's certificate after the client's side of the handshake is complete: such a
refusal comes after the signal, and so counts as "maybe sent".
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import aiohttp

from tillbridge.registers.ceepos.reading import MESSAGE_LIMIT

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

_log = logging.getLogger(__name__)

_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "Tillbridge"}
_KEPT_OF_OVERSIZE = 4096
_NO_TIMES = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


@dataclass(frozen=True, slots=True)
class Target:
    """Say where to send, and with which TLS context (None for plain http)."""

    address: str
    tls: ssl.SSLContext | None

    @property
    def verified(self) -> bool:
        """Tell whether the server proves who it is: TLS contexts here always demand that."""
        return self.tls is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bound the time to connect (name, TCP and TLS) and, from then on, the time for the whole answer."""

    connect_s: float
    answer_s: float


@dataclass(frozen=True, slots=True)
class Received:
    """Hold an answer as it came."""

    http_status: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class NotReceived:
    """State that no whole answer came; `connected` is False only if surely nothing was sent."""

    why: str
    connected: bool
    raw: bytes = b""


class _TooLongError(Exception):
    """Carry the beginning of an answer that is longer than any answer may be."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__(f"the answer is longer than {MESSAGE_LIMIT} bytes")
        self.beginning = beginning


class Client:
    """Keep what all exchanges of one register server share; no connection is ever used twice."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def post(
        self, target: Target, body: bytes, limits: Limits, on_written: Callable[[], None] | None = None
    ) -> Received | NotReceived:
        """Send `body` once and return what came; never raises for what the network or the server does.

        Calls `on_written` when the operating system has taken the last byte of the request.
        """
        exchange = _Exchange(limits)
        try:
            return await self._exchanged(exchange, target, _Body(body, on_written))
        except _TooLongError as error:
            return NotReceived(str(error), connected=True, raw=error.beginning)
        except (aiohttp.ClientError, OSError) as error:
            return NotReceived(exchange.words(error), exchange.connected)
        except Exception as error:  # noqa: BLE001 - whatever fails is judged by how far the request came
            _log.warning("an exchange with a register server failed unexpectedly", exc_info=error)
            return NotReceived("the exchange with the register server failed", exchange.connected)

    async def date(self, target: Target, limits: Limits) -> str | None:
        """Ask for the head of the server's first page, which is no payment, and return its Date, if it has one."""
        exchange = _Exchange(limits)
        try:
            async with (
                exchange.limit(),
                self._opened().head(
                    urljoin(target.address, "/"),
                    ssl=target.tls or True,
                    allow_redirects=False,
                    trace_request_ctx=exchange,
                ) as response,
            ):
                return response.headers.get("Date")
        except (aiohttp.ClientError, OSError):
            return None

    async def close(self) -> None:
        """Close every connection; later posts are answered with "not connected"."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _exchanged(self, exchange: _Exchange, target: Target, body: aiohttp.Payload) -> Received:
        async with (
            exchange.limit(),
            self._opened().post(
                target.address,
                data=body,
                ssl=target.tls or True,
                allow_redirects=False,
                trace_request_ctx=exchange,
            ) as response,
        ):
            return Received(response.status, await _whole_body(response))

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise aiohttp.ClientConnectionError("closed")
        if self._session is None:
            self._session = _new_session()
        return self._session


class _Exchange:
    """Follow one exchange: one timer, first for connecting, then for the answer."""

    connected = False

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._timer = asyncio.timeout(limits.connect_s)

    def limit(self) -> asyncio.Timeout:
        return self._timer

    def on_connected(self) -> None:
        self.connected = True
        self._timer.reschedule(asyncio.get_running_loop().time() + self._limits.answer_s)

    def words(self, error: Exception) -> str:
        if isinstance(error, TimeoutError) and self.connected:
            return f"the register server gave no whole answer within {self._limits.answer_s:g} s"
        if isinstance(error, TimeoutError):
            return f"no connection to the register server within {self._limits.connect_s:g} s"
        return why_lost(error) if self.connected else why_not_connected(error)


def why_not_connected(error: Exception) -> str:
    """Say in plain words why a connection was not made."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(cause, ssl.SSLError):
        return _why_no_tls(cause)
    if isinstance(error, aiohttp.ClientConnectorDNSError) or isinstance(cause, (socket.gaierror, UnicodeError)):
        return "the name of the register server cannot be found"
    if isinstance(cause, ConnectionRefusedError):
        return "the register server refuses the connection"
    if isinstance(cause, TimeoutError):
        return "no connection to the register server in time"
    return f"no connection to the register server: {getattr(cause, 'strerror', None) or type(cause).__name__}"


def _why_no_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the register server's certificate is not accepted: {error.verify_message or error.reason}"
    return f"no TLS connection to the register server: {error.reason or 'the handshake failed'}"


def why_lost(error: Exception) -> str:
    """Say in plain words how an exchange broke after the connection was made."""
    match error:
        case ssl.SSLError():
            return f"the TLS connection broke before a whole answer came: {error.reason or 'unknown reason'}"
        case aiohttp.ClientPayloadError():
            return "the register server's answer broke off"
        case aiohttp.ClientResponseError():
            return "the register server's answer is not HTTP"
        case _:
            return "the connection broke before a whole answer came"


class _Body(aiohttp.BytesPayload):
    """Write a request's body, and say when all of it has been handed over.

    aiohttp's own signal for a sent chunk comes before the chunk is written, hence this class.
    """

    def __init__(self, body: bytes, on_written: Callable[[], None] | None) -> None:
        super().__init__(body, content_type="application/json")
        self._on_written = on_written

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if writer.transport is not None:
            writer.transport.set_write_buffer_limits(high=0)  # so that drain waits until nothing is left
        await super().write_with_length(writer, content_length)
        await writer.drain()
        if self._on_written is not None:
            self._on_written()


async def _whole_body(response: aiohttp.ClientResponse) -> bytes:
    kept = bytearray()
    async for chunk in response.content.iter_any():
        kept += chunk
        if len(kept) > MESSAGE_LIMIT:
            raise _TooLongError(bytes(kept[:_KEPT_OF_OVERSIZE]))
    return bytes(kept)


def _new_session() -> aiohttp.ClientSession:
    """Make a session without proxies, cookies, redirects, decompression, limits of number and second uses."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_HEADERS,
        timeout=_NO_TIMES,
        trace_configs=[_watching()],
        auto_decompress=False,
        trust_env=False,
    )


def _watching() -> aiohttp.TraceConfig:
    async def connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx.on_connected()

    watch = aiohttp.TraceConfig()
    watch.on_connection_create_end.append(connected)
    watch.on_connection_reuseconn.append(connected)  # must not happen; if it did, it would be a connection too
    return watch
