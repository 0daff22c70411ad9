# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge is killed again and again in the midst of 200 payments; library and till outlive it.

When it is killed goes by what has happened and not by a clock, so that every kill hits a run on any machine.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from support.desk import Desk
from support.mortal import Mortal
from support.patience import until
from tillbridge.demo.setup import HOST
from tillbridge.demo.stage import set_scenery
from tillbridge.listening import listening_socket
from tillbridge.simulators.till.autopilot import Autopilot

PAYMENTS = 200
WAVE = 40
KILLS = 12
KILLED_BY = 300
"""By this step the last kill is due, of two for each payment. A slow machine makes more payments until it has come."""

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
        bridge, desk = Mortal(scenery.settings, LIMITS), Desk(scenery, http, chance)
        await desk.simulator(f"{scenery.library}/control/faults", "POST", SLOW_CREDIT)
        async with bridge.alive(), asyncio.TaskGroup() as working:
            killing = working.create_task(_kill_now_and_then(bridge, Progress(desk), chance))
            await _run(desk, killing)
            payments = [await desk.settle(payment_id) for payment_id in desk.payments]
            await bridge.stop()
        assert bridge.kills == KILLS
        assert len(payments) >= PAYMENTS
        await desk.compare(payments)
        _was_hit(payments)


async def _run(desk: Desk, killing: asyncio.Task[None]) -> None:
    """Start the payments in waves, and wait for each wave to come to rest, until the last kill has hit one."""
    for start in itertools.count(1, WAVE):
        if start > PAYMENTS and killing.done():
            return
        cards = [await desk.patron(number) for number in range(start, start + WAVE)]
        wave = await asyncio.gather(*(desk.pay(card) for card in cards))
        await asyncio.gather(*(desk.settle(payment_id) for payment_id in wave))


def _was_hit(payments: list[dict[str, Any]]) -> None:
    """Check that kills cut off requests that the till held and bookings on their way, and that there were both ends."""
    events = Counter(kind for payment in payments for kind in {event["kind"] for event in payment["history"]})
    assert events["lost"] > 0
    assert events["booking_unclear"] > 0
    assert {payment["collection"] for payment in payments} == {"paid", "cancelled"}
