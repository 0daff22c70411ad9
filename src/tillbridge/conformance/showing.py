# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what came of a kit: as a table to people, as one JSON document to scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tillbridge.conformance.kit import Result, Verdict

_NEVER_WRAPPED = 10_000
_WORDS = {
    Verdict.OK: ("ok", "green"),
    Verdict.FAILED: ("FAILED", "bold red"),
    Verdict.SKIPPED: ("skipped", "dim"),
}


def print_results(setup: str, results: Sequence[Result]) -> None:
    """Print one setup's checks: what came of each, the capability that it belongs to, and why where it is not ok."""
    table = Table(box=None, padding=(0, 2, 0, 0), title=setup, title_justify="left", title_style="bold")
    table.add_column("", width=7)
    table.add_column("capability", width=26, overflow="fold")
    table.add_column("check", overflow="fold")
    for result in results:
        table.add_row(Text(*_WORDS[result.verdict]), Text(result.capability), _told(result))
    if Console().is_terminal:
        Console().print(table)
    else:
        _print_unwrapped(table)


def _print_unwrapped(table: Table) -> None:
    """Print a table to a file or a pipe: each name of a check stays in one piece, to be searched for."""
    wide = Console(width=_NEVER_WRAPPED, color_system=None)
    with wide.capture() as captured:
        wide.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _told(result: Result) -> Text:
    # Text, and not markup, which what an adapter said may look like.
    told = Text(result.name)
    if result.durable is not None:
        told.append(f"  durable: {result.durable}", "dim")
    told.append(f"\n{result.words}", "dim")
    if result.why:
        told.append(f"\n→ {result.why}", "italic")
    return told


def print_sum(all_results: Mapping[str, Sequence[Result]]) -> None:
    """Print once more what has failed, how many checks there are of each kind, and how long they took."""
    for setup, results in all_results.items():
        for result in results:
            if result.verdict is Verdict.FAILED:
                typer.echo(f"FAILED: {setup}: {result.name}: {result.why}")
    for setup, results in all_results.items():
        counts = Counter(result.verdict for result in results)
        took_s = sum(result.took_s for result in results)
        numbers = " · ".join(f"{verdict}: {counts[verdict]}" for verdict in Verdict)
        typer.echo(f"{setup}: {len(results)} checks · {numbers} · {took_s:.1f} s")


def print_document(kit: str, adapter: str, all_results: Mapping[str, Sequence[Result]], **more: object) -> None:
    """Print one JSON document."""
    setups = [{"setup": setup, "checks": [_shown(each) for each in results]} for setup, results in all_results.items()]
    document = {"kit": kit, "adapter": adapter, "passed": passed(all_results), "setups": setups} | more
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def passed(all_results: Mapping[str, Sequence[Result]]) -> bool:
    """Tell whether no check has failed."""
    return all(result.verdict is not Verdict.FAILED for results in all_results.values() for result in results)


def _shown(result: Result) -> dict[str, object]:
    return {
        "check": result.name,
        "capability": result.capability,
        "words": result.words,
        "verdict": result.verdict,
        "why": result.why or None,
        "took_s": round(result.took_s, 3),
        "durable": result.durable,
    }
