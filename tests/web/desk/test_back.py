# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back to a page after its language, or the person before it, has changed."""

from __future__ import annotations

import pytest

from support.site import Site
from support.staff import Colleague, Shown, at_a_browser, hired, signed_in
from tillbridge.service.people_port import Role


async def _in_swedish(colleague: Colleague, page: Shown) -> Shown:
    return await colleague.send(page, "/language", language="sv")


async def test_a_page_that_says_no_to_a_form_leads_back_to_the_page_above_it(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/"), "/look-up", who="C9")
        page = await _in_swedish(colleague, page)
        assert (page.status, page.path) == (200, "/")
        assert 'lang="sv"' in page.html
        page = await colleague.send(await colleague.get("/patrons/5"), "/patrons/5/pay", sum="x")
        assert page.status == 422
        page = await _in_swedish(colleague, page)
        assert (page.status, page.path) == (200, "/patrons/5")


async def test_what_was_looked_for_is_still_looked_for_in_another_language(site: Site) -> None:
    wanted = "/payments?sum=7,20&clerk=anna"
    async with signed_in(site) as colleague:
        page = await _in_swedish(colleague, await colleague.get(wanted))
        assert (page.status, page.path) == (200, wanted)


async def test_a_page_with_an_address_that_is_too_long_comes_back_without_what_it_asks(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await _in_swedish(colleague, await colleague.get(f"/payments?{'x' * 4000}"))
        assert (page.status, page.path) == (200, "/payments")


async def test_where_the_sign_in_leads_is_not_forgotten_in_another_language(site: Site) -> None:
    await hired(site, "anna", Role.CLERK)
    async with at_a_browser(site) as colleague:
        page = await _in_swedish(colleague, await colleague.get("/payments?clerk=anna"))
        assert page.sheet.form("/sign-in").fields["next"] == ["/payments?clerk=anna"]


async def test_whose_session_ends_under_a_form_comes_back_to_the_page_above_it(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        page = await colleague.post("/patrons/5/pay", {"sum": "1"})
        assert page.sheet.form("/sign-in").fields["next"] == ["/patrons/5"]


@pytest.mark.parametrize(
    ("asked", "shown"), [("/look-up", "/"), ("/patrons/5/pay", "/patrons/5"), ("/me/password", "/me")]
)
async def test_an_address_that_takes_forms_alone_leads_a_browser_to_the_page_above_it(
    site: Site, asked: str, shown: str
) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get(asked, Accept="text/html")
        assert (page.status, page.path) == (200, shown)
        assert "wrong_method" in (await colleague.get(asked, Accept="application/json")).html
