# SPDX-License-Identifier: GPL-3.0-or-later
"""Attack the pages as somebody would who wants what is not theirs, or wants the desk to stand still."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest

from support.fakes import report
from support.site import Site
from support.staff import PASSWORD, Colleague, at_a_browser, hired, signed_in
from tillbridge.service.people import change_person
from tillbridge.service.people_port import Role
from tillbridge.service.staff import form_of
from tillbridge.web.desk.signing import own_path


async def moved(site: Site, colleague: Colleague, *roles: Role, branches: list[str] | None = None) -> None:
    """Give a colleague other roles and branches."""
    person = colleague.person
    assert person is not None
    form = form_of(person)
    changed = type(form)(form.id, form.name, roles or person.roles, branches, form.language)
    await change_person(site.app.state.bridge.door, person, changed)


@pytest.mark.parametrize("live", ["/live", "/cases/live", "/servers/live", "/payments/{}/live", "/payments/{}/news"])
async def test_who_has_other_branches_now_hears_nothing_more_of_the_old_ones(site: Site, live: str) -> None:
    async with signed_in(site) as colleague:
        payment_id = await site.at_register()
        async with site.running(), colleague.stream(live.format(payment_id)) as stream:
            await stream.next()
            await moved(site, colleague, branches=["OFF"])
            await site.bench.report(report(payment_id, "paid"))
            assert await stream.next("gone") == ""


async def test_who_has_another_role_now_hears_nothing_more_of_the_old_one(site: Site) -> None:
    async with signed_in(site, "maija", Role.ADMINISTRATOR) as colleague:
        await hired(site, "otto", Role.ADMINISTRATOR)
        async with site.running(), colleague.stream("/servers/live") as stream:
            await stream.next()
            await moved(site, colleague, Role.CLERK)
            await site.start()
            assert await stream.next("gone") == ""


@pytest.mark.parametrize("wanted", ["//[x", "//ex\u2100", "/" + "x" * 5000])
async def test_an_address_to_go_back_to_that_is_none_is_the_front_page(site: Site, wanted: str) -> None:
    await hired(site, "anna", Role.CLERK)
    assert own_path(wanted) == "/"
    async with at_a_browser(site) as colleague:
        page = await colleague.get(f"/sign-in?next={quote(wanted)}")
        page = await colleague.send(page, "/sign-in", name="anna", password=PASSWORD)
        assert (page.path, page.status) == ("/", 200)


async def test_what_a_charge_is_called_cannot_hide_why_nothing_was_paid(site: Site) -> None:
    site.bench.library.add_charge("66", "2", text="Soft\u00adware " + "x" * 600)
    async with signed_in(site) as colleague:
        page = await colleague.get("/patrons/5")
        page = await colleague.send(page, "/patrons/5/split", sum="14", headers={"HX_Request": "true"})
        assert "Soft\u00adware" in page.html
        site.bench.library.add_charge("66", "3")
        page = await colleague.get("/patrons/5")
        page = await colleague.send(page, "/patrons/5/pay", register="CPL/99")
        assert "no such register" in page.text


async def test_a_version_that_no_database_can_count_is_no_fault_of_the_database(site: Site) -> None:
    async with signed_in(site, "maija", Role.ADMINISTRATOR) as colleague:
        assert (await colleague.get(f"/settings/products/versions?before={2**31 - 1}")).status == 200
        assert (await colleague.get(f"/settings/products/versions?before={2**31}")).status == 422


async def test_a_register_of_any_name_is_remembered(site: Site) -> None:
    """A cookie takes few signs: the payment would have begun, and the clerk been told of a fault."""
    world = site.bench.world
    branch = replace(world.branches["CPL"], registers={"10": "Kassa 1", "№ 2; a=b": "Kassa 2"})
    site.app.state.bridge = replace(site.app.state.bridge, world=replace(world, branches={"CPL": branch}))
    async with signed_in(site) as colleague:
        page = await colleague.get("/patrons/5")
        page = await colleague.send(page, "/patrons/5/pay", register="CPL/№ 2; a=b", charge="1=3")
        assert page.path.endswith("/wait")
        page = await colleague.get("/patrons/5")
        assert page.sheet.form("/patrons/5/pay").fields["register"] == ["CPL/№ 2; a=b"]


async def test_the_address_that_a_proxy_names_counts_its_own_tries(site: Site) -> None:
    """Otherwise sixty wrong passwords of anybody would keep everybody out."""
    async with at_a_browser(site) as colleague:
        page = await colleague.get("/sign-in")
        for n in range(61):
            headers = {"X_Forwarded_For": "192.0.2.1"}
            page = await colleague.send(page, "/sign-in", name=f"x{n}", password="wrong", headers=headers)
        assert "too many wrong passwords" in page.text
        page = await colleague.send(page, "/sign-in", name="y", password="w", headers={"X_Forwarded_For": "192.0.2.2"})
        assert "The name or the password is not right." in page.text
