# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the domain and the service in one small place at a time, and see whether a test fails for it.

Takes hours of a processor. A run that was broken off goes on where it was, and only functions that have changed
since are tried again: a figure to be told is one of a run that began anew.
mutmut has an environment of its own, beside that of the tests.

    .venv/bin/python bench/mutants.py [PATTERN ...] [--jobs N] [--again] [--anew] [--json FILE]

PATTERN is such as tillbridge.domain.*
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import mutants_order

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build/mutants"
ENVIRONMENT = BUILD / "venv"
TREE = BUILD / "tree"
MUTMUT = "mutmut==3.8.1"

NOT_TRIED = "not checked"
BY_TYPES = "caught by type check"
"""Verdict of mutmut: mypy says no, as it would in `make test`."""
NOT_FOUND = (0, 33)
"""How mutmut writes down in its own files that nothing was noticed, or that no test comes there."""
FOUND = ("killed", "timeout", BY_TYPES)
"""Verdicts of mutmut that mean: it was noticed."""


def prepare(*, anew: bool) -> None:
    """Install mutmut where it can see the packages of the tests, and copy what is kept in the repository.

    Which tests come to which function is found out each time: mutmut would believe what it found before.
    """
    if anew:
        shutil.rmtree(TREE, ignore_errors=True)
    (TREE / "mutants/mutmut-stats.json").unlink(missing_ok=True)
    if not (ENVIRONMENT / "bin/mutmut").exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        beside = next((ENVIRONMENT / "lib").glob("python3*/site-packages")) / "tests.pth"
        beside.write_text(f"{_packages_of_the_tests()}\n", encoding="utf-8")
        pip = [str(ENVIRONMENT / "bin/python"), "-m", "pip", "install", "--quiet", "--no-input"]
        subprocess.run([*pip, "--disable-pip-version-check", MUTMUT], check=True)
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        _renew(ROOT / name, TREE / name)


def _packages_of_the_tests() -> Path:
    return next(Path(sys.prefix, "lib").glob("python3*/site-packages"))


def _renew(source: Path, copy: Path) -> None:
    """Copy what differs alone: mutmut looks at the times of files."""
    if source.is_file() and not (copy.exists() and copy.read_bytes() == source.read_bytes()):
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


def mutmut(*arguments: str) -> str:
    """Run mutmut and return what it prints."""
    return _run(*arguments, stdout=subprocess.PIPE).stdout


def _run(*arguments: str, stdout: int | None = None) -> subprocess.CompletedProcess[str]:
    finders = BUILD / "finders"
    finders.mkdir(exist_ok=True)
    changes = {
        # It runs mypy, which has to be the one that can see mutmut as well.
        "PATH": f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "bench"),
        "PYTEST_PLUGINS": mutants_order.__name__,
        mutants_order.FINDERS: str(finders),
    }
    program = [str(ENVIRONMENT / "bin/mutmut"), *arguments]
    return subprocess.run(program, cwd=TREE, env=os.environ | changes, check=True, stdout=stdout, text=True)


def forget_what_was_not_found() -> None:
    """Let those be tried again that no test had found: there may be other tests by now."""
    for file in TREE.glob("mutants/**/*.meta"):
        kept = json.loads(file.read_text(encoding="utf-8"))
        codes = kept["exit_code_by_key"]
        codes.update(dict.fromkeys((name for name, code in codes.items() if code in NOT_FOUND), None))
        file.write_text(json.dumps(kept, indent=4), encoding="utf-8")


def verdicts(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Read mutmut's list: (mutant, verdict) for each."""
    for line in lines:
        mutant, colon, verdict = line.strip().partition(": ")
        if colon:
            yield mutant, verdict


def module_of(mutant: str) -> str:
    """Return the module of `tillbridge.domain.money.x_name__mutmut_3`."""
    return mutant.rpartition(".")[0]


def document(listed: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures, as RELIABILITY.md shows them; the second score is that of the tests alone."""
    tried = {mutant: verdict for mutant, verdict in listed.items() if verdict != NOT_TRIED}
    verdicts_of: defaultdict[str, list[str]] = defaultdict(list)
    for mutant, verdict in sorted(tried.items()):
        verdicts_of[module_of(mutant)].append(verdict)
    whole = counted(tried.values()) | {"not_tried": len(listed) - len(tried)}
    scores = {
        "score": _percent(whole["mutants"] - whole["not_found"], whole["mutants"]),
        "score_where_types_say_nothing": _percent(whole["found_by_tests"], whole["mutants"] - whole["found_by_types"]),
    }
    return whole | scores | {"modules": {module: counted(each) for module, each in verdicts_of.items()}}


def counted(verdicts: Iterable[str]) -> dict[str, int]:
    """Count mutants by who has found them."""
    counts = Counter("types" if verdict == BY_TYPES else verdict in FOUND for verdict in verdicts)
    return {
        "mutants": counts.total(),
        "found_by_types": counts["types"],
        "found_by_tests": counts[True],
        "not_found": counts[False],
    }


def _percent(found: int, tried: int) -> str:
    return f"{100 * found / tried:.1f} %" if tried else "nothing was tried"


def table(made: Mapping[str, Any]) -> Table:
    """Show each module with how many of its mutants were found."""
    shown = Table("module", "mutants", "found by types", "found by tests", "not found", title="Mutants")
    for module, counts in made["modules"].items():
        shown.add_row(module, *map(str, counts.values()))
    return shown


def main(
    patterns: Annotated[list[str] | None, typer.Argument(help="Try these mutants alone; * stands for anything")] = None,
    *,
    jobs: Annotated[int, typer.Option(min=1, help="Processes")] = 2,
    again: Annotated[bool, typer.Option("--again", help="Try again what was not found: there are new tests")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Believe nothing that was found before")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here")] = None,
) -> None:
    """Try the mutants, show which were not found, and print the score."""
    prepare(anew=anew)
    if again:
        forget_what_was_not_found()
    _run("run", "--max-children", str(jobs), *(patterns or ()))
    listed = dict(verdicts(mutmut("results", "--all", "true").splitlines()))
    for mutant in (mutant for mutant, verdict in sorted(listed.items()) if verdict not in (*FOUND, NOT_TRIED)):
        typer.echo(mutmut("show", mutant))
    made = document(listed)
    Console().print(table(made))
    typer.echo(f"found: {made['score']}; where types say nothing: {made['score_where_types_say_nothing']}")
    if json_file:
        json_file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    if made["not_tried"]:
        typer.echo(f"not tried: {made['not_tried']}")
        raise typer.Exit(0 if patterns else 1)


if __name__ == "__main__":
    typer.run(main)
