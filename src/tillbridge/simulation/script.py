# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run is made of: a setup and a list of steps with their times, which fit into a file and play again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tillbridge.errors import SettingsError

_KEYS = ("seed", "why", "setup", "steps")
_REMEDY = "Name a file that tillbridge simulate --keep has written"


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
    read = _read(path)
    if not isinstance(read, dict):
        raise _no_script(path, "it holds no JSON object")
    if lacking := [key for key in _KEYS if key not in read]:
        raise _no_script(path, f"it lacks {', '.join(lacking)}")
    try:
        script = Script(read["seed"], _setup(read["setup"]), tuple(Step(**step) for step in read["steps"]), read["why"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_script(path, "its setup or one of its steps holds something else than is written there") from error
    if not isinstance(script.seed, int) or not all(map(_can_be_played, script.steps)):
        raise _no_script(path, "its seed, or a number in one of its steps, is none that can be played")
    return script


def _read(path: Path) -> object:
    try:
        read: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(str(path), "there is no such file", _REMEDY) from error
    except OSError as error:
        raise SettingsError(str(path), f"this cannot be read: {error.strerror or error}", _REMEDY) from error
    except ValueError as error:
        raise _no_script(path, "it is no JSON") from error
    return read


def _no_script(path: Path, why: str) -> SettingsError:
    return SettingsError(str(path), f"this is no script of a simulation: {why}", _REMEDY)


def _can_be_played(step: Step) -> bool:
    numbers = isinstance(step.at, int | float) and isinstance(step.n, int) and isinstance(step.pick, int | float)
    return numbers and step.at >= 0 and 0 <= step.pick < 1


def _setup(read: dict[str, Any]) -> Setup:
    patrons = tuple((name, tuple(owed)) for name, owed in read.pop("patrons"))
    return Setup(patrons=patrons, **read)
