# SPDX-License-Identifier: GPL-3.0-or-later
"""A wire between two programs, over TCP, that can be cut: at once, before a request goes over it, or after."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

Cut = Literal["at once", "request", "answer"]
"""When a new connection is cut: before anything, with its first bytes undelivered, or when the answer would come."""

PIECE = 64 * 1024


@dataclass
class Wire:
    """Hand everything on to a port of this machine, but for what is to be cut."""

    host: str
    port: int
    target: int
    planned: deque[Cut] = field(default_factory=deque)
    """How the next new connections are cut."""
    cuts: Counter[str] = field(default_factory=Counter)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        await self.open()
        try:
            yield
        finally:
            await self.shut()
            self._abort()

    async def open(self) -> None:
        """Let connections be made."""
        self._server = await asyncio.start_server(self._carry, self.host, self.port, backlog=2048)

    async def shut(self) -> None:
        """Refuse connections, as a machine does where nothing listens; those that are made stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut_all(self) -> int:
        """Cut every connection that there is; return how many there were."""
        count = self._abort() // 2
        self.cuts["all"] += count
        return count

    def _abort(self) -> int:
        ends = list(self._open)
        for end in ends:
            end.transport.abort()
        return len(ends)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = self.planned.popleft() if self.planned else None
        if cut == "at once":
            self._cut(cut, writer)
        elif not await self._connect(reader, writer, cut) and cut is not None:
            self.planned.appendleft(cut)  # it ended before it could be cut: the next one is

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Cut | None) -> bool:
        """Connect two ends until they hang up or are cut; return whether this cut was made."""
        try:
            there, back = await asyncio.open_connection(self.host, self.target)
        except OSError:
            writer.transport.abort()
            return False
        self._open |= {writer, back}
        try:
            up = self._pump(reader, back, writer, cut if cut == "request" else None)
            down = self._pump(there, writer, back, cut if cut == "answer" else None)
            return any(await asyncio.gather(up, down))
        finally:
            self._open -= {writer, back}
            for end in (writer, back):
                end.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, other: asyncio.StreamWriter, cut: Cut | None
    ) -> bool:
        """Hand on what comes until it ends; return whether it was cut."""
        # uvloop says RuntimeError where the other direction has hung up already.
        with contextlib.suppress(OSError, RuntimeError):
            while piece := await source.read(PIECE):
                if cut is not None:
                    self._cut(cut, sink, other)
                    return True
                sink.write(piece)
                await sink.drain()
        sink.close()  # whoever hangs up here hangs up there too: no program of ours closes one half alone
        return False

    def _cut(self, cut: Cut, *ends: asyncio.StreamWriter) -> None:
        self.cuts[cut] += 1
        for end in ends:
            end.transport.abort()
