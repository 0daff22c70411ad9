# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge demo``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from tillbridge.demo.once import CARD, walk
from tillbridge.demo.past import let_a_morning_pass
from tillbridge.demo.people import CLERKS, PASSWORD, STAFF, hire
from tillbridge.demo.setup import BRANCH, BRANCHES
from tillbridge.demo.show import told
from tillbridge.demo.stage import Stage, set_stage
from tillbridge.errors import TillbridgeError
from tillbridge.operation.logs import Level, log_as_json, log_from

REGISTER = BRANCHES[BRANCH][1]["10"]


def demo(
    once: Annotated[bool, typer.Option("--once", help="Walk once without a person, compare the ledgers, stop")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Walk once and print one JSON document")] = False,
    folder: Annotated[Path | None, typer.Option(help="Keep settings and database here")] = None,
) -> None:
    """Show a demo library, a bridge and a simulated till on this machine, on free ports.

    Exit status: 0 all is well · 1 the ledgers do not agree · 2 it could not begin.
    """
    log_as_json(Level.WARNING)
    try:
        with _folder(folder) as place:
            if once or as_json:
                raise typer.Exit(_once(place, as_json=as_json))
            uvloop.run(_until_stopped(place))
    except (TillbridgeError, OSError) as error:
        typer.echo(f"tillbridge demo: {error}", err=True)
        raise typer.Exit(2) from error


def _once(folder: Path, *, as_json: bool) -> int:
    outcome = uvloop.run(walk(folder))
    if as_json:
        typer.echo(json.dumps(outcome.document(), ensure_ascii=False, indent=2))
    else:
        for line in told(outcome):
            typer.echo(line)
    return 0 if outcome.agree else 1


async def _until_stopped(folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with set_stage(folder) as stage:
        await hire(stage.bridge.door)
        log_from(Level.ERROR)  # what a staged morning has to be warned of is on the pages
        await let_a_morning_pass(stage)
        log_from(Level.WARNING)
        typer.echo("\n".join(_directions(stage)))
        sys.stdout.flush()
        await stop.wait()


def _directions(stage: Stage) -> Iterator[str]:
    clerk = CLERKS[BRANCH]
    yield f"Open the desk at  {stage.address}/"
    yield f"and sign in as    {clerk} / {PASSWORD}"
    yield ""
    yield "Beside it, open:"
    yield ""
    yield f"  the till         {stage.till}/"
    yield f"  the demo library {stage.library}/"
    yield ""
    yield f"Type the card number {CARD}, choose charges and register 10 ({REGISTER}), and send them to the till."
    yield "On the till's page press Cash, Card or Cancel: the desk's page tells at once. Reload the library's page to"
    yield "see the payment on the account. Try the till's fault switches too."
    yield ""
    yield "The others sign in with the same password, and see what their work needs:"
    yield ""
    for person in STAFF:
        branches = ", ".join(BRANCHES[code][0] for code in person.branches or ()) or "all branches"
        yield f"  {person.id:<7} {', '.join(person.roles):<14} {branches}"
    yield ""
    yield "A payment can be started from a terminal, too; the till is the same:"
    yield ""
    pay = f"{_program()} pay --settings {stage.settings} --card {CARD} --branch {BRANCH} --register 10 --clerk {clerk}"
    yield f"  {pay}              everything that Matti Virtanen owes"
    yield f"  {pay} --sum 5.00   a part of it"
    yield ""
    yield f"The bridge answers at {stage.address}; its API is shown at {stage.address}/api. Stop with Ctrl-C."


def _program() -> str:
    return sys.argv[0]


@contextlib.contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="tillbridge-demo-") as made:
        yield Path(made)
