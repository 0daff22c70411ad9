# SPDX-License-Identifier: GPL-3.0-or-later
"""The kit itself: what goes wrong in the browser does not go unnoticed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser

from support.accessibility import AXE, accessible
from support.browser import new_page

TITLE = "<!doctype html><html lang=en><head><title>Desk</title><link rel=icon href='data:,'></head>"
GOOD = f"{TITLE}<main><h1>Desk</h1><label>Card <input name=card></label></main></html>"
NO_LABEL = f"{TITLE}<main><h1>Desk</h1><input name=card></main></html>"
STRICT = "default-src 'none'; script-src 'self'; img-src data:"


@dataclass
class Shelf:
    """A web server with pages that a test puts there, and what was asked of it."""

    address: str = ""
    pages: dict[str, tuple[str, int, str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def put(self, path: str, text: str, *, status: int = 200, kind: str = "text/html", policy: str = "") -> None:
        self.pages[path] = (text, status, kind, policy)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        text, status, kind, policy = self.pages.get(request.path, ("nothing here", 404, "text/plain", ""))
        headers = {"Content-Security-Policy": policy} if policy else {}
        return web.Response(text=text, status=status, content_type=kind, headers=headers)


@pytest_asyncio.fixture(loop_scope="session")
async def shelf() -> AsyncIterator[Shelf]:
    async with open_shelf() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def elsewhere() -> AsyncIterator[Shelf]:
    async with open_shelf() as made:
        yield made


@asynccontextmanager
async def open_shelf() -> AsyncIterator[Shelf]:
    made, app = Shelf(), web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        made.address = f"http://{host}:{port}"
        yield made
    finally:
        await runner.cleanup()


async def look(browser: Browser, shelf: Shelf, *expected: str, path: str = "/") -> None:
    async with new_page(browser, shelf.address, language="fi", expected=expected) as page:
        await page.goto(path, wait_until="networkidle")


async def test_a_good_page_passes_and_is_accessible_in_spite_of_a_strict_policy(browser: Browser, shelf: Shelf) -> None:
    shelf.put("/", GOOD, policy=STRICT)
    async with new_page(browser, shelf.address, language="fi") as page:
        await page.goto("/")
        await accessible(page)


async def test_a_missing_label_is_found_and_told_with_its_place(browser: Browser, shelf: Shelf) -> None:
    shelf.put("/", NO_LABEL, policy=STRICT)
    async with new_page(browser, shelf.address, language="fi") as page:
        await page.goto("/")
        with pytest.raises(AssertionError, match=r"label \(critical\), 1 times") as failed:
            await accessible(page)
        assert "  input\n    Fix any of the following:" in str(failed.value)
        await accessible(page, without={"label": "this test has no other page"})
        await accessible(page, within="h1")


BROKEN = {
    "console": ("<script>console.error('a bad day')</script>", "", "console error: a bad day"),
    "error": ("<script>throw new Error('a worse day')</script>", "", "page error: .*a worse day"),
    "policy": ("<script>document.title = 'no'</script>", STRICT, "console error: .*Content Security Policy"),
    "script": ("<script src=missing.js></script>", "", "HTTP 404: GET .*/missing.js"),
    "answer": ("<script>fetch('/broken')</script>", "", "HTTP 503: GET .*/broken"),
    "socket": ("<script>new WebSocket(location.origin.replace('http', 'ws'))</script>", "", "web socket: ws:"),
}


@pytest.mark.parametrize(("body", "policy", "told"), BROKEN.values(), ids=BROKEN)
async def test_what_goes_wrong_fails_the_test(
    browser: Browser, shelf: Shelf, body: str, policy: str, told: str
) -> None:
    shelf.put("/", GOOD + body, policy=policy)
    shelf.put("/broken", "out of order", status=503)
    with pytest.raises(AssertionError, match=told):
        await look(browser, shelf)


async def test_what_is_expected_to_go_wrong_may_and_must(browser: Browser, shelf: Shelf) -> None:
    shelf.put("/", GOOD + BROKEN["console"][0])
    await look(browser, shelf, "a bad day")
    with pytest.raises(AssertionError, match="never came:\na worse day"):
        await look(browser, shelf, "a bad day", "a worse day")


@pytest.mark.parametrize("path", ["/", "/missing"])
async def test_a_page_and_an_answer_to_its_script_may_say_no(browser: Browser, shelf: Shelf, path: str) -> None:
    shelf.put("/", GOOD + "<script>fetch('/missing')</script>")
    await look(browser, shelf, path=path)


@pytest.mark.parametrize(
    "body", ["<img alt='' src={}/a.png>", "<script>fetch('{}/a').catch(() => null)</script>", "<iframe src={}/a>"]
)
async def test_a_request_to_elsewhere_is_refused_and_fails_the_test(
    browser: Browser, shelf: Shelf, elsewhere: Shelf, body: str
) -> None:
    shelf.put("/", GOOD + body.format(elsewhere.address))
    with pytest.raises(AssertionError, match=f"foreign request: GET {elsewhere.address}/a"):
        await look(browser, shelf)
    assert elsewhere.asked == []


async def test_a_page_has_the_language_and_the_looks_that_it_was_opened_with(browser: Browser, shelf: Shelf) -> None:
    shelf.put("/", GOOD)
    seen = "() => [navigator.language, innerWidth, ...['(prefers-color-scheme: dark)', "
    seen += "'(prefers-reduced-motion)'].map((query) => matchMedia(query).matches)]"
    async with new_page(browser, shelf.address, language="sv", dark=True, width=375, reduced_motion=False) as page:
        await page.goto("/")
        assert await page.evaluate(seen) == ["sv-SE", 375, True, False]
    async with new_page(browser, shelf.address, language="fi") as page:
        await page.goto("/")
        assert await page.evaluate(seen) == ["fi-FI", 1280, False, True]


async def test_a_page_without_scripts_can_be_looked_at_too(browser: Browser, shelf: Shelf) -> None:
    shelf.put("/", GOOD + "<script>document.title = 'scripted'</script>")
    async with new_page(browser, shelf.address, language="fi", scripts=False) as page:
        await page.goto("/")
        assert await page.title() == "Desk"


async def test_a_page_that_is_left_half_way_does_no_harm(browser: Browser, shelf: Shelf) -> None:
    shelf.put("/", GOOD + "<a href=/ id=again>Again</a>")
    async with new_page(browser, shelf.address, language="fi") as page:
        await page.goto("/")
        await page.evaluate("() => { setTimeout(() => document.querySelector('#again').click()) }")
    async with new_page(browser, shelf.address, language="fi") as page:
        await page.close()


def test_what_is_vendored_comes_with_its_licence_and_says_which_version_it_is() -> None:
    assert "Mozilla Public License" in (AXE.parent / "LICENSE").read_text()
    readme = (AXE.parent / "README.md").read_text()
    version = re.search(r"^# axe-core ([\d.]+)$", readme, re.MULTILINE)
    assert version
    assert AXE.read_text().startswith(f"/*! axe v{version[1]}\n")
    others = {path.name for path in AXE.parent.iterdir()} - {"README.md"}
    assert [name for name in sorted(others) if f"`{name}`" not in readme] == []
