# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep an open page true: send its live part whenever it has become another one.

A stream begins with the part as it is now, and sends it again after every break: a page that was away, asleep or
cut off shows the truth as soon as it is connected. What has not changed is not sent.

A part that is the same for many is drawn once for all of them, by a visit that no longer says whose it is: so that a
thousand open desks cost one drawing, and none can be shown what is another's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable

from fastapi.responses import StreamingResponse

from tillbridge.service.feed import Listener, TooSlow
from tillbridge.web.api.events import EventStream
from tillbridge.web.desk.drawings import Drawings
from tillbridge.web.desk.visit import Visit

QUIET_S = 10.0
"""How often, about, a part is drawn without news: what time alone changes is shown by then."""

FRESH_S = 1.0
"""How old a drawing of others may be that is shown without news."""

LEAVE_S = 5.0
"""How long a page has to leave once it was told to."""

Draw = Callable[[], Awaitable[str]]
_Get = Callable[[float], Awaitable[str]]


def live(visit: Visit, draw: Draw, payment_id: str | None = None, *, rest_s: float = 0.0) -> StreamingResponse:
    """Answer with a stream of the part that `draw` makes, after news of one payment, or of all of them.

    `rest_s` is how long news are gathered before they are shown.
    """

    async def get(_: float) -> str:
        return told("part", await draw())

    return _answer(visit, get, payment_id, rest_s)


def live_for_all(
    visit: Visit, what: Hashable, draw: Callable[[Visit], Awaitable[str]], *, rest_s: float
) -> StreamingResponse:
    """Answer with a stream of a part that is the same for all who see the same branches in the same language.

    `what` says which part it is; `draw` is given a visit without a person.
    """
    anybody, drawings = visit.of_anybody(), _drawings(visit)
    alike = (what, visit.person.branches, visit.texts.language)

    async def event() -> str:
        return told("part", await draw(anybody))

    async def get(since: float) -> str:
        return await drawings.get(alike, since, event)

    return _answer(visit, get, None, rest_s)


def _answer(visit: Visit, get: _Get, payment_id: str | None, rest_s: float) -> StreamingResponse:
    return EventStream(_parts(visit, get, payment_id, rest_s))


async def _parts(visit: Visit, get: _Get, payment_id: str | None, rest_s: float) -> AsyncGenerator[str, None]:
    with visit.bridge.feed.listen(payment_id) as listener:
        shown, since = "", _now()
        while True:
            part = await get(since)
            if not await _is_still_who_came(visit):
                break
            yield ": still here\n\n" if part == shown else part
            shown = part
            try:
                since = await _news(listener, rest_s)
            except TooSlow:
                return
        # Signed out, here or elsewhere: the page must not go on showing what it had. It leaves by itself; a stream that
        # ended first would look to it as if the bridge were away.
        yield told("gone", "")
        await asyncio.sleep(LEAVE_S)


async def _is_still_who_came(visit: Visit) -> bool:
    """Tell whether the session goes on with its roles and branches; a page that is loaded again has the new ones."""
    known = await visit.bridge.door.who(visit.token)
    person = visit.person
    return known is not None and (known[0].roles, known[0].branches) == (person.roles, person.branches)


async def _news(listener: Listener, rest_s: float) -> float:
    """Wait for news, or for a while; return since when a drawing shows them."""
    try:
        # A thousand pages that were opened at one time, after a restart, are not to be drawn at one time ever after.
        async with asyncio.timeout(QUIET_S * random.uniform(0.75, 1.25)):  # noqa: S311 - it hides nothing
            await listener.next()
    except TimeoutError:
        return _now() - FRESH_S
    listener.waiting.clear()
    since = _now()
    # What comes meanwhile stays with the listener: a drawing that was begun before it will be followed by another.
    await asyncio.sleep(rest_s)
    return since


def _drawings(visit: Visit) -> Drawings:
    drawings: Drawings = visit.request.app.state.drawings
    return drawings


def _now() -> float:
    return asyncio.get_running_loop().time()


def told(event: str, text: str) -> str:
    """Write one server-sent event."""
    return f"event: {event}\n" + "".join(f"data: {line}\n" for line in text.splitlines() or [""]) + "\n"
