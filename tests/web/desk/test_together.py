# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages that are open at every desk of a city, and what they cost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from support.site import Site
from support.staff import Stream, signed_in
from tillbridge.service.people_port import Role
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk import front
from tillbridge.web.desk.live import MOST_TOGETHER, Together
from tillbridge.web.desk.visit import Visit

LIVE = "/live"


async def test_many_front_pages_are_drawn_once_for_all(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    shown = front._shown

    def noted(visit: Visit, tx: Transaction) -> dict[str, Any]:
        drawn.append(visit.person.id)
        return shown(visit, tx)

    monkeypatch.setattr(front, "_shown", noted)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(site.running())
        colleagues = [await stack.enter_async_context(signed_in(site, f"clerk{n}")) for n in range(4)]
        streams = [await stack.enter_async_context(each.stream(LIVE)) for each in colleagues for _ in range(5)]
        await asyncio.gather(*(each.next() for each in streams))
        del drawn[:]
        await site.start()
        for part in await asyncio.gather(*(each.next() for each in streams)):
            assert "€13.01" in part
        assert len(drawn) <= 2


@pytest.mark.parametrize("live", [LIVE, "/cases/live", "/servers/live"])
async def test_nobody_is_shown_what_was_drawn_for_other_eyes(site: Site, live: str) -> None:
    async with (
        signed_in(site, "anna") as anna,
        signed_in(site, "olli", branches=["OFF"]) as olli,
        signed_in(site, "maija", Role.ADMINISTRATOR) as maija,
        site.running(),
        anna.stream(live) as annas,
        olli.stream(live) as ollis,
        maija.stream(live) as maijas,
    ):
        first = await annas.next(), await ollis.next(), await maijas.next()
        if live == "/servers/live":
            assert first[0] != first[2]
        await site.start()
        if live == LIVE:
            assert "€13.01" in await annas.next()
            assert "€13.01" in await maijas.next()
            assert await quiet(ollis)


async def test_a_page_never_gets_a_part_that_was_begun_before_its_news() -> None:
    together, drawn = Together(), list[int]()
    clock = asyncio.get_running_loop().time

    async def draw() -> str:
        drawn.append(len(drawn))
        number = str(len(drawn))
        await asyncio.sleep(0)
        return number

    before = clock()
    assert await asyncio.gather(*(together.drawn("a", before, draw) for _ in range(9))) == ["1"] * 9
    assert await together.drawn("a", clock(), draw) == "2"
    assert await together.drawn("a", before, draw) == "2"
    assert await together.drawn("b", before, draw) == "3"


async def test_who_leaves_while_a_part_is_drawn_takes_it_from_nobody() -> None:
    together, gate = Together(), asyncio.Event()

    async def draw() -> str:
        await gate.wait()
        return "part"

    first = asyncio.create_task(together.drawn("a", 0.0, draw))
    await asyncio.sleep(0)
    second = asyncio.create_task(together.drawn("a", 0.0, draw))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == "part"


async def test_what_could_not_be_drawn_is_drawn_again_for_whoever_comes_back() -> None:
    together = Together()

    async def fail() -> str:
        raise RuntimeError("the store is away")

    async def draw() -> str:
        return "part"

    with pytest.raises(RuntimeError):
        await together.drawn("a", 0.0, fail)
    assert await together.drawn("a", asyncio.get_running_loop().time(), draw) == "part"


async def test_only_so_many_parts_are_kept() -> None:
    together = Together()

    async def draw() -> str:
        return "part"

    for n in range(2 * MOST_TOGETHER + 1):
        await together.drawn(n, 0.0, draw)
    assert len(together._begun) <= MOST_TOGETHER


async def quiet(stream: Stream) -> bool:
    """Tell whether nothing comes for a while."""
    try:
        async with asyncio.timeout(2):
            await stream.next()
    except TimeoutError:
        return True
    return False
