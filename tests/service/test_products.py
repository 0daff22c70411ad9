# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts right now: the newest product map and the switches, from the store, and never a bad one."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from support.worlds import Bench
from tillbridge.domain.product_map import BranchOff
from tillbridge.errors import Declined, SettingsError
from tillbridge.product_file import parse_product_map
from tillbridge.service import products as module
from tillbridge.service.products import KeepingUp, Products, change_product_map, switch_branch, take_up

FIRST, SECOND = "CPL: {Default: 1}", "CPL: {Default: 2}\nMPL: off"


async def take(bench: Bench, text: str) -> int | None:
    version = await bench.store.write(lambda tx: take_up(tx, 1.0, text, "file"))
    return version.version if version else None


async def test_the_file_is_taken_up_when_it_has_changed_and_then_once(bench: Bench) -> None:
    assert await take(bench, FIRST) is not None
    assert await take(bench, FIRST) is None
    await change_product_map(bench.world, SECOND, "otto", "api")
    assert await take(bench, FIRST) is None  # the file is as it was: what was changed since goes on counting
    assert bench.world.products.code("CPL", "LOST") == "2"
    third = await take(bench, FIRST + "\n")
    await bench.world.products.refresh(bench.store)
    assert bench.world.products.version == third
    assert bench.world.products.code("CPL", "LOST") == "1"
    versions = await bench.store.read(lambda tx: tx.product_map_versions(10))
    assert [version.origin for version in versions] == ["file", "api", "file"]
    assert [version.by for version in versions] == ["file", "otto", "file"]


async def test_a_stored_map_that_cannot_be_read_leaves_what_counts(bench: Bench) -> None:
    await change_product_map(bench.world, FIRST, "otto", "api")
    await bench.store.write(lambda tx: tx.add_product_map(2.0, "otto", "api", "CPL: ["))
    with pytest.raises(SettingsError):
        await bench.world.products.refresh(bench.store)
    assert bench.world.products.code("CPL", "LOST") == "1"


async def test_a_branch_that_is_switched_off_starts_no_payment_until_it_is_switched_on(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    assert bench.world.products.is_on("CPL")
    assert not bench.world.products.is_on("OFF")
    await switch_branch(bench.world, "CPL", "sari", "the till is mended", on=False)
    assert not bench.world.products.is_on("CPL")
    with pytest.raises(BranchOff):
        bench.world.products.code("CPL", "LOST")
    with pytest.raises(Declined) as no:
        await bench.start()
    assert no.value.code == "branch_off"
    await switch_branch(bench.world, "CPL", "otto", "", on=True)
    switched = bench.world.products.switch_of("CPL")
    assert switched is not None
    assert (switched.by, switched.on) == ("otto", True)
    assert (await bench.start()).total.minor == 300


async def test_a_process_follows_what_another_one_has_stored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    monkeypatch.setattr(module, "BREATH_S", 0.0)
    keeper = KeepingUp(bench.world)
    with structlog.testing.capture_logs() as log:
        running = asyncio.create_task(keeper.run())
        await bench.store.write(lambda tx: tx.add_product_map(2.0, "otto", "api", "CPL: ["))
        keeper.wake()
        async with asyncio.timeout(20):
            while not log:  # noqa: ASYNC110 - a log tells nobody
                await asyncio.sleep(0.001)
        await bench.store.write(lambda tx: tx.add_product_map(3.0, "otto", "api", SECOND))
        async with asyncio.timeout(20):
            while bench.world.products.code("CPL", "LOST") != "2":  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert "cannot be read anew" in log[0]["event"]


async def test_without_a_map_no_branch_is_on(bench: Bench) -> None:
    products = Products(parse_product_map)
    await products.refresh(bench.store)
    assert (products.version, products.is_on("CPL"), products.switch_of("CPL")) == (0, False, None)
