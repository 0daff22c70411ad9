# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how soon a till's report is on the screen, with many other screens open, against a page with nothing around.

A till holds every payment. A rightly signed report is posted for one after the other; the time runs from the instant
before its first byte goes out. It ends where a waiting page in Chromium has become another one (a MutationObserver says
so, by the machine's one clock), where a listener of the API has the event, and where the page's own stream, read bare,
has the new part. The other screens are the live streams of waiting pages and of front pages, each with its own session.

    .venv/bin/python bench/latency.py [--reports 200] [--screens 1000] [--engines sqlite,postgres]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import secrets
import subprocess
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from playwright.async_api import Page

import benching
from benching import Clerks, Running, Town
from pending import held
from support.browser import new_page, open_browser
from tillbridge.composition import database_of
from tillbridge.service.people import hash_of
from tillbridge.service.people_port import Person, Role, Session
from tillbridge.service.store_port import Transaction
from tillbridge.settings import read_settings
from tillbridge.store.commanding import changing
from tillbridge.web.desk.visit import SESSION

WARM_UP = 10
OPENED_S, SEEN_S, AT_REST_S = 600, 30, 10.0
PAUSE_S = 0.05
"""How long a page is left alone before its report: a person's is open for longer than that."""
FRONT_PAGES = 0.2
"""How many of the other screens are front pages, which every payment changes; the rest wait for one payment each."""
LANGUAGES = ("fi", "sv")
REPORT = "/api/v1/contrib/kohasuomi/payments/ceepos/report"
NOBODY_ELSES = {"Content-Type": "application/json"}
PAID = b'data-state="paid"'
PROBES = 20

WATCHING = """(() => {
  window.paidAt = null;
  const now = () => performance.timeOrigin + performance.now();
  const look = () => {
    if (!window.paidAt && document.querySelector('[data-state="paid"]')) window.paidAt = now();
  };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
  document.addEventListener("htmx:sseMessage", () => { document.documentElement.dataset.live = "1"; });
})()"""
RESOLUTION = """() => {
  const steps = [];
  for (let was = performance.now(); steps.length < 200;) {
    const is = performance.now();
    if (is > was) steps.push(is - was);
    was = is;
  }
  return Math.min(...steps);
}"""


@dataclass(frozen=True, slots=True)
class Way:
    """Say where a report is seen: the page, and bare streams (name → address, mark); and how it is sent."""

    page: str
    streams: Mapping[str, tuple[str, bytes]]
    send: Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Times:
    """Hold the milliseconds of every report, by where it was seen; the bounds of the page's clock; and the disk's."""

    of: dict[str, list[float]] = field(default_factory=dict)
    clock_ms: tuple[float, float] = (0.0, 0.0)
    resolution_ms: float = 0.0
    disk_ms: list[float] = field(default_factory=list)

    def add(self, what: str, taken_s: float) -> None:
        """Add one."""
        self.of.setdefault(what, []).append(taken_s * 1000)


@dataclass(slots=True)
class Watcher:
    """Look at reports in a browser and at bare streams."""

    http: aiohttp.ClientSession
    page: Page
    headers: Mapping[str, str]

    async def see(self, way: Way, times: Times) -> None:
        """Open page and streams, send one report and note when each of them had it."""
        await self.page.goto(way.page)
        await self.page.locator("html[data-live]").wait_for()
        async with contextlib.AsyncExitStack() as stack:
            heard = [
                asyncio.create_task(_heard(await self._stream(stack, address), mark))
                for address, mark in way.streams.values()
            ]
            await asyncio.sleep(PAUSE_S)
            sent = time.time()
            sending = asyncio.ensure_future(way.send())
            instants = await benching.in_time(SEEN_S, asyncio.gather(*heard))
            await sending
        await self.page.wait_for_function("() => window.paidAt")
        times.add("page in Chromium", await self.page.evaluate("() => window.paidAt") / 1000 - sent)
        for what, instant in zip(way.streams, instants, strict=True):
            times.add(what, instant - sent)

    async def check_clock(self, times: Times) -> None:
        """Find between which bounds the page's clock is ahead of ours, and its smallest step."""
        low, high = -1e9, 1e9
        for _ in range(PROBES):
            before = time.time() * 1000
            shown = await self.page.evaluate("() => performance.timeOrigin + performance.now()")
            low, high = max(low, shown - time.time() * 1000), min(high, shown - before)
        times.clock_ms, times.resolution_ms = (low, high), await self.page.evaluate(RESOLUTION)

    async def _stream(self, stack: contextlib.AsyncExitStack, address: str) -> aiohttp.ClientResponse:
        answer = await stack.enter_async_context(self.http.get(address, headers=self.headers))
        assert answer.status == 200, answer.status
        await answer.content.readline()
        return answer


async def _heard(answer: aiohttp.ClientResponse, mark: bytes) -> float:
    async for line in answer.content:
        if mark in line:
            return time.time()
    raise EOFError


@contextlib.asynccontextmanager
async def watcher(site: str, headers: Mapping[str, str], cookie: str = "") -> AsyncIterator[Watcher]:
    """Open a browser and connections; `cookie` is the secret of the session that the page is seen in."""
    unlimited = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=unlimited) as http,
        open_browser() as browser,
        new_page(browser, site, language="en") as page,
    ):
        if cookie:
            await page.context.add_cookies([{"name": SESSION, "value": cookie, "url": site}])
        await page.add_init_script(WATCHING)
        yield Watcher(http, page, headers)


async def seen(watching: Watcher, ways: Iterator[Way], times: Times) -> None:
    """See all reports, the first few for nothing."""
    for number, way in enumerate(ways):
        await watching.see(way, times if number >= WARM_UP else Times())
    await watching.check_clock(times)


async def floor(address: str, reports: int) -> Times:
    """Measure the bare page."""
    await _until_it_listens(address)
    times, news = Times(), f"{address}/news"
    async with watcher(address, {}) as watching:

        async def send() -> None:
            async with watching.http.post(f"{address}/report", data=b"{}") as answer:
                assert answer.status == 200, answer.status

        way = Way("/", {"event stream": (news, b"event: report")}, send)
        await seen(watching, (way for _ in range(WARM_UP + reports)), times)
    return times


@dataclass(frozen=True, slots=True)
class Desk:
    """Hold the bridge under measure, its payments at the till, and the secrets of the sessions at its screens."""

    town: Town
    bridge: Running
    payments: Sequence[str]
    sessions: Sequence[str]

    def way(self, http: aiohttp.ClientSession, payment_id: str) -> Way:
        """Return how a payment's report is sent and seen."""
        address = self.bridge.address

        async def send() -> None:
            raw = signed_report(self.town, payment_id)
            async with http.post(address + REPORT, data=raw, headers=NOBODY_ELSES) as answer:
                assert answer.status == 200, await answer.text()

        streams = {
            "event stream": (f"{address}/api/v1/payments/{payment_id}/events", b"event: till_paid"),
            "page's own stream": (f"{address}/payments/{payment_id}/live", PAID),
        }
        return Way(f"/payments/{payment_id}/wait", streams, send)

    def screens(self, count: int) -> list[tuple[str, str, str]]:
        """Return the path, the cookie and the language of other screens: front pages, and a payment's own page each."""
        fronts = int(count * FRONT_PAGES)
        paths = ["/live"] * fronts + [f"/payments/{payment_id}/live" for payment_id in self.payments[: count - fronts]]
        return [
            (path, f"{SESSION}={token}", LANGUAGES[number % len(LANGUAGES)])
            for number, (path, token) in enumerate(zip(paths, self.sessions[:count], strict=True))
        ]


def signed_report(town: Town, payment_id: str) -> bytes:
    """Write the report that a payment is paid, as the till does."""
    settings = tomllib.loads(town.settings.read_text(encoding="utf-8"))["register_server"]["demo"]
    secret = (town.settings.parent / settings["secret_file"]).read_text(encoding="utf-8").strip()
    values = [settings["source"], payment_id, "1", "4711", secret]
    signed = hashlib.sha256("&".join(values).encode()).hexdigest()
    body = {"Source": values[0], "Id": payment_id, "Status": 1, "Reference": "4711", "Hash": signed}
    return json.dumps(body).encode()


def sessions_in(settings: Path, count: int) -> list[str]:
    """Let a clerk be signed in at so many screens, and return the secrets of these sessions."""
    tokens = [secrets.token_urlsafe(32) for _ in range(count)]

    def work(tx: Transaction, now: float) -> None:
        tx.add_person(Person("anna", "Anna", frozenset({Role.CLERK}), None, None, "-", now, "otto", now))
        for token in tokens:
            tx.add_session(Session(hash_of(token), "anna", secrets.token_urlsafe(32), now, now + 43200))

    changing(database_of(read_settings(settings)), work)
    return tokens


@contextlib.contextmanager
def program(name: str, address: str, said: object = None) -> Iterator[subprocess.Popen[str]]:
    """Run a helper of the measures on or against a port, tell it something, and end it."""
    command = [sys.executable, str(benching.ROOT / "bench" / name), address.rpartition(":")[2]]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(said) + "\n")
            process.stdin.flush()
            yield process
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def open_screens(desk: Desk, count: int) -> AsyncIterator[None]:
    """Keep other screens open in a process of their own."""
    with program("screens.py", desk.bridge.address, desk.screens(count)) as process:
        assert process.stdout is not None
        assert await benching.in_time(OPENED_S, asyncio.to_thread(process.stdout.readline)) == "open\n"
        yield
        assert process.poll() is None, "the screens are gone"


@contextlib.asynccontextmanager
async def disk(folder: Path, taken_ms: list[float]) -> AsyncIterator[None]:
    """Write a page to the disk now and then, and note how long the disk took for it: a report waits for that too."""

    async def write() -> None:
        while True:
            taken_ms.extend(await asyncio.to_thread(benching.synced_ms, folder, 1))
            await asyncio.sleep(PAUSE_S)

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.wait([writing])


async def measured(town: Town, settings: Path, bridge: Running, screens: int, reports: int) -> tuple[Times, float]:
    """Return the times, and how much of a processor the bridge takes for the open screens while nothing happens."""
    async with benching.clerks(town) as clerks:
        ids = await held(clerks, bridge.address, await clerks.patrons(screens + WARM_UP + reports))
        desk = Desk(town, bridge, ids, sessions_in(settings, screens + 1))
        async with open_screens(desk, screens):
            at_rest = await _share_of_a_processor(bridge)
            return await _seen_at(desk, clerks, ids[screens:]), at_rest


async def _seen_at(desk: Desk, clerks: Clerks, ids: Sequence[str]) -> Times:
    times, token = Times(), desk.sessions[-1]
    headers = clerks.key | {"Cookie": f"{SESSION}={token}"}
    async with watcher(desk.bridge.address, headers, token) as watching, disk(desk.town.settings.parent, times.disk_ms):
        await seen(watching, (desk.way(watching.http, payment_id) for payment_id in ids), times)
    return times


async def _share_of_a_processor(bridge: Running) -> float:
    await asyncio.sleep(AT_REST_S)
    before = bridge.cpu_s
    await asyncio.sleep(AT_REST_S)
    return (bridge.cpu_s - before) / AT_REST_S


def told(engine: str, bare: Times, real: Times, at_rest: float) -> None:
    """Print the figures."""
    for what, times in bare.of.items():
        print(f"{engine}: bare, {what}: {_both(times)}")
    for what, times in real.of.items():
        floor_ms = bare.of.get(what, bare.of["event stream"])
        ratio = benching.percentile(times, 0.5) / benching.percentile(floor_ms, 0.5)
        print(f"{engine}: bridge, {what}: {_both(times)}, ratio of the medians {ratio:.1f}")
    print(f"{engine}: a bare page on the disk meanwhile: {_both(real.disk_ms)}")
    low, high = real.clock_ms
    print(f"{engine}: the page's clock is {low:.2f} to {high:.2f} ms ahead, in steps of {real.resolution_ms:.3f} ms")
    print(f"{engine}: the open screens take {at_rest:.0%} of a processor while nothing happens", flush=True)


def _both(times: list[float]) -> str:
    median, p99 = benching.percentile(times, 0.5), benching.percentile(times, 0.99)
    return f"median {median:.1f} ms, p99 {p99:.1f} ms, longest {max(times):.1f} ms"


def measure(engine: str, screens: int, reports: int) -> None:
    """Measure one engine and print its figures."""
    with (
        benching.place() as folder,
        benching.database_for(engine) as database,
        benching.town(folder, "off") as town,
    ):
        address = f"http://{benching.HOST}:{benching.free_port()}"
        with program("bare_news.py", address):
            bare = asyncio.run(floor(address, reports))
        settings = town.settings_for("bridge", database)
        with benching.bridge(settings) as bridge:
            real, at_rest = asyncio.run(measured(town, settings, bridge, screens, reports))
    told(engine, bare, real, at_rest)


async def _until_it_listens(address: str) -> None:
    async with asyncio.timeout(SEEN_S), aiohttp.ClientSession() as http:
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.get(address):
                    return
            await asyncio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the time from a till's report to the screen.")
    parser.add_argument("--reports", type=int, default=200)
    parser.add_argument("--screens", type=int, default=1000, help="open besides the one that is looked at")
    parser.add_argument("--engines", default=",".join(benching.ENGINES))
    chosen = parser.parse_args()
    benching.open_files()
    print(f"{chosen.reports} reports, one after the other, {chosen.screens} other screens open; {benching.load()}")
    for engine in chosen.engines.split(","):
        measure(engine, chosen.screens, chosen.reports)


if __name__ == "__main__":
    main()
