# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's own account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.site import Site
from support.staff import PASSWORD, Colleague, Shown, at_a_browser, signed_in
from tillbridge.service.people import Door
from tillbridge.service.people_port import Deed, DeedKind, Role
from tillbridge.service.tries import MOST_PER_NAME

NEW = "lumi satoi hiljaa"


async def change(colleague: Colleague, old: str = PASSWORD, new: str = NEW, again: str = NEW) -> Shown:
    return await colleague.send(await colleague.get("/me"), "/me/password", old=old, new=new, again=again)


@pytest.mark.parametrize("role", Role)
async def test_everybody_sees_their_own_account(site: Site, role: Role) -> None:
    async with signed_in(site, "anna", role, branches=["CPL"]) as colleague:
        page = await colleague.get("/me")
        assert page.status == 200
        assert "Name Anna Name to sign in with anna" in page.text
        assert f"Role {role.value.title()} May: " in page.text
        assert "All branches" not in page.text


async def test_who_is_not_signed_in_has_no_account_to_see(site: Site) -> None:
    async with at_a_browser(site) as nobody:
        assert (await nobody.get("/me")).path == "/sign-in?next=/me"


async def test_the_language_is_kept_with_the_account_and_at_the_workstation(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/me"), "/me/language", language="sv")
        assert page.path == "/me?done=language"
        assert 'lang="sv"' in page.html
        assert page.sheet.form("/me/language").fields["language"] == ["sv"]
    anna = await site.bench.store.read(lambda tx: tx.person("anna"))
    assert anna is not None
    assert anna.language == "sv"
    async with signed_in(site) as elsewhere:
        assert 'lang="sv"' in (await elsewhere.get("/")).html


async def test_the_language_can_be_left_to_the_browser_again(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/me"), "/me/language", language="sv")
        page = await colleague.send(page, "/me/language", language="")
        assert '<html lang="en">' in page.html
        assert page.sheet.form("/me/language").fields["language"] == [""]


async def test_a_language_that_the_pages_do_not_speak_changes_nothing(site: Site) -> None:
    bridge = site.app.state.bridge
    site.app.state.bridge = replace(bridge, desk=bridge.desk.model_copy(update={"languages": ("en", "fi")}))
    async with signed_in(site) as colleague:
        page = await colleague.send(await colleague.get("/me"), "/me/language", language="sv")
        assert (page.status, "The pages do not speak this language." in page.text) == (422, True)
    anna = await site.bench.store.read(lambda tx: tx.person("anna"))
    assert anna is not None
    assert anna.language is None


async def test_a_language_chosen_meanwhile_leaves_what_an_administrator_changed(site: Site) -> None:
    async with signed_in(site) as colleague, signed_in(site, "pekka", Role.ADMINISTRATOR) as pekka:
        page = await colleague.get("/me")
        await pekka.send(await pekka.get("/people/anna"), "/people/anna", role=["bookkeeper"])
        await colleague.send(page, "/me/language", language="fi")
    anna = await site.bench.store.read(lambda tx: tx.person("anna"))
    assert anna is not None
    assert (anna.language, anna.roles) == ("fi", frozenset({Role.BOOKKEEPER}))


async def test_a_new_password_ends_the_sessions_elsewhere_and_leaves_this_one(site: Site) -> None:
    async with signed_in(site) as colleague, signed_in(site) as elsewhere:
        page = await change(colleague)
        assert page.path == "/me?done=password"
        assert "Everywhere else you are signed out." in page.text
        assert (await elsewhere.get("/")).path.startswith("/sign-in")
        assert (await colleague.get("/")).path == "/"
    async with at_a_browser(site) as other:
        page = await other.send(await other.get("/sign-in"), "/sign-in", name="anna", password=PASSWORD)
        assert page.status == 403
        page = await other.send(page, "/sign-in", name="anna", password=NEW)
        assert page.path == "/"


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"old": "wrong"}, 403, "The old password is not right."),
        ({"new": "kirjasto123", "again": "kirjasto123"}, 422, "This password is too easy to guess."),
        ({"again": "lumi satoi"}, 422, "The two new passwords are not the same."),
    ],
)
async def test_a_password_that_cannot_be_changed_is_in_no_page(
    site: Site, fields: dict[str, str], status: int, told: str
) -> None:
    async with signed_in(site) as colleague, signed_in(site) as elsewhere:
        page = await change(colleague, **fields)
        assert (page.status, told in page.text) == (status, True)
        assert not any(password in page.html for password in (PASSWORD, NEW, *fields.values()) if password != "wrong")
        assert (await elsewhere.get("/")).path == "/"


async def test_old_passwords_cannot_be_guessed_for_ever(site: Site) -> None:
    async with signed_in(site) as colleague:
        for _ in range(MOST_PER_NAME):
            assert (await change(colleague, old="wrong")).status == 403
        page = await change(colleague)
        assert (page.status, "There were too many wrong passwords." in page.text) == (422, True)


async def test_a_password_may_begin_and_end_with_a_blank(site: Site) -> None:
    async with signed_in(site) as colleague:
        await change(colleague, new=f" {NEW} ", again=f" {NEW} ")
        assert (await change(colleague, old=NEW, new=PASSWORD, again=PASSWORD)).status == 403
        assert (await change(colleague, old=f" {NEW} ", new=PASSWORD, again=PASSWORD)).status == 200


async def test_what_somebody_changes_of_their_own_is_in_the_journal(site: Site) -> None:
    async with signed_in(site) as colleague:
        await colleague.send(await colleague.get("/me"), "/me/language", language="sv")
        await change(colleague)
    door: Door = site.app.state.bridge.door
    deeds: list[Deed] = [deed for _, deed in await door.store.read(lambda tx: tx.deeds(None, 10))]
    assert [(deed.person_id, deed.kind) for deed in deeds[:2]] == [
        ("anna", DeedKind.PASSWORD_CHANGED),
        ("anna", DeedKind.PERSON_CHANGED),
    ]
