# SPDX-License-Identifier: GPL-3.0-or-later
"""The client through which the real adapter meets the simulated till, over the virtual network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tillbridge.registers.ceepos.client import Client, Limits, NotReceived, Received, Target
from tillbridge.simulation.loop import LIFE
from tillbridge.simulation.telling import Telling
from tillbridge.simulation.till_side import CUT, TillSide
from tillbridge.simulation.wires import Passage, Stop, Wires
from tillbridge.simulation.wording import spaced
from tillbridge.simulators.till.inbound import payment_id_of
from tillbridge.simulators.till.messages import Reply


class VirtualClient(Client):
    """Be the adapter's client over the virtual network."""

    def __init__(self, side: TillSide, wires: Wires, telling: Telling, gate: Stop, point: Stop) -> None:
        super().__init__()
        self._side, self._wires, self._telling, self._gate, self._point = side, wires, telling, gate, point

    async def post(
        self, target: Target, body: bytes, limits: Limits, on_written: Callable[[], None] | None = None
    ) -> Received | NotReceived:
        """Send `body` once and return what came."""
        del target
        await self._point("the till: before the request")
        passage = self._wires.pass_on("till")
        await asyncio.sleep(passage.there_s / 4)
        if passage.harm == "refused":
            self._telling.say("the register server refuses the connection")
            return NotReceived("the register server refuses the connection", connected=False)
        if passage.harm == "unreachable":
            await asyncio.sleep(limits.connect_s)
            return NotReceived(f"no connection to the register server within {limits.connect_s:g} s", connected=False)
        await self._point("the till: half of the request is out")
        payment_id = payment_id_of(body) or ""
        self._side.sent[payment_id] += 1
        arriving = self._wires.outside(self._carried(body, passage))
        if on_written is not None:
            on_written()
        self._side.in_flight[payment_id] = LIFE.get()
        try:
            async with asyncio.timeout(limits.answer_s):
                await self._point("the till: the request is out")
                reply = await asyncio.shield(arriving)
        except TimeoutError:
            self._telling.fault(3, f"the till has not answered about {payment_id} within {limits.answer_s:g} s")
            return NotReceived(f"the register server gave no whole answer within {limits.answer_s:g} s", True)
        finally:
            del self._side.in_flight[payment_id]
        await self._point("the till: half of the answer is there")
        await self._gate("the till's answer is there")
        await self._point("the till: the answer is there")
        return _received(reply, passage)

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    async def _carried(self, body: bytes, passage: Passage) -> Reply | None:
        payment_id = payment_id_of(body)
        if passage.harm == "lost":
            self._telling.fault(1, f"the request of {payment_id} is lost on its way to the till")
            await asyncio.sleep(passage.there_s)
            return None
        exchange = self._side.exchange(body, passage)
        if passage.harm in ("answer_lost", "proxy_after", "truncated", "proxy"):
            running = self._wires.outside(exchange)
            await asyncio.wait((running,), timeout=passage.slow_s)
            self._telling.fault(2, f"the till's answer about {payment_id} is lost ({spaced(passage.harm)})")
            if running.done():
                return running.result()
            return None
        reply = await exchange
        await asyncio.sleep(passage.back_s)
        return reply


def _received(reply: Reply | None, passage: Passage) -> Received | NotReceived:
    match passage.harm:
        case "answer_lost":
            return NotReceived("the connection to the register server was lost", connected=True)
        case "proxy" | "proxy_after":
            return Received(502, b"<html>Bad Gateway</html>")
        case "truncated" if reply is not None:
            return Received(reply.http_status, reply.body[: len(reply.body) - CUT])
    if reply is None:
        return NotReceived("the register server closed the connection before a whole answer came", connected=True)
    return Received(reply.http_status, reply.body)
