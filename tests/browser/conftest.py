# SPDX-License-Identifier: GPL-3.0-or-later
"""One Chromium for each process of tests, on the event loop that the bridge runs on too."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from support.browser import open_browser
from support.scenes import Scene, open_scene

HERE = Path(__file__).parent
MOST_BROWSERS = 2
TIMEOUT_S = 180


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let at most two processes have a Chromium, and let all that is asynchronous share one event loop."""
    modules: dict[Path, int] = {}
    for item in items:
        if HERE not in item.path.parents:
            continue
        number = modules.setdefault(item.path, len(modules) % MOST_BROWSERS)
        if config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(f"browser-{number}"))
        if inspect.iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The whole stage of the demo: library, bridge and till."""
    async with open_scene(tmp_path) as made:
        yield made
