# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that happens to an installation: one table of mishaps, each of which is over only when it has hit."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from support.mortal import Mortal
from support.postgres import conninfo
from support.relay import Cut as ReportCut
from support.rig import LEASE_S, LONG_PAUSE_S, PAUSE_OUTSIDE_S, PAUSE_S, SLOW_CREDIT_S, Engine, Rig
from support.wire import Cut, Wire

Deed = Callable[[Rig, random.Random], Awaitable[None]]

GLANCE_S = 0.25
SEVERAL = 3
_CREDITS = {"method": "POST", "route": "credits"}


@dataclass(frozen=True)
class Mishap:
    """Name what happens and how often among a thousand payments; those of one lane happen one after the other."""

    group: str
    name: str
    lane: str
    often: int
    deed: Deed


LIBRARY_FAULTS: Mapping[str, tuple[int, Mapping[str, Any]]] = {
    "500, credit kept": (8, {"kind": "credit_500_kept"}),
    "500, credit kept and not applied": (3, {"kind": "credit_500_unapplied"}),
    "201, credit not applied": (3, {"kind": "credit_201_unapplied"}),
    "answer lost, credit kept": (6, {"kind": "answer_lost", **_CREDITS}),
    "connection dropped before the credit": (4, {"kind": "drop_before", **_CREDITS}),
    "502, credit kept": (4, {"kind": "http_502", "stored": True, **_CREDITS}),
    "503, no credit": (3, {"kind": "http_503", **_CREDITS}),
    "504, credit kept": (3, {"kind": "http_504", "stored": True, **_CREDITS}),
    "credit far too slow": (4, {"kind": "delay", "seconds": SLOW_CREDIT_S, **_CREDITS}),
    "answer far too slow, credit kept": (3, {"kind": "delay", "seconds": 5.0, "stored": True, **_CREDITS}),
    "credit forbidden": (3, {"kind": "forbidden", **_CREDITS}),
    "reading fails": (3, {"kind": "http_503", "method": "GET"}),
    "away for a second": (3, {"kind": "unavailable", "seconds": 1.0}),
    "all requests stall": (2, {"kind": "stall", "seconds": 2.5}),
}
"""What the demo library does wrong (docs/how-to/try-the-demo-library.md)."""

TILL_FAULTS: Mapping[str, tuple[int, Mapping[str, Any]]] = {
    "answer late": (4, {"kind": "answer_late", "seconds": 2.0}),
    "no answer ever": (2, {"kind": "answer_never"}),
    "dropped unread": (3, {"kind": "drop_before_reading"}),
    "answer lost, at once": (5, {"kind": "drop_after_reading"}),
    "answer lost, at the end": (5, {"kind": "drop_after_reading", "when": "end"}),
    "500 although it has the payment": (4, {"kind": "http_500"}),
    "503 although it has the payment, at the end": (3, {"kind": "http_503", "when": "end"}),
    "500, not on the till": (3, {"kind": "http_500", "collected": False}),
    "a web page": (3, {"kind": "html"}),
    "answer wrongly signed": (3, {"kind": "bad_hash"}),
    "status 97": (2, {"kind": "status_97"}),
    "status 98": (2, {"kind": "status_98"}),
    "status 99": (3, {"kind": "status_99"}),
    "cancelled by itself": (2, {"kind": "cancelled"}),
    "report twice": (4, {"kind": "report_twice"}),
    "report twice at once": (4, {"kind": "report_twice", "at_once": True}),
    "report before the answer": (3, {"kind": "report_before_answer"}),
    "report late": (4, {"kind": "report_late", "seconds": 4.0}),
    "no report": (6, {"kind": "report_never"}),
    "report wrongly signed": (1, {"kind": "report_wrong_hash"}),
    "report of an unknown id": (1, {"kind": "report_other_id"}),
    "report without a receipt": (2, {"kind": "report_reference_missing"}),
}
"""What the simulated till does wrong (docs/how-to/try-the-till.md)."""


def mishaps(engine: Engine) -> list[Mishap]:
    """List everything that can happen to an installation on this engine."""
    both = [0] if engine == "sqlite" else [0, 1]
    found = [mishap for number in both for mishap in _of_bridge(number, alone=engine == "sqlite")]
    found += [
        Mishap("killed", "till", "outside", 4, _kill_till),
        Mishap("killed", "library", "outside", 4, _kill_library),
        Mishap("paused", "till", "outside", 4, _pause(lambda rig: rig.till, PAUSE_OUTSIDE_S)),
        Mishap("paused", "library", "outside", 4, _pause(lambda rig: rig.library, PAUSE_OUTSIDE_S)),
        *_of_wires(),
        *_of_people(),
    ]
    for (name, (often, fault)), lane, deed in (
        *((each, "library", _library_fault) for each in LIBRARY_FAULTS.items()),
        *((each, "till", _till_fault) for each in TILL_FAULTS.items()),
    ):
        found.append(Mishap(f"fault of the {lane}", name, f"fault of the {lane}", often, deed(fault)))
    return found + ([] if engine == "sqlite" else _of_database())


def _of_bridge(number: int, *, alone: bool) -> list[Mishap]:
    lane, name = f"bridge {number}", "bridge" if alone else f"bridge {number + 1}"
    found = [
        Mishap("killed", name, lane, 4, _kill_bridge(number)),
        Mishap("killed", f"{name}, while it books", lane, 3, _kill_bridge(number, booking=True)),
        Mishap("paused", name, lane, 6, _pause(lambda rig: rig.bridges[number], PAUSE_S)),
        Mishap("paused", f"{name}, past its lease", lane, 1, _sleep(number, alone=alone)),
    ]
    return found


def _of_wires() -> list[Mishap]:
    wires = {"bridge to till": lambda rig: rig.to_till, "bridge to library": lambda rig: rig.to_library}
    kinds: dict[Cut, str] = {"at once": "at once", "request": "request lost", "answer": "answer lost"}
    found = [
        Mishap("cut", f"{name}, {what}", "wires", 4, _cut_next(wire, kind))
        for name, wire in wires.items()
        for kind, what in kinds.items()
    ]
    found += [Mishap("cut", f"{name}, all at once", "wires", 2, _cut_all(wire)) for name, wire in wires.items()]
    reports: dict[ReportCut, str] = {"request": "report lost", "answer": "answer lost"}
    found += [Mishap("cut", f"till to bridge, {what}", "wires", 4, _cut_report(kind)) for kind, what in reports.items()]
    return found


def _of_people() -> list[Mishap]:
    return [
        Mishap("people", "request given up and sent again", "people", 8, _impatience),
        Mishap("people", "double click", "people", 8, _double_click),
        Mishap("people", "customer brings it back", "people", 5, _money_back),
    ]


def _of_database() -> list[Mishap]:
    return [
        Mishap("restarted", "database, in good order", "outside", 2, _restart_database(signal.SIGINT)),
        Mishap("restarted", "database, as after a crash", "outside", 2, _restart_database(signal.SIGQUIT)),
        Mishap("cut", "bridges to database", "outside", 4, _cut_database),
    ]


def _kill_bridge(number: int, *, booking: bool = False) -> Deed:
    async def deed(rig: Rig, chance: random.Random) -> None:
        bridge = rig.bridges[number]
        async with rig.undisturbed:
            if booking:
                await _credit_under_way(rig)
            else:
                await asyncio.sleep(chance.uniform(0, 0.1))
            await bridge.kill()
            await bridge.start()

    return deed


async def _credit_under_way(rig: Rig) -> None:
    """Wait until the library records a credit."""
    while not (await rig.desk.in_library("/faults"))["held"]:
        rig.need_more()
        await asyncio.sleep(0.02)


def _pause(of: Callable[[Rig], Mortal], span_s: tuple[float, float]) -> Deed:
    async def deed(rig: Rig, chance: random.Random) -> None:
        await of(rig).pause(chance.uniform(*span_s))

    return deed


def _sleep(number: int, *, alone: bool) -> Deed:
    """Let a bridge sleep past its leases until another one, where there is one, has taken something over."""

    async def deed(rig: Rig, chance: random.Random) -> None:
        while True:
            async with rig.undisturbed:
                bridge = rig.bridges[number]
                await _several_at_the_till(rig)
                await bridge.pause(chance.uniform(*LONG_PAUSE_S))
                if alone or await _taken_over(rig, *bridge.pauses[-1]):
                    return
            rig.need_more()

    return deed


async def _several_at_the_till(rig: Rig) -> None:
    """Wait until the till has some payments, of which one is likely in the hands of whoever falls asleep."""
    while len(await rig.desk.at_till("/payments?state=waiting")) < SEVERAL:
        rig.need_more()
        await asyncio.sleep(GLANCE_S)


async def _taken_over(rig: Rig, start: float, end: float) -> bool:
    """Tell whether somebody found something half-way after the leases were over and before the sleeper woke up."""
    found = "SELECT count(*) FROM event WHERE facts LIKE '%%the bridge stopped while%%' AND at BETWEEN %s AND %s"
    async with await _asking(rig) as asking:
        row = await (await asking.execute(found, (start + LEASE_S - 1.0, end))).fetchone()
    return row is not None and row[0] > 0


async def _kill_till(rig: Rig, chance: random.Random) -> None:
    await _kill_outside(rig.till, rig.to_till, chance)


async def _kill_library(rig: Rig, chance: random.Random) -> None:
    await _kill_outside(rig.library, rig.to_library, chance)


async def _kill_outside(mortal: Mortal, wire: Wire, chance: random.Random) -> None:
    """Kill till or library; meanwhile connections are refused, or are made and lost."""
    await asyncio.sleep(chance.uniform(0, 0.1))
    refused = chance.random() < 0.5
    if refused:
        await wire.shut()
    await mortal.kill()
    await asyncio.sleep(chance.uniform(0, 1.0))
    await mortal.start()
    if refused:
        await wire.open()


def _restart_database(how: signal.Signals) -> Deed:
    async def deed(rig: Rig, chance: random.Random) -> None:
        assert rig.server is not None
        await asyncio.sleep(chance.uniform(0, 0.1))
        await asyncio.to_thread(rig.server.stop, how)
        await asyncio.sleep(chance.uniform(0, 1.0))
        await asyncio.to_thread(rig.server.start)

    return deed


async def _asking(rig: Rig) -> psycopg.AsyncConnection[tuple[int]]:
    """Connect to the database as soon as it is there."""
    assert rig.server is not None
    while True:
        try:
            return await psycopg.AsyncConnection.connect(conninfo(rig.server.cluster.url), autocommit=True)
        except psycopg.OperationalError:
            await asyncio.sleep(GLANCE_S)


async def _cut_database(rig: Rig, chance: random.Random) -> None:
    """Cut some of the connections that the bridges have, until at least one was there."""
    each = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tillbridge'"
    for _ in range(100):
        async with await _asking(rig) as asking:
            if (await asking.execute(f"{each} AND random() < %s", (chance.uniform(0.2, 1),))).rowcount:
                return
        rig.need_more()
        await asyncio.sleep(GLANCE_S)


def _cut_next(of: Callable[[Rig], Wire], cut: Cut) -> Deed:
    async def deed(rig: Rig, _: random.Random) -> None:
        wire = of(rig)
        before = wire.cuts[cut]
        wire.planned.append(cut)
        await rig.until(lambda: wire.cuts[cut] > before)

    return deed


def _cut_all(of: Callable[[Rig], Wire]) -> Deed:
    async def deed(rig: Rig, _: random.Random) -> None:
        await rig.until(lambda: of(rig).cut_all() > 0)

    return deed


def _cut_report(cut: ReportCut) -> Deed:
    async def deed(rig: Rig, _: random.Random) -> None:
        before = rig.reports.cuts[cut]
        rig.reports.planned.append(cut)
        await rig.until(lambda: rig.reports.cuts[cut] > before)

    return deed


async def _impatience(rig: Rig, chance: random.Random) -> None:
    rig.desk.impatient += chance.randint(1, 5)
    await rig.until(lambda: rig.desk.impatient <= 0)


async def _double_click(rig: Rig, _: random.Random) -> None:
    rig.desk.double_clicks += 1
    await rig.until(lambda: rig.desk.double_clicks <= 0)


async def _money_back(rig: Rig, chance: random.Random) -> None:
    """Let a customer come back for the money, who has paid at some time."""
    while True:
        known = list(rig.desk.payments)
        payment_id = chance.choice(known) if known else ""
        shown = await rig.desk.at_till(f"/payments/{payment_id}") if payment_id else None
        if shown and shown["state"] == "paid" and await rig.desk.at_till(f"/payments/{payment_id}/take-back", "POST"):
            return
        rig.need_more()
        await asyncio.sleep(GLANCE_S)


def _library_fault(fault: Mapping[str, Any]) -> Callable[..., Any]:
    """Plan a fault until it has hit a request: a library that is killed forgets its plans."""

    async def deed(rig: Rig, _: random.Random) -> None:
        while True:
            planned = await rig.desk.in_library("/faults", "POST", fault)
            while (now := await _fault_of(rig, planned["number"])) and not now["hits"]:
                rig.need_more()
                await asyncio.sleep(GLANCE_S)
            if now:
                return

    return deed


async def _fault_of(rig: Rig, number: int) -> Any:
    shown = await rig.desk.in_library("/faults")
    return next((each for each in shown["faults"] if each["number"] == number), None)


def _till_fault(fault: Mapping[str, Any]) -> Deed:
    """Plan a fault until a payment has it: a till that is killed forgets its plans."""

    async def deed(rig: Rig, _: random.Random) -> None:
        while True:
            life = rig.till.kills
            await rig.desk.at_till("/faults", "POST", fault)
            while any(each["for"] == "next" for each in (await rig.desk.at_till("/faults"))["faults"]):
                rig.need_more()
                await asyncio.sleep(GLANCE_S)
            if rig.till.kills == life:
                return

    return deed
