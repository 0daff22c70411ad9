# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge serve``."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from tillbridge.cli.telling import SettingsOption
from tillbridge.composition import opened
from tillbridge.errors import SettingsError
from tillbridge.listening import listening_socket, why_not_listening
from tillbridge.operation.logs import Level, log_as_json
from tillbridge.reloading import reload_when_told
from tillbridge.settings import SettingsFile, read_settings
from tillbridge.web.app import make_app
from tillbridge.web.serving import serving


def serve(
    settings: SettingsOption = Path("tillbridge.toml"),
    host: Annotated[str | None, typer.Option(help="Listen at this address, whatever the settings say")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Listen on this port, whatever the settings say; 0: a free one")
    ] = None,
    log_level: Annotated[Level, typer.Option(help="What is logged: this and what weighs more")] = Level.INFO,
) -> None:
    """Run the bridge until it is told to stop. SIGHUP lets it read the file with the product map again."""
    log_as_json(log_level)
    try:
        uvloop.run(_serve(read_settings(settings), host, port))
    except (SettingsError, OSError) as error:
        typer.echo(f"tillbridge serve: {error}", err=True)
        raise typer.Exit(2) from error


async def _serve(file: SettingsFile, host: str | None, port: int | None) -> None:
    stop, again = asyncio.Event(), asyncio.Event()
    for number, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, again)):
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    listener = _listener(file, host, port)
    address = ":".join(map(str, listener.getsockname()[:2]))
    async with opened(file) as bridge, serving(make_app(bridge), listener):
        reloading = asyncio.create_task(reload_when_told(bridge.world, file, again))
        typer.echo(f"tillbridge listens on http://{address}")
        sys.stdout.flush()
        await stop.wait()
        reloading.cancel()
        await asyncio.gather(reloading, return_exceptions=True)


def _listener(file: SettingsFile, host: str | None, port: int | None) -> socket.socket:
    named = file.settings.bridge
    where = (named.host if host is None else host, named.port if port is None else port)
    try:
        return listening_socket(*where)
    except OSError as error:
        what = why_not_listening(*where, error)
        raise file.error(("bridge", "port"), what, "End the program that has it, or change host or port") from error
