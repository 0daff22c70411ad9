# SPDX-License-Identifier: GPL-3.0-or-later
"""A page that is cut off finds back soon, whatever answers in the bridge's place, and keeps what is typed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, Page, Route

from support.clerk import Clerk, clerk_at
from support.patience import until
from support.scenes import Scene

CUT_OFF = "The connection to the bridge is cut off."
BY_A_PROXY = ("HTTP 502",)
TURN_MS = 5000
SETTLED_S = 0.3


@dataclass
class Proxy:
    """Answer for a bridge that is away."""

    page: Page
    tries: int = 0
    away: bool = True
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def tried(self, more_than: int) -> None:
        """Wait until the page has tried again."""

        async def look() -> bool | None:
            return True if self.tries > more_than else None

        await until(look)

    async def answer(self, route: Route) -> None:
        """Say that there is nobody, or let it through."""
        self.tries += 1
        await (route.fulfill(status=502) if self.away else route.continue_())


@asynccontextmanager
async def cut_off(clerk: Clerk) -> AsyncIterator[Proxy]:
    """Let the waiting page be loaded, and its stream be answered by a proxy; time goes on only when it is told to."""
    proxy = Proxy(clerk.page)
    await clerk.page.route("**/live", proxy.answer)
    await clerk.page.clock.install()
    await clerk.reload()
    await clerk.says(CUT_OFF)
    yield proxy


async def at_till(clerk: Clerk) -> str:
    payment_id = await clerk.begin()
    await clerk.sees("at_register")
    return payment_id


async def test_a_page_tries_every_five_seconds_however_long_the_bridge_is_away(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene, expected=BY_A_PROXY) as clerk:
        payment_id = await at_till(clerk)
        async with cut_off(clerk) as proxy:
            for _ in range(12):
                tries = proxy.tries
                await clerk.page.clock.run_for(TURN_MS)
                await proxy.tried(tries)
                await clerk.says(CUT_OFF)
            await scene.accept(payment_id)
            await scene.booked(payment_id)
            proxy.away = False
            await clerk.page.clock.run_for(TURN_MS)
            await clerk.sees("paid")
            await clerk.page.get_by_text(CUT_OFF).wait_for(state="hidden")


@pytest.mark.parametrize(
    "comes_back", ["document.dispatchEvent(new Event('visibilitychange'))", "dispatchEvent(new Event('online'))"]
)
async def test_a_page_tries_at_once_when_somebody_or_the_network_comes_back(
    browser: Browser, scene: Scene, comes_back: str
) -> None:
    async with clerk_at(browser, scene, expected=BY_A_PROXY) as clerk:
        await at_till(clerk)
        async with cut_off(clerk) as proxy:
            tries = proxy.tries
            await clerk.page.clock.pause_at(await clerk.page.evaluate("Date.now() + 60000"))
            await proxy.tried(tries)
            await asyncio.sleep(SETTLED_S)
            proxy.away = False
            await asyncio.sleep(SETTLED_S)
            await clerk.says(CUT_OFF)
            await clerk.page.evaluate(f"() => {{ {comes_back}; }}")
            await clerk.page.get_by_text(CUT_OFF).wait_for(state="hidden")


async def test_what_is_typed_while_the_bridge_is_away_is_there_when_it_is_back(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene, expected=BY_A_PROXY) as clerk:
        await scene.fault("drop_after_reading")
        payment_id = await clerk.begin()
        await clerk.sees("unknown")
        async with cut_off(clerk) as proxy:
            await clerk.page.locator("#word-receipt").press_sequentially("K 47")
            assert await scene.report(payment_id, 97) == 200
            proxy.away = False
            await clerk.page.clock.run_for(TURN_MS)
            await clerk.says("The register server sent a status that decides nothing.")
            await clerk.page.keyboard.type("11")
            assert await clerk.page.input_value("#word-receipt") == "K 4711"


async def test_a_page_that_finds_back_after_its_session_asks_to_sign_in(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene, expected=BY_A_PROXY) as clerk:
        payment_id = await at_till(clerk)
        async with cut_off(clerk) as proxy:
            await scene.stage.bridge.world.store.write(lambda tx: tx.end_sessions_of("anna"))
            await asyncio.sleep(1.1)  # for so long the bridge remembers who was there
            proxy.away = False
            await clerk.page.clock.run_for(TURN_MS)
            await clerk.page.locator("#password").wait_for()
            assert f"next=/payments/{payment_id}/wait" in clerk.page.url
