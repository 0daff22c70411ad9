# SPDX-License-Identifier: GPL-3.0-or-later
"""Break the bridge on purpose in many ways, and let the simulator find each: `make canary`.

A simulator that finds nothing proves nothing. So each planted bug is a change that a careless programmer could make,
and seeds are played until a rule finds it; a bug that chance seldom meets has a script of its own. The healthy bridge
plays the same scripts and some seeds, and must break no rule.

    .venv/bin/python tests/simulation/canary.py [--jobs N] [--only NAME] [--json FILE]
"""

from __future__ import annotations

import json as documents
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import pytest
import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulation.planted import BUGS
from simulation.planted.bug import Bug
from tillbridge.simulation.drawing import draw
from tillbridge.simulation.play import Outcome, play
from tillbridge.simulation.script import Script
from tillbridge.simulation.shrinking import rule_in

HEALTHY_SEEDS = range(10)

OnlyOption = Annotated[str, typer.Option(help="Hunt the bugs whose names have this in them")]
JsonOption = Annotated[Path | None, typer.Option(help="Write here what was found, as JSON")]


@dataclass(frozen=True)
class Hunt:
    """Say how the hunt for a bug has ended: `rule` found it after so many `seeds`."""

    bug: str
    row: int | None
    rule: str
    seeds: int
    limit: int
    found: bool


def first_found(bug: Bug) -> tuple[int, Outcome | None]:
    """Play until the bug's rule finds it; return how many runs that took, and the last one if it did."""
    runs = 0
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        for script in bug.scripts:
            outcome, runs = play(script), runs + 1
            if bug.rule in (outcome.broken or ""):
                return runs, outcome
    return runs, None


def hunt(bug: Bug) -> Hunt:
    """Hunt one bug."""
    runs, outcome = first_found(bug)
    rule = rule_in((outcome and outcome.broken) or bug.rule, "…").removeprefix("…: ")
    return Hunt(bug.name, bug.row, rule, runs, bug.limit, outcome is not None)


def _hunt_nth(n: int) -> Hunt:
    return hunt(BUGS[n])


def hunted(bugs: Sequence[Bug], jobs: int) -> Iterator[Hunt]:
    """Hunt all, a bug in a process at a time."""
    if jobs == 1:
        yield from map(hunt, bugs)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(_hunt_nth, map(BUGS.index, bugs))


def guilty(bugs: Iterable[Bug]) -> list[str]:
    """List the rules that the healthy bridge breaks, with all that the bugs play and some seeds."""
    scripts: list[Script] = [*map(draw, HEALTHY_SEEDS), *(bug.script for bug in bugs if bug.script is not None)]
    return [broken for broken in (play(script).broken for script in scripts) if broken is not None]


def table(hunts: Iterable[Hunt]) -> Table:
    """Lay out what was found."""
    made = Table("bug", "plugin row", "rule that found it", title="Planted bugs", title_justify="left")
    for heading in ("after seeds", "limit"):
        made.add_column(heading, justify="right")
    for each in hunts:
        row = "" if each.row is None else str(each.row)
        rule = each.rule if each.found else "NOT FOUND"
        made.add_row(each.bug, row, rule, str(each.seeds), str(each.limit) if each.limit > 1 else "its script")
    return made


def _told(hunts: Iterable[Hunt], tell: Callable[[str], object]) -> Iterator[Hunt]:
    for each in hunts:
        tell(f"{each.bug}: {f'found after {each.seeds}' if each.found else 'NOT FOUND'}")
        yield each


def main(
    *,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes to hunt with")] = 1,
    only: OnlyOption = "",
    json: JsonOption = None,
) -> None:
    """Hunt every planted bug; exit 1 where one is not found within its limit, or the healthy bridge breaks a rule."""
    bugs = [bug for bug in BUGS if only in bug.name]
    if not bugs:
        raise typer.BadParameter("no bug has this in its name", param_hint="--only")
    broken = guilty(bugs)
    for rule in broken:
        typer.echo(f"the healthy bridge breaks a rule: {rule}", err=True)
    hunts = list(_told(hunted(bugs, jobs), lambda text: typer.echo(text, err=True)))
    Console(width=150, highlight=False).print(table(hunts))
    if json is not None:
        json.write_text(
            documents.dumps(list(map(asdict, hunts)), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    raise typer.Exit(1 if broken or not all(each.found for each in hunts) else 0)


if __name__ == "__main__":
    typer.run(main)
