# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation of which every part is a process of its own that may be killed, with wires that may be cut.

Bridges, register server, library system and, where there are two bridges, PostgreSQL. The bridges reach the till and
the library over wires, and reports go through a relay to every bridge. People look at till and library directly.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import aiohttp
from sqlalchemy import URL

from support.desk import Desk
from support.mortal import Mortal, mortal_bridge, mortal_simulator
from support.postgres import Server, conninfo, initialised, running
from support.relay import Relay
from support.wire import Wire
from tillbridge.demo.setup import HOST, OFFICES, SOURCE, Setup
from tillbridge.demo.stage import Scenery, make_secrets, write_settings
from tillbridge.listening import listening_socket

Engine = Literal["sqlite", "postgresql"]

LEASE_S = 5.0
PAUSE_S, LONG_PAUSE_S = (0.05, 1.5), (LEASE_S + 2.0, LEASE_S + 3.0)
"""A long pause of a bridge outlasts its leases: another one takes over what the sleeper will go on with."""

PAUSE_OUTSIDE_S = (0.1, 2.5)
"""How long till and library stand still."""

SLOW_CREDIT_S = 4.0
"""Now and then Koha takes so long that it is given up after 2 s, and looked up in vain before the credit is there after
all; sooner than `surely_ended_s`, as it must be in earnest."""

SURELY_ENDED_S: Mapping[Engine, float] = {"sqlite": 10.0, "postgresql": 15.0}
"""What a lease must have left when a booking goes out, and this, are together longer than the longest pause with its
request, as they must be in earnest: it keeps a booking from being repeated under a sleeper's hands."""

SURE_S: Mapping[Engine, float] = {
    "sqlite": PAUSE_OUTSIDE_S[1] + 1.5,
    "postgresql": LONG_PAUSE_S[1] + PAUSE_OUTSIDE_S[1] + 1.5,
}
"""How long people look for a payment at the till that may still be on its way to it: a sleeper may send it late."""

LIMITS = {
    "reach_s": 600.0,
    "reach_again_s": 0.1,
    "at_register_s": 15.0,
    "ask_s": 1.0,
    "late_s": 15.0,
    "patron_busy_s": 0.05,
    "booking_again_s": [0.1, 0.3, 1.0],
    "look_again_s": 10.0,
    "lease_s": LEASE_S,
    "renew_s": 0.5,
    "patience_s": 2.5,
    "send_margin_s": 1.5,
    "write_margin_s": 0.5,
    "write_hang_s": 0.3,
}
"""Limits for people who cannot wait."""

SETTINGS = {
    # A token, once refused, makes four requests of one, and the lease as much longer.
    'client_id = "tillbridge"\nclient_secret_file': 'user = "tillbridge"\npassword_file',
    "answer_s = 30\n": "connect_s = 1\nanswer_s = 2\n",
    "mode = 2\n": "mode = 2\nconnect_s = 1\nheld_s = 20\n",
    '[branch.MPL]\nregister_server = "demo"': '[branch.MPL]\nregister_server = "later"',
}
"""What is changed in the settings of the demo."""


class OverError(Exception):
    """Say that the run is over, so that nothing more is to happen."""


@dataclass
class Rig:
    """Hold all parts."""

    engine: Engine
    bridges: tuple[Mortal, ...]
    till: Mortal
    library: Mortal
    server: Server | None
    to_till: Wire
    to_library: Wire
    reports: Relay
    desk: Desk
    settings: Path
    """The settings of the first bridge."""
    over: bool = False
    undisturbed: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held where a bridge is killed, and where the other one must stay alive since this one sleeps."""

    def need_more(self) -> None:
        """Raise OverError where the run is over, so that what is waited for will never happen."""
        if self.over:
            raise OverError

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; raise OverError where the run is over before."""
        while not holds():
            self.need_more()
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Ports:
    """Hold where everything listens."""

    till: int
    library: int
    to_till: int
    to_library: int
    reports: int
    bridges: Sequence[int]

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return where the bridges answer."""
        return tuple(_address(port) for port in self.bridges)


@contextlib.asynccontextmanager
async def open_rig(
    folder: Path, engine: Engine, chance: random.Random, *, customer_s: float, copies: int = 1
) -> AsyncIterator[Rig]:
    """Start everything; customers take up to `customer_s`, and each bridge is given `copies` of each report."""
    async with contextlib.AsyncExitStack() as stack:
        server = _server(stack) if engine == "postgresql" else None
        ports, keys = _free_ports(bridges=1 if server is None else 2), make_secrets(folder)
        files = _write_settings(folder, ports, None if server is None else server.cluster.url)
        wires = Wire(HOST, ports.to_till, ports.till), Wire(HOST, ports.to_library, ports.library)
        reports = Relay(ports.addresses, copies)
        for part in (wires[0].running(), wires[1].running(), reports.running(HOST, ports.reports)):
            await stack.enter_async_context(part)
        till, library = _till(folder, ports, keys, customer_s), _library(folder, ports, keys)
        limits = LIMITS | {"surely_ended_s": SURELY_ENDED_S[engine]}
        bridges = tuple(mortal_bridge(file, limits, log=file.with_suffix(".log"), supervised=True) for file in files)
        for mortal in (till, library, *bridges):
            await stack.enter_async_context(mortal.alive())
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        scenery = Scenery(ports.reports, _address(ports.library), _address(ports.till), files[0], keys["api-key"])
        desk = Desk(scenery, http, ports.addresses, chance, sure_s=SURE_S[engine])
        yield Rig(engine, bridges, till, library, server, *wires, reports, desk, files[0])


def _server(stack: contextlib.AsyncExitStack) -> Server:
    """Start a PostgreSQL that no other test uses, since it will be stopped."""
    return stack.enter_context(running(stack.enter_context(initialised())))


def _till(folder: Path, ports: Ports, keys: Mapping[str, str], customer_s: float) -> Mortal:
    settings = {
        "source": SOURCE,
        "secret": keys["ceepos"],
        "offices": OFFICES,
        "api_version": "3.0",
        "report_retries": 40,
        "report_retry_after_s": 1.0,
        "report_limit_s": 60.0,  # longer than the relay waits
        "autopilot": {"do": "accept", "after_s": 0.0, "spread_s": customer_s, "cancel_share": 0.2},
        "state": str(folder / "till.db"),
    }
    return mortal_simulator("till", ports.till, settings, log=folder / "till.log")


def _library(folder: Path, ports: Ports, keys: Mapping[str, str]) -> Mortal:
    account = {"client_id": "tillbridge", "client_secret": keys["koha"], "password": keys["koha"]}
    # A Koha needs some time to book, in which a bridge can be killed or paused.
    settings = {"accounts": [account], "seeded": False, "credit_s": 0.15, "state": str(folder / "library.db")}
    return mortal_simulator("library", ports.library, settings, log=folder / "library.log")


def _write_settings(folder: Path, ports: Ports, database: URL | None) -> list[Path]:
    """Write the settings of each bridge: its port, the database of all, two register servers that are one till."""
    protocol = f"{_address(ports.to_till)}/maksu.html"
    text = write_settings(folder, ports.reports, Setup(), _address(ports.to_library), protocol).read_text("utf-8")
    for old, new in SETTINGS.items():
        text = _replaced(text, old, new)
    if database is not None:
        text = _replaced(text, '"tillbridge.db"', f'"{conninfo(database)}"')
    text = _with_mode_1(text)
    return [_written(folder / f"bridge-{port}.toml", text, ports.reports, port) for port in ports.bridges]


def _with_mode_1(text: str) -> str:
    """Give the second branch a register server that answers at once and reports later."""
    table = text[text.index("[register_server.demo]") : text.index("[branch.CPL]")]
    later = _replaced(table.replace("register_server.demo", "register_server.later"), "mode = 2", "mode = 1")
    later = _replaced(later, "held_s = 20", "answer_s = 3")
    return _replaced(text, "[branch.CPL]", f"{later}[branch.CPL]")


def _written(path: Path, text: str, public_port: int, port: int) -> Path:
    path.write_text(_replaced(text, f"\nport = {public_port}\n", f"\nport = {port}\n"), encoding="utf-8")
    return path


def _replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, old
    return text.replace(old, new)


def _address(port: int) -> str:
    return f"http://{HOST}:{port}"


def _free_ports(bridges: int) -> Ports:
    with contextlib.ExitStack() as held:
        listeners = [held.enter_context(listening_socket(HOST, 0)) for _ in range(5 + bridges)]
        ports = [int(listener.getsockname()[1]) for listener in listeners]
    till, library, to_till, to_library, reports, *others = ports
    return Ports(till, library, to_till, to_library, reports, others)
