# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages on which an administrator looks after people's accounts."""

from __future__ import annotations

import pytest

from support.site import Site
from support.staff import PASSWORD, Colleague, Shown, at_a_browser, hired, signed_in
from tillbridge.service.people_port import RIGHTS, DeedKind, Person, Right, Role
from tillbridge.service.resolving import Action
from tillbridge.web.desk.deeds import SWITCHED
from tillbridge.web.desk.staff_words import DECISIONS, DEEDS, RIGHT_WORDS, ROLES

NEW = "lumi satoi hiljaa"
TWICE = {"new": NEW, "again": NEW}


async def kept(site: Site, person_id: str) -> Person | None:
    return await site.bench.store.read(lambda tx: tx.person(person_id))


async def add(colleague: Colleague, **fields: str | list[str]) -> Shown:
    said: dict[str, str | list[str]] = {"id": "maija", "name": "Maija Mehiläinen", "role": "clerk", "branch": "CPL"}
    page = await colleague.get("/people/add")
    form = page.sheet.form("/people/add").fields
    return await colleague.post("/people/add", {**form, **said, **TWICE, **fields})


async def signs_in(site: Site, person_id: str, password: str) -> bool:
    async with at_a_browser(site) as other:
        page = await other.get("/sign-in")
        return (await other.send(page, "/sign-in", name=person_id, password=password, next="/me")).path == "/me"


PAGES = ("/people", "/people/add", "/people/ville", "/people/ville/withdraw")


@pytest.mark.parametrize("role", [role for role in Role if Right.PEOPLE not in RIGHTS[role]])
async def test_only_who_has_the_right_looks_after_people(site: Site, role: Role) -> None:
    await hired(site, "ville", Role.CLERK)
    async with signed_in(site, "otto", role) as colleague:
        csrf = (await colleague.get("/me")).sheet.forms[-1].fields["csrf"]
        assert [(await colleague.get(path)).status for path in PAGES] == [403] * 4
        posted = ("/people/add", "/people/ville", "/people/ville/password", "/people/ville/withdraw")
        assert [(await colleague.post(path, {"csrf": csrf, **TWICE})).status for path in posted] == [403] * 4
    ville = await kept(site, "ville")
    assert ville is not None
    assert not ville.withdrawn
    assert await signs_in(site, "ville", PASSWORD)


async def test_the_list_names_roles_and_branches_in_words_and_hides_who_left(site: Site) -> None:
    await hired(site, "ville", Role.CLERK, Role.SUPERVISOR, branches=["CPL"])
    await hired(site, "sanna", Role.BOOKKEEPER)
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/people")
        assert "Ville ville Clerk, Supervisor" in page.text
        assert "Sanna sanna Bookkeeper All branches" in page.text
        assert "withdrawn" not in page.text
        await colleague.send(await colleague.get("/people/sanna/withdraw"), "/people/sanna/withdraw")
        page = await colleague.get("/people")
        assert "Sanna" not in page.text
        assert page.sheet.links["Show 1 withdrawn account"] == "/people?withdrawn=1"
        page = await colleague.get("/people?withdrawn=1")
        assert "Sanna withdrawn sanna" in page.text
        assert "Hide withdrawn accounts" in page.text


async def test_a_person_who_is_added_can_sign_in(site: Site) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await add(colleague, id=" Maija ", role=["clerk", "supervisor"], language="sv")
        assert page.path == "/people/maija?done=added"
        assert "The account is there." in page.text
    maija = await kept(site, "maija")
    assert maija is not None
    assert (maija.name, maija.created_by, maija.language) == ("Maija Mehiläinen", "pekka", "sv")
    assert (maija.roles, maija.branches) == (frozenset({Role.CLERK, Role.SUPERVISOR}), frozenset({"CPL"}))
    assert await signs_in(site, "maija", NEW)


async def test_an_account_for_all_branches_has_those_that_come_later(site: Site) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        await add(colleague, which="all", branch=[])
    maija = await kept(site, "maija")
    assert maija is not None
    assert maija.branches is None


@pytest.mark.parametrize(
    ("wrong", "status", "told"),
    [
        ({"id": "Maija Mehiläinen"}, 422, "This cannot be a sign-in name."),
        ({"id": "pekka"}, 409, "There is an account with this sign-in name already."),
        ({"name": " "}, 422, "This cannot be a name."),
        ({"role": []}, 422, "No role is chosen."),
        ({"role": ["king"]}, 422, "Something in the form cannot be read."),
        ({"branch": []}, 422, "No branch is chosen."),
        ({"branch": ["XXX"]}, 404, "There is no such branch."),
        ({"language": "xx"}, 422, "The pages do not speak this language."),
        ({"new": "short", "again": "short"}, 422, "This password is too easy to guess."),
        ({"again": "lumi satoi äänekkäästi"}, 422, "The two new passwords are not the same."),
    ],
)
async def test_what_cannot_be_is_told_and_nothing_is_lost_that_was_typed_but_the_password(
    site: Site, wrong: dict[str, str | list[str]], status: int, told: str
) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await add(colleague, **wrong)
        assert page.status == status
        assert told in page.text
        sent = {"id": ["maija"], "name": ["Maija Mehiläinen"], "role": ["clerk"], "branch": ["CPL"]}
        sent |= {name: [value] if isinstance(value, str) else value for name, value in wrong.items()}
        fields = page.sheet.form("/people/add").fields
        for name in ("id", "name"):
            assert fields[name] == [sent[name][0].strip()]
        assert fields.get("role", []) == [role for role in sent["role"] if role in list(Role)]
        assert fields.get("branch", []) == [branch for branch in sent["branch"] if branch == "CPL"]
        assert (fields["new"], fields["again"]) == ([""], [""])
        assert NEW not in page.html
    assert await kept(site, "maija") is None


async def test_a_name_with_signs_of_html_is_shown_as_it_is(site: Site) -> None:
    hostile = '"><script>alert(1)</script>'
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        pages = [await add(colleague, name=hostile, role=[]), await add(colleague, name=hostile)]
        pages += [await colleague.get(path) for path in ("/people", "/people/maija/withdraw", "/journal")]
        for page in pages:
            assert "<script>alert" not in page.html
            assert hostile in page.text or hostile in page.sheet.forms[-1].fields.get("name", [])


async def test_a_changed_person_is_told_in_the_journal_with_what_was_before(site: Site) -> None:
    await hired(site, "ville", Role.CLERK, branches=["CPL"])
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/people/ville")
        assert page.sheet.form("/people/ville").fields["role"] == ["clerk"]
        page = await colleague.send(
            page, "/people/ville", name="Ville Viima", role=["clerk", "supervisor"], which="all", language="fi"
        )
        assert (page.path, "This counts from now on." in page.text) == ("/people/ville?done=changed", True)
        text = (await colleague.get("/journal")).text
        assert "Changed an account Ville Viima" in text
        assert "Name: Ville Viima (before: Ville)" in text
        assert "Roles: Clerk, Supervisor (before: Clerk)" in text
        assert "Language: suomi (before: As the browser is set)" in text
        assert "Branches: All branches (before:" in text
    ville = await kept(site, "ville")
    assert ville is not None
    assert (ville.roles, ville.branches) == (frozenset({Role.CLERK, Role.SUPERVISOR}), None)


async def test_new_rights_count_at_once_for_who_is_signed_in(site: Site) -> None:
    async with signed_in(site, "ville", Role.CLERK) as ville, signed_in(site, "pekka", Role.ADMINISTRATOR) as pekka:
        assert (await ville.get("/people")).status == 403
        await pekka.send(await pekka.get("/people/ville"), "/people/ville", role=["administrator"])
        assert (await ville.get("/people")).status == 200


async def test_a_change_that_cannot_be_keeps_what_was_typed(site: Site) -> None:
    await hired(site, "ville", Role.CLERK)
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.send(await colleague.get("/people/ville"), "/people/ville", name="Viima", role=[])
        assert (page.status, "No role is chosen." in page.text) == (422, True)
        assert page.sheet.form("/people/ville").fields["name"] == ["Viima"]


async def test_a_branch_of_earlier_settings_is_not_lost_by_a_change(site: Site) -> None:
    await hired(site, "ville", Role.CLERK, branches=["CPL", "OLD"])
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        await colleague.send(await colleague.get("/people/ville"), "/people/ville", name="Viima")
    ville = await kept(site, "ville")
    assert ville is not None
    assert (ville.name, ville.branches) == ("Viima", frozenset({"CPL", "OLD"}))


async def test_the_last_administrator_stays_one(site: Site) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.send(await colleague.get("/people/pekka"), "/people/pekka", role=["clerk"])
        assert (page.status, "This is the last administrator." in page.text) == (409, True)
        page = await colleague.send(await colleague.get("/people/pekka/withdraw"), "/people/pekka/withdraw")
        assert (page.status, "This is the last administrator." in page.text) == (409, True)
        assert (await colleague.get("/people")).status == 200


async def test_a_new_password_by_an_administrator_signs_the_person_out_everywhere(site: Site) -> None:
    async with signed_in(site, "ville") as ville, signed_in(site, "pekka", Role.ADMINISTRATOR) as pekka:
        page = await pekka.get("/people/ville")
        page = await pekka.send(page, "/people/ville/password", new=NEW, again="something else")
        assert (page.status, NEW in page.html) == (422, False)
        assert (await ville.get("/")).path == "/"
        page = await pekka.send(page, "/people/ville/password", new=NEW, again=NEW)
        assert (page.path, NEW in page.html) == ("/people/ville?done=password", False)
        assert (await ville.get("/")).path.startswith("/sign-in")
    assert await signs_in(site, "ville", NEW)
    assert not await signs_in(site, "ville", PASSWORD)


async def test_the_own_password_is_changed_with_the_old_one_alone(site: Site) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/people/pekka")
        assert "/people/pekka/password" not in page.html
        assert "/me" in page.sheet.links.values()


async def test_to_withdraw_an_account_is_asked_once_more_and_is_for_good(site: Site) -> None:
    async with signed_in(site, "ville") as ville, signed_in(site, "pekka", Role.ADMINISTRATOR) as pekka:
        page = await pekka.get("/people/ville")
        page = await pekka.get(page.sheet.links["Withdraw this account …"])
        assert "This is for good" in page.text
        assert (await ville.get("/")).path == "/"
        page = await pekka.send(page, "/people/ville/withdraw")
        assert page.path == "/people/ville?done=withdrawn"
        assert "This account is withdrawn for good." in page.text
        assert "/people/ville" not in [form.action for form in page.sheet.forms]
        assert (await ville.get("/")).path.startswith("/sign-in")
        assert (await pekka.get("/people/ville/withdraw")).path == "/people/ville"
        page = await pekka.send(await pekka.get("/people/pekka"), "/people/pekka")
        csrf = page.sheet.form("/people/pekka").fields["csrf"]
        for path in ("/people/ville", "/people/ville/password", "/people/ville/withdraw"):
            fields = {"csrf": csrf, "name": "V", "role": "clerk", "which": "all"}
            assert (await pekka.post(path, {**fields, **TWICE})).status == 404
        assert "There is an account with this sign-in name already." in (await add(pekka, id="ville")).text
    assert not await signs_in(site, "ville", PASSWORD)


@pytest.mark.parametrize("path", ["/people/nobody", "/people/%00", "/people/nobody/withdraw", "/people/a%20b"])
async def test_an_account_that_is_not_there_is_told(site: Site, path: str) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get(path)
        assert (page.status, "There is no such account" in page.text) == (404, True)


async def test_a_form_of_another_session_changes_nothing(site: Site) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        page = await add(colleague, csrf="x" * 43)
        assert (page.status, "earlier sign-in" in page.text) == (403, True)
    assert await kept(site, "maija") is None


async def test_a_made_up_word_in_the_address_says_nothing(site: Site) -> None:
    async with signed_in(site, "pekka", Role.ADMINISTRATOR) as colleague:
        assert "evil" not in (await colleague.get("/people/pekka?done=evil")).text


def test_every_role_right_deed_and_decision_has_words() -> None:
    assert set(ROLES) == set(Role)
    assert set(RIGHT_WORDS) == set(Right)
    assert set(DEEDS) == set(DeedKind)
    assert set(DECISIONS) == set(Action)
    assert set(SWITCHED) == {True, False}
