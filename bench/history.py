# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what people wait for who look into the past: searches among a million payments, and what the pages show.

Each question is asked again and again, of another clerk, patron or day each time where it names one. The floor is a
bare SELECT of one payment by its key in the same run. The addresses in `PAGES` are asked of `tillbridge serve` itself.

    .venv/bin/python bench/history.py [--folder FOLDER] [--payments 1000000] [--engines sqlite,postgres]

The best of three rounds counts. With `--folder` the databases stay there, and are taken from there the next time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
from sqlalchemy import text

import benching
import filling
from benching import Town
from support.postgres import cluster, conninfo, kept
from tillbridge.service.finding_port import PaymentFilter
from tillbridge.service.store_port import CaseFilter, OpenStore, Transaction
from tillbridge.store.opening import Database, open_store
from tillbridge.store.transaction import SqlTransaction

AIM_MS = 100
ON_A_PAGE = 50
PAGE = 1000
DAY_S = 86_400
WARM_UP = 2
ROUNDS = 3

PAGES: list[str] = [
    "/api/v1/payments?limit=50",
    "/api/v1/payments?limit=50&branch=SPL&collection=cancelled",
    "/api/v1/payments?limit=50&clerk=cpl-3&register=30",
    "/api/v1/open-cases",
]
"""What is asked of the bridge over HTTP with its key; a new page is one line here."""

Question = Callable[[Transaction, random.Random], object]


@dataclass(frozen=True, slots=True)
class History:
    """Name a database that is filled, with what questions need of it."""

    engine: str
    database: Database
    payments: int

    @property
    def setting(self) -> str:
        """Return the database as the settings of a bridge name it."""
        return conninfo(self.database.url) if self.database.url is not None else str(self.database.path)


def _clerk(chance: random.Random) -> str:
    return f"{chance.choice([*filling.BRANCHES]).lower()}-{chance.randrange(filling.CLERKS_OF_BRANCH)}"


def _day(chance: random.Random) -> dict[str, float]:
    since = chance.uniform(filling.BEGIN, filling.END - DAY_S)
    return {"since": since, "until": since + DAY_S}


def _set(*values: str) -> frozenset[str]:
    return frozenset(values)


FILTERS: Mapping[str, Callable[[random.Random], Mapping[str, Any]]] = {
    "nothing": lambda _: {},
    "a small branch": lambda _: {"branches": _set("SPL")},
    "a register's number": lambda chance: {"register": chance.choice(["10", "31", "99"])},
    "a clerk": lambda chance: {"clerk": _clerk(chance)},
    "a patron": lambda chance: {"patron_id": str(chance.randrange(50_000))},
    "a receipt": lambda chance: {"receipt_number": str(chance.randrange(400_000))},
    "a sum": lambda chance: {"total_minor": chance.choice([200, 990, 31_230])},
    "blocked": lambda _: {"bookings": _set("blocked")},
    "refused or reversed": lambda _: {"collections": _set("refused", "reversed")},
    "with an open case": lambda _: {"with_open_case": True},
    "a day, a branch": lambda chance: {"branches": _set("CPL"), **_day(chance)},
    "a day, a clerk, a state": lambda chance: {"clerk": _clerk(chance), "collections": _set("paid"), **_day(chance)},
    "a clerk, a sum, cancelled": lambda chance: {
        "clerk": _clerk(chance),
        "total_minor": 200,
        "collections": _set("cancelled"),
    },
    "a branch, a rare sum, paid": lambda chance: {
        "branches": _set("CPL"),
        "total_minor": chance.randrange(2001, 60_000),
        "collections": _set("paid"),
    },
    "a clerk where he never was": lambda _: {"clerk": "cpl-3", "branches": _set("SPL")},
    "a register, a sum, not booked": lambda _: {"register": "30", "total_minor": 200, "bookings": _set("none")},
}


def _found(make: Callable[[random.Random], Mapping[str, Any]]) -> Question:
    return lambda tx, chance: tx.find_payments(PaymentFilter(**make(chance)), None, ON_A_PAGE + 1)


def _page_of_cases(wanted: CaseFilter) -> Question:
    return lambda tx, _: tx.find_cases(wanted, None, ON_A_PAGE + 1)


def questions(ids: Sequence[str], place: tuple[float, str]) -> Mapping[str, Question]:
    """Return what is asked of the store, by name."""
    few = frozenset({"SPL"})
    return {
        **{f"payments: {name}": _found(make) for name, make in FILTERS.items()},
        f"payments: page {PAGE}": lambda tx, _: tx.find_payments(PaymentFilter(), place, ON_A_PAGE + 1),
        "payments: page of a clerk, years ago": lambda tx, chance: tx.find_payments(
            PaymentFilter(clerk=_clerk(chance)), (chance.uniform(filling.BEGIN, filling.END), ""), ON_A_PAGE + 1
        ),
        "under way": lambda tx, _: tx.payments_under_way(None, 200),
        "under way in a branch": lambda tx, _: tx.payments_under_way(few, 200),
        "cases: open": _page_of_cases(CaseFilter(open=True)),
        "cases: open in a branch": _page_of_cases(CaseFilter(open=True, branches=few)),
        "cases: closed": _page_of_cases(CaseFilter(open=False)),
        "cases: closed in a branch": _page_of_cases(CaseFilter(open=False, branches=few)),
        "cases: counted in a branch": lambda tx, _: tx.count_cases(few),
        "one payment, all of it": lambda tx, chance: _whole(tx, chance.choice(ids)),
    }


def _whole(tx: Transaction, payment_id: str) -> object:
    """Read what the page of one payment shows."""
    return [
        each(payment_id) for each in (tx.payment, tx.history, tx.messages, tx.credits, tx.cases_of, tx.cases_naming)
    ]


@contextlib.contextmanager
def filled(engine: str, folder: Path | None, payments: int) -> Iterator[History]:
    """Make the database, or take it from the folder."""
    name = f"{engine}-{payments}"
    with contextlib.ExitStack() as stack:
        where = (folder or stack.enter_context(benching.place())) / name
        done = where / "filled"
        if engine == "sqlite":
            where.mkdir(parents=True, exist_ok=True)
            database = Database(path=where / "history.db")
        else:
            server = kept(where, **benching.CARE) if folder else cluster(**benching.CARE)
            database = Database(url=stack.enter_context(server).url)
        if not done.exists():
            _fill(database, payments)
            done.parent.mkdir(parents=True, exist_ok=True)
            done.touch()
        yield History(engine, database, payments)


def _fill(database: Database, payments: int) -> None:
    begun = time.perf_counter()
    open_store(database).close()
    if database.path is not None:
        filling.fill_file(database.path, payments)
    elif database.url is not None:
        filling.fill_server(database.url, payments)
    print(f"filled with {payments} payments in {time.perf_counter() - begun:.0f} s", flush=True)


async def best_of(ask: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Ask so many times in each round; return how many milliseconds each took in the best round."""
    for _ in range(WARM_UP):
        await ask()
    rounds = [[await _timed(ask) for _ in range(times)] for _ in range(ROUNDS)]
    return min(rounds, key=lambda taken: benching.percentile(taken, 0.99))


async def _timed(ask: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await ask()
    return (time.perf_counter() - begun) * 1000


async def asked(store: OpenStore, question: Question, times: int) -> list[float]:
    """Ask a question as a page does."""
    chance = random.Random(3)  # noqa: S311 - nothing here is secret
    return await best_of(lambda: store.search(lambda tx: question(tx, chance)), times)


def _ids_and_place(tx: Transaction) -> tuple[list[str], tuple[float, str]]:
    assert isinstance(tx, SqlTransaction)
    newest = "SELECT created_at, id FROM payment ORDER BY created_at DESC, id"
    rows = tx._connection.execute(text(f"{newest} LIMIT {ON_A_PAGE * PAGE}")).all()  # noqa: SLF001 - for the measure alone
    return [row.id for row in rows[::50]], (rows[-1].created_at, rows[-1].id)


def bare(history: History, ids: Sequence[str]) -> list[float]:
    """Return how many milliseconds a bare SELECT of one payment takes."""
    if history.database.path is not None:
        with contextlib.closing(sqlite3.connect(history.database.path)) as file:
            return [_one(lambda each=each: file.execute("SELECT * FROM payment WHERE id = ?", (each,))) for each in ids]  # type: ignore[misc]
    with psycopg.connect(history.setting, autocommit=True) as server:
        return [_one(lambda each=each: server.execute("SELECT * FROM payment WHERE id = %s", (each,))) for each in ids]  # type: ignore[misc]


def _one(ask: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    ask().fetchall()
    return (time.perf_counter() - begun) * 1000


def told(engine: str, name: str, taken: Sequence[float], floor_ms: float) -> None:
    """Print a figure."""
    median, p99 = benching.percentile(taken, 0.5), benching.percentile(taken, 0.99)
    verdict = "" if p99 <= AIM_MS else f"  MISSED: the aim is {AIM_MS} ms"
    print(
        f"{engine:8} {name:58} median {median:7.2f} ms  p99 {p99:7.2f} ms  ratio {median / floor_ms:6.0f}{verdict}",
        flush=True,
    )


async def measure_store(history: History, times: int) -> float:
    """Ask every question; return the floor."""
    store = open_store(history.database)
    try:
        ids, place = await store.read(_ids_and_place)
        floor = bare(history, ids)
        floor_ms = benching.percentile(floor, 0.5)
        told(history.engine, "bare SELECT of one payment", floor, floor_ms)
        for name, question in questions(ids, place).items():
            told(history.engine, name, await asked(store, question, times), floor_ms)
    finally:
        store.close()
    return floor_ms


async def measure_pages(town: Town, address: str, times: int) -> Mapping[str, list[float]]:
    """Ask for every page over HTTP."""
    headers = {"Authorization": f"Bearer {town.api_key}"}
    async with aiohttp.ClientSession(address, headers=headers) as http:
        return {page: await best_of(lambda page=page: _page(http, page), times) for page in PAGES}  # type: ignore[misc]


async def _page(http: aiohttp.ClientSession, page: str) -> None:
    async with http.get(page) as answer:
        content = await answer.read()
        assert answer.status == 200, content


def measure(history: History, times: int) -> None:
    """Measure one engine and print its figures."""
    floor_ms = asyncio.run(measure_store(history, times))
    with benching.place() as folder, benching.town(folder, "off") as town:
        settings = town.settings_for("history", history.setting)
        with benching.bridge(settings) as bridge:
            pages = asyncio.run(measure_pages(town, bridge.address, times))
    for page, taken in pages.items():
        told(history.engine, page, taken, floor_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure searches among a million payments.")
    parser.add_argument("--folder", type=Path, help="where the databases are kept for the next time")
    parser.add_argument("--payments", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=100, help="how often each question is asked in a round")
    parser.add_argument("--engines", default=",".join(benching.ENGINES))
    chosen = parser.parse_args()
    asked = f"each question {chosen.times} times, best of {ROUNDS} rounds"
    print(f"{chosen.payments} payments, {asked}, aim {AIM_MS} ms at p99; {benching.load()}")
    for engine in chosen.engines.split(","):
        with filled(engine, chosen.folder, chosen.payments) as history:
            measure(history, chosen.times)


if __name__ == "__main__":
    main()
