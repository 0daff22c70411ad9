# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep an open page true: send its live part whenever it has become another one.

A stream begins with the part as it is now, and sends it again after every break: a page that was away, asleep or
cut off shows the truth as soon as it is connected. What has not changed is not sent.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

from fastapi.responses import StreamingResponse

from tillbridge.service.feed import Listener, TooSlow
from tillbridge.service.people_port import Person
from tillbridge.web.api.events import HEADERS, STREAM
from tillbridge.web.desk.visit import Visit

QUIET_S = 10.0
"""How often a part is drawn without news: what time alone changes is shown by then."""

LEAVE_S = 5.0
"""How long a page has to leave once it was told to."""

MOST_TOGETHER = 200
"""How many parts are kept that several pages may show."""

Draw = Callable[[], Awaitable[str]]


class Together:
    """Draw a part once for all pages that show the same: at a city's desks it is open hundreds of times."""

    def __init__(self) -> None:
        self._begun: dict[Hashable, tuple[float, asyncio.Future[str]]] = {}

    async def drawn(self, what: Hashable, since: float, draw: Draw) -> str:
        """Return a part whose drawing began since then (by the loop's clock), and so knows of all news before."""
        began, drawing = self._begun.get(what, (-math.inf, None))
        if drawing is None or began < since:
            if len(self._begun) >= MOST_TOGETHER:
                self._begun.clear()
            began, drawing = _clock(), asyncio.ensure_future(draw())
            self._begun[what] = began, drawing
        # Who began it may leave before it is done.
        return await asyncio.shield(drawing)


def live(visit: Visit, draw: Draw, payment_id: str | None = None) -> StreamingResponse:
    """Answer with a stream of the part that `draw` makes, after news of one payment, or of all of them."""

    async def drawn(_since: float) -> str:
        return await draw()

    return StreamingResponse(_parts(visit, drawn, payment_id, 0.0), media_type=STREAM, headers=HEADERS)


def live_list(visit: Visit, draw: Draw, rest_s: float) -> StreamingResponse:
    """Answer with a stream of a part that is the same for all whose language, roles and branches are the same.

    `rest_s` is how long news of all payments are gathered before they are shown. The part must hold nothing that is
    one person's, such as a form.
    """
    together: Together = visit.request.app.state.together
    address = visit.request.url
    what = address.path, address.query, visit.texts.language, *_sight(visit.person)

    async def drawn(since: float) -> str:
        return await together.drawn(what, since, draw)

    return StreamingResponse(_parts(visit, drawn, None, rest_s), media_type=STREAM, headers=HEADERS)


async def _parts(
    visit: Visit, draw: Callable[[float], Awaitable[str]], payment_id: str | None, rest_s: float
) -> AsyncIterator[str]:
    with visit.bridge.feed.listen(payment_id) as listener:
        shown, since = None, _clock()
        while await _still(visit):
            part = await draw(since)
            yield ": still here\n\n" if part == shown else told("part", part)
            shown = part
            try:
                # Without news a part that is as old as the rest would show the same.
                since = _clock() if await _news(listener) else _clock() - rest_s
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


def _sight(person: Person) -> tuple[Hashable, Hashable]:
    return person.roles, person.branches


async def _news(listener: Listener) -> bool:
    """Wait for news, though not for long; tell whether there were some."""
    try:
        async with asyncio.timeout(QUIET_S):
            await listener.next()
    except TimeoutError:
        return False
    listener.waiting.clear()
    return True


def _clock() -> float:
    return asyncio.get_running_loop().time()


def told(event: str, text: str) -> str:
    """Write one server-sent event."""
    return f"event: {event}\n" + "".join(f"data: {line}\n" for line in text.splitlines() or [""]) + "\n"
