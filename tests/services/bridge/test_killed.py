# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge is killed at random, again and again, while 200 payments run; library and till outlive it."""

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

from tillbridge.demo.setup import HOST
from tillbridge.demo.stage import Scenery, set_scenery
from tillbridge.listening import listening_socket
from tillbridge.simulators.till.autopilot import Autopilot

PAYMENTS = 200
WAVE = 40
KILLS = 12
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
        else:
            return
        await self.bridge("POST", f"/api/v1/payments/{payment_id}/resolve", word)


async def _kill_now_and_then(bridge: Mortal, chance: random.Random) -> None:
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.05, 1.0))
        await bridge.kill()
        await bridge.start()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("report_retries", [0, 50], ids=["reports-once", "reports-repeated"])
async def test_killed_at_random_nothing_is_lost_doubled_or_sent_twice(tmp_path: Path, report_retries: int) -> None:
    chance = random.Random(report_retries)  # noqa: S311 - a seed that can be had again, no secret
    with listening_socket(HOST, 0) as free:
        port = free.getsockname()[1]
    autopilot = Autopilot("accept", after_s=0.0, spread_s=0.8)
    till: dict[str, Any] = {"autopilot": autopilot, "report_retries": report_retries, "report_retry_after_s": 0.2}
    async with set_scenery(tmp_path, port, **till) as scenery, aiohttp.ClientSession() as http:
        bridge, desk = Mortal(scenery), Desk(scenery, http)
        async with bridge.alive():
            killing = asyncio.create_task(_kill_now_and_then(bridge, chance))
            await _run(desk)
            await killing
            payments = [await desk.settle(payment_id) for payment_id in desk.payments]
            await bridge.stop()
        await _compare(desk, payments)
        assert bridge.kills == KILLS


async def _run(desk: Desk) -> None:
    """Start the payments in waves, and wait for each wave to come to rest."""
    for start in range(1, PAYMENTS + 1, WAVE):
        cards = [await desk.patron(number) for number in range(start, start + WAVE)]
        await asyncio.gather(*(desk.pay(card) for card in cards))
        await asyncio.gather(*(desk.settle(payment_id) for payment_id in desk.payments))


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
