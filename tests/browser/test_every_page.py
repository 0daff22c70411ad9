# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page, in every state and language, can be used by everybody: axe finds nothing, and nothing is cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from support.accessibility import accessible
from support.browser import new_page
from support.pictures import LOOKED_AT_CLOSELY
from support.scenes import Scene
from support.tour import WAYS, open_tour
from tillbridge.web.desk import live

SCREENS = {"en": (1280, False), "fi": (375, True), "sv": (320, False)}
"""Each language on a screen of its own: the desk's; a phone's, dark; and one that is magnified fourfold."""

TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tour(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    with pytest.MonkeyPatch.context() as patch:
        # A case that comes without an event is shown after the next quiet while.
        patch.setattr(live, "QUIET_S", 1.0)
        async with open_tour(tmp_path_factory.mktemp("tour")) as made:
            yield made


def seen() -> list[tuple[str, str]]:
    """Pair each page with a screen, in turn; those that are looked at closely with all of them."""
    screens = list(SCREENS)
    each = ((name, screens if name in LOOKED_AT_CLOSELY else [screens[n % 3]]) for n, name in enumerate(WAYS))
    return [(name, language) for name, languages in each for language in languages]


@pytest.mark.parametrize(("name", "language"), seen())
async def test_everybody_can_use_it(browser: Browser, tour: Scene, name: str, language: str) -> None:
    width, dark = SCREENS[language]
    async with new_page(browser, tour.stage.address, language=language, width=width, dark=dark) as page:
        await WAYS[name](page, tour)
        await accessible(page)
        assert await page.evaluate(TOO_WIDE) == 0, "the page must be moved sideways to be read"
        await _is_in_one_language(page, language)


@pytest.mark.parametrize("language", SCREENS)
async def test_what_each_charge_owes_is_seen_on_a_narrow_screen(browser: Browser, tour: Scene, language: str) -> None:
    async with new_page(browser, tour.stage.address, language=language, width=320) as page:
        await WAYS["charges-many"](page, tour)
        hidden = await page.locator(".scroll").first.evaluate("list => list.scrollWidth - list.clientWidth")
        assert hidden == 0, "the list must be moved sideways to see what is owed"


async def _is_in_one_language(page: Page, language: str) -> None:
    assert await page.locator("html").get_attribute("lang") == language
    assert await page.locator("h1").count() == 1
