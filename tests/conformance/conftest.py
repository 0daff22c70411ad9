# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a kit, or one check of it, against an adapter as it is or broken on purpose."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from tillbridge.conformance.kit import Check, Result, Verdict, run_checks

Wrap = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """Keep what adapters log about the kit's faults out of the tests' output."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


async def results_of(
    open_peer: Any, adapter: Any, folder: Path, checks: Sequence[Check[Any]], wrap: Wrap | None = None
) -> list[Result]:
    """Run the checks against an adapter, with everything that it connects wrapped."""
    async with open_peer(adapter, folder) as peer:
        if wrap is not None:
            connect = peer.connect
            peer.connect = lambda *situation: wrap(connect(*situation))
        return [result async for result in run_checks(checks, peer)]


def failures(results: Sequence[Result]) -> list[tuple[str, str]]:
    return [(result.name, result.why) for result in results if result.verdict is Verdict.FAILED]


def skipped(results: Sequence[Result]) -> set[str]:
    return {result.name for result in results if result.verdict is Verdict.SKIPPED}


class Wrapped:
    """Do everything as the adapter does; a subclass breaks one thing."""

    def __init__(self, whole: Any) -> None:
        self.whole = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)
