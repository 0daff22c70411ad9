# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the installed program as people do: a process of its own, with its output, its signals and its exit status."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from support.patience import PATIENCE_S

PROGRAM = Path(sys.executable).with_name("tillbridge")


@dataclass(frozen=True)
class Ended:
    """Hold how a process ended and what it said."""

    status: int
    out: str
    err: str


@dataclass
class Running:
    """Hold a process that runs in a group of its own."""

    process: asyncio.subprocess.Process

    async def line(self) -> str:
        """Return the next line that it prints; empty where it has ended."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            return (await self.process.stdout.readline()).decode()

    async def ended(self, number: signal.Signals | None = None) -> Ended:
        """Wait until it has ended, after a signal where one is given; nothing of its group may be left."""
        if number is not None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            out, err = await self.process.communicate()
        assert not _lives(self.process.pid), "it left a process behind"
        assert self.process.returncode is not None
        return Ended(self.process.returncode, out.decode(), err.decode())


@contextlib.asynccontextmanager
async def started(*arguments: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Running]:
    """Start ``tillbridge`` with these arguments, and leave no process behind whatever the test comes to."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | dict(environment or {}),
        start_new_session=True,
    )
    try:
        yield Running(process)
    finally:
        if _lives(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


async def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
    """Run ``tillbridge`` with these arguments to its end."""
    async with started(*arguments, environment=environment) as running:
        return await running.ended()


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
