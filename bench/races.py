# SPDX-License-Identifier: GPL-3.0-or-later
"""Race two bridges on one PostgreSQL: reports, clerks and answers that come to both of them at the same instant.

Each bridge is a process of its own, and everybody talks HTTP. After each round the payment must be booked once, or not
at all, with till, bridge and library system at one; how often who was first is counted.

    .venv/bin/python bench/races.py [--rounds 1000] [--races TEXT] [--seed N] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

import benching
from support.postgres import cluster
from support.races import RACES, Raced, run
from support.racing import course
from support.stores import quick_postgres


async def raced(names: Sequence[str], rounds: int, seed: int, kept: Path | None) -> list[Raced]:
    """Run the races one after the other, with the same two bridges; what is done by then is kept after each."""
    chance = random.Random(seed)  # noqa: S311 - a seed that can be had again, no secret
    done: list[Raced] = []
    with benching.place() as folder, cluster(**benching.CARE) as server, quick_postgres(server.url) as database:
        async with course(folder, database, chance) as made:
            for name in names:
                done.append(await run(name, made, rounds))
                tell(done[-1])
                keep(done, kept)
    return done


def tell(done: Raced) -> None:
    """Say how a race went, and which rules were broken."""
    took = f"{done.seconds} s, {benching.load()}"
    print(f"{done.race}: {done.rounds} rounds, {done.violations} violations, {took}", file=sys.stderr)
    for rule in done.broken[:10]:
        print(f"  {rule}", file=sys.stderr)


def keep(done: Sequence[Raced], kept: Path | None) -> None:
    """Write the counts where others read them."""
    if kept is not None:
        text = json.dumps([asdict(each) for each in done], indent=1, ensure_ascii=False)
        kept.write_text(f"{text}\n", encoding="utf-8")


def table(done: Sequence[Raced]) -> Table:
    made = Table(title="Races of two bridges on one PostgreSQL", title_justify="left")
    made.add_column("race")
    made.add_column("rounds", justify="right")
    made.add_column("who was first, or how it ended")
    made.add_column("violations", justify="right")
    for each in done:
        ends = ", ".join(f"{outcome}: {count}" for outcome, count in sorted(each.outcomes.items()))
        made.add_row(each.race, str(each.rounds), ends, str(each.violations))
    return made


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--races", default="", help="run the races whose names have this in them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the counts here")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    names = [name for name in RACES if asked.races in name]
    done = asyncio.run(raced(names, asked.rounds, asked.seed, asked.json))
    Console(width=120, highlight=False).print(table(done))
    return 1 if any(each.violations for each in done) else 0


if __name__ == "__main__":
    sys.exit(main())
