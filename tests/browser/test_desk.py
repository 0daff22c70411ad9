# SPDX-License-Identifier: GPL-3.0-or-later
"""From the desk to the till and back, with real parts: browser, bridge, till and library."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser

from support.clerk import Clerk, clerk_at
from support.scenes import Scene
from tillbridge.service.people_port import Role
from tillbridge.web.desk import live
from tillbridge.web.desk.texts import LANGUAGES, texts_in


async def agree(scene: Scene, cents: int) -> None:
    ledgers = await scene.ledgers()
    assert (ledgers.till, ledgers.bridge, ledgers.library) == (cents, cents, cents)


async def unknown(clerk: Clerk) -> str:
    """Pay while the till breaks off after it has the message."""
    await clerk.scene.fault("drop_after_reading")
    payment_id = await clerk.begin("3.00")
    await clerk.sees("unknown")
    return payment_id


async def test_desk_to_till_to_paid_and_back(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        payment_id = await clerk.begin("3.00", "4.20")
        await clerk.sees("at_register")
        await clerk.says("Take €7.20 at Kassa 1.")
        await clerk.fit_for_all()
        await scene.accept(payment_id)
        shown = await clerk.sees("paid")
        await clerk.says("booked")
        receipt = (await scene.booked(payment_id))["receipt_number"]
        assert f"Receipt {receipt}." in await shown.inner_text()
        await clerk.fit_for_all()
        await clerk.page.get_by_role("link", name="Next customer").click()
        await clerk.page.locator("#who").wait_for()
        await agree(scene, 720)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_whole_way_is_told_in_the_clerks_language(browser: Browser, scene: Scene, language: str) -> None:
    texts = texts_in(language, "Europe/Helsinki")
    said, sum_ = texts.gettext, texts.money(720, "EUR")
    async with clerk_at(browser, scene, language=language) as clerk:
        card, _ = await scene.patron("3.00", "4.20")
        await clerk.look_up(card)
        await clerk.says(said("Open charges"))
        assert await clerk.page.locator("button.big").inner_text() == said("Pay at the register")
        payment_id = await clerk.pay()
        await clerk.says(said("Take %(amount)s at %(register)s.") % {"amount": sum_, "register": "Kassa 1"})
        await clerk.page.locator(".act.danger").click()
        await clerk.says(said("Cancel it at the till now."))
        await scene.accept(payment_id)
        await clerk.says(said("Paid."))
        await clerk.says(said("booked"))
        await scene.fault("drop_after_reading")
        await clerk.begin("1.00")
        await clerk.says(said("Do not take the money again."))
        await clerk.page.locator('button[value="not_paid"]').click()
        await clerk.says(said("The reason is missing."))


async def test_a_part_is_paid_and_split_as_it_was_shown(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        card, _ = await scene.patron("3.00", "4.00")
        await clerk.look_up(card)
        await clerk.page.fill("#sum", "5,50")
        await clerk.says("To pay: €5.50")
        await clerk.says("€2.50")
        await clerk.fit_for_all()
        payment_id = await clerk.pay()
        await scene.accept(payment_id)
        await scene.booked(payment_id)
        assert await scene.owed((await scene.stage.client.payment(payment_id))["patron_id"]) == ["0.00", "1.50"]


async def test_what_is_unticked_stays_owed(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        card, charges = await scene.patron("3.00", "4.00")
        await clerk.look_up(card)
        await clerk.page.uncheck(f"#charge-{charges[0]}")
        await clerk.says("To pay: €4.00")
        payment_id = await clerk.pay()
        payment = await scene.stage.client.payment(payment_id)
        assert payment["total_minor"] == 400


async def test_a_customer_who_goes_away_is_cancelled_at_the_till(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        payment_id = await clerk.begin()
        await clerk.sees("at_register")
        await clerk.page.get_by_role("button", name="Cancel", exact=True).click()
        await clerk.says("Cancel it at the till now.")
        await clerk.fit_for_all()
        await scene.cancel(payment_id)
        await clerk.sees("cancelled")
        await clerk.says("The till has cancelled it.")
        await clerk.fit_for_all()
        await agree(scene, 0)


async def test_nobody_knows_until_the_clerk_finds_the_receipt(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        payment_id = await unknown(clerk)
        await clerk.says("Do not take the money again.")
        await clerk.fit_for_all()
        await clerk.page.fill("#word-receipt", "K 4711")
        await clerk.page.get_by_role("button", name="Yes, the receipt is there").click()
        await clerk.sees("paid")
        await clerk.says("Receipt K 4711.")
        payment = await scene.booked(payment_id)
        assert payment["decided_by"] == "clerk"


async def test_nobody_knows_until_the_clerk_has_made_sure(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        payment_id = await unknown(clerk)
        await clerk.page.get_by_role("button", name="No, I made sure").click()
        await clerk.says("The reason is missing.")
        await clerk.page.fill("#word-reason", "The till's list shows it as cancelled")
        await clerk.page.get_by_role("button", name="No, I made sure").click()
        await clerk.sees("cancelled")
        assert (await scene.stage.client.payment(payment_id))["collection"] == "cancelled"


async def test_a_late_report_decides_while_the_clerk_types(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        payment_id = await unknown(clerk)
        await clerk.page.fill("#word-reason", "I am still")
        assert await scene.report(payment_id, 1, receipt="K 9") == 200
        await clerk.sees("paid")
        await clerk.says("Receipt K 9.")
        assert await clerk.page.locator("#word").count() == 0


async def test_what_is_typed_stays_while_the_page_changes(
    browser: Browser, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUIET_S", 1.0)
    async with clerk_at(browser, scene) as clerk:
        payment_id = await unknown(clerk)
        await clerk.page.locator("#word-receipt").press_sequentially("K 47")
        assert await scene.report(payment_id, 97) == 200
        await clerk.says("The register server sent a status that decides nothing.")
        await clerk.page.keyboard.type("11")
        assert await clerk.page.input_value("#word-receipt") == "K 4711"


@pytest.mark.parametrize("state", ["at_register", "paid", "cancelled", "refused", "unknown", "reversed"])
async def test_a_page_that_is_loaded_again_shows_the_truth_and_sends_nothing(
    browser: Browser, scene: Scene, state: str
) -> None:
    async with clerk_at(browser, scene) as clerk:
        if state == "refused":
            await scene.fault("status_99")
        payment_id = await (unknown(clerk) if state == "unknown" else clerk.begin())
        if state in ("paid", "reversed"):
            await scene.accept(payment_id)
            await scene.booked(payment_id)
        if state == "reversed":
            await scene.take_back(payment_id)
        elif state == "cancelled":
            await scene.cancel(payment_id)
        await clerk.sees(state)
        for _ in range(3):
            await clerk.reload()
            await clerk.sees(state)
        await clerk.page.go_back()
        await clerk.page.go_forward()
        await clerk.sees(state)
        assert len(await scene.till("GET", "/api/payments")) <= 1
        _, listed = await scene.call("GET", "/api/v1/payments")
        assert [payment["id"] for payment in listed["payments"]] == [payment_id]


async def test_two_tabs_and_another_workstation_show_the_same(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as anna, clerk_at(browser, scene, "ville") as ville:
        payment_id = await anna.begin()
        tab = Clerk(scene, await anna.page.context.new_page())
        await tab.page.goto(f"/payments/{payment_id}/wait")
        await ville.page.goto(f"/payments/{payment_id}/wait")
        await asyncio.gather(*(each.sees("at_register") for each in (anna, tab, ville)))
        await scene.accept(payment_id)
        await asyncio.gather(*(each.sees("paid") for each in (anna, tab, ville)))
        await scene.booked(payment_id)
        await agree(scene, 720)


async def test_two_clerks_cannot_pay_one_charge(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as anna, clerk_at(browser, scene, "ville") as ville:
        card, _ = await scene.patron("3.00")
        await anna.look_up(card)
        await ville.look_up(card)
        await anna.pay()
        await ville.page.check('input[name="register"][value="CPL/11"]')
        await ville.page.locator("button.big").click()
        await ville.says("One of these charges is being paid already. Nothing was sent to the till.")
        await ville.says("Being paid at Kassa 1, Pääkirjasto by anna")
        await ville.fit_for_all()
        assert len(await scene.till("GET", "/api/payments")) == 1


async def test_a_button_that_is_pressed_twice_pays_once(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        card, _ = await scene.patron("3.00")
        await clerk.look_up(card)
        await clerk.page.check('input[name="register"][value="CPL/10"]')
        await clerk.page.locator("button.big").dblclick()
        await clerk.page.wait_for_url("**/wait")
        await clerk.sees("at_register")
        _, listed = await scene.call("GET", "/api/v1/payments")
        assert len(listed["payments"]) == 1


async def test_the_whole_way_goes_without_a_mouse(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        card, _ = await scene.patron("3.00", "4.20")
        keys = clerk.page.keyboard
        await keys.type(card)
        await keys.press("Enter")
        await clerk.page.locator("#sum").wait_for()
        await _tab_to(clerk, 'input[name="register"]')
        await keys.press("Space")
        await _tab_to(clerk, "button.big")
        await keys.press("Enter")
        await clerk.sees("at_register")
        scene.started.append(clerk.payment_id)
        await _tab_to(clerk, ".act.danger")
        await keys.press("Enter")
        await clerk.says("Cancel it at the till now.")
        await scene.accept(clerk.payment_id)
        await clerk.sees("paid")
        await _tab_to(clerk, "main .acts a")
        await keys.press("Enter")
        await clerk.page.locator("#who").wait_for()


async def test_without_scripts_everything_can_be_done(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene, scripts=False) as clerk:
        payment_id = await clerk.begin()
        await scene.at_till(payment_id)
        await clerk.reload()
        await clerk.says("Take €7.20 at Kassa 1.")
        await scene.accept(payment_id)
        await scene.booked(payment_id)
        await clerk.reload()
        await clerk.sees("paid")


async def test_a_supervisor_records_what_was_taken_by_hand(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene, "sirpa", Role.SUPERVISOR) as clerk:
        card, _ = await scene.patron("3.00")
        await clerk.look_up(card)
        await clerk.page.check('input[name="register"][value="CPL/10"]')
        await clerk.page.get_by_text("The till has taken the money already").click()
        await clerk.page.fill("#receipt", "K 1")
        await clerk.page.fill("#reason", "No network all morning")
        await clerk.fit_for_all()
        await clerk.page.get_by_role("button", name="Record it as taken by hand").click()
        await clerk.sees("paid")
        await scene.booked(clerk.payment_id)


async def test_who_signs_out_in_one_tab_is_out_in_the_other(browser: Browser, scene: Scene) -> None:
    async with clerk_at(browser, scene) as clerk:
        payment_id = await clerk.begin()
        await clerk.sees("at_register")
        tab = await clerk.page.context.new_page()
        await tab.goto("/")
        await tab.locator(".person summary").click()
        await tab.get_by_role("button", name="Sign out").click()
        await tab.locator("#password").wait_for()
        await scene.accept(payment_id)
        await clerk.page.locator("#password").wait_for()
        assert f"next=/payments/{payment_id}/wait" in clerk.page.url


async def _tab_to(clerk: Clerk, selector: str) -> None:
    """Press Tab until what fits the selector has the focus, and can be seen to have it."""
    for _ in range(60):
        await clerk.page.keyboard.press("Tab")
        focused = "document.activeElement.matches(selector) && getComputedStyle(document.activeElement).outlineStyle"
        if (outline := await clerk.page.evaluate(f"(selector) => {focused}", selector)) is not False:
            assert outline != "none", f"the focus on {selector} cannot be seen"
            return
    raise AssertionError(f"no way to {selector} by the keyboard")
