# SPDX-License-Identifier: GPL-3.0-or-later
"""Exchange one request with Koha over HTTP, and tell for sure whether anything can have arrived."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Literal

import aiohttp

from tillbridge import __version__

MOST_BYTES = 8 * 1024 * 1024
"""The longest body that is read; a patron with 10,000 charges has 5 MB."""

_READS_AT_ONCE = 8  # measured: Koha's worker processes are few, and more requests at once only wait inside it


Trust = ssl.SSLContext | Literal[True]
"""How a server's certificate is checked; True stands for the system's authorities."""


@dataclass(frozen=True, slots=True)
class NotAsked:
    """State with proof that the request did not reach Koha, or that Koha did not look at it."""

    why: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """State that the request may have reached Koha and no answer came."""

    why: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Hold an answer; `body` is None where it broke off, took too long or was longer than `MOST_BYTES`."""

    status: int
    is_json: bool
    body: bytes | None = field(repr=False)
    total: str | None = None
    date: str | None = None


Outcome = NotAsked | Unanswered | Reply


@dataclass(slots=True)
class _Attempt:
    connected: bool = False


class Transport:
    """Send requests to one Koha: reads over kept connections, writes over a fresh one each.

    A kept connection may have died unseen, which a write could not tell from a request that Koha has taken.
    Redirects and proxies of the environment are not followed: the secret goes to the named address alone.
    """

    def __init__(self, address: str, trust: Trust, connect_s: float, answer_s: float) -> None:
        self._address, self._trust = address, trust
        self._connect_s, self._answer_s = connect_s, answer_s
        self._reads: aiohttp.ClientSession | None = None
        self._writes: aiohttp.ClientSession | None = None
        self._closed = False

    @property
    def limit_s(self) -> float:
        """Return the longest time that one exchange may take."""
        return self._connect_s + self._answer_s

    async def read(self, path: str, query: Mapping[str, str], authorization: str) -> Outcome:
        """Send a GET. A connection that dies before the answer is tried once more (aiohttp does so for GET)."""
        if self._reads is None and not self._closed:
            self._reads = self._session(aiohttp.TCPConnector(ssl=self._trust, limit=_READS_AT_ONCE))
        return await self._exchange(self._reads, "GET", path, {"Authorization": authorization}, query=query)

    async def write(self, path: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send a POST, once, over a connection of its own."""
        if self._writes is None and not self._closed:
            self._writes = self._session(aiohttp.TCPConnector(ssl=self._trust, limit=0, force_close=True))
        return await self._exchange(self._writes, "POST", path, headers, body=body)

    async def close(self) -> None:
        """Release every connection; requests after it are `NotAsked`."""
        self._closed = True
        sessions, self._reads, self._writes = (self._reads, self._writes), None, None
        for session in sessions:
            if session is not None:
                await session.close()

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=self.limit_s,
                sock_connect=self._connect_s,
                ceil_threshold=self.limit_s + 1,  # or limits over 5 s would be rounded up to whole seconds
            ),
            trace_configs=[_watch_connections()],
            auto_decompress=False,  # nothing compressed is asked for, so a bomb stays packed and unreadable
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"tillbridge/{__version__}",
            },
        )

    async def _exchange(
        self,
        session: aiohttp.ClientSession | None,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Outcome:
        if session is None:
            return NotAsked("the bridge is shutting down")
        attempt = _Attempt()
        try:
            async with session.request(
                method,
                self._address + path,
                params=query,
                data=body,
                headers=headers,
                allow_redirects=False,
                trace_request_ctx=attempt,
            ) as response:
                return await _reply(response)
        except (aiohttp.ClientError, OSError) as error:  # OSError has TimeoutError under it
            return self._failed(error, attempt)

    def _failed(self, error: Exception, attempt: _Attempt) -> NotAsked | Unanswered:
        if not attempt.connected:
            return NotAsked(_why_unreached(error, self._connect_s))
        if isinstance(error, TimeoutError):
            return Unanswered(f"Koha did not answer within {self._answer_s:g} s")
        return Unanswered("the connection to Koha was lost before its answer came")


def _watch_connections() -> aiohttp.TraceConfig:
    async def connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.connected = True

    watch = aiohttp.TraceConfig()
    watch.on_connection_create_end.append(connected)  # after the TLS handshake; no byte of ours went before
    watch.on_connection_reuseconn.append(connected)
    return watch


def _why_unreached(error: Exception, connect_s: float) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "Koha's certificate is not trusted: name its authority with ca_file"
        case aiohttp.ClientConnectorDNSError():
            return "the name in Koha's address is not known to the network"
        case TimeoutError():
            return f"no connection to Koha within {connect_s:g} s"
        case _:
            return "Koha cannot be reached: no connection could be made"


async def _reply(response: aiohttp.ClientResponse) -> Reply:
    return Reply(
        status=response.status,
        is_json=response.content_type == "application/json",
        body=await _body(response),
        total=response.headers.get("X-Total-Count"),
        date=response.headers.get("Date"),
    )


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    body = bytearray()
    try:
        async for part in response.content.iter_any():
            body += part
            if len(body) > MOST_BYTES:
                return None
    except (aiohttp.ClientError, OSError):
        return None
    return bytes(body)
