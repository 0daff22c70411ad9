# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for an event as long as the slowest machine may need, and not a moment longer than it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

PATIENCE_S = 60.0
"""How long an event is waited for before a test fails: two cores may share four processes of tests."""

LOOK_S = 0.02


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """Look again and again until there is something to see, and return it; raise TimeoutError where there never is."""
    async with asyncio.timeout(PATIENCE_S):
        while (seen := await look()) is None:  # noqa: ASYNC110 - what is looked at is on the other side of HTTP
            await asyncio.sleep(LOOK_S)
        return seen


def limits_of_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Note every limit, in seconds, that `asyncio.timeout` is given from now on."""
    noted: list[float | None] = []
    limited = asyncio.timeout

    def noting(delay: float | None) -> asyncio.Timeout:
        noted.append(delay)
        return limited(delay)

    monkeypatch.setattr(asyncio, "timeout", noting)
    return noted
