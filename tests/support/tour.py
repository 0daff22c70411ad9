# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk to every page, and to every state that a page can be in, on the demo's stage: to look at them, and to check.

The ways go by addresses and fields alone, so that they are the same in every language.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from playwright.async_api import Page

from support.scenes import QUICK, Scene, open_scene
from support.tokens import SECRET, pay_claims, token_of
from tillbridge.demo.past import let_a_morning_pass
from tillbridge.demo.people import PASSWORD, hire
from tillbridge.demo.setup import USUAL
from tillbridge.service.deciding import decide_case
from tillbridge.service.resolving import Action, Word
from tillbridge.service.store_port import Case, CaseKind
from tillbridge.web.desk.visit import SESSION

Way = Callable[[Page, Scene], Awaitable[None]]

REMIND_S = 4.0
"""After how long the clerk is reminded on the stage where this is walked."""

MATTI, NOBODYS, LONG, RESTRICTED, WITHOUT_DEBTS = "21000001", "99999999", "21000008", "21000007", "21000006"
WRONG_MAP = "Default:\n  OVERDUE: 1000\n  LOST: [\n"


KOHA = "http://localhost:8081"
"""Where Koha's pages are, on this machine: a browser tells a bridge without HTTPS of no page that has it."""


@asynccontextmanager
async def open_tour(folder: Path) -> AsyncIterator[Scene]:
    """Set the demo's stage, with its staff and its morning, and a Koha with the plugin, whose pages lead here."""
    (folder / "secrets").mkdir()
    (folder / "secrets/hand-over").write_bytes(SECRET)
    lines = (f'staff_address = "{KOHA}"', 'hand_over_secret_file = "secrets/hand-over"')
    setup = replace(USUAL, library_lines=lines, plugin=True)
    async with open_scene(folder, replace(QUICK, remind_s=REMIND_S), setup) as scene:
        await hire(scene.stage.bridge.door)
        await let_a_morning_pass(scene.stage)
        yield scene


async def sign_in(page: Page, scene: Scene, person: str) -> None:
    """Be a person of the demo's staff, without the way through the sign-in page."""
    door = scene.stage.bridge.door
    token = (await door.sign_in(person, PASSWORD, "tour")).token
    await page.context.add_cookies([{"name": SESSION, "value": token, "url": scene.stage.address}])


def at(path: str, person: str) -> Way:
    """Make the way to a page that needs nothing but somebody who may see it."""

    async def walk(page: Page, scene: Scene) -> None:
        await sign_in(page, scene, person)
        await page.goto(path)

    return walk


async def sign_in_page(page: Page, scene: Scene) -> None:
    """Ask who is there."""
    del scene
    await page.goto("/sign-in")


async def wrong_password(page: Page, scene: Scene) -> None:
    """Mistype the password."""
    await sign_in_page(page, scene)
    await page.fill("#name", "nobody")
    await page.fill("#password", "arvattu salasana")
    await page.locator("button.act").click()
    await page.locator(".note.bad").wait_for()


async def look_up(page: Page, scene: Scene, who: str, person: str = "sirpa") -> None:
    """Type something at the desk, and Enter."""
    await sign_in(page, scene, person)
    await page.goto("/")
    await page.fill("#who", who)
    await page.keyboard.press("Enter")


def looked_up(who: str, shows: str) -> Way:
    """Make the way to what looking this up brings, until `shows` (a selector) is there."""

    async def walk(page: Page, scene: Scene) -> None:
        await look_up(page, scene, who)
        await page.locator(shows).first.wait_for()

    return walk


async def part(page: Page, scene: Scene) -> None:
    """Pay a part, and see how it is split."""
    await look_up(page, scene, MATTI)
    await page.locator("#sum").press_sequentially("10")
    await page.locator("#split li").first.wait_for()


async def no_sum(page: Page, scene: Scene) -> None:
    """Type a sum that is none."""
    await look_up(page, scene, MATTI)
    await page.fill("#sum", "kymmenen")
    await page.check('input[name="register"][value="CPL/10"]')
    await page.locator("button.big").click()
    await page.locator(".note.bad").first.wait_for()


async def by_hand(page: Page, scene: Scene) -> None:
    """Begin to record what the till took by hand."""
    await look_up(page, scene, MATTI)
    await page.locator("details.panel summary").click()
    await page.fill("#receipt", "K 4711")
    await page.fill("#reason", "Verkko oli poikki koko aamun")


async def held(page: Page, scene: Scene) -> None:
    """Look at charges that are being paid."""
    card, charges = await scene.patron("2.40", "24.90", text="Myöhästymismaksu: Sinuhe egyptiläinen")
    await scene.start(card, charges=[{"charge_id": charges[0]}])
    await look_up(page, scene, card)
    await page.locator("tr.held").wait_for()


async def refused_twice(page: Page, scene: Scene) -> None:
    """Try to pay what somebody else is paying."""
    card, _ = await scene.patron("2.40", text="Myöhästymismaksu: Sinuhe egyptiläinen")
    await look_up(page, scene, card)
    await page.check('input[name="register"][value="CPL/11"]')
    await scene.start(card)
    await page.locator("button.big").click()
    await page.locator(".note.bad").wait_for()


async def pay(page: Page, scene: Scene, *amounts: str, fault: str | None = None) -> str:
    """Send a payment of a new patron to the till."""
    if fault is not None:
        await scene.fault(fault)
    card, _ = await scene.patron(*(amounts or ("2.40", "4.80")), text="Myöhästymismaksu: Sinuhe egyptiläinen")
    payment_id = str((await scene.start(card))["id"])
    await sign_in(page, scene, "anna")
    await page.goto(f"/payments/{payment_id}/wait")
    return payment_id


async def shows(page: Page, state: str) -> None:
    """Wait for a state."""
    await page.locator(f'[data-state="{state}"]').wait_for()


async def waiting(page: Page, scene: Scene) -> None:
    """Wait for the customer."""
    await pay(page, scene)
    await shows(page, "at_register")


async def cancelling(page: Page, scene: Scene) -> None:
    """Wish to cancel what is at the till."""
    await waiting(page, scene)
    await page.locator(".act.danger").click()
    await page.locator(".act.danger").wait_for(state="hidden")
    await shows(page, "at_register")


async def reminded(page: Page, scene: Scene) -> None:
    """Wait for so long that the page asks whether the customer is still there."""
    await waiting(page, scene)
    await asyncio.sleep(REMIND_S + 0.5)
    await page.reload()
    await page.locator(".status .note.warn").wait_for()


async def paid(page: Page, scene: Scene) -> None:
    """See a payment paid and booked."""
    payment_id = await pay(page, scene)
    await scene.accept(payment_id)
    await scene.booked(payment_id)
    await page.locator(".status .tag.good").wait_for()


async def paid_with_remarks(page: Page, scene: Scene) -> None:
    """See what the library system did besides."""
    card, _ = await scene.patron("24.90", debit_type="LOST", text="Kadonnut: Täällä Pohjantähden alla")
    payment_id = str((await scene.start(card))["id"])
    await scene.accept(payment_id)
    await scene.booked(payment_id)
    await sign_in(page, scene, "anna")
    await page.goto(f"/payments/{payment_id}/wait")


async def cancelled(page: Page, scene: Scene) -> None:
    """See the customer go away."""
    payment_id = await pay(page, scene)
    await scene.cancel(payment_id)
    await shows(page, "cancelled")


async def refused(page: Page, scene: Scene) -> None:
    """See the register server refuse the message."""
    await pay(page, scene, fault="status_99")
    await shows(page, "refused")


async def unknown(page: Page, scene: Scene) -> None:
    """Know nothing."""
    await pay(page, scene, fault="drop_after_reading")
    await shows(page, "unknown")


async def without_number(page: Page, scene: Scene) -> None:
    """Say that it is paid, and forget the receipt's number."""
    await unknown(page, scene)
    await page.locator('button[value="paid"]').click()
    await page.locator(".note.bad").wait_for()


async def taken_back(page: Page, scene: Scene) -> None:
    """See the till take the money back after it was booked."""
    payment_id = await pay(page, scene)
    await scene.accept(payment_id)
    await scene.booked(payment_id)
    await scene.take_back(payment_id)
    await shows(page, "reversed")


async def odd_case(page: Page, scene: Scene) -> Case:
    """Bring about a payment that nobody knows of, with a case."""
    payment_id = await pay(page, scene, fault="drop_after_reading")
    await shows(page, "unknown")
    await scene.report(payment_id, 97)
    await page.locator(".note.warn a[href*='/cases/']").wait_for()
    [case] = await scene.stage.bridge.world.store.read(lambda tx: tx.open_cases(payment_id))
    return case


async def case_of_unknown(page: Page, scene: Scene) -> None:
    """Look at a case that a clerk may decide."""
    case = await odd_case(page, scene)
    await page.context.clear_cookies()
    await sign_in(page, scene, "sirpa")
    await page.goto(f"/cases/{case.id}")


async def surplus(page: Page, scene: Scene) -> None:
    """Look at the case of the demo's morning."""
    cases = await scene.stage.bridge.world.store.read(lambda tx: tx.open_cases())
    case = next(case for case in cases if case.kind is CaseKind.SURPLUS)
    await at(f"/cases/{case.id}", "sirpa")(page, scene)


async def decided(page: Page, scene: Scene) -> None:
    """Decide a case."""
    await case_of_unknown(page, scene)
    await page.check("#action-not_paid")
    await page.fill("#reason", "Kassan lista näyttää, että maksu on peruttu")
    await page.locator("#decide button.act").last.click()
    await page.locator('[data-state="closed"]').wait_for()


async def undecided(page: Page, scene: Scene) -> None:
    """Forget to say why."""
    await case_of_unknown(page, scene)
    await page.check("#action-paid")
    await page.fill("#reason", "Kuitti on kassalla")
    await page.locator("#decide button.act").last.click()
    await page.locator(".note.bad").wait_for()


async def second_look(page: Page, scene: Scene) -> None:
    """Look at what a colleague has decided."""
    case = await odd_case(page, scene)
    word = Word(Action.NOT_PAID, "anna", "Kassan lista näyttää, että maksu on peruttu")
    await decide_case(scene.stage.bridge.world, case.id, word, second_look=True)
    await page.context.clear_cookies()
    await sign_in(page, scene, "sirpa")
    await page.goto(f"/cases/{case.id}")


async def own_decision(page: Page, scene: Scene) -> None:
    """Wait for a colleague."""
    case = await odd_case(page, scene)
    word = Word(Action.NOT_PAID, "anna", "Kassan lista näyttää, että maksu on peruttu")
    await decide_case(scene.stage.bridge.world, case.id, word, second_look=True)
    await page.goto(f"/payments/{case.payment_id}/wait")


async def a_paid_one(page: Page, scene: Scene, person: str, path: str) -> None:
    """Look at a page of a payment that is paid."""
    payment_id = await pay(page, scene)
    await scene.accept(payment_id)
    await scene.booked(payment_id)
    await page.context.clear_cookies()
    await sign_in(page, scene, person)
    await page.goto(f"/payments/{payment_id}{path}")


async def payment(page: Page, scene: Scene) -> None:
    """Look at everything about a payment, as an administrator."""
    await a_paid_one(page, scene, "pekka", "")


async def refund_form(page: Page, scene: Scene) -> None:
    """Begin to give money back."""
    await a_paid_one(page, scene, "sirpa", "")
    await page.locator("#refund summary").click()
    await page.fill("#amount-1", "1,50")
    await page.fill("#refund-reason", "Kirja oli palautettu ajoissa")


async def refund_too_much(page: Page, scene: Scene) -> None:
    """Try to give more back than was paid."""
    await refund_form(page, scene)
    await page.fill("#amount-1", "24,00")
    await page.locator("#refund form button.act").first.click()
    await page.locator(".note.bad").first.wait_for()


async def refund_asked(page: Page, scene: Scene) -> None:
    """Ask for money to be given back at the till."""
    await refund_form(page, scene)
    await page.locator("#refund form button.act").first.click()
    await page.locator("#refund-receipt").wait_for()


async def refund_given(page: Page, scene: Scene) -> None:
    """Say that the till has given it back, and see it recorded."""
    await refund_asked(page, scene)
    # The till numbers each receipt once, however often this is walked.
    receipt = f"K {page.url.rpartition('/')[2].partition('?')[0][-6:]}"
    await page.fill("#refund-receipt", receipt)
    await page.keyboard.press("Enter")
    await page.locator("tr", has_text=receipt).locator(".tag.good").wait_for()


async def receipt(page: Page, scene: Scene) -> None:
    """Look at the copy of a receipt."""
    await a_paid_one(page, scene, "anna", "/receipt")


async def card_nowhere(page: Page, scene: Scene) -> None:
    """Look for payments of a card that nobody has."""
    await at("/payments", "kerttu")(page, scene)
    await page.fill("#card", NOBODYS)
    await page.keyboard.press("Enter")
    await page.locator(".note.bad").wait_for()


async def wrong_map(page: Page, scene: Scene) -> None:
    """Write a product map that cannot be read."""
    await at("/settings/products/edit", "pekka")(page, scene)
    await page.fill("#text", WRONG_MAP)
    await page.locator("main form button.act").first.click()
    await page.locator("#text[aria-invalid]").wait_for()


async def new_map(page: Page, scene: Scene) -> None:
    """See what a changed product map would change."""
    await at("/settings/products/edit", "pekka")(page, scene)
    text = await page.input_value("#text")
    await page.fill("#text", text.replace("OVERDUE: 1000", "OVERDUE: 1001") + "MPL:\n  COPY: 4101\n")
    await page.locator("main form button.act").first.click()
    await page.locator('form[action$="/change"]').wait_for()


async def checked(page: Page, scene: Scene) -> None:
    """Let the bridge check itself."""
    await at("/settings/check", "pekka")(page, scene)
    await page.locator('form[action$="/settings/check"] button.act').click()
    await page.locator(".findings").wait_for()


async def from_library(page: Page, scene: Scene) -> None:
    """Come from a page of Koha that is older than what is owed."""
    _, charges = await scene.patron("2.40", "24.90", text="Myöhästymismaksu: Sinuhe egyptiläinen")
    ledger = await scene.library("GET", "/control/ledger")
    patron = next(line["patron_id"] for line in ledger["lines"] if str(line["account_line_id"]) == charges[0])
    await at(f"/desk?patron={patron}&charges={charges[0]},1&amount=9.90&owed=9.90", "sirpa")(page, scene)


async def hand_over(page: Page, scene: Scene) -> None:
    """Press the button in Koha at a workstation that knows no register yet."""
    await _press_in_koha(page, scene, token_of(pay_claims(iss=KOHA)))
    await page.locator("button.big").wait_for()


async def hand_over_refused(page: Page, scene: Scene) -> None:
    """Press it with a token that nobody believes."""
    await _press_in_koha(page, scene, "x")
    await page.locator(".note.bad").wait_for()


async def _press_in_koha(page: Page, scene: Scene, token: str) -> None:
    """Send what Koha's page sends, from an address of Koha's."""
    address = f"{scene.stage.address}/koha/hand-over"
    form = f'<form method=post action="{address}"><input name=token value="{token}"></form>'
    await page.route(f"{KOHA}/*", lambda route: route.fulfill(content_type="text/html", body=form))
    await page.goto(f"{KOHA}/account")
    await page.evaluate("document.forms[0].submit()")


async def librarian(page: Page, scene: Scene, path: str, person: str) -> None:
    """Look at a page about the account of a librarian who came from Koha."""
    await hand_over(page, scene)
    if person:
        await page.context.clear_cookies()
        await sign_in(page, scene, person)
    await page.goto(path)


async def line_for_koha(page: Page, scene: Scene) -> None:
    """Make the line that puts the button into Koha."""
    await at("/settings", "pekka")(page, scene)
    await page.locator('form[action*="/page-key"] button').click()
    await page.locator("#line").wait_for()


WAYS: dict[str, Way] = {
    "sign-in": sign_in_page,
    "sign-in-wrong": wrong_password,
    "desk": at("/", "anna"),
    "desk-bookkeeper": at("/", "kerttu"),
    "look-up-nobody": looked_up(NOBODYS, ".note.bad"),
    "look-up-several": looked_up("ma", ".choices li strong"),
    "charges": looked_up(MATTI, "#sum"),
    "charges-many": looked_up(LONG, "#sum"),
    "charges-restricted": looked_up(RESTRICTED, "#sum"),
    "charges-none": looked_up(WITHOUT_DEBTS, ".note.good"),
    "charges-part": part,
    "charges-no-sum": no_sum,
    "charges-held": held,
    "charges-refused": refused_twice,
    "by-hand": by_hand,
    "from-library": from_library,
    "hand-over": hand_over,
    "hand-over-refused": hand_over_refused,
    "waiting": waiting,
    "waiting-cancelling": cancelling,
    "waiting-reminded": reminded,
    "paid": paid,
    "paid-remarks": paid_with_remarks,
    "cancelled": cancelled,
    "refused": refused,
    "unknown": unknown,
    "unknown-no-number": without_number,
    "unknown-second-look": own_decision,
    "taken-back": taken_back,
    "cases": at("/cases", "sirpa"),
    "cases-closed": at("/cases?state=closed", "sirpa"),
    "case-surplus": surplus,
    "case-unknown": case_of_unknown,
    "case-incomplete": undecided,
    "case-decided": decided,
    "case-second-look": second_look,
    "payments": at("/payments", "kerttu"),
    "payments-none": at("/payments?receipt=ei-ole", "kerttu"),
    "payments-no-card": card_nowhere,
    "payment": payment,
    "refund": refund_form,
    "refund-too-much": refund_too_much,
    "refund-asked": refund_asked,
    "refund-given": refund_given,
    "receipt": receipt,
    "servers": at("/servers", "pekka"),
    "settings": at("/settings", "pekka"),
    "products": at("/settings/products", "pekka"),
    "products-edit": at("/settings/products/edit", "pekka"),
    "products-wrong": wrong_map,
    "products-preview": new_map,
    "products-versions": at("/settings/products/versions", "pekka"),
    "products-version": at("/settings/products/versions/1", "pekka"),
    "check": at("/settings/check", "pekka"),
    "check-results": checked,
    "people": at("/people", "pekka"),
    "people-add": at("/people/add", "pekka"),
    "person": at("/people/anna", "pekka"),
    "person-from-koha": lambda page, scene: librarian(page, scene, "/people/anna@koha", "pekka"),
    "me-from-koha": lambda page, scene: librarian(page, scene, "/me", ""),
    "settings-line": line_for_koha,
    "person-withdraw": at("/people/ville/withdraw", "pekka"),
    "journal": at("/journal", "pekka"),
    "me": at("/me", "anna"),
    "not-allowed": at("/people", "anna"),
    "no-such-page": at("/payments/none", "anna"),
}
"""Every page and state by its name."""
