# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in and out, who may come from where, and the language."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.site import Site
from support.staff import PASSWORD, at_a_browser, hired, signed_in
from tillbridge.service.people_port import Role
from tillbridge.web.desk.signing import own_path


async def test_who_is_not_signed_in_is_asked_who_they_are_and_comes_back_to_where_they_wanted_to_go(site: Site) -> None:
    await hired(site, "anna", Role.CLERK)
    async with at_a_browser(site) as colleague:
        page = await colleague.get("/payments/X/wait?a=1")
        assert page.path == "/sign-in?next=/payments/X/wait?a%3D1"
        page = await colleague.send(page, "/sign-in", name="anna", password=PASSWORD)
        assert (page.path, page.status) == ("/payments/X/wait?a=1", 404)


async def test_where_nobody_has_an_account_the_page_says_how_the_first_one_is_made(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        assert "tillbridge user add" in (await colleague.get("/sign-in")).text
        await hired(site, "anna", Role.CLERK)
        assert "tillbridge user add" not in (await colleague.get("/sign-in")).text


async def test_a_wrong_password_is_told_and_the_name_stays_in_its_field(site: Site) -> None:
    await hired(site, "anna", Role.CLERK)
    async with at_a_browser(site) as colleague:
        page = await colleague.send(await colleague.get("/sign-in"), "/sign-in", name="anna", password="wrong")
        assert page.status == 403
        assert "The name or the password is not right." in page.text
        assert page.sheet.form("/sign-in").fields["name"] == ["anna"]
        assert (await colleague.get("/")).path.startswith("/sign-in")


async def test_a_cookie_of_a_session_is_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    async with signed_in(site) as colleague:
        kept = {cookie.key: cookie for cookie in colleague.session.cookie_jar}
        session = kept["tillbridge_session"]
        assert (session["httponly"], session["samesite"], session["max-age"]) == (True, "lax", "")


async def test_the_cookie_travels_over_https_alone_where_the_bridge_has_it(site: Site) -> None:
    site.app.state.bridge = replace(site.app.state.bridge, public_address="https://bridge.example/kassa")
    await hired(site, "anna", Role.CLERK)
    async with at_a_browser(site) as colleague:
        form = {"name": "anna", "password": PASSWORD, "next": "/"}
        async with colleague.session.post(f"{site.address}/sign-in", data=form, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/kassa/"
            assert "; Secure" in answer.headers["Set-Cookie"]
            assert "Path=/kassa/" in answer.headers["Set-Cookie"]


async def test_who_signs_out_is_out_everywhere_this_session_was(site: Site) -> None:
    async with signed_in(site) as colleague:
        token = next(cookie.value for cookie in colleague.session.cookie_jar if cookie.key == "tillbridge_session")
        page = await colleague.send(await colleague.get("/"), "/sign-out", next="")
        assert page.path == "/sign-in"
        async with at_a_browser(site) as thief:
            thief.session.cookie_jar.update_cookies({"tillbridge_session": token})
            assert (await thief.get("/")).path.startswith("/sign-in")


async def test_a_colleague_who_takes_over_comes_to_the_same_page(site: Site) -> None:
    await hired(site, "ville", Role.CLERK)
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/"), "/sign-out", next="/payments/X/wait")
        page = await colleague.send(page, "/sign-in", name="ville", password=PASSWORD)
        assert page.path == "/payments/X/wait"


@pytest.mark.parametrize("site_name", ["cross-site", "same-site"])
async def test_a_form_of_another_site_changes_nothing(site: Site, site_name: str) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get("/")
        page = await colleague.send(page, "/sign-out", headers={"Sec_Fetch_Site": site_name})
        assert page.status == 403
        assert "another site" in page.text
        assert (await colleague.get("/")).path == "/"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://bridge.example.evil.example", "x"])
async def test_nobody_is_signed_in_by_another_site_s_page_where_browsers_say_its_origin_alone(
    site: Site, origin: str
) -> None:
    await hired(site, "anna", Role.CLERK)
    async with at_a_browser(site) as colleague:
        page = await colleague.get("/sign-in")
        filled = {"name": "anna", "password": PASSWORD}
        page = await colleague.send(page, "/sign-in", filled, headers={"Origin": origin})
        assert page.status == 403
        assert "another site" in page.text


@pytest.mark.parametrize("origin", ["{address}", "http://bridge.example"])
async def test_a_page_of_ours_is_known_by_its_origin(site: Site, origin: str) -> None:
    """By the host that the browser asked, or by the bridge's own address where a proxy in front has another."""
    await hired(site, "anna", Role.CLERK)
    async with at_a_browser(site) as colleague:
        page = await colleague.get("/sign-in")
        filled = {"name": "anna", "password": PASSWORD}
        page = await colleague.send(page, "/sign-in", filled, headers={"Origin": origin.format(address=site.address)})
        assert (page.path, page.status) == ("/", 200)


async def test_a_form_of_an_earlier_session_changes_nothing(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/"), "/sign-out", csrf="x" * 43)
        assert page.status == 403
        assert "earlier sign-in" in page.text
        assert (await colleague.get("/")).path == "/"


async def test_the_language_is_the_browsers_until_somebody_chooses_another(site: Site) -> None:
    async with at_a_browser(site) as colleague:
        assert 'lang="sv"' in (await colleague.get("/sign-in", Accept_Language="sv-FI,fi;q=0.5")).html
        assert 'lang="fi"' in (await colleague.get("/sign-in", Accept_Language="de")).html
        page = await colleague.post("/language", {"language": "sv", "next": "/sign-in"})
        assert 'lang="sv"' in page.html
        page = await colleague.post("/language", {"language": "xx", "next": "/sign-in"})
        assert 'lang="sv"' in page.html


@pytest.mark.parametrize(
    ("wanted", "goes"),
    [
        ("/", "/"),
        ("/payments/1?a=2", "/payments/1?a=2"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("payments", "/"),
        ("/\tx", "/"),
        ("", "/"),
    ],
)
def test_a_way_back_leads_to_our_own_pages_alone(wanted: str, goes: str) -> None:
    assert own_path(wanted) == goes


async def test_every_page_is_guarded_and_kept_by_nobody(site: Site) -> None:
    async with signed_in(site) as colleague:
        for path in ("/", "/sign-in", "/payments/none/wait"):
            headers = (await colleague.get(path)).headers
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Frame-Options"] == "DENY"
            assert "script-src 'self';" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
