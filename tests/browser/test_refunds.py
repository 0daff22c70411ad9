# SPDX-License-Identifier: GPL-3.0-or-later
"""Money is given back on a payment's page, with real parts: browser, bridge, till and a library with the plugin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from support.clerk import Clerk, clerk_at
from support.scenes import QUICK, Scene, open_scene
from tillbridge.demo.setup import USUAL
from tillbridge.service.people_port import Role
from tillbridge.web.desk.texts import LANGUAGES, texts_in

MOST_TABS = 80
WHERE = """wanted => {
  const now = document.activeElement;
  return now === wanted ? "there" : now.name && now.name === wanted.name ? "in its group" : "elsewhere";
}"""
REASON, TILL_RECEIPT = "Väärä maksu", "K 777"
FORM, OTHER_REGISTER = "#refund", 'input[name="register"][value="CPL/11"]'


@pytest_asyncio.fixture(loop_scope="session")
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The whole stage, with the plugin in the library."""
    async with open_scene(tmp_path, QUICK, replace(USUAL, plugin=True)) as made:
        yield made


async def booked(scene: Scene) -> dict[str, Any]:
    """Let a customer pay two charges at register 10."""
    card, _ = await scene.patron("3.00", "4.20")
    payment = await scene.start(card)
    await scene.accept(payment["id"])
    return await scene.booked(payment["id"])


async def lines(scene: Scene, patron_id: object, kind: str) -> list[Any]:
    """List what the library has of a kind of line."""
    ledger = await scene.library("GET", f"/control/patrons/{patron_id}/ledger")
    return [line for line in ledger["lines"] if line["type"] == kind]


async def tab_to(clerk: Clerk, selector: str) -> None:
    """Go on with Tab alone, and with the arrows within a group of choices."""
    wanted = clerk.page.locator(selector)
    for _ in range(MOST_TABS):
        at = await wanted.evaluate(WHERE)
        if at == "there":
            return
        await clerk.page.keyboard.press("ArrowDown" if at == "in its group" else "Tab")
    raise AssertionError(f"the keyboard never comes to {selector}")


async def write(clerk: Clerk, selector: str, text: str) -> None:
    await tab_to(clerk, selector)
    await clerk.page.keyboard.press("ControlOrMeta+a")
    await clerk.page.keyboard.type(text)


async def ask(clerk: Clerk, payment_id: str, sum_: str) -> None:
    """Ask for a part of the second charge at register 11, by the keyboard alone."""
    await clerk.page.goto(f"/payments/{payment_id}")
    await tab_to(clerk, f"{FORM} summary")
    await clerk.page.keyboard.press("Enter")
    await ask_again(clerk, sum_)


async def ask_again(clerk: Clerk, sum_: str) -> None:
    await write(clerk, f"{FORM} #amount-2", sum_)
    await tab_to(clerk, f"{FORM} {OTHER_REGISTER}")
    await write(clerk, "#refund-reason", REASON)
    await clerk.page.keyboard.press("Enter")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_part_is_given_back_at_another_register_by_the_keyboard_alone(
    browser: Browser, scene: Scene, language: str
) -> None:
    texts = texts_in(language, "Europe/Helsinki")
    said = texts.gettext
    payment = await booked(scene)
    async with clerk_at(browser, scene, "sari", Role.SUPERVISOR, language=language) as clerk:
        await ask(clerk, payment["id"], "4,21")
        await clerk.says(said("No more can be given back of a charge than was paid of it and is not given back yet."))
        assert await clerk.page.input_value("#refund-reason") == REASON
        await clerk.fit_for_all()
        await ask_again(clerk, "2,20")
        await clerk.page.locator("#refund-receipt").wait_for()
        sum_ = texts.money(220, "EUR")
        await clerk.says(said("Give %(amount)s back") % {"amount": sum_})
        shown = await clerk.page.locator("#refund p").inner_text()
        assert "Kassa 2" in shown
        await clerk.says(said("is to be given back at the till"))
        await clerk.fit_for_all()
        assert await lines(scene, payment["patron_id"], "REFUND") == []
        await write(clerk, "#refund-receipt", TILL_RECEIPT)
        await clerk.page.keyboard.press("Enter")
        given_back = clerk.page.locator(".tag", has_text=said("given back"))
        await given_back.filter(has_not_text=",").wait_for()
        row = await clerk.page.locator("tr", has=given_back).inner_text()
        assert all(word in row for word in (REASON, "Kassa 2", TILL_RECEIPT, sum_))
        await clerk.fit_for_all()
    for kind, amount in (("REFUND", "-2.20"), ("PAYOUT", "2.20")):
        [line] = await lines(scene, payment["patron_id"], kind)
        assert line["amount"] == amount
    assert await scene.owed(payment["patron_id"]) == ["0.00", "0.00", "0.00"]


async def test_nothing_was_given_back_after_all(browser: Browser, scene: Scene) -> None:
    payment = await booked(scene)
    async with clerk_at(browser, scene, "sari", Role.SUPERVISOR) as clerk:
        await ask(clerk, payment["id"], "2,20")
        await write(clerk, "#refund-why", "The customer had gone")
        await clerk.page.keyboard.press("Enter")
        await clerk.page.locator(".tag", has_text="not given back").wait_for()
        await clerk.fit_for_all()
        await clerk.page.locator(f"{FORM} summary").wait_for()
    assert await lines(scene, payment["patron_id"], "REFUND") == []


async def test_whose_role_may_not_give_money_back_sees_no_form(browser: Browser, scene: Scene) -> None:
    payment = await booked(scene)
    async with clerk_at(browser, scene, "anna", Role.CLERK) as clerk:
        await clerk.page.goto(f"/payments/{payment['id']}")
        await clerk.page.locator("h1").wait_for()
        assert await clerk.page.locator(FORM).count() == 0
