# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge that runs takes up what the commands change, by itself and soon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from sqlalchemy import URL
from typer.testing import CliRunner

from support.people import PASSWORD
from support.postgres import conninfo
from support.stores import ENGINES, quick_postgres, server_for
from tillbridge.cli import app
from tillbridge.composition import Bridge, opened
from tillbridge.demo.setup import HOST
from tillbridge.demo.stage import Scenery, set_scenery
from tillbridge.listening import listening_socket
from tillbridge.service import products
from tillbridge.settings import read_settings
from tillbridge.simulators.till.autopilot import Autopilot
from tillbridge.web.app import make_app
from tillbridge.web.serving import serving


@dataclass(frozen=True)
class Running:
    """A bridge that runs, and an administrator's terminal beside it."""

    scenery: Scenery
    bridge: Bridge
    http: aiohttp.ClientSession

    async def did(self, *arguments: str) -> str:
        """Run a command that must work, on a thread: the bridge goes on meanwhile."""
        where = ["--settings", str(self.scenery.settings)]
        result = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, *where])
        assert result.exit_code == 0, result.output
        return result.stdout

    async def status(self, key: str) -> int:
        """Ask for the open cases, and return what the bridge answers."""
        headers = {"Authorization": f"Bearer {key}"}
        async with self.http.get(f"{self.scenery.address}/api/v1/open-cases", headers=headers) as answer:
            return answer.status


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the bridge has taken it up: it tells nobody outside when it has."""
    for _ in range(1000):
        if await holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the bridge never took it up")


@asynccontextmanager
async def running(folder: Path, url: URL | None) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:
        listener = listening_socket(HOST, 0)
        port = listener.getsockname()[1]
        scenery = await stack.enter_async_context(set_scenery(folder, port, autopilot=Autopilot()))
        if url is not None:
            text = scenery.settings.read_text()
            scenery.settings.write_text(text.replace('"tillbridge.db"', f'"{conninfo(url)}"'))
        bridge = await stack.enter_async_context(opened(read_settings(scenery.settings)))
        await stack.enter_async_context(serving(make_app(bridge), listener))
        yield Running(scenery, bridge, await stack.enter_async_context(aiohttp.ClientSession()))


@pytest_asyncio.fixture(params=ENGINES)
async def beside(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    """On SQLite the bridge looks by itself, here more often; on PostgreSQL it does not, and is woken."""
    server = server_for(request)
    monkeypatch.setattr(products, "LOOK_S", 0.05 if server is None else 600.0)
    monkeypatch.setattr(products, "BREATH_S", 0.01)
    with ExitStack() as stack:
        url = None if server is None else stack.enter_context(quick_postgres(server))
        async with running(tmp_path, url) as made:
            yield made


async def test_a_key_opens_the_api_until_it_is_withdrawn(beside: Running) -> None:
    key = (await beside.did("key", "add", "the monitor", "--scope", "read", "--by", "sari")).strip()
    assert await beside.status(key) == 200
    key_id = (await beside.did("key", "list")).splitlines()[1].split()[0]
    await beside.did("key", "withdraw", key_id, "--by", "sari")

    async def refused() -> bool:
        return await beside.status(key) == 401

    await until(refused)


async def test_a_branch_that_is_switched_off_takes_no_payments(beside: Running) -> None:
    what = beside.bridge.world.products
    for word, is_on in (("off", False), ("on", True)):
        await beside.did("branch", word, "CPL", "--by", "sari")

        async def so(is_on: bool = is_on) -> bool:
            return what.is_on("CPL") is is_on

        await until(so)
    assert what.is_on("MPL")


async def test_a_product_map_that_is_loaded_counts(beside: Running, tmp_path: Path) -> None:
    what = beside.bridge.world.products
    assert what.code("CPL", "OVERDUE") == "1000"
    (tmp_path / "new.yaml").write_text("Default: {Default: 77}\n")
    await beside.did("products", "load", str(tmp_path / "new.yaml"), "--by", "sari")

    async def loaded() -> bool:
        return what.code("CPL", "OVERDUE") == "77"

    await until(loaded)
    await beside.did("products", "back", "1", "--by", "sari")

    async def back() -> bool:
        return what.code("CPL", "OVERDUE") == "1000"

    await until(back)


async def test_an_account_opens_the_door_until_it_is_withdrawn(beside: Running, tmp_path: Path) -> None:
    (tmp_path / "first").write_text(PASSWORD)
    clerk = ("--name", "Ville", "--role", "clerk", "--password-file", str(tmp_path / "first"), "--by", "sari")
    await beside.did("user", "add", "ville", *clerk)
    door = beside.bridge.door
    signed_in = await door.sign_in("ville", PASSWORD, "192.0.2.7")
    assert signed_in.session.ends_at - signed_in.session.began_at == 12 * 3600
    assert await door.who(signed_in.token) is not None
    await beside.did("user", "withdraw", "ville", "--by", "sari")

    async def refused() -> bool:
        return await door.who(signed_in.token) is None

    await until(refused)
