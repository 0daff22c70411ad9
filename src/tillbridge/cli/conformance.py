# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``tillbridge conformance register`` and ``library``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import structlog
import typer

from tillbridge.conformance import library, register
from tillbridge.conformance.finding import (
    LIBRARIES,
    LIBRARY_PEERS,
    REGISTER_PEERS,
    REGISTERS,
    Setups,
    adapter_of,
    in_one_line,
    live_of,
    setups_of,
)
from tillbridge.conformance.kit import Check, Result, run_checks
from tillbridge.conformance.showing import passed, print_document, print_results, print_sum
from tillbridge.errors import SettingsError
from tillbridge.settings import SettingsFile, read_settings
from tillbridge.surroundings import Surroundings

app = typer.Typer(no_args_is_help=True, help="Prove an adapter with a conformance kit.")

Name = Annotated[str, typer.Argument(help="The adapter's name, as its entry point has it.")]
SetupOption = Annotated[
    list[str] | None, typer.Option(help="Try only this way to set the adapter up; may be repeated.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Results = dict[str, list[Result]]


@app.command("register")
def try_register(name: Name, setup: SetupOption = None, as_json: JsonOption = False) -> None:
    """Prove an adapter to a register server against a simulated one.

    Exit status: 0 no check has failed · 1 one has · 2 nothing could be tried.
    """
    results = _tried(REGISTERS, REGISTER_PEERS, name, setup or [], register.CHECKS, quiet=as_json)
    _end("register", name, results, as_json=as_json)


@app.command("library")
def try_library(
    name: Name,
    setup: SetupOption = None,
    settings: Annotated[
        # rich takes what stands in brackets for markup.
        Path | None, typer.Option(help=r"A settings file: try the library system that its \[library] names, live.")
    ] = None,
    card: Annotated[
        str | None, typer.Option(help="With --settings: the card of a test patron who owes nothing.")
    ] = None,
    branch: Annotated[
        str | None, typer.Option(help="With --settings: the branch to book in. Default: the first.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --settings: do not ask before charges are made.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove an adapter to a library system against a demo library, or against a real one with a test patron.

    Exit status: 0 no check has failed · 1 one has · 2 nothing could be tried.
    """
    if settings is None:
        _need_settings({"--card": card is not None, "--branch": branch is not None, "--yes": yes})
        results = _tried(LIBRARIES, LIBRARY_PEERS, name, setup or [], library.CHECKS, quiet=as_json)
        _end("library", name, results, as_json=as_json)
    if card is None:
        _stop(SettingsError("--card", "a test patron's card is missing", "Name one who owes nothing"))
    results, traces = _tried_live(name, settings, card, branch, yes=yes, quiet=as_json)
    _end("library", name, results, as_json=as_json, traces=traces)


def _need_settings(given: Mapping[str, bool]) -> None:
    """Stop where somebody means a real library system and does not name it: a demo library would pass unnoticed."""
    named = [option for option, is_given in given.items() if is_given]
    if named:
        remedy = "Give --settings with the file that names it, or leave them out to try a demo library"
        _stop(SettingsError(", ".join(named), "this is for a real library system, and none is named", remedy))


def _tried(
    group: str, peers: str, name: str, wanted: Sequence[str], checks: Sequence[Check[Any]], *, quiet: bool
) -> Results:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    results: Results = {}
    try:
        adapter, setups = adapter_of(group, name), _wanted(setups_of(peers, name), wanted)
        for setup, open_peer in setups.items():
            results[setup] = asyncio.run(_checked(setup, open_peer, adapter, checks))
            if not quiet:
                print_results(setup, results[setup])
    except SettingsError as error:
        _stop(error)
    return results


def _wanted(setups: Setups, wanted: Sequence[str]) -> Setups:
    for each in wanted:
        if each not in setups:
            raise SettingsError("--setup", f"there is no {each!r}", f"There are: {', '.join(setups)}")
    return {setup: setups[setup] for setup in wanted or setups}


async def _checked(setup: str, open_peer: Any, adapter: Any, checks: Sequence[Check[Any]]) -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="tillbridge-kit-") as folder:
        async with contextlib.AsyncExitStack() as opened:
            try:
                peer = await opened.enter_async_context(open_peer(adapter, Path(folder)))
                peer.connect()
            except Exception as error:
                what = f"the adapter cannot be connected to its peer: {in_one_line(error)}"
                raise SettingsError(setup, what, "Mend the adapter, or what its peer gives it as settings") from error
            return [result async for result in run_checks(checks, peer)]


def _tried_live(
    name: str, path: Path, card: str, branch: str | None, *, yes: bool, quiet: bool
) -> tuple[Results, dict[str, list[str]]]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        file = read_settings(path)
        opened = _opened_live(file, name, card, branch)
        if not yes:
            _ask(file, card)
        results, traces = asyncio.run(_checked_live(opened))
    except SettingsError as error:
        _stop(error)
    setup = f"live: {file.settings.library.get('address', '')}"
    if not quiet:
        print_results(setup, results)
    return {setup: results}, traces


def _opened_live(file: SettingsFile, name: str, card: str, branch: str | None) -> Any:
    adapter, live = adapter_of(LIBRARIES, name), live_of(name)
    table = {key: value for key, value in file.settings.library.items() if key != "kind"}
    if file.settings.library.get("kind") != name:
        raise file.error(("library", "kind"), f"the library system is no {name}", "Name the settings' own kind")
    branches = tuple(file.settings.branch)
    if not branches or branch not in (None, *branches):
        raise SettingsError("--branch", "there is no such branch in the settings", f"There are: {', '.join(branches)}")
    settings = file.validated(adapter.Settings, table, ("library",))
    surroundings = Surroundings("library", file.folder, file.settings.bridge.public_address, branches)
    return live(adapter, settings, surroundings, branch or branches[0], card)


async def _checked_live(opened: Any) -> tuple[list[Result], dict[str, list[str]]]:
    async with opened as peer:
        results = [result async for result in run_checks(library.CHECKS, peer)]
    made = peer.traces
    return results, {
        "charges made": made.charges,
        "credits made": made.credits,
        "voids and payouts made": made.undone,
        "charges left open": made.open,
    }


def _ask(file: SettingsFile, card: str) -> None:
    typer.echo(f"The kit is going to try {file.settings.library.get('address', 'the library system')}.", err=True)
    typer.echo(f"For the patron with card {card} it makes small charges of its own and pays all of them.", err=True)
    typer.echo("They and their credits stay in the account and in the day's sums: take a test system.", err=True)
    typer.echo("Where Tillbridge's plugin is in Koha, some of these credits are voided or refunded too.", err=True)
    typer.confirm("Go on?", abort=True, err=True)


def _end(
    kit: str, name: str, results: Results, *, as_json: bool, traces: dict[str, list[str]] | None = None
) -> NoReturn:
    if as_json:
        print_document(kit, name, results, **({"made": traces} if traces is not None else {}))
    else:
        print_sum(results)
        for what, ids in (traces or {}).items():
            typer.echo(f"{what}: {', '.join(ids) or 'none'}")
    raise typer.Exit(0 if passed(results) else 1)


def _stop(error: SettingsError) -> NoReturn:
    typer.echo(f"tillbridge conformance: {error}", err=True)
    raise typer.Exit(2) from error
