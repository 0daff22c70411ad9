# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the API in a browser."""

from __future__ import annotations

from playwright.async_api import Browser

from support.accessibility import accessible
from support.browser import new_page
from support.scenes import Scene

AS_SWAGGER_UI_IS_BUILT = {
    "nested-interactive": "an operation's head is a button with a link and another button in it",
    "heading-order": "a group of operations is a third heading below a first one",
    "region": "what the document says of itself stands before its landmark",
}


async def test_the_page_about_the_api_is_accessible_and_loads_nothing_from_elsewhere(
    browser: Browser, scene: Scene
) -> None:
    async with new_page(browser, scene.stage.address, language="en") as page:
        await page.goto("/api")
        await page.get_by_text("/api/v1/payments", exact=True).first.wait_for()
        await accessible(page, without=AS_SWAGGER_UI_IS_BUILT)
