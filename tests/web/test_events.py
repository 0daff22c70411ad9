# SPDX-License-Identifier: GPL-3.0-or-later
"""Events as they happen, over a real connection, and from where a listener left off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.types import Message

from support.fakes import report
from support.site import KEY, Site
from tillbridge.service.administration_port import Scope
from tillbridge.service.feed import Feed
from tillbridge.service.keys import new_key
from tillbridge.web.api import events as module

Event = dict[str, Any]


@pytest.fixture
async def fed(site: Site) -> AsyncIterator[Site]:
    """The site with its feed at work, as it is in a running bridge."""
    feed = site.app.state.bridge.feed
    await feed.begin()
    running = asyncio.create_task(feed.run())
    yield site
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def stream(
    site: Site, path: str, after: str | None = None, key: str = KEY
) -> AsyncIterator[AsyncIterator[Event]]:
    headers = {"Authorization": f"Bearer {key}"} | ({} if after is None else {"Last-Event-ID": after})
    async with site.session.get(site.address + path, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"

        async def read() -> AsyncIterator[Event]:
            event: Event = {}
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    event[name] = value
                elif "data" in event:
                    yield event | {"data": json.loads(event["data"])}
                    event = {}

        assert (await answer.content.readline()).startswith(b":")
        yield read()


async def take(events: AsyncIterator[Event], count: int) -> list[Event]:
    async with asyncio.timeout(20):
        return [await anext(events) for _ in range(count)]


async def until(events: AsyncIterator[Event], payment_id: str, seq: int) -> list[Event]:
    """Take news up to a payment's nth event."""
    told = await take(events, 1)
    while (told[-1]["data"]["payment_id"], told[-1]["data"]["seq"]) != (payment_id, seq):
        told += await take(events, 1)
    return told


async def listened_to(feed: Feed, count: int) -> None:
    """Wait until just so many listen."""
    async with asyncio.timeout(20):
        while feed.listening != count:  # noqa: ASYNC110 - a feed tells nobody of its listeners
            await asyncio.sleep(0.001)


def kinds(events: list[Event]) -> list[str]:
    return [event["event"] for event in events]


async def test_a_payment_is_followed_from_its_beginning_while_it_happens(fed: Site) -> None:
    payment_id = await fed.at_register()
    async with stream(fed, f"/api/v1/payments/{payment_id}/events") as events:
        first = await take(events, 2)
        assert kinds(first) == ["created", "send"]
        assert (first[0]["id"], first[0]["data"]["payment_id"], first[0]["data"]["seq"]) == ("1", payment_id, 1)
        assert kinds(await take(events, 1)) == ["reached"]
        await fed.report(payment_id, report(payment_id, "paid"))
        fed.app.state.bridge.feed.wake()
        assert kinds(await take(events, 2)) == ["till_paid", "booking_money_taken"]


async def test_a_payment_is_followed_from_behind_the_last_event_that_was_seen(fed: Site) -> None:
    payment_id = await fed.at_register()
    async with stream(fed, f"/api/v1/payments/{payment_id}/events", "2") as events:
        assert kinds(await take(events, 1)) == ["reached"]
    assert (await fed.get("/api/v1/payments/NOBODY/events")).problem == (404, "no_such_payment")


async def test_all_payments_are_followed_from_now_on_or_from_where_one_left_off(fed: Site) -> None:
    first = await fed.at_register(charges=[{"charge_id": "1"}])
    feed = fed.app.state.bridge.feed
    async with stream(fed, "/api/v1/events") as events:
        await listened_to(feed, 1)
        second = await fed.at_register(charges=[{"charge_id": "2"}])
        feed.wake()
        # It may begin with news that the feed had not handed on yet.
        told = await until(events, second, 3)
        assert {event["data"]["payment_id"] for event in told} <= {first, second}
    async with stream(fed, "/api/v1/events", "0") as events:
        again = await take(events, 6)
        assert [(event["data"]["payment_id"], event["data"]["seq"]) for event in again] == [
            *((first, n) for n in (1, 2, 3)),
            *((second, n) for n in (1, 2, 3)),
        ]
    async with stream(fed, "/api/v1/events", again[-1]["id"]) as events:
        await fed.report(second, report(second, "paid"))
        feed.wake()
        assert kinds(await take(events, 1)) == ["till_paid"]


async def test_a_key_for_a_branch_hears_of_its_own_payments_alone(fed: Site) -> None:
    tokens = {}
    for branch in ("CPL", "OFF"):
        tokens[branch], key = new_key(branch, [Scope.READ], [branch], 1.0, "otto")
        await fed.bench.store.write(lambda tx, key=key: tx.add_api_key(key))  # type: ignore[misc]
    await fed.at_register()
    async with stream(fed, "/api/v1/events", "0", tokens["CPL"]) as own:
        assert kinds(await take(own, 2)) == ["created", "send"]
    async with stream(fed, "/api/v1/events", "0", tokens["OFF"]) as others:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(others)


async def test_a_quiet_stream_says_that_it_is_still_there(fed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIET_S", 0.01)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with fed.session.get(f"{fed.address}/api/v1/events", headers=headers) as answer, asyncio.timeout(20):
        lines = [await answer.content.readline() for _ in range(5)]
    assert lines[0] == b": here it begins\n"
    assert b": still here\n" in lines


@pytest.mark.parametrize("wrong", ["x", "-1", "9" * 30, "1.5"])
async def test_a_last_event_that_is_none_is_refused(fed: Site, wrong: str) -> None:
    headers = {"Last-Event-ID": wrong}
    assert (await fed.get("/api/v1/events", headers=headers)).problem == (422, "form")


async def test_a_stream_that_cannot_be_sent_is_closed_at_once_whoever_keeps_the_fault() -> None:
    closed = asyncio.Event()

    async def pieces() -> AsyncGenerator[str, None]:
        try:
            yield "data: 1\n\n"
        finally:
            closed.set()

    async def send(message: Message) -> None:
        if message.get("body"):
            raise OSError("the listener is gone")

    with pytest.raises(OSError, match="is gone"):
        await module.EventStream(pieces()).stream_response(send)
    assert closed.is_set()


async def test_a_stream_that_is_cancelled_while_it_ends_leaves_nothing_behind(fed: Site) -> None:
    feed = fed.app.state.bridge.feed
    payment_id = await fed.at_register()
    lines = module._of_payment(fed.app.state.bridge, payment_id, 0)
    with_comments = module._with_comments(lines)
    assert (await anext(with_comments)).startswith(":")
    assert "event: created" in await anext(with_comments)
    await asyncio.sleep(0.05)  # the next event is ready meanwhile, and nobody takes it
    ending = asyncio.create_task(with_comments.aclose())
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    await listened_to(feed, 0)
    with pytest.raises(StopAsyncIteration):
        await anext(lines)


async def test_a_listener_that_goes_leaves_nothing_behind(fed: Site) -> None:
    feed = fed.app.state.bridge.feed
    for _ in range(20):
        async with stream(fed, "/api/v1/events"):
            pass
    await listened_to(feed, 0)
