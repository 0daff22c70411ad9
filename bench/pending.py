# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what waiting costs: payments that the till holds, each with an event stream that listens to it.

Memory is what the bridge's process has gained, for each held payment and for each stream. The p99 is that of other
requests, one after the other, before and while all are held; the best of three rounds counts. The floor is the same
number of bare requests and bare streams in a process of uvicorn with nothing around them, and the p99 of the bridge at
rest.

    .venv/bin/python bench/pending.py [--held 1000] [--requests 200] [--engine sqlite]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import aiohttp

import benching
from benching import Clerks, Running, Town

WARM_UP = 50
AT_ONCE = 16
BY_ITSELF_S = 3.0
LONGEST_S = 1800
SPARE_FILES = 500
ROUNDS = 3
AIM_KB, AIM_MS = 60, 50


@dataclass(frozen=True, slots=True)
class Memory:
    """Hold what one held request and one stream cost, in KB of resident memory."""

    held_kb: float
    stream_kb: float

    @property
    def both_kb(self) -> float:
        """Return what a payment costs that somebody watches."""
        return self.held_kb + self.stream_kb


@dataclass(frozen=True, slots=True)
class Latency:
    """Hold the p99 of one kind of request, in milliseconds."""

    what: str
    at_rest_ms: float
    meanwhile_ms: float


@contextlib.contextmanager
def bare_process() -> Iterator[Running]:
    """Run the floor's process."""
    port = benching.free_port()
    process = subprocess.Popen([sys.executable, str(benching.ROOT / "bench/bare.py"), str(port)])
    try:
        yield Running(process, f"http://{benching.HOST}:{port}")
    finally:
        process.kill()
        process.wait()


@contextlib.asynccontextmanager
async def holder() -> AsyncIterator[int]:
    """Listen on a port, hold what comes there, and answer nothing."""
    writers: list[asyncio.StreamWriter] = []

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")

    server = await asyncio.start_server(hold, benching.HOST, 0, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()


class Streams:
    """Listen to many streams at once."""

    def __init__(self, http: aiohttp.ClientSession, key: dict[str, str]) -> None:
        self._http, self._key = http, key
        self._answers: list[aiohttp.ClientResponse] = []

    async def open(self, addresses: Sequence[str]) -> None:
        """Open them, and return when each has said its first line."""
        waiting = iter(addresses)

        async def some() -> None:
            for address in waiting:
                answer = await self._http.get(address, headers=self._key)
                assert answer.status == 200, answer.status
                await answer.content.readline()
                self._answers.append(answer)

        await benching.in_time(LONGEST_S, asyncio.gather(*(some() for _ in range(AT_ONCE))))

    def close(self) -> None:
        """Hang up."""
        for answer in self._answers:
            answer.close()


class AtTill:
    """Follow a bridge's events, and count the payments that their till holds."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self._bell = asyncio.Event()

    async def follow(self, clerks: Clerks, address: str, begun: asyncio.Event) -> None:
        """Follow until cancelled."""
        async with clerks.http.get(f"{address}/api/v1/events", headers=clerks.key) as answer:
            begun.set()
            async for line in answer.content:
                if line.startswith(b"data: ") and b'"reached"' in line:
                    self.ids.add(json.loads(line[6:])["payment_id"])
                    self._bell.set()

    async def reach(self, wanted: set[str]) -> None:
        """Wait until these are all held."""
        while not wanted <= self.ids:
            self._bell.clear()
            await self._bell.wait()


async def started(clerks: Clerks, address: str, cards: Sequence[str]) -> list[str]:
    """Start a payment for each patron, several at once, and return their ids."""
    waiting = iter(cards)

    async def some() -> list[str]:
        return [await clerks.start(address, card) for card in waiting]

    return list(itertools.chain.from_iterable(await asyncio.gather(*(some() for _ in range(AT_ONCE)))))


async def held(clerks: Clerks, address: str, cards: Sequence[str]) -> list[str]:
    """Start a payment for each patron, and return when the till holds them all."""
    at_till, begun = AtTill(), asyncio.Event()
    following = asyncio.create_task(at_till.follow(clerks, address, begun))
    try:
        await benching.in_time(30, begun.wait())
        ids: list[str] = await benching.in_time(LONGEST_S, started(clerks, address, cards))
        await benching.in_time(LONGEST_S, at_till.reach(set(ids)))
    finally:
        following.cancel()
        await asyncio.wait([following])
    return ids


async def p99_ms(clerks: Clerks, address: str, requests: int) -> float:
    """Ask one after the other, in a few rounds after a first one; return the p99 of the best round."""
    return min([await _round_p99_ms(clerks, address, requests) for _ in range(1 + ROUNDS)][1:])


async def _round_p99_ms(clerks: Clerks, address: str, requests: int) -> float:
    taken: list[float] = []
    for _ in range(requests):
        begun = time.perf_counter()
        async with clerks.http.get(address, headers=clerks.key) as answer:
            await answer.read()
            assert answer.status == 200, answer.status
        taken.append((time.perf_counter() - begun) * 1000)
    return benching.percentile(taken, 0.99)


async def measured(town: Town, bridge: Running, count: int, requests: int) -> tuple[Memory, list[Latency]]:
    """Hold payments and listen to each; return memory and latencies."""
    async with benching.clerks(town) as clerks:
        cards = await clerks.patrons(WARM_UP + count)
        api = f"{bridge.address}/api/v1"
        first = await held(clerks, bridge.address, cards[:WARM_UP])
        asked = {"one payment": f"{api}/payments/{first[0]}", "a page of payments": f"{api}/payments"}
        streams = Streams(clerks.http, clerks.key)
        await streams.open([f"{api}/payments/{payment_id}/events" for payment_id in first])
        at_rest = {what: await p99_ms(clerks, address, requests) for what, address in asked.items()}
        before_kb = await settled_kb(bridge)
        ids = await held(clerks, bridge.address, cards[WARM_UP:])
        held_kb = await settled_kb(bridge)
        await streams.open([f"{api}/payments/{payment_id}/events" for payment_id in ids])
        stream_kb = await settled_kb(bridge)
        latencies = [
            Latency(what, at_rest[what], await p99_ms(clerks, address, requests)) for what, address in asked.items()
        ]
        streams.close()
        return Memory((held_kb - before_kb) / count, (stream_kb - held_kb) / count), latencies


async def settled_kb(process: Running) -> int:
    """Return the memory when nothing moves any more."""
    await asyncio.sleep(BY_ITSELF_S)
    return process.resident_kb


async def floor(process: Running, count: int) -> Memory:
    """Hold bare requests and streams; return their memory."""
    async with holder() as port, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        streams = Streams(http, {})
        await _until_it_listens(http, process)
        await _hold(http, process, WARM_UP, port)
        await streams.open([f"{process.address}/events"] * WARM_UP)
        before_kb = await settled_kb(process)
        await _hold(http, process, count, port)
        held_kb = await settled_kb(process)
        await streams.open([f"{process.address}/events"] * count)
        stream_kb = await settled_kb(process)
        streams.close()
        return Memory((held_kb - before_kb) / count, (stream_kb - held_kb) / count)


async def _hold(http: aiohttp.ClientSession, process: Running, count: int, port: int) -> None:
    async with http.get(f"{process.address}/hold/{count}/{port}") as answer:
        assert await answer.text() == "held"


async def _until_it_listens(http: aiohttp.ClientSession, process: Running) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.get(f"{process.address}/hold/0/0"):
                    return
            await asyncio.sleep(0.05)


def told(bare: Memory, real: Memory, latencies: Sequence[Latency], files: int) -> None:
    """Print the figures."""
    print(f"bare: {bare.held_kb:.1f} KB a held request, {bare.stream_kb:.1f} KB a stream")
    print(f"bridge: {real.held_kb:.1f} KB a held payment, {real.stream_kb:.1f} KB a stream (aim {AIM_KB} for each)")
    print(
        f"bridge: both together {real.both_kb:.1f} KB, bare {bare.both_kb:.1f}, ratio {real.both_kb / bare.both_kb:.1f}"
    )
    for each in latencies:
        ratio = each.meanwhile_ms / each.at_rest_ms
        print(
            f"p99 of reading {each.what}: {each.meanwhile_ms:.1f} ms (aim {AIM_MS}),"
            f" at rest {each.at_rest_ms:.1f}, ratio {ratio:.1f}"
        )
    print(f"limited by open files: two for each pair, of {files} here; then by memory", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what held payments and their listeners cost.")
    parser.add_argument("--held", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--engine", choices=benching.ENGINES, default="sqlite")
    chosen = parser.parse_args()
    files = benching.open_files()
    if 2 * (chosen.held + WARM_UP) + SPARE_FILES > files:
        parser.error(f"{chosen.held} payments with streams need {2 * chosen.held} open files, and {files} are allowed")
    print(f"{chosen.held} held payments, each with a stream, in one process; {benching.load()}")
    with bare_process() as process:
        bare = asyncio.run(floor(process, chosen.held))
    with (
        benching.place() as folder,
        benching.database_for(chosen.engine) as database,
        benching.town(folder, "off") as town,
        benching.bridge(town.settings_for("bridge", database)) as bridge,
    ):
        real, latencies = asyncio.run(measured(town, bridge, chosen.held, chosen.requests))
    told(bare, real, latencies, files)


if __name__ == "__main__":
    main()
