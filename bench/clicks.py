# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the time from `POST /payments` to the message at the till, against a bare POST of as many bytes to that till.

One clerk clicks after the other. The till is a bare socket of this process, so that both ends have one clock; it holds
each request, as tills do. Before the bridge may send it reads the patron and the charges: what these two readings take
by themselves, on the same library, is measured beside it, and what the disk takes for a commit. Of three rounds the
best counts.

    .venv/bin/python bench/clicks.py [--clicks 200] [--engines sqlite,postgres]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import benching
from benching import Clerks, Town

WARM_UP = 30
ROUNDS = 3
BODY = b'{"ApiVersion":"2.0","Id":"7f3a","Mode":2,"Products":[{"Code":"1111","Price":250}]}' * 5
ACCOUNTS = "/api/v1/patrons"
AIM_MS = 15
COMMITS = 3
"""The payment, the lease of its task, and `sending`: all of them are on the disk before the first byte goes out."""

Act = Callable[[str], Awaitable[object]]


class Till:
    """Hold every request, and tell when the last one was there."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[float] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Listen until the block ends."""
        server = await asyncio.start_server(self._hold, benching.HOST, 0)
        try:
            yield f"http://{benching.HOST}:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for writer in self._writers:
                writer.close()

    async def _hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [
            line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        ]
        await reader.readexactly(int(lengths[0]))
        self.came.put_nowait(time.perf_counter())


async def clicked(till: Till, cards: list[str], act: Act) -> list[float]:
    """Do it for every card, one after the other; return how many milliseconds each message took."""
    taken: list[float] = []
    for card in cards:
        begun = time.perf_counter()
        acting = asyncio.ensure_future(act(card))
        taken.append((await benching.in_time(30, till.came.get()) - begun) * 1000)
        if acting.done():
            acting.result()
        else:
            await asyncio.wait([acting], timeout=5)
            acting.cancel()
    return taken


async def read_bare(clerks: Clerks, secret: str, cards: list[str]) -> list[float]:
    """Read patron and charges at the library with nothing around it; return milliseconds."""
    grant = {"grant_type": "client_credentials", "client_id": "tillbridge", "client_secret": secret}
    async with clerks.http.post(f"{clerks.town.library}/api/v1/oauth/token", data=grant) as answer:
        key = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}
    taken: list[float] = []
    for card in cards:
        begun = time.perf_counter()
        query = {"q": f'{{"cardnumber":"{card}"}}'}
        async with clerks.http.get(f"{clerks.town.library}{ACCOUNTS}", params=query, headers=key) as answer:
            found = await answer.json()
            patron = found[0]["patron_id"]
        async with clerks.http.get(f"{clerks.town.library}{ACCOUNTS}/{patron}/account", headers=key) as answer:
            await answer.read()
            assert answer.status == 200, answer.status
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


async def measured(town: Town, settings: Path, till: Till, address: str, clicks: int) -> list[list[float]]:
    """Return the times of bare messages, of the library's readings, and of clicks: the best round of each."""
    async with benching.clerks(town) as clerks:
        cards = await clerks.patrons(WARM_UP + ROUNDS * clicks)
        with benching.bridge(settings) as bridge:

            async def bare(_: str) -> None:
                async with clerks.http.post(address, data=BODY) as answer:
                    await answer.read()

            async def click(card: str) -> None:
                await clerks.start(bridge.address, card)

            await clicked(till, cards[:WARM_UP], click)
            secret = (settings.parent / "secrets/koha").read_text(encoding="utf-8").strip()
            rounds = [
                (
                    await _each_gone(till, bare, clicks),
                    await read_bare(clerks, secret, some),
                    await clicked(till, some, click),
                )
                for some in (cards[start : start + clicks] for start in range(WARM_UP, len(cards), clicks))
            ]
    return [
        min(of_one_kind, key=lambda times: benching.percentile(times, 0.99))
        for of_one_kind in zip(*rounds, strict=True)
    ]


async def _each_gone(till: Till, act: Act, count: int) -> list[float]:
    """Send bare messages, and let go of each as soon as it is there."""
    taken: list[float] = []
    for _ in range(count):
        begun = time.perf_counter()
        acting = asyncio.ensure_future(act(""))
        taken.append((await benching.in_time(30, till.came.get()) - begun) * 1000)
        acting.cancel()
        await asyncio.wait([acting])
    return taken


def told(engine: str, bare: list[float], reads: list[float], disk: list[float], click: list[float]) -> None:
    """Print the figures."""

    def both(times: list[float]) -> str:
        return f"median {benching.percentile(times, 0.5):.1f} ms, p99 {benching.percentile(times, 0.99):.1f} ms"

    print(f"{engine}: a bare POST to the till: {both(bare)}")
    print(f"{engine}: bare reading of patron and charges: {both(reads)}")
    print(f"{engine}: a bare page on the disk: {both(disk)}; {COMMITS} commits come before the message")
    print(f"{engine}: click to till: {both(click)}")
    p99, floor = benching.percentile(click, 0.99), benching.percentile(bare, 0.99)
    print(f"{engine}: p99 is {p99 - floor:.1f} ms above the bare POST (aim {AIM_MS}), ratio {p99 / floor:.1f}")
    parts = [benching.percentile(times, 0.5) for times in (click, bare, reads, disk)]
    written = COMMITS * parts[3]
    own = parts[0] - parts[1] - parts[2] - written
    print(
        f"{engine}: limited, of the median, by the library for {parts[2]:.1f} ms, by the disk for {written:.1f} ms,"
        f" by the bridge and the processors it shares for {own:.1f} ms",
        flush=True,
    )


async def measure(engine: str, clicks: int) -> None:
    """Measure one engine and print its figures."""
    till = Till()
    async with till.open() as address:
        with (
            benching.place() as folder,
            benching.database_for(engine) as database,
            benching.town(folder, "off") as town,
        ):
            settings = town.settings_for("bridge", database)
            settings.write_text(settings.read_text(encoding="utf-8").replace(town.protocol, address), encoding="utf-8")
            bare, reads, click = await measured(town, settings, till, address, clicks)
            disk = benching.synced_ms(folder, clicks)
    told(engine, bare, reads, disk, click)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the time from a click to the message at the till.")
    parser.add_argument("--clicks", type=int, default=200, help="in each of three rounds, of which the best counts")
    parser.add_argument("--engines", default=",".join(benching.ENGINES))
    chosen = parser.parse_args()
    print(f"{ROUNDS} times {chosen.clicks} clicks, one after the other; {benching.load()}")
    for engine in chosen.engines.split(","):
        asyncio.run(measure(engine, chosen.clicks))


if __name__ == "__main__":
    main()
