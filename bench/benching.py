# SPDX-License-Identifier: GPL-3.0-or-later
"""What the measures share: the processes that they start, the patrons who pay, and how figures are written.

A bridge under measure is the program itself, `tillbridge serve`. Library and till share a process of their own, whose
till takes the money and reports at once. PostgreSQL is a server of the measure's own, in a temporary folder, that
writes to the disk as a real one does.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.postgres import cluster, conninfo, database  # noqa: E402 - the folder must be known first
from tillbridge.listening import listening_socket  # noqa: E402 - as above

HOST = "127.0.0.1"
PROGRAM = Path(sys.executable).with_name("tillbridge")
_cards = itertools.count(1)
ENGINES = ("sqlite", "postgres")
CARE = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "256MB"}
"""PostgreSQL as it comes, where the tests' own server spares the disk."""


@dataclass(frozen=True, slots=True)
class Town:
    """Name the library and the till that run, and the settings for a bridge between them."""

    library: str
    till: str
    settings: Path
    api_key: str
    port: int

    @property
    def protocol(self) -> str:
        """Return where the register server takes payments."""
        settings = tomllib.loads(self.settings.read_text(encoding="utf-8"))
        return str(settings["register_server"]["demo"]["address"])

    def settings_for(self, name: str, database: str | None, file: str = "tillbridge.db") -> Path:
        """Write the settings of a bridge, on a port of its own, with a database's address or in a file."""
        text, port = self.settings.read_text(encoding="utf-8"), free_port()
        text = text.replace(str(self.port), str(port)).replace('"tillbridge.db"', f'"{database or file}"')
        path = self.settings.with_name(f"{name}.toml")
        path.write_text(text, encoding="utf-8")
        return path


@dataclass(frozen=True, slots=True)
class Running:
    """Hold a bridge's process and its address."""

    process: subprocess.Popen[bytes]
    address: str

    @property
    def resident_kb(self) -> int:
        """Return how much memory the process has now."""
        return resident_kb(self.process.pid)

    @property
    def cpu_s(self) -> float:
        """Return how much time of processors it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: int) -> int:
    """Return a process's resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def open_files() -> int:
    """Let this process and those that it starts have as many files as the machine allows; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        wanted = min(int(Path("/proc/sys/fs/nr_open").read_text(encoding="utf-8")), 1 << 18)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextlib.contextmanager
def town(folder: Path, habit: str = "accept") -> Iterator[Town]:
    """Run library and till in a process of their own; `habit` is what the cashier does, and does at once."""
    port = free_port()
    command = [sys.executable, str(ROOT / "bench/town.py"), str(folder), str(port), habit]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            yield Town(said["library"], said["till"], Path(said["settings"]), said["api_key"], port)
        finally:
            process.kill()


@contextlib.contextmanager
def bridge(settings: Path) -> Iterator[Running]:
    """Run a bridge as people run it."""
    process = subprocess.Popen([str(PROGRAM), "serve", "--settings", str(settings)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = process.stdout.readline().decode()
        assert said.startswith("tillbridge listens on"), said
        yield Running(process, said.split()[-1])
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """Make a folder for one measure; it is on a real disk, where TMPDIR is."""
    with tempfile.TemporaryDirectory(prefix="tillbridge-bench-") as made:
        yield Path(made)


@contextlib.contextmanager
def database_for(engine: str) -> Iterator[str | None]:
    """Make an empty database of this kind; None stands for a SQLite file beside the settings."""
    if engine == "sqlite":
        yield None
        return
    with cluster(**CARE) as server, database(server.url) as url:
        yield conninfo(url)


@dataclass(slots=True)
class Clerks:
    """Call the bridge and the library as people's programs do."""

    town: Town
    http: aiohttp.ClientSession

    async def patrons(self, count: int) -> list[str]:
        """Add patrons who owe two charges each, and return their card numbers."""
        cards = [f"B{next(_cards):07d}" for _ in range(count)]
        made: list[Any] = []
        for start in range(0, count, 1000):
            forms = [
                {"cardnumber": card, "surname": "Virtanen", "firstname": "Matti", "library_id": "CPL"}
                for card in cards[start : start + 1000]
            ]
            made += await self._control("/patrons", forms)
        charges = [
            {"amount": "2.50", "type": "OVERDUE", "description": "Myöhästymismaksu"},
            {"amount": "2.00", "type": "COPY", "description": "Tulosteet"},
        ]
        for patron in made:
            await self._control(f"/patrons/{patron['patron_id']}/charges", charges)
        return cards

    async def start(self, address: str, card: str) -> str:
        """Click: start a payment and return its id."""
        order = {"card_number": card, "branch": "CPL", "register": "10", "clerk": "anna"}
        async with self.http.post(f"{address}/api/v1/payments", json=order, headers=self.key) as answer:
            content = await answer.json()
            assert answer.status == 201, content
            return str(content["id"])

    @property
    def key(self) -> dict[str, str]:
        """Return the header that lets a program in."""
        return {"Authorization": f"Bearer {self.town.api_key}"}

    async def _control(self, path: str, body: object) -> Any:
        async with self.http.post(f"{self.town.library}/control{path}", json=body) as answer:
            assert answer.status == 201, await answer.text()
            return await answer.json()


@contextlib.asynccontextmanager
async def clerks(made: Town) -> AsyncIterator[Clerks]:
    """Open the connections of the clerks, as many as they need."""
    unlimited = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=unlimited) as http:
        yield Clerks(made, http)


def synced_ms(folder: Path, count: int) -> list[float]:
    """Write a page and wait for the disk, so many times; return how many milliseconds each took."""
    taken: list[float] = []
    with (folder / "synced").open("wb", buffering=0) as file:
        for _ in range(count):
            begun = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    return taken


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value that this part of all lies at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def load() -> str:
    """Say how busy the machine is with other things."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


async def in_time(seconds: float, work: Any) -> Any:
    """Wait for work that must come to an end."""
    async with asyncio.timeout(seconds):
        return await work


def free_port() -> int:
    """Find a port that nobody uses."""
    with listening_socket(HOST, 0) as free:
        return int(free.getsockname()[1])
