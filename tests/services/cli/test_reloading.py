# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge serve`` as a process: where it listens, and the product map that is read again at a signal."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import structlog
from sqlalchemy import URL

from support.commands import started
from support.postgres import conninfo
from support.stores import quick_postgres
from support.worlds import Bench, open_bench
from tillbridge import reloading
from tillbridge.demo.stage import Scenery, set_scenery
from tillbridge.reloading import reload, reload_when_told
from tillbridge.settings import SettingsFile, read_settings
from tillbridge.simulators.till.autopilot import Autopilot


@dataclass(frozen=True)
class Serving:
    """A bridge in a process of its own."""

    scenery: Scenery
    process: asyncio.subprocess.Process
    address: str

    async def says(self) -> dict[str, Any]:
        """Wait for the next line of its log that tells of the product map."""
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            entry: dict[str, Any] = json.loads(line)
            if "product map" in entry["event"]:
                return entry
        raise AssertionError("it has ended")

    async def product_map(self) -> str:
        """Ask the bridge for the product map that counts."""
        headers = {"Authorization": f"Bearer {self.scenery.api_key}"}
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{self.address}/api/v1/product-map", headers=headers) as answer,
        ):
            return str((await answer.json())["text"])

    def told(self, text: str) -> None:
        """Write the file with the product map, and let the bridge read it again."""
        self.map_file.write_text(text)
        self.process.send_signal(signal.SIGHUP)

    @property
    def map_file(self) -> Path:
        return self.scenery.settings.parent / "products.yaml"

    async def stopped(self) -> int:
        """Stop it, and return its exit status."""
        self.process.terminate()
        await self.process.communicate()
        return self.process.returncode or 0


@asynccontextmanager
async def serving(scenery: Scenery, *options: str) -> AsyncIterator[Serving]:
    async with started("serve", "--settings", str(scenery.settings), *options) as running:
        line = await running.line()
        assert line.startswith("tillbridge listens on http://"), await running.process.communicate()
        yield Serving(scenery, running.process, line.split()[-1])


@pytest_asyncio.fixture
async def scenery(tmp_path: Path) -> AsyncIterator[Scenery]:
    """Settings that name a port on which nothing can listen without the right to: an option must override it."""
    async with set_scenery(tmp_path, 1, autopilot=Autopilot()) as made:
        yield made


async def test_the_file_is_read_again_at_a_signal_and_a_bad_one_changes_nothing(scenery: Scenery) -> None:
    async with serving(scenery, "--port", "0") as bridge:
        first, changed = await bridge.product_map(), "Default: {Default: 77}\n"
        bridge.told(first)
        assert "has not changed" in (await bridge.says())["event"]
        bridge.told("Default:\n  Default: 'a;b'\n")
        bad = await bridge.says()
        assert bad["level"] == "error"
        assert f"{bridge.map_file}, line 2: 'a;b' is no product code" in bad["why"]
        assert await bridge.product_map() == first
        bridge.told(changed)
        good = await bridge.says()
        assert (good["event"], good["version"]) == ("the product map is taken up", 2)
        assert await bridge.product_map() == changed
        assert await bridge.stopped() == 0


async def test_options_override_where_the_settings_say_to_listen(scenery: Scenery) -> None:
    async with serving(scenery, "--host", "127.0.0.2", "--port", "0") as bridge:
        assert bridge.address.startswith("http://127.0.0.2:")
        assert await bridge.product_map()
        assert await bridge.stopped() == 0


async def test_two_bridges_may_share_one_settings_file_on_postgresql(scenery: Scenery, postgres_server: URL) -> None:
    with quick_postgres(postgres_server) as url:
        text = scenery.settings.read_text()
        scenery.settings.write_text(text.replace('"tillbridge.db"', f'"{conninfo(url)}"'))
        async with serving(scenery, "--port", "0") as one, serving(scenery, "--port", "0") as other:
            assert one.address != other.address
            one.told("Default: {Default: 77}\n")
            await one.says()
            assert await one.product_map() == await other.product_map() == "Default: {Default: 77}\n"
            assert [await one.stopped(), await other.stopped()] == [0, 0]


@pytest.fixture
def file(scenery: Scenery) -> SettingsFile:
    return read_settings(scenery.settings)


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    with open_bench(tmp_path) as made:
        yield made


async def test_a_database_that_is_away_meanwhile_does_not_end_the_reading(
    bench: Bench, file: SettingsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, failures, done = asyncio.Event(), [OSError("the database is away")], asyncio.Event()

    async def take_up(*_: object) -> None:
        if failures:
            told.set()
            raise failures.pop()
        done.set()

    monkeypatch.setattr(reloading, "take_up_product_map", take_up)
    with structlog.testing.capture_logs() as log:
        working = asyncio.create_task(reload_when_told(bench.world, file, told))
        told.set()
        async with asyncio.timeout(20):
            await done.wait()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    assert "goes on counting" in log[0]["event"]


async def test_settings_without_a_product_map_have_nothing_to_read(bench: Bench, file: SettingsFile) -> None:
    bridge = file.settings.bridge.model_copy(update={"product_map": None})
    without = SettingsFile(file.path, file.text, file.settings.model_copy(update={"bridge": bridge}))
    with structlog.testing.capture_logs() as log:
        await reload(bench.world, without)
    assert "nothing to read again" in log[0]["event"]
