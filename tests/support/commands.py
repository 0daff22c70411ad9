# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command ``tillbridge`` as a process of its own, and leave none behind."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_SOURCE = Path(__file__).parents[2] / "src"
_PROGRAM = ("-c", "from tillbridge.cli import app; app()")
PATIENCE_S = 30


@asynccontextmanager
async def started(*arguments: str | Path, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the command, and make sure that it has ended when the block does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *_PROGRAM,
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(_SOURCE)} | environment,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ran(*arguments: str | Path, **environment: str) -> tuple[int | None, str, str]:
    """Run the command to its end; return its status, what it printed and what it complained of."""
    async with started(*arguments, **environment) as process:
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()
