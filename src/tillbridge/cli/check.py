# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge check``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tillbridge.cli.findings import directions, print_document, print_sum, print_table
from tillbridge.cli.telling import SettingsOption
from tillbridge.composition import installed
from tillbridge.errors import SettingsError
from tillbridge.service.checking import check as look
from tillbridge.service.checking_reports import await_report as await_one
from tillbridge.service.checking_reports import look_at_bridge, post_report, trials_of
from tillbridge.service.findings import Finding, Level, worst
from tillbridge.service.installation import Installation
from tillbridge.settings import SettingsFile, read_settings

STATUS = {Level.OK: 0, Level.WARNING: 1, Level.FAULT: 2}
NOTHING_CHECKED = 3
LONGEST_WAIT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class _Wish:
    """Hold what was asked for beside the check itself."""

    branch: str | None
    wait_s: float | None
    send: bool
    quiet: bool


def check(
    settings: SettingsOption = Path("tillbridge.toml"),
    debit_type: Annotated[
        list[str] | None, typer.Option(help="A debit type that the library charges for; may be repeated")
    ] = None,
    await_report: Annotated[
        float | None,
        typer.Option(min=0, max=LONGEST_WAIT_S, metavar="SECONDS", help="Wait for a report that comes from outside"),
    ] = None,
    send_report: Annotated[
        bool, typer.Option("--send-report", help="Post a report to the public address from this machine")
    ] = False,
    branch: Annotated[str | None, typer.Option(help="With either: sign as this branch, and try no other one")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document")] = False,
) -> None:
    """Check everything before the first customer, and change nothing.

    Exit status: 0 all is well, as far as it can be checked · 1 warnings · 2 faults · 3 nothing was checked.
    """
    wish = _Wish(branch, await_report, send_report, as_json)
    try:
        findings = asyncio.run(_all(_settings_with(settings, branch), debit_type or [], wish))
    except SettingsError as error:
        typer.echo(f"tillbridge check: {error}", err=True)
        raise typer.Exit(NOTHING_CHECKED) from error
    if as_json:
        print_document(findings)
    else:
        print_sum(findings)
    raise typer.Exit(STATUS[worst(findings)])


def _settings_with(path: Path, branch: str | None) -> SettingsFile:
    file = read_settings(path)
    if branch is not None and branch not in file.settings.branch:
        raise SettingsError("--branch", f"there is no branch {branch} in the settings", "Name one of them")
    return file


async def _all(file: SettingsFile, debit_types: Sequence[str], wish: _Wish) -> list[Finding]:
    """Gather the findings, and show each group to people as soon as it is there."""
    findings: list[Finding] = []
    async with installed(file, debit_types) as installation:
        async for group in _groups(installation, wish):
            findings += group
            if not wish.quiet:
                print_table(group)
    return findings


async def _groups(installation: Installation, wish: _Wish) -> AsyncIterator[Sequence[Finding]]:
    yield await look(installation)
    if wish.send or wish.wait_s is not None:
        yield [await look_at_bridge(installation)]
    if wish.send:
        trials = trials_of(installation, wish.branch)
        yield await asyncio.gather(*(post_report(installation, trial) for trial in trials))
    if wish.wait_s is not None:
        trials = trials_of(installation, wish.branch)
        for line in directions(trials, wish.wait_s):
            typer.echo(line, err=wish.quiet)
        yield await asyncio.gather(*(await_one(installation.stored, trial, wish.wait_s) for trial in trials))
