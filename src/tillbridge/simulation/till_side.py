# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated till behind the virtual network, and the client through which the real adapter meets it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from random import Random
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from tillbridge.simulation.drawer import Drawer
from tillbridge.simulation.loop import Life
from tillbridge.simulation.saying import (
    GOOD,
    REFUSED,
    SECRET,
    Message,
    Said,
    outcome_of,
    read_message,
    signer,
    sum_of,
)
from tillbridge.simulation.script import Setup
from tillbridge.simulation.telling import Telling
from tillbridge.simulation.wires import Passage, Wires
from tillbridge.simulators.till import Outside, Till, TillSettings
from tillbridge.simulators.till.book import Book
from tillbridge.simulators.till.faults import ReportPlan
from tillbridge.simulators.till.inbound import payment_id_of
from tillbridge.simulators.till.messages import Reply
from tillbridge.simulators.till.payment import STATUS_OF, NotNowError, Payment
from tillbridge.simulators.till.reporter import Reporter
from tillbridge.simulators.till.till import Taken

SOURCE, OFFICES = "KOHA", {"10": "Kassa 1", "11": "Kassa 2"}
REPORT_LIMIT_S = 30.0
CUT = 40
"""How many bytes a message loses that is damaged or breaks off."""
_TELLS_AN_END = (0, 99)
"""Statuses that say that nothing was collected."""
ROUNDING_MINOR = 2
"""How many cents cash may be rounded by."""

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
        self.drawer = Drawer(outside.receipt_number)
        """What cashiers have given out for refunds."""
        self.deliver: Deliver | None = None
        self.bodies: list[tuple[str, bytes]] = []
        """Every report that was posted, with its address."""
        self.lies: set[str] = set()
        """Payments of which the till has said what is not so."""
        self.said: dict[str, list[Said]] = {}
        """Every outcome that was named with proof, by payment, whether it has reached the bridge or not."""
        self.sent: Counter[str] = Counter()
        """How often the bridge has sent a payment's order: of each at least one byte has gone out."""
        self.arrived: Counter[str] = Counter()
        """How many of these orders the till has read."""
        self.in_flight: dict[str, Life | None] = {}
        """Payments of which a process of the bridge, dead ones too, waits for an answer."""
        self._tls = setup.tls
        self._order: dict[str, list[int]] = {}
        self._delivered: set[tuple[str, bytes]] = set()

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
        """Return the money of a payment that is in the till; less than nothing where more was given out."""
        payment = self.truth(payment_id)
        taken = payment.collected_minor if payment is not None and payment.state == "paid" else 0
        return taken - self.drawer.minor_of(payment_id)

    def take_back(self, payment_id: str) -> None:
        """Give all of a payment's money back; raise NotNowError where it was given out already, or was never taken."""
        if self.drawer.whole_is_out(payment_id):
            raise NotNowError("the whole of it was given out before")
        self.till.take_back(payment_id)

    def note_said(self, message: Message, *, true: bool, answer: bool = False) -> None:
        """Keep an outcome that was named with proof; a refusal over a verified connection needs none."""
        said = outcome_of(message, true=true)
        trusted = signer(message) in GOOD or (answer and self._tls and message.get("Status") == REFUSED)
        if said is not None and trusted:
            self.said.setdefault(str(message.get("Id")), []).append(said)

    async def exchange(self, body: bytes, passage: Passage) -> Reply | None:
        """Take a request as the server does; None drops the connection."""
        await asyncio.sleep(passage.there_s)
        payment_id = payment_id_of(body) or ""
        if self.till.faults.drops_unread():
            self._telling.fault(1, f"the till drops the connection of {payment_id} unread")
            return None
        self.arrived[payment_id] += 1
        taken = self.till.take_in(body)
        if isinstance(taken, Reply):
            self._telling.say(f"the till answers at once: {taken.body[:120].decode(errors='replace')}")
            self._note_answer(payment_id, taken)
            return taken
        self._telling.say(f"the till has payment {payment_id}")
        if taken.plan.status in _TELLS_AN_END and taken.plan.collected:
            self.lies.add(payment_id)
        with self.till.answering(taken):
            reply = await self.till.answer(taken)
        self._tell_answered(taken, reply)
        return reply

    def _tell_answered(self, taken: Taken, reply: Reply | None) -> None:
        plan, payment_id = taken.plan, taken.payment_id
        self._note_answer(payment_id, reply)
        if plan.delay_s:
            self._telling.fault(3, f"the till answers {plan.delay_s:.0f} s late")
        if plan.ending != "message" or not plan.right_hash:
            self._telling.fault(2, f"the till's answer about {payment_id} is none: {plan.ending}")
        elif plan.status is not None:
            self._telling.fault(26, f"the till answers {plan.status}")

    def _note_answer(self, payment_id: str, reply: Reply | None) -> None:
        message = None if reply is None else read_message(reply.body)
        there = self.truth(payment_id)
        if message is not None:
            true = there is not None and STATUS_OF[there.state] == message.get("Status")
            self._tell_signer(signer(message), f"the answer about {payment_id}")
            self.note_said(message, true=true, answer=True)

    def _tell_signer(self, secret: str | None, what: str) -> None:
        if secret not in (None, SECRET):
            self._telling.fault(26, f"{what} is signed with the {secret.replace('-', ' ')}")

    def _reporter(side: TillSide) -> type[Reporter]:  # noqa: N805 - the class below has the other one
        class VirtualReporter(Reporter):
            """Post reports over the virtual network."""

            def __init__(self, settings: TillSettings, book: Book, outside: Outside) -> None:
                super().__init__(settings, book, outside)

            async def post(self, payment: Payment, plan: ReportPlan) -> None:
                """Post the report, or leave it out."""
                if not plan.copies:
                    side._telling.fault(4, f"the till posts no report of {payment.payment_id}")
                await super().post(payment, plan)

            async def exchange(self, address: str, body: bytes) -> tuple[int | None, str]:
                """Post a body once."""
                side.note_said(read_message(body) or {}, true=True)
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
                self._telling.say(f"report {number} is doubled on its way")
                pause = 0.0 if how == "doubled_at_once" else passage.slow_s
                self._wires.outside(self._deliver(address, body, number, passage.there_s + pause))
            case "damaged":
                body = body[: len(body) - CUT]
            case "slow":
                await asyncio.sleep(passage.slow_s)
        answer = await self._deliver(address, body, number, passage.there_s)
        await asyncio.sleep(passage.back_s)
        if passage.harm in ("answer_lost", "truncated", "proxy_after"):
            self._telling.say(f"the answer to report {number} is lost, so the till repeats it")
            return None, "no answer"
        return answer

    async def _deliver(self, address: str, body: bytes, number: int, pause_s: float) -> tuple[int | None, str]:
        await asyncio.sleep(pause_s)
        assert self.deliver is not None  # noqa: S101 - the bridge is there before the till has anything to say
        life = self.in_flight.get(_address_id(address))
        waits = life is not None and life.alive
        answer = await self.deliver(address, body)
        if answer[0] is not None:
            self._tell_delivered(address, body, number, waits=waits)
        return answer

    def _tell_delivered(self, address: str, body: bytes, number: int, *, waits: bool) -> None:
        """Tell which faults a report has brought with it, now that the bridge has answered it."""
        fault, message = self._telling.fault, read_message(body)
        arrived = self._order.setdefault(address, [])
        if any(number < other for other in arrived):
            fault(6, f"report {number} comes after a later one")
        arrived.append(number)
        if (address, body) in self._delivered:
            fault(5, f"report {number} says again what was said before")
        self._delivered.add((address, body))
        if message is None:
            fault(9, f"report {number} is damaged")
            return
        self._tell_signed(message, number)
        if message.get("Id") != _address_id(address):
            fault(8, f"report {number} is for an id that nobody knows")
        elif waits:
            fault(7, f"report {number} is there before our own request has returned")
        self._tell_sum(message, number)

    def _tell_signed(self, message: Message, number: int) -> None:
        secret = signer(message)
        self._tell_signer(secret, f"report {number}")
        if secret is None:
            self._telling.fault(9, f"report {number} is signed wrongly")

    def _tell_sum(self, message: Message, number: int) -> None:
        named, there = sum_of(message), self.truth(str(message.get("Id")))
        if named is not None and there is not None and named != there.total_minor:
            differs = abs(named - there.total_minor)
            self._telling.fault(22 if differs <= ROUNDING_MINOR else 8, f"report {number} names {named} cents")


def _address_id(address: str) -> str:
    """Return the payment that the address of a report names."""
    return unquote(urlsplit(address).path.split("/")[-2])
