# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the demo library from the command line."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from tillbridge.errors import SettingsError
    try:
        account = _account(client_id, client_secret_file)
        asyncio.run(_run(DemoLibrarySettings(accounts=(account,), seeded=not empty), host, port))
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
