# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how soon one bridge tells what another one has stored on the same PostgreSQL, against a bare NOTIFY.

A clerk starts payments at the first bridge, one after the other; a listener follows the events of the second one. The
time runs from the first bridge's answer, which goes out when the payment is stored, to the event at the listener.

    .venv/bin/python bench/wakeups.py [--payments 200]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

import aiohttp
import psycopg

import benching
from benching import Clerks, Town

WARM_UP = 20
BEGUN_S = 30
AIM_MS = 50
PAUSE_S = 0.02


async def _created(answer: aiohttp.ClientResponse, heard: dict[str, asyncio.Future[float]]) -> None:
    async for line in answer.content:
        if line.startswith(b"data: ") and b'"created"' in line:
            of_payment(heard, json.loads(line[6:])["payment_id"]).set_result(time.perf_counter())


def of_payment(heard: dict[str, asyncio.Future[float]], payment_id: str) -> asyncio.Future[float]:
    """Return what is set when the listener hears of this payment, whichever comes first."""
    return heard.setdefault(payment_id, asyncio.get_running_loop().create_future())


async def told(clerks: Clerks, first: str, second: str, payments: int) -> list[float]:
    """Return how many milliseconds each news took; 0 where it was there before the answer."""
    heard: dict[str, asyncio.Future[float]] = {}
    taken: list[float] = []
    cards = await clerks.patrons(WARM_UP + payments)
    async with clerks.http.get(f"{second}/api/v1/events", headers=clerks.key) as answer:
        listening = asyncio.create_task(_created(answer, heard))
        for card in cards:
            payment_id = await clerks.start(first, card)
            stored = time.perf_counter()
            came = await benching.in_time(BEGUN_S, of_payment(heard, payment_id))
            taken.append(max(0.0, came - stored) * 1000)
            await asyncio.sleep(PAUSE_S)
        listening.cancel()
        await asyncio.wait([listening])
    return taken[WARM_UP:]


async def notified(address: str, count: int) -> list[float]:
    """Return how many milliseconds a bare NOTIFY takes from one connection to another."""
    taken: list[float] = []
    connect = psycopg.AsyncConnection.connect
    async with await connect(address, autocommit=True) as hears, await connect(address, autocommit=True) as tells:
        await hears.execute("LISTEN bare")
        for _ in range(count):
            begun = time.perf_counter()
            await tells.execute("NOTIFY bare")
            await anext(hears.notifies(stop_after=1))
            taken.append((time.perf_counter() - begun) * 1000)
    return taken


async def measure(town: Town, address: str, payments: int) -> tuple[list[float], list[float]]:
    """Return the times of the news and of the bare notifications."""
    settings = [town.settings_for(name, address) for name in ("first", "second")]
    with benching.bridge(settings[0]) as first, benching.bridge(settings[1]) as second:
        async with benching.clerks(town) as clerks:
            news = await told(clerks, first.address, second.address, payments)
            return news, await notified(address, payments)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure wake-ups between two bridges on one PostgreSQL.")
    parser.add_argument("--payments", type=int, default=200)
    chosen = parser.parse_args()
    print(f"{chosen.payments} payments at one bridge, told by another; {benching.load()}")
    with benching.place() as folder, benching.database_for("postgres") as address, benching.town(folder, "off") as town:
        assert address is not None
        news, bare = asyncio.run(measure(town, address, chosen.payments))
    median, p99 = benching.percentile(news, 0.5), benching.percentile(news, 0.99)
    floor, floor99 = benching.percentile(bare, 0.5), benching.percentile(bare, 0.99)
    print(f"bare NOTIFY: median {floor:.1f} ms, p99 {floor99:.1f} ms")
    print(f"stored at one, told by the other: median {median:.1f} ms, p99 {p99:.1f} ms (aim {AIM_MS})")
    print(f"ratio of the medians {median / floor:.1f}")
    print("limited by the 5 ms for which news is gathered, and by the processors that both bridges share with all else")


if __name__ == "__main__":
    main()
