# SPDX-License-Identifier: GPL-3.0-or-later
"""A wire between an adapter and its peer: it passes HTTP on, counts connections, and breaks as it is told.

Both sides must tell the length of their messages by Content-Length, as small JSON services do.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum

HOST = "127.0.0.1"

_PAGE = b"<!doctype html><title>Kirjaudu</title><h1>Kirjaudu</h1>"
_PART = b"x" * 65_536

MOST_ANSWERED = 64 * 1024 * 1024
"""After how many bytes an answer that has no end is cut off all the same: whoever still listens takes anything."""


class Break(StrEnum):
    """Name what a wire can do to one exchange."""

    CUT_UNREAD = "cut the connection before anything is read"
    CUT_READ = "cut the connection once the request is read, and pass nothing on"
    SILENT = "read the request, pass nothing on, and never answer"
    ANSWER_LOST = "pass the request on, and cut the connection in place of the answer"
    ANSWER_NEVER = "pass the request on, and keep the answer"
    ANSWER_HALF = "pass half of the answer on, and cut the connection"
    ANSWER_STALLS = "pass half of the answer on, and never the rest"
    OTHER_STATUS = "pass the answer on with the status 500 in place of its own"
    REDIRECT = "answer that the address has moved, to the very path that was asked"
    PAGE = "answer 200 with a web page"
    PAGE_404 = "answer 404 with a web page"
    PAGE_502 = "answer 502 with a web page"
    NOTHING = "answer 204 with nothing"
    NOT_HTTP = "answer with something that is no HTTP"
    NOT_UTF8 = "answer 200 with bytes that are no text"
    ENDLESS = "pass the request on, and let the answer have no end"
    ENDLESS_ERROR = "pass the request on, and answer with the status 500 and a text that has no end"


_ANSWERS: dict[Break, tuple[str, bytes, str]] = {
    # Back to the request's own path: whoever follows it sends a second message, and that one arrives.
    Break.REDIRECT: ("307 Temporary Redirect", b"", "Location: {path}\r\n"),
    Break.PAGE: ("200 OK", _PAGE, "Content-Type: text/html\r\n"),
    Break.PAGE_404: ("404 Not Found", _PAGE, "Content-Type: text/html\r\n"),
    Break.PAGE_502: ("502 Bad Gateway", _PAGE, "Content-Type: text/html\r\n"),
    Break.NOT_UTF8: ("200 OK", b'{"a": "\xff\xfe"}', "Content-Type: application/json\r\n"),
}
_UNPASSED = frozenset({*_ANSWERS, Break.CUT_READ, Break.SILENT, Break.NOTHING, Break.NOT_HTTP})

Change = Callable[[bytes], bytes]
"""Change the body of an answer."""


@dataclass(slots=True)
class _Laid:
    what: Break | Change
    marker: bytes
    left: int


class Wire:
    """Listen on a free port and pass on to another one; what is laid hits the next requests that it is for."""

    def __init__(self, port: int) -> None:
        self.connections = 0
        self.hung_up = asyncio.Event()
        self._to, self._laid, self._first_lines = port, list[_Laid](), list[bytes]()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """Return where the adapter finds the peer."""
        assert self._server is not None  # noqa: S101 - a wire is opened before it is used
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def lay(self, what: Break | Change, marker: bytes = b"", times: int = 1) -> None:
        """Break, or change the answers to, the next requests whose first line holds the marker; forget who hung up."""
        self.hung_up.clear()
        self._laid.append(_Laid(what, marker, times))

    def unlay(self) -> None:
        """Forget what was laid."""
        self._laid.clear()

    def seen(self, marker: bytes) -> int:
        """Count the requests whose first line holds the marker."""
        return sum(marker in line for line in self._first_lines)

    async def mend(self) -> None:
        """Forget what was laid, cut every connection, and count anew."""
        self.unlay()
        for passing in tuple(self._passing):
            passing.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await asyncio.sleep(0)  # what was cut is closed in the loop's next round
        self._first_lines.clear()
        self.connections = 0
        self.hung_up.clear()

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a server calls this in a task
        self._passing.add(task)
        self.connections += 1
        try:
            if self._take(b"", unread=True) is None:
                while await self._pass_one(reader, writer):
                    pass
        except (OSError, EOFError, asyncio.CancelledError, asyncio.LimitOverrunError):
            pass
        finally:
            self._passing.discard(task)
            writer.transport.abort()

    def _take(self, head: bytes, *, unread: bool = False) -> Break | Change | None:
        first_line = head.partition(b"\r\n")[0]
        for laid in self._laid:
            if (laid.what is Break.CUT_UNREAD) is unread and (unread or laid.marker in first_line) and laid.left:
                laid.left -= 1
                return laid.what
        return None

    async def _pass_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Pass one exchange; tell whether the connection may be used again."""
        head, body = await _message(reader)
        self._first_lines.append(head.partition(b"\r\n")[0])
        laid = self._take(head)
        if isinstance(laid, Break) and laid in _UNPASSED:
            return await self._answer_by_itself(laid, head, reader, writer)
        answer = await self._asked(head + body, reader)
        if answer is None or laid is Break.ANSWER_LOST:
            return False
        if laid is Break.ANSWER_NEVER:
            return await self._until_hung_up(reader)
        if laid in (Break.ENDLESS, Break.ENDLESS_ERROR):
            head, body = answer
            return await self._answer_endlessly(head if laid is Break.ENDLESS else _failed(head), body, writer)
        whole = _broken(*answer, laid)
        writer.write(whole)
        await writer.drain()
        if laid is Break.ANSWER_STALLS:
            return await self._until_hung_up(reader)
        if laid is Break.ANSWER_HALF:
            writer.close()
            await writer.wait_closed()
        return laid is not Break.ANSWER_HALF

    async def _asked(self, request: bytes, reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
        """Ask the peer; None where the adapter hung up before there was an answer, or the peer did."""
        from_peer, to_peer = await asyncio.open_connection(HOST, self._to)
        to_peer.write(request)
        answering = asyncio.create_task(_message(from_peer))
        leaving = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.hung_up.set()
        finally:
            leaving.cancel()
            answering.cancel()
            to_peer.transport.abort()  # before anything is waited for: this may be cancelled at any time
            answer, _ = await asyncio.gather(answering, leaving, return_exceptions=True)
        return answer if isinstance(answer, tuple) else None

    async def _answer_by_itself(
        self, laid: Break, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if laid is Break.CUT_READ:
            return False
        writer.write(_said(laid, head))
        await writer.drain()
        whole = laid not in (Break.SILENT, Break.NOT_HTTP)
        return whole or await self._until_hung_up(reader)

    async def _answer_endlessly(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Begin with this head and as the peer's text does, which only its end would make good or bad."""
        writer.write(b"\r\n".join([*_without_length(head), b"Transfer-Encoding: chunked", b"", b""]))
        writer.write(_chunk((body[:1] or b"{") + b'"'))
        try:
            for _ in range(MOST_ANSWERED // len(_PART)):
                writer.write(_chunk(_PART))
                await writer.drain()
        except OSError:
            self.hung_up.set()
        return False

    async def _until_hung_up(self, reader: asyncio.StreamReader) -> bool:
        await reader.read()
        self.hung_up.set()
        return False


@contextlib.asynccontextmanager
async def wire_to(port: int) -> AsyncIterator[Wire]:
    """Open a wire to a port of this machine, and cut every connection at the end."""
    wire = Wire(port)
    wire._server = await asyncio.start_server(wire._welcome, HOST, 0, backlog=1000)  # noqa: SLF001 - its own module
    try:
        yield wire
    finally:
        wire._server.close()  # noqa: SLF001 - its own module
        await wire.mend()
        await wire._server.wait_closed()  # noqa: SLF001 - its own module


def free_port() -> int:
    """Find a port where nobody listens."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        return int(taken.getsockname()[1])


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head, await reader.readexactly(int(lengths[0].partition(b":")[2])) if lengths else b""


def _said(laid: Break, head: bytes) -> bytes:
    """Return what a wire says by itself; nothing where it is silent."""
    if laid is Break.NOT_HTTP:
        return b"SSH-2.0-OpenSSH_9.2\r\n\r\n"
    if laid is Break.NOTHING:
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    if laid not in _ANSWERS:
        return b""
    status, body, more = _ANSWERS[laid]
    path = head.split(b" ", 2)[1].decode("latin-1")
    told = more.replace("{path}", path)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{told}\r\n".encode("latin-1") + body


def _broken(head: bytes, body: bytes, laid: Break | Change | None) -> bytes:
    """Return the bytes of an answer as what was laid has them."""
    if callable(laid) and not isinstance(laid, Break):
        return _with_body(head, laid(body))
    if laid is Break.OTHER_STATUS:
        return _failed(head) + body
    if laid in (Break.ANSWER_HALF, Break.ANSWER_STALLS):
        return head + body[: len(body) // 2]
    return head + body


def _failed(head: bytes) -> bytes:
    return b"HTTP/1.1 500 Internal Server Error\r\n" + head.partition(b"\r\n")[2]


def _with_body(head: bytes, body: bytes) -> bytes:
    return b"\r\n".join([*_without_length(head), f"Content-Length: {len(body)}".encode(), b"", b""]) + body


def _without_length(head: bytes) -> list[bytes]:
    return [line for line in head.rstrip().split(b"\r\n") if not line.lower().startswith(b"content-length:")]


def _chunk(part: bytes) -> bytes:
    return f"{len(part):x}\r\n".encode() + part + b"\r\n"
