# SPDX-License-Identifier: GPL-3.0-or-later
"""Show findings: as a table to people, as one JSON document to scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from shlex import quote

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tillbridge.service.checking_reports import Trial
from tillbridge.service.findings import Finding, Level, worst

_WORDS = {
    Level.OK: ("ok", "green"),
    Level.WARNING: ("warning", "yellow"),
    Level.FAULT: ("FAULT", "bold red"),
    Level.NOT_CHECKABLE: ("not checkable", "dim"),
}
_WIDTHS = (13, 30)
"""Of the first two columns; the words get the rest."""


def print_table(findings: Sequence[Finding]) -> None:
    """Print findings for people, each with its remedy below it."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for width in _WIDTHS:
        table.add_column(width=width, overflow="fold")
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(Text(*_WORDS[finding.level]), _named(finding), _told(finding))
    Console().print(table)


def _named(finding: Finding) -> Text:
    # Text, and not markup, which what a server said may look like.
    return Text(finding.about).append(f"\n{finding.check}", "dim")


def _told(finding: Finding) -> Text:
    told = Text(finding.words)
    if finding.remedy:
        told.append(f"\n→ {finding.remedy}", "italic")
    return told


def print_sum(findings: Sequence[Finding]) -> None:
    """Print how many findings there are of each level."""
    counts = Counter(finding.level for finding in findings)
    ok, warnings, faults, others = (counts[level] for level in Level)
    typer.echo(f"\nok: {ok} · warnings: {warnings} · faults: {faults} · not checkable: {others}")


def print_document(findings: Sequence[Finding]) -> None:
    """Print one JSON document."""
    document = {"status": worst(findings), "findings": [_shown(finding) for finding in findings]}
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def _shown(finding: Finding) -> dict[str, object]:
    return {
        "check": finding.check,
        "about": finding.about,
        "level": finding.level,
        "words": finding.words,
        "remedy": finding.remedy or None,
        "facts": dict(finding.facts),
    }


def directions(trials: Sequence[Trial], wait_s: float) -> Iterator[str]:
    """Tell how to have the reports posted that are waited for."""
    yield ""
    yield f"Now have each of these reports posted from where its register server stands, within {wait_s:g} s."
    yield "Each says that a payment which never was is cancelled, and is answered 404: no payment has this id."
    for trial in trials:
        yield ""
        yield f"{trial.about}, payment {trial.payment_id}:"
        yield f"  curl -i {quote(trial.report.address)} -H 'Content-Type: application/json' \\"
        yield f"    --data {quote(trial.report.body.decode())}"
    yield ""
