# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run is made of: a setup and a list of steps with their times, which fit into a file and play again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tillbridge.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Step:
    """Let somebody do something, or something go wrong, at a time (seconds since the start).

    `n` counts the payment, the process or the patron that is meant; `pick` (0 to 1) decides what the deed leaves open.
    """

    at: float
    do: str
    n: int = 0
    pick: float = 0.0


@dataclass(frozen=True, slots=True)
class Setup:
    """Say what stands there before the first step."""

    start: float = 1_790_000_000.0
    """The time on the wall at the start, in seconds since 1970."""
    zone: str = "Europe/Helsinki"
    processes: int = 1
    mode: int = 2
    tls: bool = True
    version: str = "2.0"
    oauth: bool = False
    retries: int = 3
    """How often the till repeats a report that was not answered 200."""
    names_payer: bool = True
    restart_after: int = 0
    """After how many requests Koha replaces a worker, and stalls."""
    plugin: bool = False
    """Whether Koha has Tillbridge's plugin at the start."""
    patrons: tuple[tuple[str, tuple[str, ...]], ...] = (("Virtanen", ("2.40", "0.20")),)
    """Surname, and what is owed."""


@dataclass(frozen=True, slots=True)
class Script:
    """Hold all that decides a run."""

    seed: int
    setup: Setup = field(default_factory=Setup)
    steps: tuple[Step, ...] = ()
    why: str = ""
    """What it shows, for those who find it in a file."""


def write_script(script: Script, path: Path) -> None:
    """Write a script where it can be played again."""
    steps = [{key: value for key, value in asdict(step).items() if value or key == "at"} for step in script.steps]
    lines = ",\n    ".join(json.dumps(step, ensure_ascii=False) for step in steps)
    head = json.dumps(
        {"seed": script.seed, "why": script.why, "setup": asdict(script.setup)}, ensure_ascii=False, indent=2
    )
    body = f"[\n    {lines}\n  ]" if steps else "[]"
    path.write_text(f'{head[:-2]},\n  "steps": {body}\n}}\n', encoding="utf-8")


def read_script(path: Path) -> Script:
    """Read a script; raise SettingsError where the file is none."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return Script(read["seed"], _setup(read["setup"]), tuple(Step(**step) for step in read["steps"]), read["why"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "Name a file that tillbridge simulate --keep has written"
        raise SettingsError(str(path), f"this is no script of a simulation: {error}", remedy) from error


def _setup(read: dict[str, Any]) -> Setup:
    patrons = tuple((name, tuple(owed)) for name, owed in read.pop("patrons"))
    return Setup(patrons=patrons, **read)
