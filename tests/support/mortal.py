# SPDX-License-Identifier: GPL-3.0-or-later
"""A process of its own that is killed, paused and started again, on the same port and with what it has kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from support.patience import PATIENCE_S

FOLDER = Path(__file__).parent
PYTHON_PATH = os.pathsep.join([str(FOLDER.parents[1] / "src"), str(FOLDER.parent)])
AGAIN_S = 0.2
"""After how long a supervised process is started again that could not begin."""


@dataclass
class Mortal:
    """Hold a program of this folder with its arguments, its process of the moment, and what it has been through."""

    program: str
    arguments: tuple[str, ...]
    log: Path | None = None
    """Where its log goes, if not to where this process's own goes."""
    supervised: bool = False
    """Whether it is started again where it cannot begin, as a service is whose database is away."""
    kills: int = 0
    failed_starts: int = 0
    pauses: list[tuple[float, float]] = field(default_factory=list)
    """From when until when it stood still, in seconds since 1970."""
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it listens."""
        async with asyncio.timeout(2 * PATIENCE_S):
            while not await self._listens():
                assert self.supervised, f"{self.program} did not start"
                self.failed_starts += 1
                await asyncio.sleep(AGAIN_S)

    async def _listens(self) -> bool:
        command = (sys.executable, str(FOLDER / self.program), *self.arguments)
        with self._log() as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.PIPE, stderr=log, env=os.environ | {"PYTHONPATH": PYTHON_PATH}
            )
        assert self.process.stdout is not None
        if await self.process.stdout.readline() == b"listening\n":
            return True
        await self.process.wait()
        return False

    @contextlib.contextmanager
    def _log(self) -> Iterator[IO[bytes] | None]:
        if self.log is None:
            yield None
            return
        with self.log.open("ab") as log:
            yield log

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Run it, and leave no process behind whatever the test comes to."""
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


def mortal_bridge(settings: Path, limits: Mapping[str, object], **more: Any) -> Mortal:
    """Make a bridge with these settings and limits."""
    return Mortal("bridge_process.py", (str(settings), json.dumps(limits)), **more)


def mortal_simulator(which: str, port: int, settings: Mapping[str, object], **more: Any) -> Mortal:
    """Make a register server (`till`) or a library system (`library`) on this port."""
    return Mortal("simulator_process.py", (which, str(port), json.dumps(settings)), **more)
