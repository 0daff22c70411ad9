# SPDX-License-Identifier: GPL-3.0-or-later
"""Two bridges on one database are killed and paused at random while 1,000 payments run; library and till outlive them.

Every report reaches both bridges, twice each. A pause may be longer than a lease, so that the other bridge takes over
what the paused one will go on with. The longest pause plus its request is shorter than a lease and `surely_ended_s`
together, as it must be in earnest: that is what keeps a booking from being repeated under a sleeper's hands.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import URL

from support.desk import Desk
from support.mortal import Mortal
from support.postgres import Cluster, conninfo, initialised, running
from support.relay import Relay
from support.stores import quick_postgres
from tillbridge.demo.stage import HOST, Scenery, set_scenery
from tillbridge.listening import listening_socket
from tillbridge.simulators.till.autopilot import Autopilot

PAYMENTS = 1000
CLERKS = 40
KILLS, PAUSES, LONG_PAUSES = 6, 8, 3
"""How often each of the two bridges is troubled."""

LEASE_S = 5.0
PAUSE_S, LONG_PAUSE_S = (0.05, 1.5), (LEASE_S + 1.0, LEASE_S + 3.0)
LIMITS = {
    "reach_s": 600.0,
    "reach_again_s": 0.1,
    "patron_busy_s": 0.05,
    "booking_again_s": [0.1, 0.3, 1.0],
    "surely_ended_s": 6.0,
    "ask_s": 1.0,
    "lease_s": LEASE_S,
    "renew_s": 0.5,
    "margins": {"send_s": 1.5, "write_s": 0.5, "hang_s": 0.3},
}
SANE = {200, None}
"""What a report may be answered: stored, or nothing from a bridge that is dead or stands still."""


@dataclass
class Pair:
    """Hold two bridges on one database with all that stands around them."""

    bridges: tuple[Mortal, Mortal]
    relay: Relay
    desk: Desk
    done: int = 0

    async def run(self, payments: int) -> None:
        """Let the clerks work through the patrons, each with one payment at a time."""
        cards = iter([await self.desk.patron(number) for number in range(1, payments + 1)])
        await asyncio.gather(*(self._clerk(cards) for _ in range(CLERKS)))

    async def _clerk(self, cards: Any) -> None:
        for card in cards:
            payment_id = await self.desk.pay(card, f"click of {card}")
            await self.desk.settle(payment_id)
            self.done += 1

    async def reached(self, count: int) -> None:
        """Wait until so many payments are done."""
        while self.done < count:  # noqa: ASYNC110 - the clerks' progress is this test's clock
            await asyncio.sleep(0.02)

    async def settled(self) -> list[dict[str, Any]]:
        """Wait for the very last word about every payment: a paused bridge may have sent late."""
        await self._till_at_rest()
        return [await self.desk.settle(payment_id) for payment_id in self.desk.payments]

    async def _till_at_rest(self) -> None:
        while True:
            shown = await self.desk.simulator(f"{self.desk.scenery.till}/api/payments")
            if all(each["state"] != "waiting" for each in shown):
                return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def pair_of_bridges(folder: Path, database: URL, seed: int) -> AsyncIterator[Pair]:
    ports = [_free_port() for _ in range(3)]
    addresses = tuple(f"http://{HOST}:{port}" for port in ports[1:])
    till = {"autopilot": Autopilot("accept", after_s=0.0, spread_s=0.8), "report_retries": 1000}
    chance = random.Random(seed)  # noqa: S311 - a seed that can be had again, no secret
    async with contextlib.AsyncExitStack() as stack:
        scenery = await stack.enter_async_context(set_scenery(folder, ports[0], **till, report_retry_after_s=0.2))
        files = [_settings(scenery, number, port, database) for number, port in enumerate(ports[1:])]
        relay = Relay(addresses)
        await stack.enter_async_context(relay.running(HOST, ports[0]))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        first, second = (Mortal(file, LIMITS) for file in files)
        for bridge in (first, second):
            await stack.enter_async_context(bridge.alive())
        yield Pair((first, second), relay, Desk(scenery, http, chance, addresses, glance_s=0.2))


def _settings(scenery: Scenery, number: int, port: int, database: URL) -> Path:
    """Write the settings of one bridge: its port, the database of both, and limits for people who cannot wait."""
    text = scenery.settings.read_text(encoding="utf-8")
    changes = {
        f"port = {scenery.port}\n": f"port = {port}\n",
        'database = "tillbridge.db"': f'database = "{conninfo(database)}"',
        'client_id = "tillbridge"\nclient_secret_file': 'user = "tillbridge"\npassword_file',
        'payment_type = "CEEPOS"': 'payment_type = "CEEPOS"\nconnect_s = 1\nanswer_s = 2',
        "mode = 2": "mode = 2\nconnect_s = 1\nheld_s = 60",
    }
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = scenery.settings.with_name(f"bridge-{number}.toml")
    path.write_text(text, encoding="utf-8")
    return path


def _free_port() -> int:
    with listening_socket(HOST, 0) as free:
        return int(free.getsockname()[1])


async def _trouble(pair: Pair, bridge: Mortal, seed: int) -> None:
    """Kill and pause one bridge, at moments that the payments' progress names."""
    chance = random.Random(seed)  # noqa: S311 - as above

    async def kill() -> None:
        await bridge.kill()
        await bridge.start()

    async def pause(longest: tuple[float, float]) -> None:
        await bridge.pause(chance.uniform(*longest))

    troubles: list[Callable[[], Awaitable[None]]] = [kill] * KILLS
    troubles += [lambda: pause(PAUSE_S)] * PAUSES + [lambda: pause(LONG_PAUSE_S)] * LONG_PAUSES
    chance.shuffle(troubles)
    for moment, trouble in zip(sorted(chance.sample(range(PAYMENTS - CLERKS), len(troubles))), troubles, strict=True):
        await pair.reached(moment)
        await trouble()


@pytest.mark.timeout(300)
async def test_two_bridges_that_are_killed_and_paused_lose_double_and_resend_nothing(
    tmp_path: Path, postgres_server: URL
) -> None:
    with quick_postgres(postgres_server) as database:
        async with pair_of_bridges(tmp_path, database, seed=1) as pair:
            troubles = [_trouble(pair, bridge, seed) for seed, bridge in enumerate(pair.bridges)]
            await asyncio.gather(pair.run(PAYMENTS), *troubles)
            payments = await pair.settled()
            for bridge in pair.bridges:
                await bridge.stop()
            assert len(payments) == PAYMENTS
            await pair.desk.compare(payments)
            assert set(pair.relay.statuses) <= SANE
            assert [bridge.kills for bridge in pair.bridges] == [KILLS, KILLS]
            assert [bridge.pauses for bridge in pair.bridges] == [PAUSES + LONG_PAUSES] * 2
