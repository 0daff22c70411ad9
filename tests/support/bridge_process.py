# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a bridge as a process of its own, with limits for people who cannot wait: SETTINGS LIMITS-AS-JSON."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop

from tillbridge.composition import opened
from tillbridge.listening import listening_socket
from tillbridge.operation.logs import log_as_json
from tillbridge.service.ports import Limits
from tillbridge.settings import read_settings
from tillbridge.web.app import make_app
from tillbridge.web.serving import serving


async def main(settings: Path, limits: Limits) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    file = read_settings(settings)
    listener = listening_socket(file.settings.bridge.host, file.settings.bridge.port)
    async with opened(file, limits) as bridge, serving(make_app(bridge), listener):
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    log_as_json()
    uvloop.run(main(Path(sys.argv[1]), Limits(**json.loads(sys.argv[2]))))
