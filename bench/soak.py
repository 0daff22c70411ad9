# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every proof in its long form, one after the other, keep the results, and write RELIABILITY.md."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

import reliability
from reliability import PARTS, RESULTS, ROOT

PROGRAM = str(Path(sys.executable).with_name("tillbridge"))
FIRST_SEED = 1
SEEDS_A_MINUTE = 200
"""A little less than one processor plays: how long the simulator runs is asked for in minutes."""

OnlyOption = Annotated[list[str] | None, typer.Option(help="Run this part alone; may be given several times")]
MinutesOption = Annotated[int, typer.Option(min=1, help="How long the simulator runs, about")]
PaymentsOption = Annotated[int, typer.Option(min=1, help="Payments of each chaos")]
RoundsOption = Annotated[int, typer.Option(min=1, help="Rounds of each race")]


def commands(*, minutes: int, payments: int, rounds: int, jobs: int) -> dict[str, list[str]]:
    """Return each part's command; `--json FILE` is put behind it."""
    python = [sys.executable]
    last_seed = FIRST_SEED + minutes * jobs * SEEDS_A_MINUTE - 1
    chaos = [*python, "bench/chaos.py", "--payments", str(payments), "--engine"]
    return {
        "canary": [*python, "tests/simulation/canary.py", "--jobs", str(jobs)],
        "crashes": [*python, "bench/crashes.py", "--jobs", str(jobs)],
        "races": [*python, "bench/races.py", "--rounds", str(rounds)],
        "chaos-sqlite": [*chaos, "sqlite"],
        "chaos-postgresql": [*chaos, "postgresql"],
        "simulate": [PROGRAM, "simulate", "--seeds", f"{FIRST_SEED}..{last_seed}", "--jobs", str(jobs)],
        "mutants": [*python, "bench/mutants.py", "--anew", "--jobs", str(jobs)],
    }


def run(name: str, command: list[str], folder: Path) -> bool:
    """Run one part and keep what it came to; one that has failed takes the place of an earlier one that had passed."""
    typer.echo(f"== {name}: {' '.join(command[1:])}")
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "results.json"
        before, began = _version(), time.monotonic()
        passed = subprocess.run([*command, "--json", str(file)], cwd=ROOT, check=False).returncode == 0
        about = {
            "day": datetime.now(UTC).date().isoformat(),
            "commit": before if _version() == before else f"{before}, changed while it ran",
            "machine": f"{len(os.sched_getaffinity(0))} processors, Python {platform.python_version()}",
            "lasted": _lasted(time.monotonic() - began),
            "command": _typed(command),
            "passed": passed,
        }
        results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    folder.mkdir(exist_ok=True)
    kept = json.dumps({"run": about, "results": results}, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(f"{kept}\n", encoding="utf-8")
    return passed


def _version() -> str:
    """Name the commit, and say where the files are not those of the commit: the results of the parts do not count."""
    changed = ["status", "--porcelain", "--untracked-files=no", "--", ":!RELIABILITY.md", ":!bench/results"]
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    return f"{commit} with changes" if _git(*changed) else commit


def _git(*arguments: str) -> str:
    asked = subprocess.run(["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True)
    return asked.stdout.strip()


def _lasted(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def _typed(command: list[str]) -> str:
    """Return the command as one types it at the top of the repository."""
    return " ".join([f".venv/bin/{Path(command[0]).name}", *command[1:]])


def main(
    *,
    only: OnlyOption = None,
    minutes: MinutesOption = 70,
    payments: PaymentsOption = 10_000,
    rounds: RoundsOption = 1000,
    jobs: Annotated[int, typer.Option(min=1, help="Processes for the simulator")] = 2,
    folder: Annotated[Path, typer.Option(help="Where the results are kept")] = RESULTS,
) -> None:
    """Run every proof in its long form and write RELIABILITY.md; exit 1 where one has failed."""
    every = commands(minutes=minutes, payments=payments, rounds=rounds, jobs=jobs)
    unknown = sorted({*(only or ())} - {*every})
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(every)}", param_hint="--only")
    failed = [name for name in only or every if not run(name, every[name], folder)]
    reliability.main(folder)
    for name in failed:
        typer.echo(f"failed: {name}", err=True)
    raise typer.Exit(1 if failed else 0)


assert {part.name for part in PARTS} == {*commands(minutes=1, payments=1, rounds=1, jobs=1)}

if __name__ == "__main__":
    typer.run(main)
