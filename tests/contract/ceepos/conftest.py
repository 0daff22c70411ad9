# SPDX-License-Identifier: GPL-3.0-or-later
"""A register server on loopback that misbehaves as it is told, and certificates for it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme

from tillbridge.domain.money import Money
from tillbridge.registers.ceepos import Settings, connect
from tillbridge.service.register_port import Order, Payer, Product, Register
from tillbridge.surroundings import Surroundings

SECRET = "top_secret"
Act = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One connection to the till."""

    def __init__(self, till: Till, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.till, self.reader, self.writer = till, reader, writer

    async def read(self) -> dict[str, object]:
        """Read one whole request, keep it, and return its message."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await self.reader.readexactly(length)
        self.till.requests.append((head, body))
        self.till.asked.set()
        message = json.loads(body)
        assert isinstance(message, dict)
        return message

    async def write(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def answer(self, body: bytes, status: str = "200 OK", more: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        await self.write(head.encode() + body)

    async def state(self, status: object, reference: str | None = "K1") -> None:
        """Read the request and answer it with a rightly signed status."""
        await self.answer(self.stated((await self.read())["Id"], status, reference))

    def stated(self, payment_id: object, status: object, reference: str | None = "K1") -> bytes:
        """Make a signed answer, with a hash that the product has no part in."""
        hashed = f"{payment_id}&{status}&{reference or ''}&{SECRET}"
        proof = hashlib.sha256(hashed.encode()).hexdigest()
        return json.dumps({"Id": payment_id, "Status": status, "Reference": reference, "Hash": proof}).encode()


class Till:
    """Listen on a free port of loopback; every connection is given to `act`."""

    def __init__(self) -> None:
        self.act: Act | None = None
        self.requests: list[tuple[bytes, bytes]] = []
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()
        self.connections = 0
        self.scheme, self.host = "http", "127.0.0.1"
        self._server: asyncio.Server | None = None
        self._visits: set[asyncio.Task[None]] = set()

    async def open(self, act: Act, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Till:
        self.act, self.host, self.scheme = act, host, "https" if tls else "http"
        self._server = await asyncio.start_server(self._welcome, "127.0.0.1", 0, ssl=tls, backlog=2000)
        return self

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"{self.scheme}://{self.host}:{self._server.sockets[0].getsockname()[1]}/maksu.html"

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            for visit in tuple(self._visits):
                visit.cancel()
            await asyncio.gather(*self._visits, return_exceptions=True)
            await self._server.wait_closed()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.act is not None
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._visits.add(task)
        try:
            await self.act(Visit(self, reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.hung_up.set()
        finally:
            self._visits.discard(task)
            writer.transport.abort()


class Papers:
    """Certificates: an authority, what it issues, and an authority that no one knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ours, self._foreign = trustme.CA(), trustme.CA()
        self._ours.cert_pem.write_to_path(folder / "ca.pem")
        self._foreign.cert_pem.write_to_path(folder / "foreign-ca.pem")
        for name, authority in (("us", self._ours), ("foreign", self._foreign)):
            issued = authority.issue_cert("bridge.example")
            issued.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")

    def of_server(
        self, name: str = "127.0.0.1", *, expired: bool = False, demanding: bool = False, newest: bool = True
    ) -> ssl.SSLContext:
        """Make a till's side of TLS; `demanding` asks for a client certificate, not `newest` ends at TLS 1.2."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ends = datetime(2020, 1, 2, tzinfo=UTC) if expired else None
        begins = datetime(2020, 1, 1, tzinfo=UTC) if expired else None
        self._ours.issue_cert(name, not_before=begins, not_after=ends).configure_cert(context)
        if demanding:
            self._ours.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        if not newest:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


@pytest.fixture
async def till() -> AsyncIterator[Till]:
    opened = Till()
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


Registers = Callable[..., Register]


@pytest.fixture
async def registers(papers: Papers) -> AsyncIterator[Registers]:
    """Give a function that makes a register for an address, with more settings if need be."""
    made: list[Register] = []
    (papers.folder / "secret").write_text(SECRET, encoding="utf-8")

    def make(address: str, **settings: object) -> Register:
        least = {"address": address, "source": "KOHA", "secret_file": "secret"}
        surroundings = Surroundings("city", papers.folder, "https://bridge.example", ("CPL", "A", "B"))
        register = connect(Settings.model_validate(least | settings), surroundings)
        made.append(register)
        return register

    yield make
    for register in made:
        await register.close()


@pytest.fixture
def order() -> Order:
    lines = (Product("1111", "Myöhästymismaksu", 250),)
    return Order("7f3a", "CPL", "10", lines, Money(250, "EUR"), Payer("Mäkinen", "Äijä", "123456"))


class Bell:
    """An `at_register` that counts, and may fail or hang."""

    def __init__(self) -> None:
        self.rung, self.dropped = asyncio.Event(), asyncio.Event()
        self.times = 0
        self.error: Exception | None = None
        self.hangs = False

    async def __call__(self) -> None:
        self.times += 1
        self.rung.set()
        if self.error:
            raise self.error
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.dropped.set()


@pytest.fixture
async def bell() -> Bell:
    return Bell()
