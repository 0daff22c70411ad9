# SPDX-License-Identifier: GPL-3.0-or-later
"""Write RELIABILITY.md from the last results of the long runs:  bench/reliability.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jinja2
import typer

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench/results"
PAGE = ROOT / "RELIABILITY.md"

Row = tuple[object, ...]


@dataclass(frozen=True)
class Part:
    """One kind of proof: what it is, how it is run in its long form, and how its results read."""

    name: str
    title: str
    what: str
    command: str
    read: Callable[[Any], str]


def table(head: Row, rows: Iterable[Row]) -> str:
    """Write a table whose numbers stand to the right."""
    listed = list(rows)
    numeric = [all(isinstance(row[at], int | float) for row in listed) for at in range(len(head))]
    lines = [head, tuple("---:" if number else "---" for number in numeric), *listed]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|")


def _folded(title: str, content: str) -> str:
    return f"\n<details><summary>{title}</summary>\n\n{content}\n</details>\n"


def simulated(results: Mapping[str, Any]) -> str:
    """Tell what the seeds came to, and how often each thing was reached."""
    sums = {
        "seeds": f"{results['seeds'][0]:,} to {results['seeds'][1]:,}",
        "payments": results["payments"],
        "simulated hours": round(results["simulated_s"] / 3600),
        "seeds that break a rule": len(results["broken"]),
    }
    folded = (_folded(title, table(("", "times"), counts.items())) for title, counts in results["tables"].items())
    return table(("", ""), sums.items()) + "".join(folded)


def planted(results: list[Mapping[str, Any]]) -> str:
    """Tell after how many seeds each planted bug was found."""
    found = sum(bool(bug["found"]) for bug in results)
    rows = ((bug["bug"], bug.get("row") or "", bug["rule"], bug["seeds"], bug["limit"]) for bug in results)
    head = ("bug", "fault of the Perl plugin", "what shows it", "seeds", "at most")
    return f"{found} of {len(results)} were found.\n\n" + table(head, rows)


def crashed(results: list[Mapping[str, Any]]) -> str:
    """Tell at how many points each kind of payment was killed."""
    rows = [(kind["kind"], kind["points"], kind["killed"], kind["at_rest"]) for kind in results]
    whole = ("all", *(sum(row[at] for row in rows) for at in range(1, 4)))
    return table(("payment", "points", "killed there", "came to rest as they should"), [*rows, whole])


def raced(results: list[Mapping[str, Any]]) -> str:
    """Tell how each race ended, round by round."""
    rows = ((one["race"], one["rounds"], _counted(one["outcomes"]), one["violations"]) for one in results)
    return table(("race", "rounds", "how they ended", "rule broken"), rows)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def stormed(results: Mapping[str, Any]) -> str:
    """Tell what was left of the payments when everything had happened to the processes."""
    sums = {
        "payments": results["payments"],
        "payments a second": results["payments_per_s"],
        "how they were collected": _counted(results["collections"]),
        "how they were booked": _counted(results["bookings"]),
        "open cases that people settled": _counted(results["cases"]),
        "taken by the till, cents": results["till_minor"],
        "collected by the bridge, cents": results["bridge_minor"],
        "booked in the library, cents": results["library_minor"],
        "differences": len(results["differences"]),
        "history": results["history"],
    }
    mishaps = ((kind, what, times) for kind, counts in results["mishaps"].items() for what, times in counts.items())
    folded = _folded("What happened to them", table(("", "", "times"), mishaps))
    return table(("", ""), sums.items()) + folded


def mutated(results: Mapping[str, Any]) -> str:
    """Tell how many small changes were found, and where."""
    rows = [(module, *counts.values()) for module, counts in results["modules"].items()]
    by_module = table(("module", "changes", "found by types", "found by tests", "not found"), rows)
    sums = {name.replace("_", " "): value for name, value in results.items() if name != "modules"}
    return table(("", ""), sums.items()) + _folded("Module by module", by_module)


PARTS = (
    Part(
        "simulate",
        "Simulator",
        "The real service, outbox, adapters' messages and store under a virtual clock, network and scheduler; "
        "26 classes of faults; every rule is looked at after every commit.",
        "make soak ARGS='--only simulate'",
        simulated,
    ),
    Part(
        "canary",
        "Planted bugs",
        "Bridges that are broken on purpose, as programs for this task have really been: "
        "the simulator must find each of them. What the Perl plugin does has the number of its case in "
        "`tests/services/bridge/test_plugin_cases.py`.",
        "make canary",
        planted,
    ),
    Part(
        "crashes",
        "Crash points",
        "One payment of each kind; the process dies before and after every database statement and every message, "
        "one point after the other, and is started again.",
        "make soak ARGS='--only crashes'",
        crashed,
    ),
    Part(
        "races",
        "Races",
        "Two processes of the bridge on one PostgreSQL, over real HTTP.",
        "make soak ARGS='--only races'",
        raced,
    ),
    Part(
        "chaos-sqlite",
        "Chaos on SQLite",
        "Bridge, register server and library as processes of their own over TCP: "
        "killed, paused and cut off from each other at random.",
        "make soak ARGS='--only chaos-sqlite'",
        stormed,
    ),
    Part(
        "chaos-postgresql",
        "Chaos on PostgreSQL",
        "The same with two bridges and one database server, which is restarted too.",
        "make soak ARGS='--only chaos-postgresql'",
        stormed,
    ),
    Part(
        "mutants",
        "Mutants",
        "Small changes of the domain and the service, one at a time: mypy or a test must fail for each. "
        "What those are that nothing fails for: [bench](bench/README.md#mutants).",
        "make mutants",
        mutated,
    ),
)


def page(folder: Path) -> str:
    """Return the page that the results in this folder make."""
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "bench/templates"),
        autoescape=False,  # noqa: S701 - Markdown
        keep_trailing_newline=True,
    ).get_template("RELIABILITY.md.j2")
    return template.render(parts=[_shown(part, folder) for part in PARTS])


def _shown(part: Part, folder: Path) -> dict[str, object]:
    shown: dict[str, object] = {"title": part.title, "what": part.what, "command": part.command, "day": None}
    file = folder / f"{part.name}.json"
    if file.exists():
        kept = json.loads(file.read_text(encoding="utf-8"))
        results = kept["results"]
        shown |= kept["run"] | {"results": "It left no results." if results is None else part.read(results)}
    return shown


def main(folder: Annotated[Path, typer.Option(help="Where the results are")] = RESULTS) -> None:
    """Write RELIABILITY.md."""
    PAGE.write_text(page(folder), encoding="utf-8")
    typer.echo(f"written: {PAGE.name}")


if __name__ == "__main__":
    typer.run(main)
