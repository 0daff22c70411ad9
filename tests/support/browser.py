# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at pages in Debian's Chromium, as a desk does; whatever goes wrong in it fails the test."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
    Route,
    WebSocket,
    async_playwright,
)
from yarl import URL

CHROMIUM = "/usr/bin/chromium-headless-shell"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)
"""The last one keeps the browser itself, too, from asking anything of the world."""

LOCALES = {"fi": "fi-FI", "sv": "sv-SE", "en": "en-GB"}
TIME_ZONE = "Europe/Helsinki"
WAIT_MS = 30_000
"""How long anything is waited for on a page: two cores may share four processes of tests."""

WITHIN_THE_PAGE = ("data", "blob", "about")
PARTS = ("stylesheet", "script", "image", "font", "media", "manifest")
"""What a page is made of: none of it may be missing. A page or an answer to a form may well say no."""

TOLD_BY_THE_ANSWER = "Failed to load resource: the server responded with a status of"
TOLD_BY_THE_REFUSAL = "net::ERR_BLOCKED_BY_CLIENT"
SERVER_ERROR, ERROR = 500, 400


@dataclass
class Watch:
    """Gather what goes wrong on the pages of one site, and of those that it works with."""

    site: str
    others: Sequence[str] = ()
    troubles: list[str] = field(default_factory=list)

    async def over(self, context: BrowserContext) -> None:
        """Listen to every page of a context, and refuse what leaves the site."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self._note(f"page error: {error.error}"))
        context.on("response", self._response)
        context.on("page", lambda page: page.on("websocket", self._socket))
        await context.route(self._is_foreign, self._refuse)

    def check(self, expected: Sequence[str] = ()) -> None:
        """Fail for whatever was not expected, and for what was expected (patterns) and never came."""
        unexpected = [one for one in self.troubles if not any(re.search(pattern, one) for pattern in expected)]
        assert unexpected == [], "the browser tells of trouble:\n" + "\n".join(unexpected)
        missed = [pattern for pattern in expected if not any(re.search(pattern, one) for one in self.troubles)]
        assert missed == [], "this was expected and never came:\n" + "\n".join(missed)

    def _note(self, trouble: str) -> None:
        self.troubles.append(trouble)

    def _is_foreign(self, address: str) -> bool:
        url = URL(address)
        known = {URL(site).origin() for site in (self.site, *self.others)}
        return url.scheme not in WITHIN_THE_PAGE and url.origin() not in known

    async def _refuse(self, route: Route) -> None:
        self._note(f"foreign request: {route.request.method} {route.request.url}")
        await route.abort("blockedbyclient")

    def _socket(self, socket: WebSocket) -> None:
        self._note(f"web socket: {socket.url}")

    def _console(self, message: ConsoleMessage) -> None:
        told_already = message.text.startswith(TOLD_BY_THE_ANSWER) or TOLD_BY_THE_REFUSAL in message.text
        if message.type == "error" and not told_already:
            self._note(f"console error: {message.text} ({message.location.get('url', '')})")

    def _response(self, response: Response) -> None:
        if response.status >= (ERROR if _is_part(response.request) else SERVER_ERROR):
            self._note(f"HTTP {response.status}: {response.request.method} {response.url}")


def _is_part(request: Request) -> bool:
    return request.resource_type in PARTS


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Start a Chromium with a profile that is thrown away; it belongs to the event loop that runs now."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def new_page(
    browser: Browser,
    site: str,
    *,
    language: str,
    dark: bool = False,
    width: int = 1280,
    height: int = 900,
    reduced_motion: bool = True,
    scripts: bool = True,
    others: Sequence[str] = (),
    expected: Sequence[str] = (),
) -> AsyncIterator[Page]:
    """Open a page with a profile of its own, whose relative addresses start at `site` (`page.goto("/api")`).

    What goes wrong meanwhile fails the test at the end: a request to another origin (it is refused), a web socket, an
    error on the console (broken content security policies are told there), an uncaught error, an answer of 500 or more,
    and a part of the page that is missing. `expected` names patterns of what shall go wrong; each of them must.
    `others` are the addresses of sites that the pages may lead to and talk to.
    """
    context = await browser.new_context(
        base_url=site,
        locale=LOCALES[language],
        timezone_id=TIME_ZONE,
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": height},
        reduced_motion="reduce" if reduced_motion else "no-preference",
        java_script_enabled=scripts,
        service_workers="block",
    )
    context.set_default_timeout(WAIT_MS)
    watch = Watch(site, others)
    await watch.over(context)
    try:
        page = await context.new_page()
        yield page
        await _caught_up(page)
    finally:
        await context.close()
    watch.check(expected)


async def _caught_up(page: Page) -> None:
    """Let whatever the browser has to tell arrive: its messages come in order, so an answer comes after them."""
    with suppress(Error):  # it is being left, or closed: then there is nothing more to tell
        await page.evaluate("() => null")
