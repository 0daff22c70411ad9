# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: who did what, and when."""

from __future__ import annotations

import pytest

from support.site import Site
from support.staff import at_a_browser, hired, signed_in
from tillbridge.service.people_port import RIGHTS, Deed, DeedKind, Right, Role
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.journal import LINES


async def did(site: Site, *deeds: Deed) -> None:
    def work(tx: Transaction) -> None:
        for deed in deeds:
            tx.record_deed(deed)

    await site.bench.store.write(work)


@pytest.mark.parametrize("role", [role for role in Role if Right.PEOPLE not in RIGHTS[role]])
async def test_only_who_has_the_right_reads_the_journal(site: Site, role: Role) -> None:
    async with signed_in(site, "otto", role) as colleague:
        assert (await colleague.get("/journal")).status == 403


async def test_a_sign_in_is_told_with_the_address_that_it_came_from(site: Site) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        assert "Pekka Signed in from the address 127.0.0.1" in (await colleague.get("/journal")).text


async def test_a_name_that_nobody_has_is_not_told(site: Site) -> None:
    async with at_a_browser(site) as stranger:
        page = await stranger.get("/sign-in")
        await stranger.send(page, "/sign-in", name="kirjasto ja kahvi", password="anna")
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        text = (await colleague.get("/journal")).text
        assert "a name that nobody has Could not sign in: wrong name or password from the address" in text
        assert "kahvi" not in text


async def test_a_payment_and_a_case_lead_to_their_pages(site: Site) -> None:
    await did(
        site,
        Deed(2.0, "anna", DeedKind.PAYMENT_STARTED, {"payment": "01ABC"}),
        Deed(3.0, "anna", DeedKind.CASE_DECIDED, {"case": 7, "action": "settled", "reason": "<b>done</b>"}),
        Deed(4.0, "anna", DeedKind.BRANCH_SWITCHED, {"branch": "CPL", "on": False, "odd": None, "more": 3}),
    )
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/journal")
        links = page.sheet.links
        assert (links["payment 01ABC"], links["case 7"]) == ("/payments/01ABC", "/cases/7")
        assert "reason: <b>done</b>" in page.text
        assert "settled by hand" in page.text
        assert "switched off" in page.text
        assert "more: 3" in page.text
        assert "odd" not in page.text


async def test_the_journal_can_be_read_of_one_person(site: Site) -> None:
    await hired(site, "ville", Role.CLERK)
    await did(
        site,
        Deed(2.0, "ville", DeedKind.SIGNED_OUT),
        Deed(3.0, "a command & more", DeedKind.PASSWORD_CHANGED, {"person": "ville"}),
        Deed(4.0, "gone", DeedKind.PASSWORD_CHANGED, {"person": "gone"}),
    )
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/journal")
        assert 'href="/people/ville"' in page.html
        assert 'href="/people/gone"' not in page.html
        assert "gone Set a new password gone" in page.text
        page = await colleague.get(page.sheet.links["a command & more"])
        assert "a command & more Set a new password Ville" in page.text
        assert page.sheet.form("/journal").fields["person"] == ["a command & more"]
        page = await colleague.get("/journal?person=ville")
        assert ("Signed out" in page.text, "Set a new password" in page.text) == (True, False)
        assert "There is nothing here." in (await colleague.get("/journal?person=nobody")).text


async def test_a_long_journal_is_read_in_parts_and_no_line_is_missed_when_new_ones_come(site: Site) -> None:
    await did(site, *(Deed(float(n), "ville", DeedKind.WORD_GIVEN, {"payment": f"P{n}"}) for n in range(LINES + 5)))
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/journal?person=ville")
        shown = [text for text in page.sheet.links if text.startswith("payment P")]
        assert shown == [f"payment P{n}" for n in range(LINES + 4, 4, -1)]
        await did(site, Deed(99.0, "ville", DeedKind.SIGNED_OUT))
        page = await colleague.get(page.sheet.links["Older"])
        shown = [text for text in page.sheet.links if text.startswith("payment P")]
        assert shown == [f"payment P{n}" for n in range(4, -1, -1)]
        assert "Older" not in page.sheet.links
        page = await colleague.get(page.sheet.links["Newest"])
        assert "Signed out" in page.text


@pytest.mark.parametrize("query", ["before=x", "before=0", f"before={10**30}", "person=%00", f"person={'x' * 201}"])
async def test_an_address_that_cannot_be_is_told(site: Site, query: str) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get(f"/journal?{query}")
        assert (page.status, "cannot be read" in page.text) == (422, True)


@pytest.mark.parametrize("kind", DeedKind)
async def test_every_kind_of_line_can_be_told(site: Site, kind: DeedKind) -> None:
    await did(site, Deed(2.0, "ville", kind, {"person": "ville"}))
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        assert (await colleague.get("/journal?person=ville")).status == 200
