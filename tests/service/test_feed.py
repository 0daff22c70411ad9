# SPDX-License-Identifier: GPL-3.0-or-later
"""The news: every event once it is durable, in the order of a payment, and none lost that became durable late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import structlog

from support.patience import limits_of_waiting
from support.payments import make_payment
from support.worlds import Bench
from tillbridge.domain.history import Event
from tillbridge.service import feed as module
from tillbridge.service.feed import BACKLOG, POLL_S, Feed, News, TooSlow
from tillbridge.service.store_port import Placed, Transaction


@asynccontextmanager
async def following(bench: Bench, poll_s: float = POLL_S) -> AsyncIterator[Feed]:
    """Let a feed run on the bench's store."""
    feed = Feed(bench.store, poll_s)
    await feed.begin()
    running = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def happen(bench: Bench, payment_id: str, count: int = 1) -> None:
    """Store a payment, if it is new, and so many events of it."""

    def work(tx: Transaction) -> None:
        if tx.payment(payment_id) is None:
            tx.add_payment(make_payment(payment_id, payment_id), None)
        for _ in range(count):
            tx.append_event(payment_id, 1.0, "till", "noted", {})

    await bench.store.write(work)


async def take(news: AsyncIterator[Any], count: int) -> list[Any]:
    """Take so much news, or fail when it does not come."""
    async with asyncio.timeout(20):
        return [await anext(news) for _ in range(count)]


async def listened_to(feed: Feed, count: int) -> None:
    """Wait until so many listen."""
    while feed.listening < count:  # noqa: ASYNC110 - a feed tells nobody of its listeners
        await asyncio.sleep(0)


def marks(news: list[News]) -> list[tuple[str, int]]:
    return [(each.event.payment_id, each.event.seq) for each in news]


async def test_feed_tells_what_is_new_to_whoever_listens(bench: Bench) -> None:
    await happen(bench, "OLD", 3)
    async with following(bench) as feed:
        first, second = feed.follow(None), feed.follow(None)
        taking = [asyncio.ensure_future(take(each, 2)) for each in (first, second)]
        await listened_to(feed, 2)
        await happen(bench, "A", 2)
        feed.wake()
        assert [marks(await each) for each in taking] == [[("A", 1), ("A", 2)]] * 2
        await first.aclose()
        await second.aclose()
        assert feed.listening == 0


async def test_feed_finds_news_without_being_woken(bench: Bench) -> None:
    async with following(bench, 0.01) as feed:
        taking = asyncio.ensure_future(take(feed.follow(None), 1))
        await listened_to(feed, 1)
        await happen(bench, "A")
        assert marks(await taking) == [("A", 1)]


async def test_feed_goes_on_behind_the_place_that_a_listener_has(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    await happen(bench, "A", 8)
    async with following(bench) as feed:
        told = await take(feed.follow(0), 8)
        assert marks(told) == [("A", n) for n in range(1, 9)]
        rest = feed.follow(told[4].resume_from)
        assert marks(await take(rest, 3)) == [("A", 6), ("A", 7), ("A", 8)]
        await happen(bench, "A", 1)
        feed.wake()
        assert marks(await take(rest, 1)) == [("A", 9)]


async def test_feed_reads_more_than_it_takes_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    pauses = limits_of_waiting(monkeypatch)
    async with following(bench, 1000.0) as feed:
        taking = asyncio.ensure_future(take(feed.follow(None), 10))
        await listened_to(feed, 1)
        await happen(bench, "A", 10)
        feed.wake()
        assert marks(await taking) == [("A", n) for n in range(1, 11)]
    assert 1000.0 in pauses


async def test_feed_of_one_payment_tells_its_past_and_its_news_in_order(bench: Bench) -> None:
    await happen(bench, "A", 3)
    async with following(bench) as feed:
        events = feed.follow_payment("A", 1)
        assert [event.seq for event in await take(events, 2)] == [2, 3]
        await happen(bench, "B", 1)
        await happen(bench, "A", 2)
        feed.wake()
        assert [event.seq for event in await take(events, 2)] == [4, 5]


async def test_feed_of_one_payment_tells_what_comes_next_without_asking_the_store(bench: Bench) -> None:
    await happen(bench, "A", 1)
    feed = Feed(bench.store)
    events = feed.follow_payment("A", 0)
    assert [event.seq for event in await take(events, 1)] == [1]
    await happen(bench, "A", 1)
    history = await bench.store.read(lambda tx: tx.history("A"))
    away = Late()
    away.fails = 1
    feed._store = away  # type: ignore[assignment]
    for listener in feed._listeners["A"]:
        listener.give(News(history[1][0], 2, 2))
    assert [event.seq for event in await take(events, 1)] == [2]


@pytest.mark.parametrize("ahead", [6, 7])
async def test_feed_of_one_payment_never_leaves_one_out_and_tells_none_twice(bench: Bench, ahead: int) -> None:
    await happen(bench, "A", 4)
    feed = Feed(bench.store)
    events = feed.follow_payment("A", 0)
    assert [event.seq for event in await take(events, 4)] == [1, 2, 3, 4]
    await happen(bench, "A", 3)
    history = await bench.store.read(lambda tx: tx.history("A"))
    for seq in (3, ahead):  # one that is known, and one before which others were left out
        for listener in feed._listeners["A"]:
            listener.give(News(history[seq - 1][0], seq, seq))
    assert [event.seq for event in await take(events, 3)] == [5, 6, 7]


class Late:
    """A store in which places become durable in an order of the test's own."""

    def __init__(self) -> None:
        self.there: dict[int, Event] = {}
        self.fails = 0

    def durable(self, *places: int) -> None:
        for place in places:
            self.there[place] = Event("A", place, 1.0, "till", "noted", {}, "")

    async def read(self, work: Callable[[Any], Any]) -> Any:
        if self.fails:
            self.fails -= 1
            raise OSError("the database is away")
        return work(self)

    def events_after(self, position: int, limit: int) -> tuple[Placed, ...]:
        return self.events_at([place for place in sorted(self.there) if place > position][:limit])

    def events_at(self, positions: Any) -> tuple[Placed, ...]:
        return tuple(Placed(place, self.there[place]) for place in sorted(positions) if place in self.there)

    def last_position(self) -> int:
        return max(self.there, default=0)


async def test_feed_tells_what_became_durable_late_and_lets_nobody_resume_behind_it() -> None:
    store = Late()
    feed = Feed(store)  # type: ignore[arg-type]
    with feed.listen() as listener:
        store.durable(1, 2, 5)
        await feed._look()
        assert [(news.position, news.resume_from) for news in listener.waiting] == [(1, 1), (2, 2), (5, 2)]
        store.durable(4)
        await feed._look()
        assert (listener.waiting[-1].position, feed.sure) == (4, 2)
        store.durable(3)
        await feed._look()
        assert (listener.waiting[-1].position, feed.sure) == (3, 5)
        await feed._look()
        assert len(listener.waiting) == 5


async def test_feed_forgets_a_place_that_stays_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Late()
    feed = Feed(store)  # type: ignore[arg-type]
    store.durable(1, 3)
    await feed._look()
    assert feed.sure == 1
    monkeypatch.setattr(module, "LATE_S", -1.0)
    await feed._look()
    assert feed.sure == 3


async def test_feed_goes_on_when_the_store_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = limits_of_waiting(monkeypatch)
    store = Late()
    feed = Feed(store, 0.001)  # type: ignore[arg-type]
    running = asyncio.create_task(feed.run())
    with feed.listen() as listener, structlog.testing.capture_logs() as log:
        store.fails = 2
        store.durable(1)
        async with asyncio.timeout(20):
            assert (await listener.next()).position == 1
    # After each failure, so that a store that is away is not asked without end, and after the look that succeeded.
    assert pauses.count(0.001) >= 3
    assert [entry["event"] for entry in log] == ["the store cannot be asked for news"] * 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_feed_sends_a_listener_away_that_is_too_slow_after_what_it_has() -> None:
    store = Late()
    feed = Feed(store)  # type: ignore[arg-type]
    store.durable(*range(1, BACKLOG + 2))
    with feed.listen() as listener:
        while await feed._look():
            pass
        for _ in range(BACKLOG):
            await listener.next()
        with pytest.raises(TooSlow):
            await listener.next()


def test_feed_keeps_a_listener_when_another_one_of_the_same_payment_goes() -> None:
    feed = Feed(Late())  # type: ignore[arg-type]
    with feed.listen("A"):
        with feed.listen("A"):
            assert feed.listening == 2
        assert feed.listening == 1
    assert feed.listening == 0


async def test_feed_tells_what_was_stored_and_is_handed_on_too_only_once() -> None:
    store = Late()
    feed = Feed(store)  # type: ignore[arg-type]
    store.durable(1, 2)
    news = feed.follow(0)
    assert [each.position for each in await take(news, 2)] == [1, 2]
    await feed._look()
    store.durable(3)
    await feed._look()
    assert [each.position for each in await take(news, 1)] == [3]


async def test_whoever_listens_is_sent_away_when_the_bridge_stops_and_so_is_who_comes_then(bench: Bench) -> None:
    feed = Feed(bench.store)
    with feed.listen() as early:
        feed.dismiss()
        with pytest.raises(TooSlow):
            await early.next()
    with feed.listen("P") as late, pytest.raises(TooSlow):
        await late.next()
