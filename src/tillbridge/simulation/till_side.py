# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated till behind the virtual network, and the client through which the real adapter meets it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from tillbridge.registers.ceepos.client import Client, Limits, NotReceived, Received, Target
from tillbridge.simulation.script import Setup
from tillbridge.simulation.telling import Telling
from tillbridge.simulation.wires import Passage, Wires
from tillbridge.simulators.till import Outside, Till, TillSettings
from tillbridge.simulators.till.book import Book
from tillbridge.simulators.till.inbound import payment_id_of
from tillbridge.simulators.till.messages import Reply
from tillbridge.simulators.till.payment import Payment
from tillbridge.simulators.till.reporter import Reporter

SOURCE, OFFICES = "KOHA", {"10": "Kassa 1", "11": "Kassa 2"}
SECRET, OLD_SECRET, WRONG_SECRET = "new-secret", "old-secret", "wrong-secret"
REPORT_LIMIT_S = 30.0
_CUT = 40
_TELLS_AN_END = (0, 99)
"""Statuses that say that nothing was collected."""

Deliver = Callable[[str, bytes], Awaitable[tuple[int | None, str]]]
"""Carries a report to the bridge: address and body; returns HTTP status and text."""


class TillSide:
    """Hold the till, and what is true about its money."""

    def __init__(self, setup: Setup, wires: Wires, telling: Telling, draws: Random, now: Callable[[], float]) -> None:
        self._wires, self._telling = wires, telling
        zone = ZoneInfo(setup.zone)
        numbers = count(1)
        outside = Outside(
            now=lambda: datetime.fromtimestamp(now(), UTC).astimezone(zone),
            receipt_number=lambda: f"K{next(numbers):06}",
            other_id=lambda: f"{draws.getrandbits(96):024X}",
            chance=draws.random,
        )
        self.till = Till(self._settings(setup), outside, self._reporter())
        self.deliver: Deliver | None = None
        self.bodies: list[tuple[str, bytes]] = []
        """Every report that was posted, with its address."""
        self.lies: set[str] = set()
        """Payments of which the till has said what is not so."""
        self._order: dict[str, list[int]] = {}

    @staticmethod
    def _settings(setup: Setup) -> TillSettings:
        return TillSettings(
            source=SOURCE,
            secret=SECRET,
            offices=OFFICES,
            api_version="3.0" if setup.version.startswith("3") else "2.0",
            report_retries=setup.retries,
            report_retry_after_s=20.0,
            report_limit_s=REPORT_LIMIT_S,
        )

    def sign_with(self, secret: str) -> None:
        """Let the till have another secret from now on."""
        settings = replace(self.till.settings, secret=secret)
        self.till.settings = settings
        self.till.reporter.settings = settings

    def truth(self, payment_id: str) -> Payment | None:
        """Return the payment as the till has it."""
        return self.till.book.get(payment_id)

    def net_minor(self, payment_id: str) -> int:
        """Return the money of a payment that is in the till."""
        payment = self.truth(payment_id)
        return payment.collected_minor if payment is not None and payment.state == "paid" else 0

    async def exchange(self, body: bytes, passage: Passage) -> Reply | None:
        """Take a request as the server does; None drops the connection."""
        await asyncio.sleep(passage.there_s)
        payment_id = payment_id_of(body) or ""
        if self.till.faults.drops_unread():
            self._telling.fault(1, f"the till drops the connection of {payment_id} unread")
            return None
        taken = self.till.take_in(body)
        if isinstance(taken, Reply):
            self._telling.say(f"the till answers at once: {taken.body[:120]!r}")
            return taken
        self._telling.say(f"the till has payment {payment_id}")
        if taken.plan.status in _TELLS_AN_END and taken.plan.collected:
            self.lies.add(payment_id)
        if taken.plan.status is not None:
            self._telling.fault(26, f"the till answers {taken.plan.status}")
        if taken.plan.delay_s:
            self._telling.fault(3, f"the till answers {taken.plan.delay_s:.0f} s late")
        with self.till.answering(taken):
            return await self.till.answer(taken)

    def _reporter(side: TillSide) -> type[Reporter]:  # noqa: N805 - the class below has the other one
        class VirtualReporter(Reporter):
            """Post reports over the virtual network."""

            def __init__(self, settings: TillSettings, book: Book, outside: Outside) -> None:
                super().__init__(settings, book, outside)

            async def exchange(self, address: str, body: bytes) -> tuple[int | None, str]:
                """Post a body once."""
                return await side.post(address, body)

        return VirtualReporter

    async def post(self, address: str, body: bytes) -> tuple[int | None, str]:
        """Carry one report to the bridge as the network likes."""
        self.bodies.append((address, body))
        number, passage = len(self.bodies), self._wires.pass_on("report")
        match passage.harm:
            case "refused" | "unreachable" | "lost" | "proxy":
                self._telling.fault(4, f"report {number} is lost")
                return None, "lost"
            case "doubled" | "doubled_at_once" as how:
                self._telling.fault(5, f"report {number} is doubled on its way")
                pause = 0.0 if how == "doubled_at_once" else passage.slow_s
                if not pause:
                    self._telling.fault(10, f"report {number} arrives twice at once")
                self._wires.outside(self._deliver(address, body, number, passage.there_s + pause))
            case "damaged":
                self._telling.fault(9, f"report {number} is damaged on its way")
                body = body[: len(body) - _CUT]
            case "slow":
                await asyncio.sleep(passage.slow_s)
        answer = await self._deliver(address, body, number, passage.there_s)
        await asyncio.sleep(passage.back_s)
        if passage.harm in ("answer_lost", "truncated", "proxy_after"):
            self._telling.fault(5, f"the answer to report {number} is lost, so the till repeats it")
            return None, "no answer"
        return answer

    async def _deliver(self, address: str, body: bytes, number: int, pause_s: float) -> tuple[int | None, str]:
        await asyncio.sleep(pause_s)
        arrived = self._order.setdefault(address, [])
        if any(number < other for other in arrived):
            self._telling.fault(6, f"report {number} comes after a later one")
        arrived.append(number)
        assert self.deliver is not None  # noqa: S101 - the bridge is there before the till has anything to say
        return await self.deliver(address, body)


class VirtualClient(Client):
    """Be the adapter's client over the virtual network."""

    def __init__(self, side: TillSide, wires: Wires, telling: Telling, gate: Callable[[str], Awaitable[None]]) -> None:
        super().__init__()
        self._side, self._wires, self._telling, self._gate = side, wires, telling, gate

    async def post(
        self, target: Target, body: bytes, limits: Limits, on_written: Callable[[], None] | None = None
    ) -> Received | NotReceived:
        """Send `body` once and return what came."""
        del target
        passage = self._wires.pass_on("till")
        await asyncio.sleep(passage.there_s / 4)
        if passage.harm == "refused":
            self._telling.say("the register server refuses the connection")
            return NotReceived("the register server refuses the connection", connected=False)
        if passage.harm == "unreachable":
            await asyncio.sleep(limits.connect_s)
            return NotReceived(f"no connection to the register server within {limits.connect_s:g} s", connected=False)
        arriving = self._wires.outside(self._carried(body, passage))
        if on_written is not None:
            on_written()
        try:
            async with asyncio.timeout(limits.answer_s):
                reply = await asyncio.shield(arriving)
        except TimeoutError:
            return NotReceived(f"the register server gave no whole answer within {limits.answer_s:g} s", True)
        await self._gate("the till's answer is there")
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
            self._telling.fault(2, f"the till's answer about {payment_id} will be lost ({passage.harm})")
            running = self._wires.outside(exchange)
            await asyncio.wait((running,), timeout=passage.slow_s)
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
            return Received(reply.http_status, reply.body[: len(reply.body) - _CUT])
    if reply is None:
        return NotReceived("the register server closed the connection before a whole answer came", connected=True)
    return Received(reply.http_status, reply.body)
