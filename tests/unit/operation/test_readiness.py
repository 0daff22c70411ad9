# SPDX-License-Identifier: GPL-3.0-or-later
"""Ready is a bridge that can store; its parts are shown, asked seldom, and waited for briefly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from support.fakes import FakeLibrary, FakeTill
from support.logs import collected
from support.worlds import Bench, make_bench
from tillbridge.operation.readiness import OTHERS, Pace, PartState, Readiness, without_addresses
from tillbridge.service.ports import World
from tillbridge.simulation.store import InlineStore

PATIENT = Pace(fresh_s=10.0, limit_s=20.0, wait_s=20.0)
"""For tests that wait until an answer is there."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    store = InlineStore()
    yield make_bench(store)
    store.close()


@asynccontextmanager
async def watched(world: World, **paces: Pace) -> AsyncIterator[Readiness]:
    readiness = Readiness(world, **paces)
    try:
        yield readiness
    finally:
        await readiness.close()


async def parts(readiness: Readiness) -> dict[str, PartState]:
    return {state.part: state for state in (await readiness.look())[1]}


class Broken(InlineStore):
    """A store whose database is away."""

    async def read(self, work: Any) -> Any:
        raise OperationalError("SELECT 1", {}, RuntimeError("secret"))


async def test_a_bridge_whose_parts_are_all_well_is_ready(bench: Bench) -> None:
    async with watched(bench.world) as readiness:
        is_ready, states = await readiness.look()
    assert is_ready
    assert states == tuple(
        PartState(part, ok=True, why=None, age_s=0.0) for part in ("bridge.database", "library", "register_server.city")
    )


async def test_a_library_system_or_a_till_that_is_away_is_shown_and_does_not_decide(bench: Bench) -> None:
    class Away(FakeTill):
        async def ping(self) -> str | None:
            return "till.example.fi:443: the register server refuses the connection"

    bench.library.away = "Koha cannot be reached"
    async with watched(replace(bench.world, registers={"city": Away()})) as readiness:
        assert (await readiness.look())[0]
        shown = await parts(readiness)
    assert (shown["library"].ok, shown["library"].why) == (False, "Koha cannot be reached")
    assert shown["register_server.city"].why == "the register server refuses the connection"


async def test_a_database_that_is_away_decides_and_is_told_without_its_own_words(bench: Bench) -> None:
    bench.store.close()
    async with watched(replace(bench.world, store=Broken())) as readiness:
        is_ready, (database, library, _) = await readiness.look()
    assert (is_ready, database.ok, library.ok) == (False, False, True)
    assert database.why == "it cannot be asked (OperationalError)"


async def test_a_database_that_does_not_answer_in_time_decides(bench: Bench) -> None:
    class Hanging(InlineStore):
        async def read(self, work: Any) -> Any:
            await asyncio.Future()

    bench.store.close()
    async with watched(replace(bench.world, store=Hanging()), ours=Pace(1.0, 0.01, 20.0)) as readiness:
        is_ready, (database, *_) = await readiness.look()
    assert (is_ready, database.why) == (False, "no answer within 0.01 s")


class Counting(FakeLibrary):
    """A library system that counts its pings and answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.pings = 0
        self.let, self.asked = asyncio.Event(), asyncio.Event()

    async def ping(self) -> str | None:
        self.pings += 1
        self.asked.set()
        await self.let.wait()
        return self.away


@pytest.fixture
def library() -> Counting:
    return Counting()


async def test_a_part_is_asked_once_in_ten_seconds_however_many_want_to_know(bench: Bench, library: Counting) -> None:
    async with watched(replace(bench.world, library=library), others=PATIENT) as readiness:
        looking = asyncio.gather(*(readiness.look() for _ in range(50)))
        await library.asked.wait()
        library.let.set()
        await looking
        for _ in range(50):
            bench.clock.advance(0.19)
            await readiness.look()
        assert library.pings == 1
        assert (await parts(readiness))["library"].age_s == pytest.approx(9.5)
        bench.clock.advance(0.51)
        await readiness.look()
        assert library.pings == 2
    assert OTHERS.fresh_s == PATIENT.fresh_s


async def test_a_failure_is_not_asked_for_more_often_than_a_success(bench: Bench, library: Counting) -> None:
    library.away = "away"
    library.let.set()
    async with watched(replace(bench.world, library=library), others=PATIENT) as readiness:
        for _ in range(5):
            assert (await parts(readiness))["library"].ok is False
    assert library.pings == 1


async def test_nobody_waits_for_a_part_that_is_slow(bench: Bench, library: Counting) -> None:
    async with watched(replace(bench.world, library=library), others=replace(OTHERS, wait_s=0.0)) as readiness:
        is_ready, (_, slow, _) = await readiness.look()
        assert (is_ready, slow.ok, slow.why) == (True, None, "it has not answered yet")
        library.let.set()
        asking = readiness._others[0]._asking
        assert asking is not None
        await asking
        library.let.clear()
        bench.clock.advance(11)
        again = (await parts(readiness))["library"]
        assert (again.ok, again.age_s, library.pings) == (True, 11.0, 2)


async def test_a_part_that_never_answers_is_given_up(bench: Bench, library: Counting) -> None:
    async with watched(replace(bench.world, library=library), others=Pace(10.0, 0.01, 20.0)) as readiness:
        state = (await parts(readiness))["library"]
    assert (state.ok, state.why) == (False, "no answer within 0.01 s")


async def test_an_adapter_that_fails_is_a_part_that_is_not_well(bench: Bench) -> None:
    class Failing(FakeLibrary):
        async def ping(self) -> str | None:
            raise RuntimeError("secret")

    async with watched(replace(bench.world, library=Failing())) as readiness:
        state = (await parts(readiness))["library"]
    assert (state.ok, state.why) == (False, "it cannot be asked (RuntimeError)")


async def test_whoever_goes_away_does_not_end_it_for_the_others(bench: Bench, library: Counting) -> None:
    async with watched(replace(bench.world, library=library), others=PATIENT) as readiness:
        first, second = asyncio.create_task(readiness.look()), asyncio.create_task(readiness.look())
        await library.asked.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        library.let.set()
        assert (await second)[1][1].ok
    assert library.pings == 1


async def test_what_is_under_way_ends_with_the_bridge(bench: Bench, library: Counting) -> None:
    async with watched(replace(bench.world, library=library), others=replace(OTHERS, wait_s=0.0)) as readiness:
        await readiness.look()
        asking = readiness._others[0]._asking
    assert asking is not None
    assert asking.cancelled()


async def test_the_log_tells_when_a_part_goes_and_when_it_comes_back_and_not_in_between(bench: Bench) -> None:
    with collected() as log:
        async with watched(bench.world, others=PATIENT) as readiness:
            for away in (None, "https://koha.example.fi is slow", "worse", None, None):
                bench.library.away = away
                await readiness.look()
                bench.clock.advance(11)
    (gone,), (back,) = log.of("a part is away"), log.of("a part is back")
    assert (gone["part"], gone["why"], gone["level"]) == ("library", "is slow", "warning")
    assert (back["part"], back["level"]) == ("library", "info")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("127.0.0.1:8443: the register server refuses the connection", "the register server refuses the connection"),
        ("kassa.example.fi:443: no answer; b:1: no name", "no answer; no name"),
        ("[2001:db8::1]:443: no answer", "no answer"),
        ("see https://koha.example.fi/x?y=1 for more", "see for more"),
        ("the host koha-staff.example.fi is 10.0.0.7", "the host is"),
        ("localhost:80", "it is away"),
        ("Koha 22.11.05 answered 500 (no luck)", "Koha 22.11.05 answered 500 (no luck)"),
        (
            "the right updatecharges:remaining_permissions: give it",
            "the right updatecharges:remaining_permissions: give it",
        ),
        ("no connection within 3.5 s", "no connection within 3.5 s"),
    ],
)
def test_an_adapters_words_are_shown_without_what_names_a_machine(words: str, shown: str) -> None:
    assert without_addresses(words) == shown
