# SPDX-License-Identifier: GPL-3.0-or-later
"""The script on pages like Koha's, of every version: where its button stands, what it says, and that it warns."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from support.accessibility import accessible
from support.bridge_stub import SCRIPT, BridgeStub, bridge_stub
from support.browser import new_page
from support.koha_pages import VERSIONS, Owed
from support.koha_site import KohaSite, koha_site

LINES = (Owed(9001, "6.000000", "Item #12 & more"), Owed(9002, "1234.500000"), Owed(9003, "0.333000"))
BUTTON, NOTICE, NO = ".tillbridge-pay:visible", ".tillbridge-notice", ".tillbridge-no"
LOADER = (
    'document.head.append(Object.assign(document.createElement("script"), '
    '{{src: "{bridge}/koha/tillbridge.js", nonce: document.currentScript.nonce}}));'
)


@dataclass
class Bench:
    """Hold a clerk's page, with the Koha and the bridge around it."""

    page: Page
    koha: KohaSite
    bridge: BridgeStub

    async def at(self, page: str, **wanted: str) -> None:
        """Go to a page of Koha, and wait until the script has asked the bridge about the patron."""
        async with self.page.expect_response(lambda answer: "/koha/open-payments" in answer.url):
            await self.page.goto(self.koha.at(page, **wanted))
        await self.settle()

    async def settle(self) -> None:
        """Let the page do what it has to do."""
        await self.page.evaluate("() => new Promise((done) => setTimeout(done, 0))")

    async def press(self, which: str = BUTTON) -> None:
        await self.page.locator(which).first.click()

    async def collect(self) -> None:
        """Press Koha's own button, with what Koha wants to know before it takes money."""
        await self.page.select_option("#payment_type", "CASH")
        await self.press("[name=submitbutton]")

    async def hints(self, which: str = BUTTON) -> Mapping[str, str]:
        """Press the button and return what the bridge's desk is told."""
        before = len(self.bridge.at_desk)
        await self.press(which)
        await self.page.locator("#desk").wait_for()
        assert len(self.bridge.at_desk) == before + 1
        return self.bridge.at_desk[-1]

    async def says(self, words: str, where: str = NO) -> None:
        await self.page.locator(where).get_by_text(words).first.wait_for()


@asynccontextmanager
async def opened(browser: Browser, settings: str = "", others: Sequence[str] = (), **how: Any) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        koha = await stack.enter_async_context(koha_site())
        bridge = await stack.enter_async_context(bridge_stub())
        koha.lines[51] = LINES
        koha.connects = bridge.address
        told = f'{{bridge: "{bridge.address}", key: "tb_page"{settings}}}'
        koha.script = f"window.tillbridge = {told}; " + LOADER.format(bridge=bridge.address)
        page = await stack.enter_async_context(
            new_page(browser, koha.address, language="en", others=[bridge.address, *others], **how)
        )
        yield Bench(page, koha, bridge)


ROUTES = "/api/v1/contrib/tillbridge"
WITH_PLUGIN = f'{{plugin: true, handovers: "{ROUTES}/handovers", state: "{ROUTES}/state"}}'


def with_plugin(bench: Bench, handover: tuple[int, Any] | None = None) -> None:
    """Let Koha have the plugin: it answers the state with a token to look with, and hand-overs with this."""
    made = {"address": f"{bench.bridge.address}/koha/hand-over", "token": "to.pay.with"}
    answers = {
        "state": (200, {"address": bench.bridge.address, "token": "to.look.with"}),
        "handovers": handover or (201, made),
    }
    bench.koha.plugin = lambda route, _asked: answers[route]
    bench.koha.script = f"window.tillbridge = {WITH_PLUGIN}; " + LOADER.format(bridge=bench.bridge.address)


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_button_tells_the_bridge_what_the_page_says(browser: Browser, version: str) -> None:
    async with opened(browser) as bench:
        common = {"patron": "51", "branch": "CPL"}
        wanted: list[tuple[str, dict[str, str], dict[str, str]]] = [
            ("one", {}, {"charges": "9001", "amount": "6.00", "owed": "6.000000", "from": "paycollect"}),
            ("one", {"paid": "2.50"}, {"charges": "9001", "amount": "2.50", "owed": "6.000000", "from": "paycollect"}),
            (
                "selected",
                {"chosen": "9001,9003"},
                {"charges": "9001,9003", "amount": "6.33", "owed": "6.333000", "from": "paycollect"},
            ),
            ("all", {}, {"amount": "1240.83", "owed": "1240.833000", "from": "paycollect"}),
        ]
        for page, more, hints in wanted:
            await bench.at(page, koha=version, **more)
            assert await bench.page.locator(BUTTON).count() == 1
            assert await bench.hints() == common | hints
        assert bench.koha.collected == []
        assert set(bench.bridge.shown) == {"Bearer tb_page"}
        assert bench.bridge.asked[0] == {"patron": "51", "branch": "CPL"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_account_and_the_payment_tab_have_it_too(browser: Browser, version: str) -> None:
    async with opened(browser) as bench:
        await bench.at("account", koha=version)
        assert await bench.page.locator(BUTTON).count() == 1 + len(LINES)
        hints = await bench.hints("tbody tr:nth-child(3) .tillbridge-pay")
        assert (hints["charges"], hints["amount"], hints["owed"]) == ("9003", "0.33", "0.333000")
        await bench.at("account", koha=version)
        hints = await bench.hints("tbody tr:nth-child(1) .tillbridge-pay")
        assert (hints["charges"], hints["amount"], hints["from"]) == ("9001", "6.00", "boraccount")
        await bench.at("account", koha=version)
        assert await bench.hints(".tillbridge-bar .tillbridge-pay") == {
            "patron": "51",
            "branch": "CPL",
            "from": "boraccount",
        }
        await bench.at("pay", koha=version)
        await bench.page.uncheck("[name=incl_par_9002]")
        hints = await bench.hints()
        assert (hints["charges"], hints["amount"], hints["owed"]) == ("9001,9003", "6.33", "6.333000")
        assert hints["from"] == "pay"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_write_off_has_no_button(browser: Browser, version: str) -> None:
    async with opened(browser) as bench:
        for page in ("write-off-one", "write-off-selected", "write-off-all", "other"):
            await bench.page.goto(bench.koha.at(page, koha=version, chosen="9001"), wait_until="networkidle")
            assert await bench.page.locator(".tillbridge-pay, .tillbridge-notice").count() == 0
        assert bench.bridge.asked == []


SUMS = {
    "1234.50": "1234.50",
    "1,234.50": "1234.50",
    "1 234,50": "1234.50",
    "1\u00a0234,50": "1234.50",
    "1'234.50": "1234.50",
    "1\u2019234.5": "1234.50",
    "1.234,50": "1234.50",
    "1 234 567,80": "1234567.80",
    "0,50": "0.50",
    "007": "7.00",
    " 12 ": "12.00",
}
NO_SUMS = (
    "1,234",
    "1.234",
    "1,23,4",
    "0.00",
    "-5",
    "5.005",
    "five",
    "1e3",
    "1 23",
    "12,34,567.00",
    "1,234,567",
    "\u0661",
)


async def test_a_sum_is_read_as_each_form_of_amounts_writes_it_and_never_guessed(browser: Browser) -> None:
    async with opened(browser) as bench:
        # A no of the plugin keeps the page, with what it was asked.
        with_plugin(bench, (409, {"error": "no", "error_code": "charges_changed"}))
        for money in ("US", "FR", "CH"):
            await bench.at("selected", chosen="9002", money=money)
            assert await typed(bench) == "1234.50"
        for text, sum_ in SUMS.items():
            await bench.page.fill("#paid", text)
            assert await typed(bench) == sum_, text
        for text in NO_SUMS:
            await bench.page.fill("#paid", text)
            await bench.press()
            await bench.says("This amount cannot be read.")
            await bench.page.evaluate("document.querySelector('.tillbridge-no').remove()")
        assert bench.koha.handovers == []


async def typed(bench: Bench) -> Any:
    """Press the button and return which sum the plugin is asked for."""
    await bench.press()
    await bench.says("The charges have changed meanwhile.")
    await bench.page.evaluate("document.querySelector('.tillbridge-no').remove()")
    return bench.koha.handovers.pop()["amount"]


async def test_kohas_own_checks_come_first(browser: Browser) -> None:
    async with opened(browser) as bench:
        await bench.at("one")
        asked = len(bench.bridge.asked)
        await bench.page.fill("#extra", "")
        await bench.press()
        assert await bench.page.evaluate("document.activeElement.id") == "extra"
        await bench.page.fill("#paid", "")
        await bench.press()
        assert await bench.page.evaluate("document.activeElement.id") == "paid"
        await bench.at("pay")
        await bench.page.evaluate("for (const box of document.querySelectorAll('.cb')) box.checked = false")
        await bench.press()
        await bench.says("No charge is chosen.")
        assert bench.bridge.at_desk == []
        assert len(bench.bridge.asked) == asked + 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_is_being_paid_is_said_and_not_collected_twice_by_mistake(browser: Browser, version: str) -> None:
    async with opened(browser) as bench:
        bench.bridge.pays(9001)
        for page, more in (("one", {}), ("selected", {"chosen": "9001,9002"}), ("all", {})):
            bench.koha.collected.clear()
            await bench.at(page, koha=version, **more)
            await bench.says("€6.00 is being paid at Kassa 1.", NOTICE)
            link = bench.page.locator(NOTICE).get_by_role("link", name="Look at that payment")
            assert await link.get_attribute("href") == f"{bench.bridge.address}/payments/P1/wait"
            await bench.page.focus("#paid")
            await bench.page.keyboard.press("Enter")
            await bench.says("the customer pays twice", "dialog")
            assert await bench.page.evaluate("document.activeElement.textContent") == "Do not collect"
            if page == "one":
                await accessible(bench.page)
            await bench.page.keyboard.press("Escape")
            await bench.page.locator("dialog").wait_for(state="detached")
            await bench.collect()
            await bench.page.keyboard.press("Enter")
            await bench.page.locator("dialog").wait_for(state="detached")
            assert bench.koha.collected == []
            await bench.collect()
            await bench.page.get_by_role("button", name="Collect in Koha anyway").click()
            await bench.page.locator("#collected", has_text="Collected").wait_for()
            assert len(bench.koha.collected) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_dialog_about_change_is_warned_of_too(browser: Browser, version: str) -> None:
    async with opened(browser) as bench:
        await bench.at("one", koha=version)
        await bench.page.fill(f"#{VERSIONS[version].handed_over}", "10")
        await bench.collect()
        await bench.page.locator("#modal_submit").wait_for()
        bench.bridge.pays(9001)
        async with bench.page.expect_response(lambda answer: "/koha/open-payments" in answer.url):
            await bench.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await bench.settle()
        await bench.press("#modal_submit")
        await bench.press("dialog button:has-text('Do not collect')")
        assert bench.koha.collected == []
        await bench.press("#modal_submit")
        await bench.press("dialog button:has-text('anyway')")
        await bench.page.locator("#collected", has_text="Collected").wait_for()
        assert len(bench.koha.collected) == 1
        # Who has insisted is not asked again about the same payment.
        await bench.at("one", koha=version)
        await bench.page.fill(f"#{VERSIONS[version].handed_over}", "10")
        await bench.collect()
        await bench.press("dialog button:has-text('anyway')")
        await bench.press("#modal_submit")
        await bench.page.locator("#collected", has_text="Collected").wait_for()


async def test_other_charges_of_the_patron_are_collected_without_a_word(browser: Browser) -> None:
    async with opened(browser) as bench:
        bench.bridge.pays(9002, state="unknown")
        await bench.at("one")
        await bench.says("Nobody knows yet whether €6.00 was taken at Kassa 1: do not take it again.", NOTICE)
        await bench.collect()
        await bench.page.locator("#collected", has_text="Collected").wait_for()
        await bench.at("account")
        held = bench.page.locator("tbody tr:nth-child(2) .tillbridge-held")
        assert await held.inner_text() == "Being paid at Kassa 1"
        assert await bench.page.locator("tbody .tillbridge-pay:visible").count() == len(LINES) - 1


async def test_a_payment_that_began_elsewhere_meanwhile_is_met_at_the_button(browser: Browser) -> None:
    async with opened(browser) as bench:
        await bench.at("one")
        bench.bridge.pays(9001, state="paid")
        await bench.press()
        await bench.says("These charges are being paid already.")
        await bench.says("It is not recorded in Koha yet.", NOTICE)
        assert bench.bridge.at_desk == []
        assert await bench.page.locator(BUTTON).count() == 0


async def test_kohas_button_is_hidden_where_a_branch_wants_it(browser: Browser) -> None:
    async with opened(browser) as bench:
        bench.bridge.more = {"hide_confirm": True}
        await bench.at("all")
        await bench.says("At this branch payments are taken at the register.", NOTICE)
        assert not await bench.page.locator("[name=submitbutton]").is_visible()
        await bench.page.focus("#paid")
        await bench.page.keyboard.press("Enter")
        await accessible(bench.page)
        assert bench.koha.collected == []
        assert (await bench.hints())["from"] == "paycollect"
        bench.bridge.more = {"on": False}
        await bench.at("all")
        assert await bench.page.locator("[name=submitbutton]").is_visible()
        assert await bench.page.locator(BUTTON).count() == 0


async def test_all_of_it_can_be_done_with_the_keyboard_and_heard(browser: Browser) -> None:
    async with opened(browser) as bench:
        bench.bridge.pays(9001)
        for page, version in zip(("account", "pay", "one", "all"), VERSIONS, strict=True):
            await bench.at(page, koha=version)
            await accessible(bench.page)
        await bench.at("one", koha="23.05")
        assert await bench.page.locator(NOTICE).get_attribute("role") == "status"
        bench.bridge.open.clear()
        await bench.at("one")
        await bench.page.focus("[name=submitbutton]")
        await bench.page.keyboard.press("Tab")
        assert await bench.page.evaluate("document.activeElement.textContent") == "Pay at the register"
        await bench.page.fill("#paid", "no sum")
        await bench.page.focus(BUTTON)
        await bench.page.keyboard.press("Enter")
        await bench.says("This amount cannot be read.")
        assert await bench.page.locator(NO).get_attribute("role") == "alert"
        await accessible(bench.page)
        await bench.page.fill("#paid", "6.00")
        await bench.page.focus(BUTTON)
        await bench.page.keyboard.press(" ")
        await bench.page.locator("#desk").wait_for()


async def test_rows_that_a_table_brings_in_later_get_the_button(browser: Browser) -> None:
    async with opened(browser) as bench:
        await bench.at("account")
        await bench.page.evaluate(
            "() => { const body = document.querySelector('tbody'); const rows = [...body.rows]; body.replaceChildren();"
            " body.append(rows[1]); const later = rows[2].cloneNode(true);"
            " later.querySelectorAll('.tillbridge-pay, .tillbridge-held').forEach((one) => one.remove());"
            " body.append(later); }"
        )
        await bench.page.locator("tbody tr:nth-child(2) .tillbridge-pay").wait_for()
        assert await bench.page.locator("tbody .tillbridge-pay").count() == 2
        assert await bench.page.locator(".tillbridge-bar .tillbridge-pay").count() == 1


async def test_the_script_runs_once_however_often_it_is_loaded(browser: Browser) -> None:
    async with opened(browser) as bench:
        bench.koha.script += bench.koha.script.partition("; ")[2]
        await bench.at("one")
        await bench.page.wait_for_load_state("networkidle")
        assert await bench.page.locator(BUTTON).count() == 1
        bench.koha.script = LOADER.format(bridge=bench.bridge.address)
        await bench.page.goto(bench.koha.at("one"), wait_until="networkidle")
        assert await bench.page.locator(BUTTON).count() == 0


async def test_a_bridge_that_is_away_is_told_and_nothing_is_lost(browser: Browser) -> None:
    nobody = "http://127.0.0.1:9"
    async with opened(browser, others=[nobody], expected=["ERR_CONNECTION_REFUSED|ERR_UNSAFE_PORT"]) as bench:
        bench.koha.script = bench.koha.script.replace(f'"{bench.bridge.address}", key', f'"{nobody}", key')
        bench.koha.connects = nobody
        await bench.page.goto(bench.koha.at("one"))
        await bench.press()
        await bench.says("The registers cannot be reached right now. Nothing was sent to them.")
        await bench.collect()
        await bench.page.locator("#collected", has_text="Collected").wait_for()


async def test_a_page_key_that_is_withdrawn_keeps_nobody_from_the_desk(browser: Browser) -> None:
    async with opened(browser) as bench:
        bench.bridge.status = 401
        await bench.at("one")
        assert (await bench.hints())["charges"] == "9001"


async def test_a_tab_of_its_own_where_that_is_wished(browser: Browser) -> None:
    async with opened(browser, settings=', opens: "tab"') as bench:
        await bench.at("one")
        async with bench.page.expect_popup() as coming:
            await bench.press()
        tab = await coming.value
        await tab.locator("#desk").wait_for()
        assert await tab.evaluate("window.opener") is None
        await tab.close()
        assert await bench.page.locator(BUTTON).get_attribute("aria-busy") is None
        await bench.page.evaluate("window.open = () => null")
        await bench.press()
        await bench.says("Allow pop-ups for Koha, then press again.")
        with_plugin(bench)
        bench.koha.script = bench.koha.script.replace("{plugin", '{opens: "tab", plugin')
        await bench.at("one")
        async with bench.page.expect_popup() as coming:
            await bench.press()
        await (await coming.value).locator("#wait").wait_for()
        assert bench.bridge.handed_over == ["to.pay.with"]


async def test_with_the_plugin_one_press_hands_the_payment_over(browser: Browser) -> None:
    async with opened(browser) as bench:
        with_plugin(bench)
        for page, more, charges, amount, place in (
            ("one", {"paid": "2,50"}, [9001], "2.50", "paycollect"),
            ("selected", {"chosen": "9001,9002"}, [9001, 9002], "1240.50", "paycollect"),
            ("all", {}, [], "1240.83", "paycollect"),
            ("account", {}, [], None, "boraccount"),
            ("pay", {}, [9001, 9002, 9003], "1240.83", "pay"),
        ):
            await bench.at(page, **more)
            await bench.press()
            await bench.page.locator("#wait").wait_for()
            asked = bench.koha.handovers.pop()
            del asked["cookie"]
            assert asked == {"patron_id": 51, "charge_ids": charges, "amount": amount, "from": place}
            assert bench.bridge.handed_over.pop() == "to.pay.with"
        assert set(bench.bridge.shown) == {"Bearer to.look.with"}
        assert bench.bridge.at_desk == []
        # Koha's requests are scarce: one for the page, one for the hand-over.
        assert bench.koha.states == 5


NOS = {
    409: "The charges have changed meanwhile. Nothing was sent to the register.",
    401: "You are signed out of Koha.",
    403: "Koha does not let you take payments.",
    400: "This did not work.",
}


async def test_what_the_plugin_refuses_is_said_in_plain_words(browser: Browser) -> None:
    async with opened(browser) as bench:
        for status, words in NOS.items():
            with_plugin(bench, (status, {"error": "no", "error_code": "charges_changed"}))
            await bench.at("one")
            await bench.press()
            await bench.says(words)
        with_plugin(bench)
        await bench.at("one")
        bench.bridge.status = 401
        await bench.press()
        await bench.says("The registers do not know this Koha any more.")
        assert bench.bridge.handed_over == []
        # A word that counts no more is asked for anew.
        asked = bench.koha.states
        bench.bridge.status = 200
        await bench.press()
        await bench.page.locator("#wait").wait_for()
        assert bench.koha.states == asked + 1


@pytest.mark.parametrize(
    ("language", "says"), [("fi-FI", "Maksa kassalla"), ("sv-SE", "Betala i kassan"), ("de", "Pay at")]
)
async def test_the_button_speaks_the_pages_language(browser: Browser, language: str, says: str) -> None:
    async with opened(browser) as bench:
        bench.bridge.pays(9002, amount="7.20")
        await bench.at("one", lang=language)
        assert (await bench.page.locator(BUTTON).inner_text()).startswith(says)
        assert "7,20" in await bench.page.locator(NOTICE).inner_text() or language == "en"


def test_every_text_is_there_in_every_language() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    texts = source.partition("const TEXTS = {")[2].partition("\n  };")[0]
    languages = dict(re.findall(r"\n    (\w\w): \{\n(.*?)\n    \},", texts, re.DOTALL))
    read = {code: dict(re.findall(r'^\s+(\w+): "(.*)",$', block, re.MULTILINE)) for code, block in languages.items()}
    assert set(read) == {"en", "fi", "sv"}
    for language in ("fi", "sv"):
        assert read[language].keys() == read["en"].keys()
        for key, text in read["en"].items():
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", read[language][key])), key
    used = set(re.findall(r'(?:said|No)\("(\w+)"', source)) | set(re.findall(r'\b\d{3}: "(\w+)"', source))
    assert used <= read["en"].keys()
