# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep an open page true: send its live part whenever it has become another one.

A stream begins with the part as it is now, and sends it again after every break: a page that was away, asleep or
cut off shows the truth as soon as it is connected. What has not changed is not sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi.responses import StreamingResponse

from tillbridge.service.feed import Listener, TooSlow
from tillbridge.service.people_port import Person
from tillbridge.web.api.events import HEADERS, STREAM
from tillbridge.web.desk.visit import Visit

QUIET_S = 10.0
"""How often a part is drawn without news: what time alone changes is shown by then."""

LEAVE_S = 5.0
"""How long a page has to leave once it was told to."""

Draw = Callable[[], Awaitable[str]]


def live(visit: Visit, draw: Draw, payment_id: str | None = None, *, rest_s: float = 0.0) -> StreamingResponse:
    """Answer with a stream of the part that `draw` makes, after news of one payment, or of all of them.

    `rest_s` is how long news are gathered before they are shown.
    """
    return StreamingResponse(_parts(visit, draw, payment_id, rest_s), media_type=STREAM, headers=HEADERS)


async def _parts(visit: Visit, draw: Draw, payment_id: str | None, rest_s: float) -> AsyncIterator[str]:
    with visit.bridge.feed.listen(payment_id) as listener:
        shown: str | None = None
        while await _still(visit):
            part = await draw()
            yield ": still here\n\n" if part == shown else told("part", part)
            shown = part
            try:
                await _news(listener)
                await asyncio.sleep(rest_s)
            except TooSlow:
                return
        # Signed out, here or elsewhere, or with other rights now: the page must not go on showing what it had. It is
        # loaded again by itself; a stream that ended first would look to it as if the bridge were away.
        yield told("gone", "")
        await asyncio.sleep(LEAVE_S)


async def _still(visit: Visit) -> bool:
    """Tell whether the person is signed in, and may see what they might when the stream began."""
    known = await visit.bridge.door.who(visit.token)
    return known is not None and _sight(known[0]) == _sight(visit.person)


def _sight(person: Person) -> tuple[object, object]:
    return person.roles, person.branches


async def _news(listener: Listener) -> None:
    try:
        async with asyncio.timeout(QUIET_S):
            await listener.next()
    except TimeoutError:
        return
    listener.waiting.clear()


def told(event: str, text: str) -> str:
    """Write one server-sent event."""
    return f"event: {event}\n" + "".join(f"data: {line}\n" for line in text.splitlines() or [""]) + "\n"
