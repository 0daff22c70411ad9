# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``tillbridge alarm``."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import typer

from tillbridge.cli.telling import SettingsOption, told
from tillbridge.composition import alarms_of
from tillbridge.errors import SettingsError
from tillbridge.operation.logs import log_as_json
from tillbridge.service.alarm_port import AlarmMessage, Alarms
from tillbridge.service.alarming import try_channel
from tillbridge.settings import read_settings

alarm = typer.Typer(no_args_is_help=True, help="Try whether people are told of open cases.")


@alarm.command("test")
def try_out(settings: SettingsOption = Path("tillbridge.toml")) -> None:
    """Send a test over each channel of the settings, and say what happened.

    Exit status: 0 all delivered · 1 one was not · 2 there is no channel, or the settings are wrong.
    """
    log_as_json()
    with told("alarm test"):
        file = read_settings(settings)
        alarms = alarms_of(file)
        if not alarms.channels:
            raise SettingsError(str(file.path), "it names no channel for alarms", "Add [alarm] with webhook or mail_to")
    if not asyncio.run(_try(alarms)):
        raise typer.Exit(1)


async def _try(alarms: Alarms) -> bool:
    delivered = True
    for name, channel in alarms.channels.items():
        why = await try_channel(channel, AlarmMessage(alarms.bridge, time.time()))
        typer.echo(f"{name}: {'delivered' if why is None else f'not delivered: {why}'}")
        delivered = delivered and why is None
    return delivered
