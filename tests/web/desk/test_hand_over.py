# SPDX-License-Identifier: GPL-3.0-or-later
"""A payment that the plugin hands over: one press, the right clerk, one payment, and nothing for whoever attacks it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from support.fakes import report
from support.site import Site
from support.staff import Colleague, Shown, at_a_browser, signed_in
from support.tokens import PAGES, PREVIOUS, STAFF, look_claims, pay_claims, token_of
from tillbridge.domain.payment import Payment
from tillbridge.service.handing_over import LASTING_S
from tillbridge.service.people_port import DeedKind, Person, Role
from tillbridge.web.desk.hand_over import MOST_AT_ONCE
from tillbridge.web.desk.visit import SESSION

TAKE = "/koha/hand-over"
ACCOUNT = f"{STAFF}/cgi-bin/koha/members/boraccount.pl?borrowernumber=5"
FROM_KOHA = {"Origin": STAFF, "Sec_Fetch_Site": "cross-site"}


@pytest.fixture(autouse=True)
def has_pages(site: Site) -> None:
    site.app.state.bridge = replace(site.app.state.bridge, pages=PAGES)
    world = site.bench.world
    world.branches["MPL"] = replace(world.branches["CPL"], registers={"20": "Kassa 3"}, name="Lähikirjasto")  # type: ignore[index]


async def take(colleague: Colleague, token: str) -> Shown:
    """Press the button on Koha's page, whose form sends the token."""
    return await colleague.post(TAKE, {"token": token}, **FROM_KOHA)


@asynccontextmanager
async def workstation(site: Site, register: str = "CPL/10") -> AsyncIterator[Colleague]:
    """Sit at a browser that has paid at its register before."""
    async with at_a_browser(site) as colleague:
        line = {"id": 91, "type": "OVERDUE", "description": "", "owed": "1.00", "amount": "1.00"}
        other = {"id": 6, "card": None, "name": None}
        claims = pay_claims(patron=other, library=register[:3], lines=[line], amount="1.00")
        page = await take(colleague, token_of(claims))
        if not page.path.endswith("/wait"):
            page = await colleague.send(page, page.path, register=register)
        await site.post(f"/api/v1{page.path.removesuffix('/wait')}/cancel", {"clerk": "anna"})
        yield colleague


async def payments(site: Site) -> list[Payment]:
    return list(await site.bench.store.read(lambda tx: tx.recent_payments(10)))


async def paid_by(site: Site, page: Shown) -> Payment:
    """Return the payment whose page this is."""
    return await site.bench.payment(page.path.split("/")[2])


async def of_five(site: Site) -> list[Payment]:
    return [payment for payment in await payments(site) if payment.patron_id == "5"]


async def people(site: Site) -> list[Person]:
    return list(await site.bench.store.read(lambda tx: tx.people()))


async def test_one_press_and_the_till_has_it(site: Site) -> None:
    async with workstation(site) as colleague:
        reads = site.bench.library.reads
        page = await take(colleague, token_of(pay_claims()))
        [payment] = await of_five(site)
        assert page.path == f"/payments/{payment.id}/wait"
        assert page.sheet.links["Back to the library system"] == ACCOUNT
        assert (payment.total.minor, payment.branch, payment.register) == (700, "CPL", "10")
        assert [line.charge_id for line in payment.lines] == ["1", "2"]
        assert (payment.clerk, payment.library_staff_id, payment.library_register_id) == ("anna@koha", "17", "2")
        # Koha has just told what is owed: it is not asked again.
        assert site.bench.library.reads == reads
        await site.bench.work()
        assert site.bench.till.orders[-1].payer.surname == "Äijä Mäkinen"  # type: ignore[union-attr]


async def test_the_one_who_clicked_is_recorded_whoever_was_there_before(site: Site) -> None:
    async with workstation(site) as colleague:
        seen = []
        for number, name, charge in ((17, "anna", 1), (18, "ville", 2), (17, "anna", 3)):
            line = {"id": charge, "type": "OVERDUE", "description": "", "owed": "2.00", "amount": "2.00"}
            staff = {"id": number, "userid": name, "name": name.title()}
            page = await take(colleague, token_of(pay_claims(staff=staff, lines=[line], amount="2.00")))
            assert f"{name.title()} " in page.text
            made = await paid_by(site, page)
            seen.append((made.clerk, made.library_staff_id))
        assert seen == [("anna@koha", "17"), ("ville@koha", "18"), ("anna@koha", "17")]
    deeds = [deed for _, deed in await site.bench.store.read(lambda tx: tx.deeds(None, 50))]
    started = [deed.person_id for deed in deeds if deed.kind is DeedKind.PAYMENT_STARTED]
    assert started[:3] == ["anna@koha", "ville@koha", "anna@koha"]


async def test_a_workstation_that_knows_no_register_asks_once(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        page = await take(colleague, token_of(pay_claims()))
        assert page.status == 200
        assert "Payment of €7.00 Äijä Mäkinen" in page.text
        assert page.sheet.links["Back to the library system"] == ACCOUNT
        assert await payments(site) == []
        page = await colleague.send(page, page.path, register="CPL/11")
        [payment] = await payments(site)
        assert (page.path, payment.register) == (f"/payments/{payment.id}/wait", "11")
        claims = pay_claims(
            lines=[{"id": 3, "type": None, "description": None, "owed": "0.333", "amount": "0.33"}], amount="0.33"
        )
        page = await take(colleague, token_of(claims))
        assert page.path.endswith("/wait")
        [line] = (await paid_by(site, page)).lines
        assert (line.amount_minor, line.exact) == (33, line.owed)


async def test_the_only_register_of_the_branch_needs_no_asking(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        page = await take(colleague, token_of(pay_claims(library="MPL")))
        assert page.path.endswith("/wait")
        [payment] = await payments(site)
        assert (payment.branch, payment.register) == ("MPL", "20")


async def test_a_branch_with_another_code_here_is_the_one_of_the_settings(site: Site) -> None:
    async with workstation(site) as colleague:
        await take(colleague, token_of(pay_claims(library="KIDS")))
        assert [payment.branch for payment in await of_five(site)] == ["CPL"]


async def test_a_part_is_paid_as_the_library_system_splits_it(site: Site) -> None:
    lines = [
        {"id": 1, "type": "OVERDUE", "description": "", "owed": "3.00", "amount": "3.00"},
        {"id": 2, "type": "LOST", "description": "", "owed": "4.00", "amount": "2.00"},
    ]
    async with workstation(site) as colleague:
        await take(colleague, token_of(pay_claims(lines=lines, amount="5.00")))
        [payment] = await of_five(site)
        assert [(line.charge_id, line.amount_minor) for line in payment.lines] == [("1", 300), ("2", 200)]


async def test_the_same_token_again_shows_its_payment_and_makes_no_other(site: Site) -> None:
    token = token_of(pay_claims())
    async with workstation(site) as colleague:
        first = await take(colleague, token)
        again = await take(colleague, token)
        assert first.path == again.path
        assert len(await of_five(site)) == 1
        assert (await colleague.get(f"{TAKE}/{'0' * 32}")).status == 404


async def test_pressed_twice_at_once_there_is_one_payment(site: Site) -> None:
    token = token_of(pay_claims())
    async with workstation(site) as colleague:
        pages = await asyncio.gather(*(take(colleague, token) for _ in range(4)))
        [payment] = await of_five(site)
        assert {page.path for page in pages} == {f"/payments/{payment.id}/wait"}


async def test_another_browser_with_the_same_token_is_not_let_in(site: Site) -> None:
    token = token_of(pay_claims())
    async with workstation(site) as colleague, at_a_browser(site) as thief:
        mine = await take(colleague, token)
        page = await take(thief, token)
        assert page.path.startswith("/sign-in")
        assert SESSION not in {cookie.key for cookie in thief.session.cookie_jar}
        assert len(await of_five(site)) == 1
        async with signed_in(site, "ville", branches=["OFF"]) as other:
            assert (await take(other, token)).status == 404
        async with signed_in(site, "sirpa") as sees:
            assert (await take(sees, token)).path == mine.path
    # Not begun yet, it is nobody's but the librarian's own.
    async with at_a_browser(site) as asked, signed_in(site, "sirpa") as other:
        page = await take(asked, token_of(pay_claims(jti="b" * 32)))
        assert "b" * 32 in page.path
        refused = await other.get(page.path)
        assert (refused.status, "for somebody else" in refused.text) == (404, True)


FORGED: dict[str, str | tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": "",
    "no token": "not.a.token",
    "unsigned": ({}, {"alg": "none"}),
    "another algorithm": ({}, {"alg": "HS512"}),
    "an unknown secret": ({}, {"kid": "12345678"}),
    "expired": ({"iat": 1_700_000_000, "exp": 1_700_000_090}, {}),
    "another issuer": ({"iss": "https://koha.evil.example"}, {}),
    "for somebody else": ({"aud": "another"}, {}),
    "a token to look with": ({"scope": "look"}, {}),
    "no number": ({"jti": ""}, {}),
    "a number of its own making": ({"jti": "../../people"}, {}),
    "no line": ({"lines": []}, {}),
    "a sum that is none of its lines": ({"amount": "0.01"}, {}),
    "a line that pays more than it owes": (
        {"lines": [{"id": 1, "type": "", "description": "", "owed": "1.00", "amount": "7.00"}]},
        {},
    ),
    "a line that gives money": (
        {"lines": [{"id": 1, "type": "", "description": "", "owed": "9.00", "amount": "-7.00"}], "amount": "-7.00"},
        {},
    ),
    "a charge twice": (
        {"lines": [{"id": 1, "type": "", "description": "", "owed": "3.50", "amount": "3.50"}] * 2},
        {},
    ),
    "a fraction of a cent": (
        {"lines": [{"id": 1, "type": "", "description": "", "owed": "7.005", "amount": "7.005"}], "amount": "7.005"},
        {},
    ),
    "a number as text": ({"patron": {"id": "5", "card": "", "name": ""}}, {}),
    "no librarian": ({"staff": None}, {}),
}


@pytest.mark.parametrize("case", FORGED)
async def test_what_is_no_token_of_the_plugin_signs_nobody_in_and_starts_nothing(site: Site, case: str) -> None:
    forged = FORGED[case]
    token = forged if isinstance(forged, str) else token_of(pay_claims(**forged[0]), **forged[1])
    async with at_a_browser(site) as attacker:
        page = await take(attacker, token)
        assert page.status == 401
        assert "Nothing was sent to the till." in page.text
        assert len(attacker.session.cookie_jar) == 0
    assert await payments(site) == []
    assert await people(site) == []


@pytest.mark.parametrize(
    "origin", ["https://elsewhere.example", "null", f"{STAFF}:444", "http://koha-staff.example.fi"]
)
async def test_a_token_that_another_sites_page_sends_signs_nobody_in_and_is_not_used_up(
    site: Site, origin: str
) -> None:
    token = token_of(pay_claims())
    async with at_a_browser(site) as victim:
        page = await victim.post(TAKE, {"token": token}, Origin=origin, Sec_Fetch_Site="cross-site")
        assert page.status == 403
        assert len(victim.session.cookie_jar) == 0
        assert await people(site) == []
        assert (await take(victim, token)).status == 200


async def test_a_token_in_the_address_is_no_hand_over(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        assert (await colleague.post(f"{TAKE}?token={token_of(pay_claims())}", {})).status == 401
        assert (await colleague.post(TAKE, {f"f{n}": "x" for n in range(50)})).status == 401
        assert (await colleague.get(TAKE)).status == 405


async def test_the_secret_before_counts_while_it_is_in_the_settings(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        assert (await take(colleague, token_of(pay_claims(), PREVIOUS))).status == 200
        site.app.state.bridge = replace(site.app.state.bridge, pages=replace(PAGES, secrets=PAGES.secrets[:1]))
        assert (await take(colleague, token_of(pay_claims(), PREVIOUS))).status == 401
        site.app.state.bridge = replace(site.app.state.bridge, pages=replace(PAGES, secrets=()))
        page = await take(colleague, token_of(pay_claims()))
        assert (page.status, "not set up here" in page.text) == (422, True)
        site.app.state.bridge = replace(site.app.state.bridge, pages=None)
        assert (await take(colleague, token_of(pay_claims()))).status == 422


async def test_a_branch_or_a_currency_that_is_not_ours_is_told_and_takes_no_token(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        page = await take(colleague, token_of(pay_claims(library="XYZ")))
        assert "has no registers here" in page.text
        page = await take(colleague, token_of(pay_claims(currency="SEK")))
        assert "another currency" in page.text
    assert await people(site) == []


async def test_a_register_of_another_branch_is_refused(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        page = await take(colleague, token_of(pay_claims()))
        refused = await colleague.send(page, page.path, register="MPL/20")
        assert "no such register" in refused.text
        assert await payments(site) == []
        csrf = page.sheet.form(page.path).fields["csrf"][0]
        for fields, how in (
            ({"register": "CPL/10"}, {}),
            ({"csrf": csrf, "register": "CPL/10"}, {"Sec_Fetch_Site": "cross-site"}),
        ):
            assert (await colleague.post(page.path, fields, **how)).status == 403
        assert await payments(site) == []


async def test_a_register_that_is_remembered_from_another_branch_is_not_taken(site: Site) -> None:
    async with workstation(site, "MPL/20") as colleague:
        page = await take(colleague, token_of(pay_claims()))
        assert page.sheet.form(page.path).fields.get("register") is None


async def test_a_branch_that_is_switched_off_is_told(site: Site) -> None:
    async with workstation(site) as colleague:
        page = await take(colleague, token_of(pay_claims(library="OFF")))
        assert "switched off here" in page.text
        assert await of_five(site) == []


async def test_charges_that_are_being_paid_lead_to_that_payment(site: Site) -> None:
    payment_id = await site.at_register(charges=[{"charge_id": "1"}])
    async with workstation(site) as colleague:
        page = await take(colleague, token_of(pay_claims()))
        assert page.status == 409
        assert page.sheet.links["Look at that payment"] == f"/payments/{payment_id}"
        # Once that one is over, the same hand-over can still begin.
        await site.report(payment_id, report(payment_id, "cancelled"))
        page = await colleague.get(page.path)
        assert page.path.endswith("/wait")


async def test_charges_that_were_paid_while_a_register_was_being_chosen_are_not_collected_again(site: Site) -> None:
    async with at_a_browser(site) as one, at_a_browser(site) as another:
        waits = await take(one, token_of(pay_claims()))
        goes_on = await take(another, token_of(pay_claims()))
        paid = await paid_by(site, await another.send(goes_on, goes_on.path, register="CPL/10"))
        await site.bench.work()
        await site.report(paid.id, report(paid.id, "paid"))
        await site.bench.work()
        site.bench.clock.advance(60)
        late = await one.send(waits, waits.path, register="CPL/10")
        assert (late.status, "The charges have changed meanwhile." in late.text) == (422, True)
        await site.bench.work()
        assert [payment.id for payment in await payments(site)] == [paid.id]
        assert len(site.bench.till.orders) == 1


async def test_a_token_that_was_long_on_its_way_has_its_charges_read_again(site: Site) -> None:
    async with workstation(site) as colleague:
        now, reads = int(time.time()), site.bench.library.reads
        page = await take(colleague, token_of(pay_claims(iat=now - 30, exp=now + 60)))
        assert page.path.endswith("/wait")
        assert site.bench.library.reads == reads + 1
        [payment] = await of_five(site)
        assert (payment.total.minor, payment.library_staff_id) == (700, "17")


async def test_nobody_comes_back_to_a_hand_over_later(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        page = await take(colleague, token_of(pay_claims()))
        site.bench.clock.advance(LASTING_S + 1)
        late = await colleague.send(page, page.path, register="CPL/10")
        assert "handed over too long ago" in late.text
        assert await payments(site) == []


async def test_what_was_handed_over_is_forgotten_once_it_has_begun_or_is_over(site: Site) -> None:
    async def contents() -> list[str]:
        async def read(number: str) -> str:
            held = await site.bench.store.read(lambda tx: tx.hand_over(number))
            assert held is not None
            return held.content

        return [await read(number) for number in numbers]

    numbers = ["a" * 32, "b" * 32]
    async with at_a_browser(site) as colleague:
        await take(colleague, token_of(pay_claims(jti=numbers[0])))
        assert "Mäkinen" in (await _content(site, numbers[0]))
        site.bench.clock.advance(LASTING_S + 1)
        page = await take(colleague, token_of(pay_claims(jti=numbers[1])))
        await colleague.send(page, page.path, register="CPL/10")
        assert await contents() == ["", ""]


async def _content(site: Site, number: str) -> str:
    held = await site.bench.store.read(lambda tx: tx.hand_over(number))
    return held.content if held else ""


async def test_the_session_ends_with_the_day_and_is_the_librarians_own(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        page = await take(colleague, token_of(pay_claims()))
        assert page.status == 200
        jar = {cookie.key: cookie for cookie in colleague.session.cookie_jar}
        door = site.app.state.bridge.door
        known = await door.who(jar[SESSION].value)
        assert known is not None
        person, session = known
        assert (person.id, person.origin, person.origin_id) == ("anna@koha", "koha", "17")
        assert (person.roles, person.branches, person.password_hash) == (
            frozenset({Role.CLERK}),
            frozenset({"CPL"}),
            "",
        )
        assert 0 < session.ends_at - site.bench.clock.now() <= 12 * 3600
        assert jar[SESSION]["samesite"] == "lax"
        assert jar[SESSION]["httponly"]
        site.bench.clock.advance(24 * 3600)
        assert (await colleague.get("/")).path.startswith("/sign-in")


async def test_too_many_hand_overs_have_to_wait(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        pages = [await take(colleague, "x") for _ in range(MOST_AT_ONCE + 1)]
        assert [page.status for page in pages] == [401] * MOST_AT_ONCE + [429]
        site.bench.clock.advance(1)
        assert (await take(colleague, token_of(pay_claims()))).status == 200


async def test_a_token_to_look_with_is_no_hand_over(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        assert (await take(colleague, token_of(look_claims()))).status == 401


async def test_a_librarian_can_be_switched_off_and_let_in_again(site: Site) -> None:
    async with workstation(site) as colleague, signed_in(site, "otto", Role.ADMINISTRATOR) as otto:
        listed = await otto.get("/people")
        assert "anna@koha from Koha" in listed.text
        page = await otto.get("/people/anna@koha")
        assert "Koha, librarian number 17" in page.text
        assert {form.action for form in page.sheet.forms} & {"/people/anna@koha", "/people/anna@koha/password"} == set()
        page = await otto.send(page, "/people/anna@koha/withdraw")
        assert "The account is switched off." in page.text
        site.bench.clock.advance(2)
        assert (await colleague.get("/")).path.startswith("/sign-in")
        refused = await take(colleague, token_of(pay_claims()))
        assert (refused.status, "switched your account here off" in refused.text) == (403, True)
        assert await of_five(site) == []
        await otto.send(await otto.get("/people/anna@koha"), "/people/anna@koha/let-in")
        assert (await take(colleague, token_of(pay_claims()))).path.endswith("/wait")
        journal = await otto.get("/journal")
        assert "Let a librarian in again" in journal.text


async def test_an_account_from_koha_has_no_password_and_no_other_role(site: Site) -> None:
    async with workstation(site) as colleague, signed_in(site, "otto", Role.ADMINISTRATOR) as otto:
        csrf = (await otto.get("/people")).sheet.form("/sign-out").fields["csrf"]
        fields = {"csrf": csrf, "name": "Anna", "role": ["administrator"], "which": "all"}
        refused = await otto.post("/people/anna@koha", fields)
        assert (refused.status, "says who this is" in refused.text) == (403, True)
        secret = {"csrf": csrf, "new": "kolme iloista rosvoa", "again": "kolme iloista rosvoa"}
        assert (await otto.post("/people/anna@koha/password", secret)).status == 403
        me = await colleague.get("/me")
        assert "This account has no password" in me.text
        changed = await colleague.send(me, "/me/language", language="fi")
        assert changed.status == 200
        for typed in ("", "x", "kolme iloista rosvoa"):
            async with at_a_browser(site) as other:
                page = await other.get("/sign-in")
                assert (await other.send(page, "/sign-in", name="anna@koha", password=typed)).status == 403
        assert (await otto.post("/people/otto/let-in", {"csrf": csrf})).status == 404
        assert (await otto.post("/people/nobody/let-in", {"csrf": csrf})).status == 404
