# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge is killed again and again in the midst of 200 payments; library and till outlive it.

When it is killed goes by what has happened and not by a clock, so that every kill hits a run on any machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.patience import until
from tillbridge.demo.setup import HOST
from tillbridge.demo.stage import Scenery, set_scenery
from tillbridge.listening import listening_socket
from tillbridge.simulators.till.autopilot import Autopilot

PAYMENTS = 200
WAVE = 40
KILLS = 12
KILLED_BY = 300
"""The last kill comes while there is still a quarter of the run to go; each payment counts twice in it."""

SLOW_CREDIT = {"kind": "delay", "next": "all", "method": "POST", "route": "credits", "seconds": 0.15}
"""A Koha needs some time to book (measured: up to 325 ms), in which the bridge can be killed."""

LIMITS = {
    "reach_s": 600.0,
    "reach_again_s": 0.1,
    "patron_busy_s": 0.05,
    "booking_again_s": [0.1, 0.3, 1.0],
    "surely_ended_s": 3.0,  # the demo library answers within milliseconds: after 3 s a request has surely ended
    "ask_s": 1.0,
}
PROGRAM = Path(__file__).parents[2] / "support" / "bridge_process.py"


@dataclass
class Mortal:
    """A bridge that is killed and started again on the same port and database."""

    scenery: Scenery
    kills: int = 0
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        paths = os.pathsep.join([str(PROGRAM.parents[2] / "src"), str(PROGRAM.parents[1])])
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            str(self.scenery.settings),
            json.dumps(LIMITS),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths},
        )
        assert self.process.stdout is not None
        assert await self.process.stdout.readline() == b"listening\n"

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Run the bridge, and leave no process behind whatever the test comes to."""
        await self.start()
        try:
            yield
        finally:
            if self.process is not None and self.process.returncode is None:
                await self.kill()

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.kills += 1

    async def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        assert await self.process.wait() == 0


@dataclass
class Desk:
    """The clerks and librarians around it; they try again as people do."""

    scenery: Scenery
    http: aiohttp.ClientSession
    payments: dict[str, str] = field(default_factory=dict)

    async def bridge(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.scenery.api_key}"}
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                address = self.scenery.address + path
                async with self.http.request(method, address, json=body, headers=headers) as answer:
                    return answer.status, await answer.json(content_type=None)
            await asyncio.sleep(0.05)

    async def simulator(self, address: str, method: str = "GET", body: object = None) -> Any:
        async with self.http.request(method, address, json=body) as answer:
            return await answer.json(content_type=None) if answer.status < 300 else None

    async def patron(self, number: int) -> str:
        card = f"C{number:06d}"
        patron = {"cardnumber": card, "surname": "Virtanen", "firstname": "Matti", "library_id": "CPL"}
        made = await self.simulator(f"{self.scenery.library}/control/patrons", "POST", [patron])
        charges = [
            {"amount": f"{1 + number % 7}.{number % 10}0", "type": "OVERDUE", "description": "Maksu"},
            {"amount": "2.00", "type": "COPY", "description": "Tulosteet"},
        ]
        place = f"{self.scenery.library}/control/patrons/{made[0]['patron_id']}/charges"
        assert await self.simulator(place, "POST", charges)
        return card

    async def pay(self, card: str) -> None:
        """Start one payment; a clerk whose request was cut off asks again and is shown the first."""
        order = {"card_number": card, "branch": "CPL", "register": "10", "clerk": "anna"}
        status, content = await self.bridge("POST", "/api/v1/payments", order)
        assert status in (201, 409), content
        payment_id = content["id"] if status == 201 else content["payment"]
        self.payments[payment_id] = card

    async def settle(self, payment_id: str) -> dict[str, Any]:
        """Wait until a payment is at rest; where no one knows, look at the till and say what is there."""
        while True:
            _, payment = await self.bridge("GET", f"/api/v1/payments/{payment_id}")
            if payment["collection"] == "unknown":
                await self._look_at_the_till(payment_id)
            elif payment["collection"] in ("paid", "cancelled") and payment["booking"] in ("none", "booked"):
                return dict(payment)
            await asyncio.sleep(0.05)

    async def _look_at_the_till(self, payment_id: str) -> None:
        shown = await self.simulator(f"{self.scenery.till}/api/payments/{payment_id}")
        word = {"person": "anna", "reason": "I looked at the till"}
        if shown is None:
            word |= {"action": "not_paid"}
        elif shown["state"] == "paid":
            word |= {"action": "paid", "receipt_number": shown["receipt_number"]}
        elif shown["state"] == "cancelled":
            word |= {"action": "not_paid"}
        else:
            return
        await self.bridge("POST", f"/api/v1/payments/{payment_id}/resolve", word)


@dataclass
class Progress:
    """Follow the run at the till: each payment's request, and its first report, is one step."""

    desk: Desk
    last: int = 0
    steps: set[tuple[str, str]] = field(default_factory=set)

    async def reach(self, count: int) -> None:
        while len(self.steps) < count:
            address = f"{self.desk.scenery.till}/api/messages?after={self.last}&wait_s=30"
            for note in await self.desk.simulator(address):
                self.last = note["number"]
                if note["kind"] in ("request", "report"):
                    self.steps.add((note["kind"], note["payment"]))

    async def booking(self) -> None:
        """Wait until a credit is on its way."""

        async def look() -> bool | None:
            return (await self.desk.simulator(f"{self.desk.scenery.library}/control/faults"))["held"] > 0 or None

        await until(look)


async def _kill_now_and_then(bridge: Mortal, progress: Progress, chance: random.Random) -> None:
    for number, count in enumerate(sorted(chance.sample(range(1, KILLED_BY), KILLS))):
        await progress.reach(count)
        if number % 2:
            await progress.booking()
        else:
            await asyncio.sleep(chance.uniform(0, 0.05))  # before, in and after what that step leads to
        await bridge.kill()
        await bridge.start()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("report_retries", [0, 50], ids=["reports-once", "reports-repeated"])
async def test_killed_in_the_midst_of_it_nothing_is_lost_doubled_or_sent_twice(
    tmp_path: Path, report_retries: int
) -> None:
    chance = random.Random(report_retries)  # noqa: S311 - a seed that can be had again, no secret
    with listening_socket(HOST, 0) as free:
        port = free.getsockname()[1]
    autopilot = Autopilot("accept", after_s=0.0, spread_s=0.8, cancel_share=0.2)
    till: dict[str, Any] = {"autopilot": autopilot, "report_retries": report_retries, "report_retry_after_s": 0.2}
    async with set_scenery(tmp_path, port, **till) as scenery, aiohttp.ClientSession() as http:
        bridge, desk = Mortal(scenery), Desk(scenery, http)
        await desk.simulator(f"{scenery.library}/control/faults", "POST", SLOW_CREDIT)
        async with bridge.alive(), asyncio.TaskGroup() as working:
            killing = working.create_task(_kill_now_and_then(bridge, Progress(desk), chance))
            await _run(desk)
            assert bridge.kills == KILLS, "the run was over before the killing"
            await killing
            payments = [await desk.settle(payment_id) for payment_id in desk.payments]
            await bridge.stop()
        await _compare(desk, payments)
        _was_hit(payments)


async def _run(desk: Desk) -> None:
    """Start the payments in waves, and wait for each wave to come to rest."""
    for start in range(1, PAYMENTS + 1, WAVE):
        cards = [await desk.patron(number) for number in range(start, start + WAVE)]
        await asyncio.gather(*(desk.pay(card) for card in cards))
        await asyncio.gather(*(desk.settle(payment_id) for payment_id in desk.payments))


def _was_hit(payments: list[dict[str, Any]]) -> None:
    """Check that kills cut off requests that the till held and bookings on their way, and that there were both ends."""
    events = Counter(kind for payment in payments for kind in {event["kind"] for event in payment["history"]})
    assert events["lost"] > 0
    assert events["booking_unclear"] > 0
    assert {payment["collection"] for payment in payments} == {"paid", "cancelled"}


async def _compare(desk: Desk, payments: list[dict[str, Any]]) -> None:
    assert len(payments) == PAYMENTS
    ledger = await desk.simulator(f"{desk.scenery.library}/control/ledger")
    credits_ = [line for line in ledger["lines"] if line["side"] == "credit"]
    booked = Counter(line["note"].rsplit("tillbridge:", 1)[1] for line in credits_)
    at_till = {each["id"]: each for each in await desk.simulator(f"{desk.scenery.till}/api/payments")}
    assert set(at_till) <= {payment["id"] for payment in payments}
    for payment in payments:
        shown = at_till.get(payment["id"])
        collected = shown is not None and shown["state"] == "paid"
        assert (payment["collection"] == "paid") == collected, payment
        assert booked[payment["id"]] == (1 if collected else 0), payment
        assert shown is None or shown["sent_count"] == 1
        assert payment["open_cases"] == []
    totals = await desk.simulator(f"{desk.scenery.till}/api/totals")
    library = await desk.simulator(f"{desk.scenery.library}/control/totals")
    collected_minor = sum(payment["collected_minor"] or 0 for payment in payments)
    assert totals["collected_minor"] == library["payments_minor"] == collected_minor
