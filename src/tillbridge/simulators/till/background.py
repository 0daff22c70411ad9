# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on behind the requests: reports on their way, and the autopilot's patience."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Background:
    """Run coroutines until they are done, or until `close`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin a piece of work."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is under way and wait until it has ended."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
