# SPDX-License-Identifier: GPL-3.0-or-later
"""Be a clerk at the desk in a real browser: sign in, look up, choose, pay, and read what the page says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, Locator, Page

from support.accessibility import accessible
from support.browser import new_page
from support.scenes import Scene
from tillbridge.service.people_port import Person, Role
from tillbridge.service.store_port import Transaction

PASSWORD = "kirjasto ja kahvi"
REGISTER = "CPL/10"

STATE = "[data-state]"


@dataclass
class Clerk:
    """Hold a page of somebody who is signed in."""

    scene: Scene
    page: Page

    @property
    def payment_id(self) -> str:
        """Return the payment whose page is open."""
        return self.page.url.split("/payments/")[1].split("/")[0]

    async def look_up(self, who: str) -> None:
        """Read a card, as the scanner does: it types the number and Enter."""
        await self.page.goto("/")
        await self.page.locator("#who:focus").wait_for()
        await self.page.keyboard.type(who)
        await self.page.keyboard.press("Enter")
        await self.page.locator("#sum").wait_for()
        await self.page.wait_for_load_state("load")

    async def pay(self, *, register: str = REGISTER, sum_: str = "") -> str:
        """Press *Pay at the register* and return the payment's id."""
        await self.page.check(f'input[name="register"][value="{register}"]')
        if sum_:
            await self.page.fill("#sum", sum_)
        await self.page.locator("button.big").click()
        await self.page.wait_for_url("**/wait")
        self.scene.started.append(self.payment_id)
        return self.payment_id

    async def begin(self, *amounts: str, **how: Any) -> str:
        """Look up a new patron who owes this, and pay all of it."""
        card, _ = await self.scene.patron(*(amounts or ("3.00", "4.20")))
        await self.look_up(card)
        return await self.pay(**how)

    async def sees(self, state: str) -> Locator:
        """Wait until the page shows this state."""
        shown = self.page.locator(f'[data-state="{state}"]')
        await shown.wait_for()
        return shown

    async def says(self, words: str) -> None:
        """Wait until the page says this."""
        await self.page.get_by_text(words).first.wait_for()

    async def reload(self) -> None:
        """Load the page again."""
        await self.page.reload()

    async def fit_for_all(self) -> None:
        """Fail where the page shuts somebody out."""
        await accessible(self.page)


async def hire(scene: Scene, person_id: str, *roles: Role, branches: Collection[str] | None = None) -> None:
    """Make an account where there is none."""
    bridge = scene.stage.bridge
    made = await bridge.door.passwords.hash(PASSWORD)
    allowed = None if branches is None else frozenset(branches)
    person = Person(person_id, person_id.title(), frozenset(roles), allowed, None, made, 1.0, "otto", 1.0)

    def work(tx: Transaction) -> None:
        if tx.person(person_id) is None:
            tx.add_person(person)

    await bridge.world.store.write(work)


@asynccontextmanager
async def clerk_at(
    browser: Browser, scene: Scene, person_id: str = "anna", *roles: Role, language: str = "en", **how: Any
) -> AsyncIterator[Clerk]:
    """Sit down and sign in."""
    await hire(scene, person_id, *(roles or (Role.CLERK,)))
    async with new_page(browser, scene.stage.address, language=language, **how) as page:
        await page.goto("/")
        await page.fill("#name", person_id)
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await page.locator(".person").wait_for()
        yield Clerk(scene, page)
