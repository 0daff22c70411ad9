# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge is killed and started again while a clerk waits for the till."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio
from playwright.async_api import Browser

from support.browser import new_page
from support.clerk import PASSWORD
from support.mortal import mortal_bridge
from tillbridge.bridge_client import BridgeClient
from tillbridge.composition import database_of
from tillbridge.demo.setup import HOST
from tillbridge.demo.stage import Scenery, set_scenery
from tillbridge.listening import listening_socket
from tillbridge.service.passwords import Passwords
from tillbridge.service.people_port import Person, Role
from tillbridge.settings import read_settings
from tillbridge.store.commanding import changing

CARD = "21000001"
CUT_OFF = ("console error",)
"""The browser tells that its stream broke off, as it should."""


@pytest_asyncio.fixture(loop_scope="session")
async def scenery(tmp_path: Path) -> AsyncIterator[Scenery]:
    """A library and a till, with settings for a bridge."""
    with listening_socket(HOST, 0) as free:
        port = free.getsockname()[1]
    async with set_scenery(tmp_path, port) as made:
        yield made


async def hire(scenery: Scenery) -> None:
    passwords = Passwords()
    made = await passwords.hash(PASSWORD)
    passwords.close()
    person = Person("anna", "Anna", frozenset({Role.CLERK}), None, None, made, 1.0, "otto", 1.0)
    changing(database_of(read_settings(scenery.settings)), lambda tx, _now: tx.add_person(person))


async def test_the_page_finds_back_to_the_truth_after_the_bridge_was_killed(browser: Browser, scenery: Scenery) -> None:
    bridge = mortal_bridge(scenery.settings, {})
    async with bridge.alive(), new_page(browser, scenery.address, language="en", expected=CUT_OFF) as page:
        await hire(scenery)
        await page.goto("/")
        await page.fill("#name", "anna")
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.locator("#who:focus").wait_for()
        await page.keyboard.type(CARD)
        await page.keyboard.press("Enter")
        await page.check('input[name="register"][value="CPL/10"]')
        await page.locator("button.big").click()
        await page.locator('[data-state="at_register"]').wait_for()
        payment_id = page.url.split("/payments/")[1].split("/")[0]
        await bridge.kill()
        await page.get_by_text("The connection to the bridge is cut off.").wait_for()
        await bridge.start()
        # Nobody touches the page: it connects again by itself. The held request died with the bridge.
        await page.locator('[data-state="unknown"]').wait_for()
        await page.get_by_text("The connection to the bridge is cut off.").wait_for(state="hidden")
        async with aiohttp.ClientSession() as http:
            accepted = await http.post(f"{scenery.till}/api/payments/{payment_id}/accept", json={"method": "card"})
            assert accepted.status == 200
        await page.locator('[data-state="paid"]').wait_for()
        async with BridgeClient(scenery.address, scenery.api_key) as client:
            [payment] = [seen async for seen in client.follow(payment_id)][-1:]
        assert (payment["collection"], payment["booking"]) == ("paid", "booked")
        await bridge.stop()
