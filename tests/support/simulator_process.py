# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the simulated till or the demo library as a process of its own: till|library PORT SETTINGS-AS-JSON."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvloop
from pydantic import TypeAdapter

from tillbridge.demo.setup import HOST
from tillbridge.simulators.library.app import build_app
from tillbridge.simulators.library.serving import serving
from tillbridge.simulators.library.settings import DemoLibrarySettings
from tillbridge.simulators.till.server import running
from tillbridge.simulators.till.settings import TillSettings


@asynccontextmanager
async def simulator(which: str, port: int, settings: str) -> AsyncIterator[None]:
    """Run one of the two."""
    if which == "till":
        async with running(TypeAdapter(TillSettings).validate_json(settings), port=port):
            yield
    else:
        async with serving(build_app(TypeAdapter(DemoLibrarySettings).validate_json(settings)), port, HOST):
            yield


async def main(which: str, port: int, settings: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with simulator(which, port, settings):
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
