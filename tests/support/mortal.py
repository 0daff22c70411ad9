# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge as a process of its own that is killed, paused and started again on the same port and database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = Path(__file__).with_name("bridge_process.py")
FOLDERS = os.pathsep.join([str(PROGRAM.parents[2] / "src"), str(PROGRAM.parents[1])])


@dataclass
class Mortal:
    """Hold the settings and limits of a bridge, its process of the moment, and what it has been through."""

    settings: Path
    limits: Mapping[str, object]
    kills: int = 0
    pauses: list[tuple[float, float]] = field(default_factory=list)
    """From when until when it stood still, in seconds since 1970."""
    process: asyncio.subprocess.Process | None = None
    log: Path | None = None
    """Where its log goes, if not to where this process's own goes."""

    async def start(self) -> None:
        """Start it and wait until it listens."""
        command = (sys.executable, str(PROGRAM), str(self.settings), json.dumps(self.limits))
        environment = os.environ | {"PYTHONPATH": FOLDERS}
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(self.log.open("ab")) if self.log is not None else None
            self.process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=log, env=environment
            )
        assert self.process.stdout is not None
        assert await self.process.stdout.readline() == b"listening\n"

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Run the bridge, and leave no process behind whatever the test comes to."""
        await self.start()
        try:
            yield
        finally:
            if self.process is not None and self.process.returncode is None:
                await self.kill()

    async def kill(self) -> None:
        """End it between any two of its instructions."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.kills += 1

    async def pause(self, seconds: float) -> None:
        """Let it stand still, connections and all, and then go on as if no time had passed."""
        assert self.process is not None
        start = time.time()
        self.process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.process.send_signal(signal.SIGCONT)
        self.pauses.append((start, time.time()))

    async def stop(self) -> None:
        """Ask it to end, which it does without complaint."""
        assert self.process is not None
        self.process.terminate()
        assert await self.process.wait() == 0
