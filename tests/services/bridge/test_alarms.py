# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole bridge tells people of a payment that is collected and not booked; several bridges tell it once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio
from sqlalchemy import URL

from support.postgres import conninfo
from support.receiver import Receiver
from support.scenes import QUICK, Scene
from support.stores import quick_postgres
from tillbridge.bridge_client import BridgeClient
from tillbridge.composition import Bridge, opened
from tillbridge.demo.setup import HOST
from tillbridge.demo.stage import Scenery, Stage, set_scenery
from tillbridge.listening import listening_socket
from tillbridge.service.alarming import put_on_list
from tillbridge.service.store_port import CaseKind, Transaction
from tillbridge.settings import read_settings
from tillbridge.simulators.till.autopilot import Autopilot
from tillbridge.store import tables as t
from tillbridge.web.app import make_app
from tillbridge.web.serving import serving

SOON = replace(QUICK, late_s=0.1)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.open()
    yield made
    await made.close()


def change(scenery: Scenery, old: str, new: str) -> None:
    text = scenery.settings.read_text()
    assert old in text
    scenery.settings.write_text(text.replace(old, new))


@asynccontextmanager
async def scene_with_alarms(folder: Path, receiver: Receiver) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        listener = listening_socket(HOST, 0)
        port = listener.getsockname()[1]
        scenery = await stack.enter_async_context(set_scenery(folder, port, autopilot=Autopilot()))
        change(scenery, "[library]", f'[alarm]\nwebhook = "{receiver.address}"\n\n[library]')
        bridge = await stack.enter_async_context(opened(read_settings(scenery.settings), SOON))
        await stack.enter_async_context(serving(make_app(bridge), listener))
        client = await stack.enter_async_context(BridgeClient(scenery.address, scenery.api_key))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Scene(Stage(scenery.address, scenery.library, scenery.till, scenery.settings, client, bridge), http)


async def test_money_that_is_collected_and_not_booked_in_time_is_told(tmp_path: Path, receiver: Receiver) -> None:
    async with scene_with_alarms(tmp_path, receiver) as scene:
        card, _ = await scene.patron("5.00")
        payment = await scene.start(card)
        await scene.at_till(payment["id"])
        await scene.library("POST", "/control/faults", {"kind": "unavailable", "next": "all"})
        await scene.accept(payment["id"])
        (told,) = await receiver.messages(1)
        (case,) = told["cases"]
        assert (case["kind"], case["payment_id"], case["amount_minor"]) == ("not_booked", payment["id"], 500)
        assert (told["bridge"], told["test"]) == (scene.stage.address, False)
        assert "Virtanen" not in repr(told)
        await scene.library("DELETE", "/control/faults")
        await scene.booked(payment["id"])


@asynccontextmanager
async def two_bridges(folder: Path, url: URL, receiver: Receiver) -> AsyncIterator[list[Bridge]]:
    async with AsyncExitStack() as stack:
        scenery = await stack.enter_async_context(set_scenery(folder, 8470, autopilot=Autopilot()))
        change(scenery, '"tillbridge.db"', f'"{conninfo(url)}"')
        change(scenery, "[library]", f'[alarm]\nwebhook = "{receiver.address}"\n\n[library]')
        file = read_settings(scenery.settings)
        yield [await stack.enter_async_context(opened(file, SOON)) for _ in range(2)]


async def test_two_bridges_on_one_database_tell_a_case_once(
    tmp_path: Path, receiver: Receiver, postgres_server: URL
) -> None:
    with quick_postgres(postgres_server) as url:
        async with two_bridges(tmp_path, url, receiver) as bridges:
            await asyncio.gather(*(_open_case(bridge) for bridge in bridges))
            await _until_told(bridges[0], 2)
    told = [case["id"] for message in await receiver.messages(1) for case in message["cases"]]
    assert sorted(told) == [1, 2]


async def _open_case(bridge: Bridge) -> None:
    def work(tx: Transaction) -> None:
        put_on_list(tx, bridge.world, CaseKind.PAID_FOR_UNKNOWN_ID, None, bridge.world.clock.now(), {})

    await bridge.world.store.write(work)
    bridge.world.notifier.changed()


async def _until_told(bridge: Bridge, count: int) -> None:
    """Wait until so many alarms are stored as delivered; what would wait for up to a minute is let out at once."""
    async with asyncio.timeout(30):
        while len(await bridge.world.store.read(_delivered)) < count:
            await bridge.world.store.write(_let_out)
            bridge.world.notifier.changed()
            await asyncio.sleep(0.02)


def _delivered(tx: Transaction) -> list[Any]:
    found = t.alarm.select().where(t.alarm.c.done_at.is_not(None))
    return list(tx._connection.execute(found))  # type: ignore[attr-defined]


def _let_out(tx: Transaction) -> None:
    tx._connection.execute(t.alarm.update().where(t.alarm.c.done_at.is_not(None)).values(tried_at=0.0))  # type: ignore[attr-defined]
    tx._connection.execute(  # type: ignore[attr-defined]
        t.task.update().where(t.task.c.kind == "alarm", t.task.c.lease_owner.is_(None)).values(due_at=0.0)
    )
