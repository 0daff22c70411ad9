# SPDX-License-Identifier: GPL-3.0-or-later
"""Two bridges on one database are killed and paused at random while 1,000 payments run; library and till outlive them.

Every report reaches both bridges, twice each. A pause may be longer than a lease, so that the other bridge takes over
what the paused one will go on with. What a lease must have left when a booking goes out, and `surely_ended_s`, are
together longer than the longest pause with its request, as they must be in earnest: that is what keeps a booking from
being repeated under a sleeper's hands.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import URL, create_engine

from support.desk import Desk
from support.mortal import Mortal
from support.postgres import conninfo
from support.relay import COPIES, Relay
from support.stores import quick_postgres
from tillbridge.demo.setup import HOST
from tillbridge.demo.stage import Scenery, set_scenery
from tillbridge.listening import listening_socket
from tillbridge.simulators.till.autopilot import Autopilot
from tillbridge.store.verifying import verify

SEED = int(os.environ.get("TILLBRIDGE_TEST_SEED", "1"))
"""Another seed makes another storm."""

PAYMENTS = 1000
CLERKS = 150
GLANCE_S = 3.0
"""How often a clerk looks at the screen; to look more often would keep the machine busy with nothing else."""

CUSTOMER_S = 10.0
"""How long the slowest customer takes: longer than a lease, so that a sleeper leaves held requests behind."""

TROUBLED_BY = 750
"""The last trouble begins while there is still a quarter of the run to go.

On a machine so busy that the troubles fall behind, customers are asked to wait: none of them is ahead by more.
"""

KILLS, PAUSES, LONG_PAUSES = 5, 8, 2
"""How often each of the two bridges is troubled."""

LEASE_S = 5.0
PAUSE_S, LONG_PAUSE_S = (0.05, 1.5), (LEASE_S + 2.0, LEASE_S + 3.0)
LIMITS = {
    "reach_s": 600.0,
    "reach_again_s": 0.1,
    "patron_busy_s": 0.05,
    "booking_again_s": [0.1, 0.3, 1.0],
    "surely_ended_s": 16.0,
    "ask_s": 1.0,
    "lease_s": LEASE_S,
    "renew_s": 0.5,
    "patience_s": 2.5,
    "send_margin_s": 1.5,
    "write_margin_s": 0.5,
    "write_hang_s": 0.3,
}
_CREDITS = {"kind": "delay", "method": "POST", "route": "credits"}
USUAL_CREDITS = _CREDITS | {"next": "all", "seconds": 0.15}
"""A Koha needs some time to book, in which a bridge can be killed or paused."""

SLOW_CREDITS = _CREDITS | {"next": 3, "seconds": 14.0}
"""Now and then so much that it is given up after 2 s, and looked up in vain long before the credit is there after all.

Few at a time, so that no look-up queues for so long; and sooner than `surely_ended_s`, as it must be in earnest.
"""

SLOW_AT = (100, 250, 400, 550, 700)
"""How many payments are done before each time that Koha is so slow."""

SANE = {200, 503, None}
"""What a report may be answered: stored; "come again" from a bridge whose connections the database has cut while it
stood still; nothing from one that is dead or stands still."""


@dataclass
class Pair:
    """Hold two bridges on one database with all that stands around them."""

    bridges: tuple[Mortal, Mortal]
    relay: Relay
    desk: Desk
    done: int = 0
    moments: dict[Path, int] = field(default_factory=dict)
    """How many payments are done before each bridge's next trouble is over."""
    undisturbed: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held where one bridge is killed, and where one must stay alive since the other one sleeps."""

    async def run(self, payments: int) -> None:
        """Let the clerks work through the patrons, each with one payment at a time."""
        cards = enumerate([await self.desk.patron(number) for number in range(1, payments + 1)])
        await asyncio.gather(*(self._clerk(cards) for _ in range(CLERKS)))

    async def _clerk(self, cards: Iterator[tuple[int, str]]) -> None:
        for number, card in cards:
            await _until(lambda: number - min(self.moments.values()) < PAYMENTS - TROUBLED_BY)  # noqa: B023 - at once
            payment_id = await self.desk.pay(card, f"click of {card}")
            await self.desk.settle(payment_id)
            self.done += 1

    async def settled(self) -> list[dict[str, Any]]:
        """Wait for the very last word about every payment: a paused bridge may have sent late."""
        await self._till_at_rest()
        started = list(self.desk.payments)
        rounds = [started[at : at + CLERKS] for at in range(0, len(started), CLERKS)]
        return [payment for ids in rounds for payment in await asyncio.gather(*map(self.desk.settle, ids))]

    async def _till_at_rest(self) -> None:
        while True:
            shown = await self.desk.simulator(f"{self.desk.scenery.till}/api/payments")
            if all(each["state"] != "waiting" for each in shown):
                return
            await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def pair_of_bridges(folder: Path, database: URL, chance: random.Random) -> AsyncIterator[Pair]:
    ports = [_free_port() for _ in range(3)]
    addresses = tuple(f"http://{HOST}:{port}" for port in ports[1:])
    autopilot = Autopilot("accept", after_s=0.0, spread_s=CUSTOMER_S, cancel_share=0.2)
    till: dict[str, Any] = {"autopilot": autopilot, "report_retries": 1000, "report_retry_after_s": 1.0}
    till["report_limit_s"] = 60.0  # longer than the relay waits
    async with contextlib.AsyncExitStack() as stack:
        scenery = await stack.enter_async_context(set_scenery(folder, ports[0], **till))
        files = [_settings(scenery, number, port, database) for number, port in enumerate(ports[1:])]
        relay = Relay(addresses)
        await stack.enter_async_context(relay.running(HOST, ports[0]))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        first, second = (Mortal(file, LIMITS) for file in files)
        for bridge in (first, second):
            await stack.enter_async_context(bridge.alive())
        desk = Desk(scenery, http, chance, addresses, glance_s=GLANCE_S)
        await _plan(desk, USUAL_CREDITS)
        yield Pair((first, second), relay, desk, moments=dict.fromkeys(files, 0))


def _settings(scenery: Scenery, number: int, port: int, database: URL) -> Path:
    """Write the settings of one bridge: its port, the database of both, and limits for people who cannot wait."""
    text = scenery.settings.read_text(encoding="utf-8")
    changes = {
        f"\nport = {scenery.port}\n": f"\nport = {port}\n",
        'database = "tillbridge.db"': f'database = "{conninfo(database)}"',
        # A token, once refused, makes four requests of one, and the lease as much longer.
        'client_id = "tillbridge"\nclient_secret_file': 'user = "tillbridge"\npassword_file',
        "answer_s = 30\n": "connect_s = 1\nanswer_s = 2\n",
        "mode = 2": "mode = 2\nconnect_s = 1\nheld_s = 60",
    }
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = scenery.settings.with_name(f"bridge-{number}.toml")
    path.write_text(text, encoding="utf-8")
    return path


def _free_port() -> int:
    with listening_socket(HOST, 0) as free:
        return int(free.getsockname()[1])


async def _plan(desk: Desk, *faults: Mapping[str, object]) -> None:
    """Let these be Koha's manners from now on: of two that fit, the first."""
    place = f"{desk.scenery.library}/control/faults"
    await desk.simulator(place, "DELETE")
    for fault in faults:
        await desk.simulator(place, "POST", fault)


async def _slow_koha(pair: Pair) -> None:
    """Let Koha be slow now and then."""
    for moment in SLOW_AT:
        await _until(lambda: pair.done >= moment)  # noqa: B023 - at once
        await _plan(pair.desk, SLOW_CREDITS, USUAL_CREDITS)


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - the run's progress is this test's clock
        await asyncio.sleep(0.05)


async def _trouble(pair: Pair, bridge: Mortal, chance: random.Random) -> None:
    """Kill and pause one bridge, at moments that the payments' progress names."""
    troubles = ["kill"] * KILLS + ["pause"] * PAUSES + ["sleep"] * (LONG_PAUSES - 1) + ["sleep alone"]
    chance.shuffle(troubles)
    for moment, trouble in zip(sorted(chance.sample(range(TROUBLED_BY), len(troubles))), troubles, strict=True):
        pair.moments[bridge.settings] = moment
        await _until(lambda: pair.done >= moment)  # noqa: B023 - at once
        if trouble == "kill":
            async with pair.undisturbed:
                await bridge.kill()
                await bridge.start()
        elif trouble == "sleep alone":
            async with pair.undisturbed:
                await bridge.pause(chance.uniform(*LONG_PAUSE_S))
        else:
            await bridge.pause(chance.uniform(*(PAUSE_S if trouble == "pause" else LONG_PAUSE_S)))
    pair.moments[bridge.settings] = PAYMENTS


@pytest.mark.timeout(600)
async def test_two_bridges_that_are_killed_and_paused_lose_double_and_resend_nothing(
    tmp_path: Path, postgres_server: URL
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a seed that can be had again, no secret
    with quick_postgres(postgres_server) as database:
        async with pair_of_bridges(tmp_path, database, chance) as pair:
            async with asyncio.TaskGroup() as working:
                working.create_task(pair.run(PAYMENTS))
                working.create_task(_slow_koha(pair))
                for bridge in pair.bridges:
                    working.create_task(_trouble(pair, bridge, random.Random(chance.random())))  # noqa: S311 - as above
            payments = await pair.settled()
            for bridge in pair.bridges:
                await bridge.stop()
            assert len(payments) == PAYMENTS
            await pair.desk.compare(payments)
        _history_is_whole(database)
    _was_hit(pair, payments)


def _history_is_whole(database: URL) -> None:
    engine = create_engine(database.set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        verified = verify(connection)
    engine.dispose()
    assert verified.events > PAYMENTS
    assert verified.breaks == ()


def _was_hit(pair: Pair, payments: list[dict[str, Any]]) -> None:
    """Check that there was a storm: troubles hit work in the air, sleepers were taken over from, reports came often."""
    assert [bridge.kills for bridge in pair.bridges] == [KILLS, KILLS]
    assert [len(bridge.pauses) for bridge in pair.bridges] == [PAUSES + LONG_PAUSES] * 2
    events = Counter(kind for payment in payments for kind in {event["kind"] for event in payment["history"]})
    assert events["lost"] > 0
    assert events["booking_unclear"] > 0
    assert {payment["collection"] for payment in payments} == {"paid", "cancelled"}
    assert sum(_taken_over(bridge, payments) for bridge in pair.bridges) > 0
    assert set(pair.relay.statuses) <= SANE
    assert pair.relay.statuses[200] > PAYMENTS * COPIES


def _taken_over(sleeper: Mortal, payments: list[dict[str, Any]]) -> int:
    """Count what the other bridge found half-way after the sleeper's lease was over and before it woke up."""
    halfway = [
        datetime.fromisoformat(event["at"]).timestamp()
        for payment in payments
        for event in payment["history"]
        if event["kind"] in ("lost", "booking_unclear")
    ]
    long = [(start + LEASE_S - 1.0, end) for start, end in sleeper.pauses if end - start > LEASE_S]
    return sum(start < at < end for start, end in long for at in halfway)
