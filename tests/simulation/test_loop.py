# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import pytest

from tillbridge.simulation.loop import Life, StuckError, VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop(lambda _: 0)
    yield made
    made.bury()
    made.close()


def test_time_jumps_to_where_something_happens(loop: VirtualLoop) -> None:
    async def wait() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert loop.run_until_complete(wait()) == 86_400


def test_whoever_waits_for_nothing_is_found_out(loop: VirtualLoop) -> None:
    with pytest.raises(StuckError, match="nothing can happen"):
        loop.run_until_complete(asyncio.Event().wait())


def test_a_dead_process_does_nothing_more_not_even_finally(loop: VirtualLoop) -> None:
    life, done = Life("one"), []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            done.append("finally")

    async def kill() -> list[str]:
        loop.start(work(), life)
        await asyncio.sleep(5)
        loop.kill(life)
        await asyncio.sleep(100)
        return list(done)

    assert loop.run_until_complete(kill()) == []


def test_a_paused_process_goes_on_where_it_was_and_time_has_passed(loop: VirtualLoop) -> None:
    life, at = Life("one"), []

    async def work() -> None:
        await asyncio.sleep(10)
        at.append(loop.time())

    async def pause() -> None:
        loop.start(work(), life)
        await asyncio.sleep(5)
        life.paused = True
        await asyncio.sleep(100)
        assert at == []
        loop.resume(life)
        await asyncio.sleep(1)

    loop.run_until_complete(pause())
    assert at == [105]


def test_what_a_process_starts_belongs_to_it(loop: VirtualLoop) -> None:
    life, done = Life("one"), []

    async def child() -> None:
        await asyncio.sleep(10)
        done.append("child")

    async def parent() -> None:
        loop.create_task(child())
        await asyncio.sleep(0)

    async def kill() -> None:
        loop.start(parent(), life)
        await asyncio.sleep(5)
        loop.kill(life)
        await asyncio.sleep(100)

    loop.run_until_complete(kill())
    assert done == []


def orders_of(seed: int) -> list[int]:
    order: list[int] = []
    loop = VirtualLoop(Random(seed).randrange)  # noqa: S311 - an example, no secret

    async def note(number: int) -> None:
        order.append(number)

    async def all_at_once() -> None:
        await asyncio.gather(*(note(number) for number in range(8)))

    loop.run_until_complete(all_at_once())
    loop.close()
    return order


def test_the_chooser_decides_what_comes_first() -> None:
    assert orders_of(1) == orders_of(1)
    assert len({tuple(orders_of(seed)) for seed in range(20)}) > 10
