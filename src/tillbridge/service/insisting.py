# SPDX-License-Identifier: GPL-3.0-or-later
"""Store a fact that came from outside even where the database is away for a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tillbridge.errors import TillbridgeError

T = TypeVar("T")

PAUSES_S = (0.1, 0.5, 2.0, 5.0, 10.0)


async def insist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try again for some seconds before giving up; what is lost then is found by the lease's end.

    Where the work is cancelled meanwhile, the fact is stored first.
    """
    storing = asyncio.ensure_future(_insist(attempt))
    try:
        return await asyncio.shield(storing)
    except asyncio.CancelledError:
        await asyncio.wait((storing,))
        raise


async def _insist(attempt: Callable[[], Awaitable[T]]) -> T:
    for pause_s in PAUSES_S:
        try:
            return await attempt()
        except TillbridgeError:
            raise
        except Exception:  # noqa: BLE001 - a database has many ways to be away
            await asyncio.sleep(pause_s)
    return await attempt()
