# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge serve``."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop

from tillbridge.composition import opened
from tillbridge.errors import SettingsError
from tillbridge.listening import listening_socket, why_not_listening
from tillbridge.settings import SettingsFile, read_settings
from tillbridge.web.app import make_app
from tillbridge.web.serving import serving

SettingsOption = Annotated[Path, typer.Option("--settings", help="The settings file (TOML)")]


def serve(settings: SettingsOption = Path("tillbridge.toml")) -> None:
    """Run the bridge until it is told to stop."""
    log_as_json()
    try:
        uvloop.run(_serve(read_settings(settings)))
    except (SettingsError, OSError) as error:
        typer.echo(f"tillbridge serve: {error}", err=True)
        raise typer.Exit(2) from error


def log_as_json() -> None:
    """Write one JSON object a line to stderr."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def _serve(file: SettingsFile) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener = _listener(file)
    host, port = listener.getsockname()[:2]
    async with opened(file) as bridge, serving(make_app(bridge), listener):
        typer.echo(f"tillbridge listens on http://{host}:{port}")
        sys.stdout.flush()
        await stop.wait()


def _listener(file: SettingsFile) -> socket.socket:
    host, port = file.settings.bridge.host, file.settings.bridge.port
    try:
        return listening_socket(host, port)
    except OSError as error:
        what = why_not_listening(host, port, error)
        raise file.error(("bridge", "port"), what, "End the program that has it, or change host or port") from error
