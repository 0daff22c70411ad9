# SPDX-License-Identifier: GPL-3.0-or-later
"""What many pages show alike is drawn once, and never shown when it is too old."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from tillbridge.web.desk.drawings import KEPT_S, Drawings


@dataclass
class Artist:
    """Draw when told to, and count."""

    begun: int = 0
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Exception | None = None

    async def draw(self) -> str:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.trouble is not None:
            raise self.trouble
        return f"drawing {number}"


def now() -> float:
    return asyncio.get_running_loop().time()


async def let_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_thousand_at_once_are_shown_one_drawing() -> None:
    drawings, artist = Drawings(), Artist()
    asking = [asyncio.create_task(drawings.get("desk", now(), artist.draw)) for _ in range(1000)]
    artist.may_end.set()
    assert set(await asyncio.gather(*asking)) <= {"drawing 1", "drawing 2"}
    assert artist.begun <= 2


async def test_what_was_drawn_since_is_shown_again_and_what_was_drawn_before_is_not() -> None:
    drawings, artist = Drawings(), Artist()
    artist.may_end.set()
    start = now()
    assert await drawings.get("desk", start, artist.draw) == "drawing 1"
    assert await drawings.get("desk", start, artist.draw) == "drawing 1"
    await asyncio.sleep(0.001)
    assert await drawings.get("desk", now(), artist.draw) == "drawing 2"


async def test_news_that_come_while_it_is_drawn_are_shown_by_one_drawing_more() -> None:
    drawings, artist = Drawings(), Artist()
    first = asyncio.create_task(drawings.get("desk", now(), artist.draw))
    await let_run()
    later = [asyncio.create_task(drawings.get("desk", now() + 1e-9, artist.draw)) for _ in range(50)]
    await let_run()
    assert artist.begun == 1
    await asyncio.sleep(0.001)
    artist.may_end.set()
    assert await first == "drawing 1"
    assert await asyncio.gather(*later) == ["drawing 2"] * 50


async def test_two_kinds_are_two_drawings() -> None:
    drawings, one, other = Drawings(), Artist(), Artist()
    one.may_end.set()
    other.may_end.set()
    start = now()
    await asyncio.gather(drawings.get("desk", start, one.draw), drawings.get("cases", start, other.draw))
    assert (one.begun, other.begun) == (1, 1)


async def test_who_hangs_up_takes_nothing_from_the_others() -> None:
    drawings, artist = Drawings(), Artist()
    start = now()
    leaving, staying = [asyncio.create_task(drawings.get("desk", start, artist.draw)) for _ in range(2)]
    await let_run()
    leaving.cancel()
    await let_run()
    artist.may_end.set()
    assert await staying == "drawing 1"
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_drawing_that_failed_is_tried_again() -> None:
    drawings, artist = Drawings(), Artist(trouble=OSError("the database is away"))
    artist.may_end.set()
    start = now()
    with pytest.raises(OSError, match="away"):
        await drawings.get("desk", start, artist.draw)
    artist.trouble = None
    assert await drawings.get("desk", start, artist.draw) == "drawing 2"


async def test_what_nobody_looks_at_any_more_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    drawings, artist = Drawings(), Artist()
    artist.may_end.set()
    for number in range(100):
        await drawings.get(number, now(), artist.draw)
    loop = asyncio.get_running_loop()
    later = loop.time() + KEPT_S + 1
    monkeypatch.setattr(loop, "time", lambda: later)
    await drawings.get("desk", later, artist.draw)
    assert list(drawings._last) == ["desk"]
