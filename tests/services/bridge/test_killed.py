# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge is killed at random, again and again, while 200 payments run; library and till outlive it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import aiohttp
import pytest

from support.desk import Desk
from support.mortal import Mortal
from tillbridge.demo.stage import HOST, set_scenery
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
    till = {"autopilot": autopilot, "report_retries": report_retries, "report_retry_after_s": 0.2}
    async with set_scenery(tmp_path, port, **till) as scenery, aiohttp.ClientSession() as http:
        bridge, desk = Mortal(scenery.settings, LIMITS), Desk(scenery, http, chance)
        async with bridge.alive():
            killing = asyncio.create_task(_kill_now_and_then(bridge, chance))
            await _run(desk)
            await killing
            payments = [await desk.settle(payment_id) for payment_id in desk.payments]
            await bridge.stop()
        assert len(payments) == PAYMENTS
        await desk.compare(payments)
        assert bridge.kills == KILLS


async def _run(desk: Desk) -> None:
    """Start the payments in waves, and wait for each wave to come to rest."""
    for start in range(1, PAYMENTS + 1, WAVE):
        cards = [await desk.patron(number) for number in range(start, start + WAVE)]
        wave = await asyncio.gather(*(desk.pay(card) for card in cards))
        await asyncio.gather(*(desk.settle(payment_id) for payment_id in wave))
