# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure payments per second, from click to booked, with a library and a till that answer at once.

The floor is the SQL of one payment, recorded and run bare on the same engine in the same run: by the `sqlite3` module
with the same journal and synchronisation, by pgbench with fsync on.

    .venv/bin/python bench/throughput.py [--quick] [--engines sqlite,postgres] [--payments 200] [--at-once 32]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

import benching
import replay
from benching import Clerks, Running, Town
from tillbridge.composition import opened
from tillbridge.listening import listening_socket
from tillbridge.settings import read_settings
from tillbridge.store import sqlite
from tillbridge.store.postgres import PostgresStore
from tillbridge.store.sqlite import SqliteStore
from tillbridge.web.app import make_app
from tillbridge.web.serving import serving

WARM_UP = 40
LONGEST_S = 600
LEAP = 1_000_000_000


@dataclass(slots=True)
class News:
    """Follow a bridge's events, and know which payments are booked."""

    clerks: Clerks
    address: str
    booked: dict[str, asyncio.Event] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow until the block ends."""
        begun = asyncio.Event()
        following = asyncio.create_task(self._follow(begun))
        await benching.in_time(30, begun.wait())
        yield
        following.cancel()
        await asyncio.wait({following})

    async def _follow(self, begun: asyncio.Event) -> None:
        async with self.clerks.http.get(f"{self.address}/api/v1/events", headers=self.clerks.key) as answer:
            begun.set()
            async for line in answer.content:
                if line.startswith(b"data: ") and b'"booking_confirmed"' in line:
                    self.of(json.loads(line[6:])["payment_id"]).set()

    def of(self, payment_id: str) -> asyncio.Event:
        """Return what is set when this payment is booked."""
        return self.booked.setdefault(payment_id, asyncio.Event())


async def round_of(clerks: Clerks, news: News, cards: Sequence[str], at_once: int) -> float:
    """Let so many clerks work through the patrons; return payments per second."""
    waiting = iter(cards)

    async def clerk() -> None:
        for card in waiting:
            await news.of(await clerks.start(news.address, card)).wait()

    begun = time.perf_counter()
    await benching.in_time(LONGEST_S, asyncio.gather(*(clerk() for _ in range(at_once))))
    return len(cards) / (time.perf_counter() - begun)


@dataclass(frozen=True, slots=True)
class Figure:
    """Hold one round: payments per second, and processor time of the bridge for each."""

    rate: float
    cpu_ms: float


async def measured(town: Town, bridge: Running, payments: int, rounds: int, at_once: int) -> list[Figure]:
    """Run some rounds."""
    async with benching.clerks(town) as clerks:
        news = News(clerks, bridge.address)
        async with news.followed():
            await round_of(clerks, news, await clerks.patrons(WARM_UP), at_once)
            return [await one_round(clerks, news, bridge, payments, at_once) for _ in range(rounds)]


async def one_round(clerks: Clerks, news: News, bridge: Running, payments: int, at_once: int) -> Figure:
    """Run one round with patrons of its own."""
    cards, before_s = await clerks.patrons(payments), bridge.cpu_s
    rate = await round_of(clerks, news, cards, at_once)
    return Figure(rate, (bridge.cpu_s - before_s) / payments * 1000)


async def recorded(town: Town, settings: Path) -> replay.Recording:
    """Run a bridge inside this process and record what one payment does to its database."""
    file = read_settings(settings)
    listener = listening_socket(file.settings.bridge.host, file.settings.bridge.port)
    address = f"http://{benching.HOST}:{listener.getsockname()[1]}"
    async with opened(file) as bridge, serving(make_app(bridge), listener), benching.clerks(town) as clerks:
        store = bridge.world.store
        assert isinstance(store, SqliteStore | PostgresStore)
        recorder, news = replay.Recorder(store._engine), News(clerks, address)  # noqa: SLF001 - it is watched from outside
        first, second = await clerks.patrons(2)
        async with news.followed():
            await round_of(clerks, news, [first], 1)
            await asyncio.sleep(1.2)  # until nothing moves any more
            await store.write(lambda tx: _leap(tx._connection))  # type: ignore[attr-defined]  # noqa: SLF001
            recorder.on = True
            await round_of(clerks, news, [second], 1)
            await asyncio.sleep(0.1)
            recorder.on = False
    return replay.recording(recorder.pieces, LEAP)


def _leap(connection: Connection) -> None:
    """Let the next task have a number that nothing else has, so that it is known wherever it stands."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = ? WHERE name = 'task'", (LEAP,))
    else:
        connection.exec_driver_sql("SELECT setval('task_id_seq', %s)", (LEAP,))


def floors(recording: replay.Recording, folder: Path, address: str | None, quick: bool) -> list[float]:
    """Run the recording bare, some times, on a database of its own."""
    rounds = 1 if quick else 3
    if address is not None:
        return [replay.pgbench(recording, address, 1 if quick else 4, round_ * 1_000_000) for round_ in range(rounds)]
    path = folder / "bare.db"
    SqliteStore(path).close()
    bare = replay.Bare(recording, path, sqlite.PRAGMAS)
    try:
        payments = 50 if quick else 300
        return [bare.rate(payments, round_ * payments + 1) for round_ in range(rounds)]
    finally:
        bare.close()


def limit_of(best: Figure) -> str:
    """Say what limits a rate."""
    busy = best.rate * best.cpu_ms / 1000
    spent = f"{best.cpu_ms:.0f} ms of a processor for each payment, {busy:.0%} of one"
    if busy > 0.9:
        return f"the bridge's one process: {spent}"
    return f"the machine: the bridge takes {spent}, and library, till, clerks and database want theirs"


def measure(engine: str, chosen: argparse.Namespace) -> None:
    """Measure one engine and print its figures."""
    payments, rounds = (30, 1) if chosen.quick else (chosen.payments, chosen.rounds)
    with benching.place() as folder, benching.database_for(engine) as database, benching.town(folder) as town:
        with benching.bridge(town.settings_for("bridge", database)) as bridge:
            figures = asyncio.run(measured(town, bridge, payments, rounds, chosen.at_once))
        with benching.database_for(engine) as another:
            recording = asyncio.run(recorded(town, town.settings_for("recorded", another, "recorded.db")))
            bare = max(floors(recording, folder, another, chosen.quick))
    best = max(figures, key=lambda figure: figure.rate)
    print(f"{engine}: {recording.counts} from click to booked")
    print(f"{engine}: {best.rate:.1f} payments/s, bare {bare:.1f}, ratio {best.rate / bare:.2f}")
    print(f"{engine}: limited by {limit_of(best)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure payments per second from click to booked.")
    parser.add_argument("--quick", action="store_true", help="a smoke test: few payments, figures that mean little")
    parser.add_argument("--engines", default=",".join(benching.ENGINES))
    parser.add_argument("--payments", type=int, default=200, help="in each round")
    parser.add_argument("--rounds", type=int, default=3, help="of which the best counts")
    parser.add_argument("--at-once", type=int, default=32)
    chosen = parser.parse_args()
    print(f"payments from click to booked, {chosen.at_once} clerks at once; {benching.load()}")
    for engine in chosen.engines.split(","):
        measure(engine, chosen)


if __name__ == "__main__":
    main()
