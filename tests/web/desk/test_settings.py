# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings at a glance, and branches switched on and off by administrators who may be two at once."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from support.site import Site
from support.staff import Colleague, Shown, signed_in
from support.tokens import PAGES
from tillbridge.service.administration_port import BranchSwitch, Scope
from tillbridge.service.people_port import DeedKind, Role
from tillbridge.settings import DeskSettings

SWITCH = "/settings/branches/CPL/switch"
HOSTILE = "<script>alert(1)</script>"


async def switched(colleague: Colleague, page: Shown, reason: str = "the till is mended") -> Shown:
    return await colleague.send(page, SWITCH, reason=reason)


async def switches(site: Site) -> list[BranchSwitch]:
    return list(await site.bench.store.read(lambda tx: tx.branch_switches()))


@pytest.mark.parametrize("role", [Role.CLERK, Role.SUPERVISOR, Role.BOOKKEEPER])
async def test_who_has_not_the_right_sees_no_settings_and_switches_nothing(site: Site, role: Role) -> None:
    async with signed_in(site, "anna", role) as colleague:
        assert (await colleague.get("/settings")).status == 403
        csrf = (await colleague.get("/")).sheet.form("/sign-out").fields["csrf"]
        refused = await colleague.post(SWITCH, {"csrf": csrf, "seen": "", "to": "off", "reason": "because"})
        assert refused.status == 403
    assert await switches(site) == []


async def test_a_branch_is_switched_off_with_a_reason_and_on_again(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/settings")
        assert "on; nobody has switched it yet" in page.text
        page = await switched(colleague, page)
        assert (page.status, page.path) == (200, "/settings")
        assert "switched off by otto" in page.text
        assert "the till is mended" in page.text
        assert not site.bench.world.products.is_on("CPL")
        page = await switched(colleague, page, "it works again")
        assert "switched on by otto" in page.text
        assert site.bench.world.products.is_on("CPL")
    deeds = [deed for _, deed in await site.bench.store.read(lambda tx: tx.deeds(None, 10))]
    told = [(deed.person_id, deed.facts) for deed in deeds if deed.kind is DeedKind.BRANCH_SWITCHED]
    assert told == [("otto", {"branch": "CPL", "on": True}), ("otto", {"branch": "CPL", "on": False})]


async def test_without_a_reason_nothing_is_switched(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await switched(colleague, await colleague.get("/settings"), "  ")
        assert page.status == 422
        assert "The reason is missing." in page.text
    assert await switches(site) == []


async def test_the_second_of_two_administrators_is_told_and_keeps_what_was_typed(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as otto, signed_in(site, "sari", Role.ADMINISTRATOR) as sari:
        seen = await sari.get("/settings")
        await switched(otto, await otto.get("/settings"), "the till is broken")
        page = await switched(sari, seen, f"closed today {HOSTILE}")
        assert page.status == 409
        assert "Somebody else has switched this branch meanwhile." in page.text
        assert "switched off by otto" in page.text
        assert page.sheet.form(SWITCH).fields["reason"] == [f"closed today {HOSTILE}"]
        assert HOSTILE not in page.html
    assert [switch.by for switch in await switches(site)] == ["otto"]


async def test_a_form_that_says_neither_on_nor_off_changes_nothing(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.send(await colleague.get("/settings"), SWITCH, reason="why not", to="perhaps")
        assert page.status == 422
    assert await switches(site) == []


async def test_a_branch_of_others_is_neither_shown_nor_switched(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR, branches=["OFF"]) as colleague:
        page = await colleague.get("/settings")
        assert "Pääkirjasto" not in page.text
        refused = await colleague.post(
            SWITCH, page.sheet.form("/settings/branches/OFF/switch").fields | {"reason": ["because"]}
        )
        assert refused.status == 403
    assert await switches(site) == []


async def test_a_branch_that_is_not_there_is_told(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        fields = (await colleague.get("/settings")).sheet.form(SWITCH).fields
        page = await colleague.post("/settings/branches/XYZ/switch", fields | {"reason": ["because"]})
        assert (page.status, "There is no such branch." in page.text) == (404, True)


async def test_a_branch_that_the_product_map_has_off_says_so(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR, branches=["OFF"]) as colleague:
        page = await colleague.get("/settings")
        assert "The product map has this branch off" in page.text


async def test_the_registers_say_when_they_were_last_heard_of(site: Site) -> None:
    await site.at_register()
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        text = (await colleague.get("/settings")).text
        assert "Kassa 1 (10) : last heard of" in text
        assert "Kassa 2 (11) : not heard of yet" in text


async def test_what_the_settings_file_says_stands_there_with_its_name(site: Site) -> None:
    desk = DeskSettings(session_h=8.0, second_look=True, languages=("sv", "en"))
    site.app.state.bridge = replace(site.app.state.bridge, desk=desk)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        text = (await colleague.get("/settings", Accept_Language="en")).text
        for said in ("svenska, English", "[desk] second_look", "8 hours", "products.yaml", "[bridge] public_address"):
            assert said in text


async def test_the_line_for_the_library_systems_pages_is_shown_once_with_a_new_key(site: Site) -> None:
    site.app.state.bridge = replace(site.app.state.bridge, pages=PAGES)
    async with signed_in(site, "otto", Role.ADMINISTRATOR, branches=["CPL"]) as colleague:
        page = await colleague.get("/settings")
        assert "none yet" in page.text
        assert "its secret is set" in page.text
        page = await colleague.send(page, "/settings/page-key#library-pages")
        found = re.search(r'"key": "(tb_[\w-]+)"\};', html.unescape(page.html))
        assert found is not None
        assert 'src: tillbridge.bridge + "/koha/tillbridge.js"' in html.unescape(page.html)
        [key] = await site.bench.store.read(lambda tx: tx.api_keys())
        assert key.scopes == {Scope.PAGES}
        assert key.branches == frozenset({"CPL"})
        assert key.created_by == "otto"
        shown = await site.get("/koha/open-payments?patron=5", key=f"Bearer {found[1]}")
        assert shown.status == 200
        page = await colleague.get("/settings")
        assert found[1] not in page.html
        assert key.id in page.text
    deeds = [deed for _, deed in await site.bench.store.read(lambda tx: tx.deeds(None, 10))]
    assert [deed.facts for deed in deeds if deed.kind is DeedKind.PAGE_KEY_MADE] == [{"key": key.id}]
    async with signed_in(site, "eeva", Role.ADMINISTRATOR, branches=["OFF"]) as colleague:
        assert key.id not in (await colleague.get("/settings")).text


async def test_without_pages_of_the_library_system_there_is_no_line(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/settings")
        assert "IntranetUserJS" not in page.html
        csrf = page.sheet.form("/sign-out").fields["csrf"]
        assert (await colleague.post("/settings/page-key", {"csrf": csrf})).status == 422
    async with signed_in(site, "sirpa", Role.SUPERVISOR) as colleague:
        csrf = (await colleague.get("/")).sheet.form("/sign-out").fields["csrf"]
        assert (await colleague.post("/settings/page-key", {"csrf": csrf})).status == 403
    assert await site.bench.store.read(lambda tx: tx.api_keys()) == ()
