# SPDX-License-Identifier: GPL-3.0-or-later
"""Take pictures of the pages, as people see them: for documents, and to look at what a change has done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page

from support.browser import LOCALES, new_page
from support.scenes import Scene
from support.tour import WAYS


@dataclass(frozen=True, slots=True)
class View:
    """Describe a screen; at 320 pixels a page looks as on one of 1280 that is magnified fourfold."""

    name: str
    width: int = 1280
    height: int = 900
    dark: bool = False


DESK = View("desk")
DARK = View("dark", dark=True)
PHONE = View("phone", width=375, height=812)
MAGNIFIED = View("magnified", width=320, height=256)


@dataclass(frozen=True, slots=True)
class Picture:
    """Name a picture, and say how a fresh page becomes it; each of its languages has one for each of its screens."""

    name: str
    show: Callable[[Page, Scene], Awaitable[None]]
    views: Sequence[View] = (DESK,)
    languages: Sequence[str] = tuple(LOCALES)


async def _api(page: Page, scene: Scene) -> None:
    del scene
    await page.goto("/api")
    await page.get_by_text("/api/v1/payments", exact=True).first.wait_for()


EVERYWHERE = (DESK, DARK, PHONE, MAGNIFIED)
LOOKED_AT_CLOSELY = {
    "sign-in",
    "desk",
    "charges-part",
    "waiting",
    "paid",
    "unknown",
    "case-unknown",
    "payments",
    "payment",
    "refund",
    "refund-asked",
    "refund-given",
}
"""Those that are taken on every screen; of the others each is on the desk's screen alone."""

PICTURES = (
    Picture("api", _api, (DESK, PHONE, MAGNIFIED), ("en",)),
    *(Picture(name, way, EVERYWHERE if name in LOOKED_AT_CLOSELY else (DESK,)) for name, way in WAYS.items()),
)


async def take(browser: Browser, scene: Scene, folder: Path, pictures: Sequence[Picture] = PICTURES) -> Sequence[Path]:
    """Take the pictures and return their files: `name-language-view.png`, each the whole page from top to bottom."""
    return [
        await _taken(browser, scene, folder, picture, language, view) for picture, language, view in _shots(pictures)
    ]


def _shots(pictures: Sequence[Picture]) -> Iterator[tuple[Picture, str, View]]:
    for picture in pictures:
        for language in picture.languages:
            yield from ((picture, language, view) for view in picture.views)


async def _taken(browser: Browser, scene: Scene, folder: Path, picture: Picture, language: str, view: View) -> Path:
    file = folder / f"{picture.name}-{language}-{view.name}.png"
    async with new_page(
        browser, scene.stage.address, language=language, dark=view.dark, width=view.width, height=view.height
    ) as page:
        await picture.show(page, scene)
        await page.screenshot(path=file, full_page=True)
    return file
