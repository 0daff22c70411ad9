# SPDX-License-Identifier: GPL-3.0-or-later
"""The transport through which the real adapter meets the demo library, over the virtual network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tillbridge.libraries.koha.transport import NotAsked, Outcome, Reply, Transport, Unanswered
from tillbridge.simulation.library_side import LibrarySide, payment_of
from tillbridge.simulation.wires import Passage, Stop, Wires
from tillbridge.simulation.wording import spaced

_CREDITS = ("/account/credits", "/contrib/tillbridge/bookings")
_TAKES = ("/contrib/tillbridge/reversals", "/contrib/tillbridge/refunds")


@dataclass(frozen=True, slots=True)
class Hands:
    """Be the places at which a process may die or sleep: anywhere, and right before something is recorded in Koha.

    `first_byte` is given the payment whose credit goes out, None for what Koha's plugin knows by its key.

    At a `point` it may die for a campaign alone.
    """

    gate: Stop
    first_byte: Callable[[str | None], Awaitable[None]]
    point: Stop


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]

    @property
    def is_credit(self) -> bool:
        return self.method == "POST" and self.path.endswith(_CREDITS)

    @property
    def is_write(self) -> bool:
        return self.is_credit or self.path.endswith(_TAKES)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def payment_id(self) -> str:
        asked = json.loads(self.body)
        return str(payment_of(asked["note"] if self.is_credit else asked["booking"]))


class VirtualTransport(Transport):
    """Be the adapter's transport over the virtual network."""

    def __init__(self, side: LibrarySide, wires: Wires, times: tuple[float, float], hands: Hands) -> None:
        super().__init__("https://koha.example", True, *times)
        self._side, self._wires, self._hands = side, wires, hands

    async def read(self, path: str, query: Mapping[str, str], authorization: str) -> Outcome:
        """Send a GET."""
        request = _Request("GET", path, urlencode(query), b"", {"authorization": authorization})
        return await self._carry(request, self._wires.pass_on("read"))

    async def write(self, path: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send a POST, once."""
        request = _Request("POST", path, "", body, {key.lower(): value for key, value in headers.items()})
        if not request.is_write:
            return await self._carry(request, self._wires.pass_on("read"))
        self._side.writing += 1
        try:
            await self._hands.first_byte(request.payment_id if request.is_credit else None)
            return await self._carry(request, self._wires.pass_on("write"))
        finally:
            self._side.writing -= 1

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    async def _carry(self, request: _Request, passage: Passage) -> Outcome:
        telling, point = self._side.telling, self._hands.point
        await point(f"Koha: before a {request.method}")
        if passage.harm in ("refused", "unreachable"):
            await asyncio.sleep(passage.there_s if passage.harm == "refused" else self._connect_s)
            telling.say(f"{request.name}: Koha cannot be reached")
            return NotAsked("Koha cannot be reached: no connection could be made")
        await point(f"Koha: half of a {request.method} is out")
        running = self._wires.outside(self._arrive(request, passage))
        try:
            async with asyncio.timeout(self._answer_s):
                await point(f"Koha: a {request.method} is out")
                reply = await asyncio.shield(running)
        except TimeoutError:
            telling.say(f"{request.name}: no answer in time")
            return Unanswered(f"Koha did not answer within {self._answer_s:g} s")
        await point(f"Koha: half of the answer to a {request.method} is there")
        if request.method == "POST":
            await self._hands.gate("Koha's answer is there")
        await point(f"Koha: the answer to a {request.method} is there")
        telling.say(f"{request.name}: {reply.status if reply else 'connection lost'}")
        return reply or Unanswered("the connection to Koha was lost before its answer came")

    async def _arrive(self, request: _Request, passage: Passage) -> Reply | None:
        await asyncio.sleep(passage.there_s)
        if passage.harm == "lost":
            return None
        if passage.harm == "proxy":
            return Reply(502, False, b"<html>Bad Gateway</html>")
        if passage.harm == "slow":
            await asyncio.sleep(passage.slow_s)
        stored = await self._answered(request)
        return await self._back(request, stored, passage)

    async def _answered(self, request: _Request) -> _Stored:
        """Let Koha answer, and see what it has really done."""
        side = self._side
        before = {line.line_id for line in side.credits_of(request.payment_id)} if request.is_credit else set()
        reply = await side.answer(request.method, request.path, request.query, request.body, request.headers)
        if not request.is_credit:
            if request.is_write:
                side.changed()
            return _Stored(reply, 0)
        new = [line for line in side.credits_of(request.payment_id) if line.line_id not in before]
        self._tell(reply, applied=not any(line.outstanding for line in new), stored=bool(new))
        if new:
            side.stored(request.payment_id)
        side.changed()
        return _Stored(reply, len(new))

    def _tell(self, reply: Reply | None, *, applied: bool, stored: bool) -> None:
        telling = self._side.telling
        match reply:
            case None if stored:
                telling.fault(16, "Koha drops the connection after booking")
            case Reply(status=500) if stored:
                telling.fault(17, "Koha answers 500 and has kept the credit")
                telling.quirk(f"answered 500, credit kept and {'' if applied else 'not '}applied")
            case Reply(status=201) if not applied:
                telling.fault(17, "Koha answers 201 and has not applied the credit")
                telling.quirk("answered 201, credit not applied")
            case Reply(status=400 | 403 | 404):
                telling.fault(21, f"Koha refuses the booking: {reply.status}")

    async def _back(self, request: _Request, stored: _Stored, passage: Passage) -> Reply | None:
        reply = stored.reply
        if passage.harm == "slow_after":
            await asyncio.sleep(passage.slow_s)
        await asyncio.sleep(passage.back_s)
        if passage.harm in ("answer_lost", "proxy_after", "truncated", "slow_after") and stored.credits:
            self._side.telling.fault(16, f"the answer to {request.name} is lost ({spaced(passage.harm)})")
        match passage.harm:
            case "answer_lost":
                return None
            case "proxy_after":
                return Reply(504, False, b"<html>Gateway Timeout</html>")
            case "truncated" if reply is not None:
                return Reply(reply.status, reply.is_json, None, reply.total)
        return reply


@dataclass(frozen=True, slots=True)
class _Stored:
    """Hold Koha's answer, and how many credits the request has left behind."""

    reply: Reply | None
    credits: int
