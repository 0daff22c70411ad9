# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow the news: every event of every payment, once it is durable, to whoever listens in this process.

One reader follows the store and hands on what is new, however many listen. Places grow, but two processes may make
theirs durable out of order, and work that was undone leaves a place empty for ever. So the reader remembers the places
that were left out and looks for them again: what comes late is handed on late, and never lost. A listener resumes
from before the first such place; some of what stands behind it may then come a second time, and is known by its payment
and number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from tillbridge.domain.history import Event
from tillbridge.service.store_port import Placed, Store

POLL_S = 1.0
"""The net beneath the wake-ups."""

LATE_S = 90.0
"""How long a place is looked for that was left out: longer than any transaction may take."""

MOST_LEFT_OUT = 500
"""How many places before an event are looked for; no more transactions than that run at a time."""

AT_ONCE = 1000
"""How many events are read at a time."""

BACKLOG = 1000
"""How many events a listener may be behind before it is sent away, to resume by itself."""

_log = structlog.get_logger()


class TooSlow(Exception):  # noqa: N818 - the listener may come again
    """Say that a listener fell too far behind."""


@dataclass(frozen=True, slots=True)
class News:
    """Hold an event, its place, and the place from which a listener that has it may resume."""

    event: Event
    position: int
    resume_from: int


@dataclass(slots=True, eq=False)
class Listener:
    """Hold what one listener has not taken yet."""

    payment_id: str | None
    waiting: deque[News] = field(default_factory=deque)
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    too_slow: bool = False

    def give(self, news: News) -> None:
        """Put news in the listener's hands."""
        self.too_slow = self.too_slow or len(self.waiting) >= BACKLOG
        if not self.too_slow:
            self.waiting.append(news)
        self.bell.set()

    async def next(self) -> News:
        """Wait for news; raise TooSlow where some were missed."""
        while not self.waiting:
            if self.too_slow:
                raise TooSlow
            self.bell.clear()
            await self.bell.wait()
        return self.waiting.popleft()


class Feed:
    """Read what is new and hand it on."""

    def __init__(self, store: Store, poll_s: float = POLL_S) -> None:
        self._store, self._poll_s = store, poll_s
        self._bell = asyncio.Event()
        self._top = 0
        self._left_out: dict[int, float] = {}
        self._listeners: dict[str | None, set[Listener]] = {}
        self._over = False

    @property
    def sure(self) -> int:
        """Return the place before which nothing can come any more."""
        return min(self._left_out, default=self._top + 1) - 1

    @property
    def listening(self) -> int:
        """Return how many listen."""
        return sum(len(listeners) for listeners in self._listeners.values())

    def wake(self) -> None:
        """Look for news now."""
        self._bell.set()

    async def begin(self) -> None:
        """Take everything that is there already for known."""
        self._top = await self._store.read(lambda tx: tx.last_position())

    async def run(self) -> None:
        """Hand on news until cancelled."""
        while True:
            self._bell.clear()
            try:
                more = await self._look()
            except Exception:  # noqa: BLE001 - logged; the news must go on
                _log.exception("the store cannot be asked for news")
                more = False
            if not more:
                await self._pause()

    @contextmanager
    def listen(self, payment_id: str | None = None) -> Iterator[Listener]:
        """Listen to one payment, or to all, from now on."""
        listener = Listener(payment_id, too_slow=self._over)
        self._listeners.setdefault(payment_id, set()).add(listener)
        try:
            yield listener
        finally:
            others = self._listeners[payment_id]
            others.discard(listener)
            if not others:
                del self._listeners[payment_id]

    def dismiss(self) -> None:
        """Send every listener away, and who comes from now on too: the bridge is about to stop."""
        self._over = True
        for listener in [each for those in self._listeners.values() for each in those]:
            listener.too_slow = True
            listener.bell.set()

    async def follow(self, after: int | None) -> AsyncGenerator[News, None]:
        """Yield all events behind a place (None: from now on), first those that are stored, then the news."""
        with self.listen() as listener:
            told: set[int] = set()
            if after is not None:
                async for news in self._stored(after):
                    told.add(news.position)
                    yield news
            while True:
                news = await listener.next()
                if news.position not in told:
                    yield news

    async def follow_payment(self, payment_id: str, after: int) -> AsyncGenerator[Event, None]:
        """Yield a payment's events behind its nth, first those that are stored, then the news, in order."""
        with self.listen(payment_id) as listener:
            while True:
                for event, _ in await self._store.read(lambda tx: tx.history(payment_id)):
                    if event.seq > after:
                        after = event.seq
                        yield event
                news = await listener.next()
                while news.event.seq <= after + 1:
                    if news.event.seq == after + 1:
                        after = news.event.seq
                        yield news.event
                    news = await listener.next()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._poll_s):
                await self._bell.wait()
        except TimeoutError:
            return

    async def _stored(self, after: int) -> AsyncIterator[News]:
        while True:
            start = after
            batch = await self._store.read(lambda tx: tx.events_after(start, AT_ONCE))  # noqa: B023 - run at once
            for placed in batch:
                yield News(placed.event, placed.position, min(placed.position, self.sure))
            if len(batch) < AT_ONCE:
                return
            after = batch[-1].position

    async def _look(self) -> bool:
        top, missing = self._top, tuple(self._left_out)
        late, batch = await self._store.read(lambda tx: (tx.events_at(missing), tx.events_after(top, AT_ONCE)))
        self._remember(batch)
        for placed in late:
            self._left_out.pop(placed.position, None)
        for placed in (*late, *batch):
            self._hand_on(placed)
        return len(batch) == AT_ONCE

    def _remember(self, batch: Sequence[Placed]) -> None:
        """Note the places that were left out, and forget those that nothing can come to any more."""
        now = asyncio.get_running_loop().time()
        for place, since in tuple(self._left_out.items()):
            if now - since > LATE_S:
                del self._left_out[place]
        for placed in batch:
            for place in range(max(self._top + 1, placed.position - MOST_LEFT_OUT), placed.position):
                self._left_out[place] = now
            self._top = placed.position

    def _hand_on(self, placed: Placed) -> None:
        news = News(placed.event, placed.position, min(placed.position, self.sure))
        for key in (placed.event.payment_id, None):
            for listener in self._listeners.get(key, ()):
                listener.give(news)
