# SPDX-License-Identifier: GPL-3.0-or-later
"""Let everything happen to real processes while thousands of payments run, then compare the three ledgers to the cent.

Bridges (one on SQLite, two on PostgreSQL), register server, library system and database are processes of their own.
They are killed, paused and restarted, their connections are cut, till and library do wrong, and people are impatient.
What is decided by people at last is decided by a look at till and library. Exit status 1 where anything differs.

    .venv/bin/python bench/chaos.py --engine sqlite|postgresql [--payments 10000] [--seed 1] [--minutes M] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

import benching
from support.mishaps import Mishap
from support.rig import open_rig
from support.turmoil import Outcome, Turmoil, deck_of
from tillbridge import __version__

CUSTOMER_S = 8.0
"""How long the slowest customer takes: longer than a lease, so that a sleeper leaves held requests behind."""

GLANCE_S = 5.0
"""How often a clerk looks at the screen; to look more often would keep the machine busy with nothing else."""

_console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Figures:
    """Hold what a run came to, for people and as JSON."""

    turmoil: Turmoil
    outcome: Outcome
    began: datetime
    seconds: float
    seed: int

    @property
    def differences(self) -> list[str]:
        """Return what differs."""
        return self.outcome.compared.differences

    def document(self) -> dict[str, Any]:
        """Return everything as one JSON object; sums are in cents."""
        payments, compared, rig = self.outcome.payments, self.outcome.compared, self.turmoil.rig
        return {
            "measure": "chaos",
            "version": __version__,
            "engine": rig.engine,
            "seed": self.seed,
            "began": self.began.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "bridges": len(rig.bridges),
            "payments": len(payments),
            "payments_per_s": round(len(payments) / self.seconds, 1),
            "collections": dict(Counter(one["collection"] for one in payments)),
            "bookings": dict(Counter(one["booking"] for one in payments)),
            "mishaps": self._mishaps(),
            "failed_starts": sum(bridge.failed_starts for bridge in rig.bridges),
            "reports": {str(status): times for status, times in rig.reports.statuses.items()},
            "people": dict(rig.desk.did),
            "cases": dict(self.outcome.cases),
            "events": dict(self.outcome.events),
            "history": self.outcome.verified,
            "till_minor": compared.till_minor,
            "bridge_minor": compared.bridge_minor,
            "library_minor": compared.library_minor,
            "differences": compared.differences,
        }

    def _mishaps(self) -> dict[str, dict[str, int]]:
        groups: dict[str, dict[str, int]] = {}
        for (group, name), times in sorted(self.turmoil.happened.items()):
            groups.setdefault(group, {})[name] = times
        return groups

    def table(self) -> Table:
        """Return the summary."""
        table = Table(title=f"Chaos on {self.turmoil.rig.engine}, seed {self.seed}")
        table.add_column("What", no_wrap=True)
        table.add_column("How often", justify="right", overflow="fold")
        for name, value in self._rows():
            table.add_row(name, f"{value:,}" if isinstance(value, int) else value)
        return table

    def _rows(self) -> Iterator[tuple[str, int | str]]:
        document = self.document()
        yield "payments", document["payments"]
        yield "payments/s, with all that happened", str(document["payments_per_s"])
        yield from ((name, times) for name, times in sorted(document["collections"].items()))
        yield "booked", document["bookings"].get("booked", 0)
        for group, found in document["mishaps"].items():
            yield group, sum(found.values())
            yield from ((f"  {name}", times) for name, times in found.items())
        yield "cases", sum(document["cases"].values())
        yield from ((f"  {kind}", times) for kind, times in sorted(document["cases"].items()))
        yield "history", document["history"]
        for ledger in ("till", "bridge", "library"):
            yield f"{ledger}, cents", document[f"{ledger}_minor"]
        yield "differences", len(self.differences)


def _often(payments: int) -> Any:
    """Say how often a mishap is to happen: at least once, and by its share of all payments."""

    def often(mishap: Mishap) -> int:
        return max(1, round(mishap.often * payments / 1000))

    return often


async def _watch(turmoil: Turmoil, total: int) -> None:
    """Show how far it is until cancelled."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=_console, refresh_per_second=2) as progress:
        payments = progress.add_task("payments", total=turmoil.payments)
        mishaps = progress.add_task("mishaps", total=total)
        while True:
            progress.update(payments, completed=turmoil.done)
            what = ", ".join(turmoil.happening.values()) if turmoil.done >= turmoil.payments else "mishaps"
            progress.update(mishaps, completed=turmoil.happened.total(), description=what)
            await asyncio.sleep(0.5)


async def _run(folder: Path, chosen: argparse.Namespace) -> Figures:
    chance = random.Random(chosen.seed)  # noqa: S311 - a seed that can be had again, no secret
    begun, began = time.monotonic(), datetime.now(UTC)
    async with open_rig(folder, chosen.engine, chance, customer_s=CUSTOMER_S) as rig:
        rig.desk.glance_s = GLANCE_S
        until = None if chosen.minutes is None else begun + 60 * chosen.minutes
        turmoil = Turmoil(rig, chance, chosen.payments, chosen.clerks, until)
        deck = deck_of(rig, _often(chosen.payments))
        watching = asyncio.create_task(_watch(turmoil, len(deck)))
        await turmoil.blow(deck)
        seconds = time.monotonic() - begun
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        _console.print("The faults are over; people decide what is left.")
        return Figures(turmoil, await turmoil.rest(), began, seconds, chosen.seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--payments", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="no further customer comes after so many minutes")
    parser.add_argument("--clerks", type=int, default=150, help="how many payments are under way at once")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--folder", type=Path, help="keep databases and logs in this folder")
    chosen = parser.parse_args()
    benching.open_files()
    with benching.place() as temporary:
        folder = chosen.folder or temporary
        folder.mkdir(parents=True, exist_ok=True)
        figures = uvloop.run(_run(folder, chosen))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures.document(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    Console().print(figures.table())
    for difference in figures.differences:
        print(difference)
    sys.exit(1 if figures.differences else 0)


if __name__ == "__main__":
    main()
