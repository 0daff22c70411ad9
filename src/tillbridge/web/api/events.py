# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what happens while it happens: server-sent events that resume where they broke off.

Plain Starlette streams: thousands of them wait at little cost, and none holds a thread or a connection to the database.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from starlette.types import Send

from tillbridge.composition import Bridge
from tillbridge.domain.history import Event
from tillbridge.service.administration_port import ApiKey
from tillbridge.service.feed import TooSlow
from tillbridge.web.access import Reader, TheBridge, visible
from tillbridge.web.problems import answers
from tillbridge.web.views import event_view

routes = APIRouter(tags=["events"])

QUIET_S = 15.0
"""After how long without news a comment is sent, so that nobody between takes the line for dead."""

STREAM = "text/event-stream"
LONGEST_PLACE = 2**62

_EVENT = {
    "type": "object",
    "required": ["id", "event", "data"],
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/NewsShape"},
        },
    },
}
_STREAMS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events, without end.", "content": {STREAM: {"itemSchema": _EVENT}}}
}


class EventStream(StreamingResponse):
    """Answer with server-sent events, and close where they come from as soon as nobody hears them any more.

    What is left to the garbage collector is closed at some later time, and by two threads at once if it comes badly.
    """

    def __init__(self, pieces: AsyncGenerator[str, None]) -> None:
        super().__init__(pieces, media_type=STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._pieces = pieces

    async def stream_response(self, send: Send) -> None:
        """Send one piece after the other (Starlette)."""
        async with aclosing(self._pieces):
            await super().stream_response(send)


LastEventId = Annotated[
    Annotated[int, Field(ge=0, le=LONGEST_PLACE)] | SkipJsonSchema[None],
    Header(alias="Last-Event-ID", description="The id of the last event that was seen."),
]


@routes.get("/payments/{payment_id}/events", response_class=StreamingResponse, responses=_STREAMS | answers(404))
async def of_payment(
    payment_id: str, caller: Reader, bridge: TheBridge, last_event_id: LastEventId = None
) -> StreamingResponse:
    """Follow one payment from its beginning, or from behind `Last-Event-ID`."""
    await bridge.world.store.read(lambda tx: visible(caller, tx.payment(payment_id)))
    return _stream(_of_payment(bridge, payment_id, last_event_id or 0))


@routes.get("/events", response_class=StreamingResponse, responses=_STREAMS | answers())
async def of_all(caller: Reader, bridge: TheBridge, last_event_id: LastEventId = None) -> StreamingResponse:
    """Follow all payments from now on, or from behind `Last-Event-ID`; an event may come twice after a break."""
    return _stream(_of_all(bridge, caller, last_event_id))


def _stream(lines: AsyncGenerator[str, None]) -> StreamingResponse:
    return EventStream(_with_comments(lines))


async def _of_payment(bridge: Bridge, payment_id: str, after: int) -> AsyncGenerator[str, None]:
    async with aclosing(bridge.feed.follow_payment(payment_id, after)) as events:
        async for event in events:
            yield _told(event.seq, event)


async def _of_all(bridge: Bridge, caller: ApiKey, after: int | None) -> AsyncGenerator[str, None]:
    seen: dict[str, bool] = {}
    async with aclosing(bridge.feed.follow(after)) as all_news:
        async for news in all_news:
            if caller.branches is None or await _may_see(bridge, caller, news.event.payment_id, seen):
                yield _told(news.resume_from, news.event)


async def _may_see(bridge: Bridge, caller: ApiKey, payment_id: str, seen: dict[str, bool]) -> bool:
    if payment_id not in seen:
        payment = await bridge.world.store.read(lambda tx: tx.payment(payment_id))
        seen.clear() if len(seen) > 10_000 else None  # noqa: PLR2004 - enough for a day
        seen[payment_id] = payment is not None and payment.branch in (caller.branches or ())
    return seen[payment_id]


def _told(place: int, event: Event) -> str:
    data: dict[str, Any] = {"payment_id": event.payment_id, "seq": event.seq, **event_view(event)}
    return f"id: {place}\nevent: {event.kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


async def _with_comments(lines: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """Say something now and then, and end where the listener is too slow: it resumes by itself."""
    yield ": here it begins\n\n"
    upcoming = asyncio.ensure_future(anext(lines))
    try:
        while True:
            done, _ = await asyncio.wait([upcoming], timeout=QUIET_S)
            if not done:
                yield ": still here\n\n"
                continue
            yield upcoming.result()
            upcoming = asyncio.ensure_future(anext(lines))
    except TooSlow:
        return
    finally:
        # A stream whose listener has gone is cancelled wherever it waits, here too: the end goes on without it.
        await asyncio.shield(_end(upcoming, lines))


async def _end(upcoming: asyncio.Future[str], lines: AsyncGenerator[str, None]) -> None:
    upcoming.cancel()
    try:
        await asyncio.gather(upcoming, return_exceptions=True)
    finally:
        await lines.aclose()
