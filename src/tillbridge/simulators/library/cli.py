# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the demo library from the command line."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from tillbridge.errors import SettingsError
from tillbridge.listening import why_not_listening
from tillbridge.secret import read_secret_file
from tillbridge.simulators.library.app import build_app
from tillbridge.simulators.library.serving import serving
from tillbridge.simulators.library.settings import (
    DEMO_CLIENT_ID,
    DEMO_CLIENT_SECRET,
    DemoLibrarySettings,
    StaffAccount,
)


def demo_library(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    client_id: Annotated[str, typer.Option(help="Client id for OAuth2.")] = DEMO_CLIENT_ID,
    client_secret_file: Annotated[
        Path | None, typer.Option(help="File with the client secret; without it the documented example is used.")
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="Start without invented patrons.")] = False,
    plugin: Annotated[bool, typer.Option("--plugin", help="Have Tillbridge's plugin for Koha installed.")] = False,
    state: Annotated[Path | None, typer.Option(help="File that keeps the ledger for the next time.")] = None,
) -> None:
    """Run a demo library that answers like Koha, until it is told to stop."""
    try:
        account = _account(client_id, client_secret_file)
        settings = DemoLibrarySettings(accounts=(account,), seeded=not empty, plugin=plugin, state=state)
        asyncio.run(_run(settings, host, port))
    except SettingsError as error:
        typer.echo(f"tillbridge demo-library: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"tillbridge demo-library: {why_not_listening(host, port, error)}. Choose another port.", err=True)
        raise typer.Exit(2) from error


def _account(client_id: str, secret_file: Path | None) -> StaffAccount:
    secret = DEMO_CLIENT_SECRET
    if secret_file is not None:
        secret = read_secret_file(("--client-secret-file",), secret_file)
    return StaffAccount(client_id, secret, password=secret)


async def _run(settings: DemoLibrarySettings, host: str, port: int) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    async with serving(build_app(settings), port, host) as address:
        typer.echo(f"Demo library listens on {address}")
        await told_to_stop.wait()
