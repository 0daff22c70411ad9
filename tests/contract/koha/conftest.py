# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HTTP peer on the loopback that plays Koha from a script, so that every fault can be had on purpose."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import trustme

from tillbridge.libraries.koha import Settings, connect
from tillbridge.service.library_port import CreditOrder, LibrarySystem
from tillbridge.surroundings import Surroundings

REFERENCE = "tillbridge:0123456789abcdef01234567"
JSON = "application/json;charset=UTF-8"
TOKEN_PATH = "/api/v1/oauth/token"

Step = tuple[Any, ...]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; `connection` counts the peer's connections from 1."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    connection: int

    def json(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)


@dataclass
class Peer:
    """Work off `script`, one step for a request, and stay with its last step; tokens have a script of their own.

    Steps: ("json", status, value[, headers]) · ("raw", status, content type, bytes[, headers]) · ("drop",) reads
    the request and closes · ("drop unread",) · ("half", status, content type, bytes) breaks off in the body ·
    ("silent",) reads and never answers · ("stall", status, content type, bytes) stops in the body.
    """

    script: list[Step] = field(default_factory=list)
    tokens: list[Step] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    token_asked: list[Asked] = field(default_factory=list)
    hold_tokens: asyncio.Event | None = None
    asked_for_token: asyncio.Event = field(default_factory=asyncio.Event)
    on_request: Callable[[], None] = lambda: None
    connections: int = 0
    address: str = ""
    _server: asyncio.Server | None = None
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"{'https' if tls else 'http'}://localhost:{port}"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self.connections += 1
        number = self.connections
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if self.script[:1] == [("drop unread",)]:
                self.script.pop(0)
            else:
                while await self._answer_one(reader, writer, number):
                    pass
        writer.transport.abort()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        asked = await _read_request(reader, number)
        if asked.path == TOKEN_PATH:
            self.token_asked.append(asked)
            self.asked_for_token.set()
            if self.hold_tokens is not None:
                await self.hold_tokens.wait()
            step = _next(self.tokens) or _token(len(self.token_asked))
        else:
            self.asked.append(asked)
            self.on_request()
            step = _next(self.script) or ("json", 500, {"error": "the script is empty"})
        return await _play(step, reader, writer)


def _next(script: list[Step]) -> Step | None:
    return script.pop(0) if len(script) > 1 else (script[0] if script else None)


def _token(number: int) -> Step:
    return ("json", 200, {"access_token": f"token-{number}", "expires_in": 3600, "token_type": "Bearer"})


async def _read_request(reader: asyncio.StreamReader, number: int) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    return Asked(method, parts.path, query, headers, body, number)


async def _play(step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    match step:
        case ("json", status, value, *headers):
            body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
            writer.write(_head(status, JSON, len(body), *headers) + body)
        case ("raw", status, content_type, body, *headers):
            writer.write(_head(status, content_type, len(body), *headers) + body)
        case ("half", status, content_type, body):
            writer.write(_head(status, content_type, len(body)) + body[: len(body) // 2])
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            return False
        case ("stall", status, content_type, body):
            writer.write(_head(status, content_type, len(body)) + body[:1])
            await reader.read()
            return False
        case ("silent",):
            await reader.read()
            return False
        case ("drop",):
            return False
        case _:
            raise AssertionError(step)
    await writer.drain()
    return True


def _head(status: int, content_type: str, length: int, headers: dict[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {content_type}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    await peer.start()
    yield peer
    await peer.stop()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def tls_peer(authority: trustme.CA) -> AsyncIterator[Peer]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    peer = Peer()
    await peer.start(tls)
    yield peer
    await peer.stop()


Connects = Callable[..., LibrarySystem]


@pytest.fixture
async def connected(tmp_path: Path) -> AsyncIterator[Connects]:
    """Connect to an address with Basic, or with OAuth2 where `client_id` is given; further settings by name."""
    made: list[LibrarySystem] = []

    def make(address: str, **more: Any) -> LibrarySystem:
        (tmp_path / "koha").write_text("an example\n", encoding="utf-8")
        way = {"client_secret_file": "koha"} if "client_id" in more else {"user": "bridge", "password_file": "koha"}
        settings = Settings.model_validate({"address": address, "payment_type": "CEEPOS", **way, **more})
        made.append(connect(settings, Surroundings("library", tmp_path, "https://bridge.example.fi")))
        return made[-1]

    yield make
    for library in made:
        await library.close()


@pytest.fixture
def library(peer: Peer, connected: Connects) -> LibrarySystem:
    return connected(peer.address, connect_s=2, answer_s=5)


@pytest.fixture
def order() -> CreditOrder:
    return CreditOrder(
        patron_id="10",
        branch="MPL",
        charge_ids=("42", "43"),
        amount=Decimal("11.30"),
        reference=REFERENCE,
        note=f"Paid at till 1 by anna, receipt 20431 {REFERENCE}",
    )


@pytest.fixture
def created() -> dict[str, Any]:
    """Give the line with which Koha answers `order`."""
    return {
        "account_line_id": 45,
        "patron_id": 10,
        "amount": -11.3,
        "amount_outstanding": 0.0,
        "credit_type": "PAYMENT",
        "internal_note": f"Paid at till 1 by anna, receipt 20431 {REFERENCE}",
        "status": None,
    }
