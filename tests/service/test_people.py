# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts: what a role allows, who may change them how, and what the journal says about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from support.people import CHEAP, PASSWORD, hire
from support.worlds import Bench
from tillbridge.errors import Declined
from tillbridge.service.people import Door, add_person, change_person, set_password, withdraw_person
from tillbridge.service.people_port import RIGHTS, Deed, DeedKind, Person, Right, Role
from tillbridge.service.staff import PersonForm, form_of

NEW = "uusi pitkä salasana"
ANNA = PersonForm("anna", "Anna Virtanen", [Role.CLERK, Role.SUPERVISOR], ["MPL", "CPL"], "sv")


@pytest.fixture
def door(bench: Bench) -> Door:
    return Door(bench.store, bench.clock, CHEAP, 3600.0)


@pytest.fixture
async def otto(door: Door) -> Person:
    return await hire(door, "otto", Role.ADMINISTRATOR)


async def newest(door: Door) -> Deed:
    ((_, deed),) = await door.store.read(lambda tx: tx.deeds(None, 1))
    return deed


async def stored(door: Door, person_id: str) -> Person:
    person = await door.store.read(lambda tx: tx.person(person_id))
    assert person is not None
    return person


def a_person(*roles: Role, branches: frozenset[str] | None = None) -> Person:
    return Person("anna", "Anna", frozenset(roles), branches, None, "", 0.0, "otto", 0.0)


ALLOWED: Mapping[Role, set[Right]] = {
    Role.CLERK: {Right.PAY, Right.SEE},
    Role.SUPERVISOR: {Right.PAY, Right.SEE, Right.RESOLVE, Right.BY_HAND},
    Role.BOOKKEEPER: {Right.SEE, Right.RESOLVE},
    Role.ADMINISTRATOR: {Right.SEE, Right.RAW, Right.SETTINGS, Right.PEOPLE},
}


@pytest.mark.parametrize("role", Role)
def test_a_role_allows_this_and_no_more(role: Role) -> None:
    assert {right for right in Right if a_person(role).may(right)} == ALLOWED[role] == RIGHTS[role]


def test_two_roles_allow_what_either_does_and_no_role_nothing() -> None:
    both = a_person(Role.BOOKKEEPER, Role.CLERK)
    assert {right for right in Right if both.may(right)} == ALLOWED[Role.CLERK] | ALLOWED[Role.BOOKKEEPER]
    assert not any(a_person().may(right) for right in Right)


def test_a_person_works_with_the_named_branches_or_with_all() -> None:
    assert a_person().sees("CPL")
    some = a_person(branches=frozenset({"CPL"}))
    assert (some.sees("CPL"), some.sees("MPL")) == (True, False)


async def test_an_added_person_is_stored_as_said_and_can_sign_in(bench: Bench, door: Door, otto: Person) -> None:
    bench.clock.advance(10)
    form = replace(ANNA, id=" Anna ", name="  Anna   Virtanen ")
    anna = await add_person(door, otto, form, PASSWORD)
    now = bench.clock.now()
    assert anna == await stored(door, "anna")
    assert (anna.id, anna.name, anna.language) == ("anna", "Anna Virtanen", "sv")
    assert (anna.roles, anna.branches) == (frozenset(ANNA.roles), frozenset({"CPL", "MPL"}))
    assert (anna.created_at, anna.created_by, anna.password_changed_at) == (now, "otto", now)
    assert not anna.withdrawn
    said = {"name": "Anna Virtanen", "roles": ["clerk", "supervisor"], "branches": ["CPL", "MPL"], "language": "sv"}
    assert await newest(door) == Deed(now, "otto", DeedKind.PERSON_ADDED, {"person": "anna", **said})
    assert (await door.sign_in("anna", PASSWORD, "")).person == anna


async def test_a_taken_sign_in_name_is_not_given_again_not_even_a_withdrawn_one(door: Door, otto: Person) -> None:
    await hire(door)
    for _ in range(2):
        with pytest.raises(Declined) as declined:
            await add_person(door, otto, ANNA, PASSWORD)
        assert (declined.value.code, declined.value.facts) == ("person_exists", {"id": "anna"})
        person = await stored(door, "anna")
        if not person.withdrawn:
            await withdraw_person(door, otto, "anna")


WRONG: dict[str, tuple[PersonForm, str]] = {
    "no id": (replace(ANNA, id=" "), "id"),
    "an id of odd signs": (replace(ANNA, id="väinö"), "id"),
    "an id that begins with a sign": (replace(ANNA, id=".anna"), "id"),
    "a long id": (replace(ANNA, id="a" * 81), "id"),
    "no name": (replace(ANNA, name=" "), "name"),
    "a long name": (replace(ANNA, name="a" * 81), "name"),
    "an odd name": (replace(ANNA, name="Anna\x00"), "name"),
    "half a sign": (replace(ANNA, name="Anna \ud83d"), "name"),
    "no role": (replace(ANNA, roles=[]), "roles"),
    "no branch": (replace(ANNA, branches=[]), "branches"),
    "an unknown language": (replace(ANNA, language="de"), "language"),
}


@pytest.mark.parametrize(("form", "field"), WRONG.values(), ids=WRONG)
async def test_a_wrong_form_adds_nobody_and_names_the_field(
    door: Door, otto: Person, form: PersonForm, field: str
) -> None:
    with pytest.raises(Declined) as declined:
        await add_person(door, otto, form, PASSWORD)
    assert (declined.value.code, declined.value.facts) == ("wrong_person_form", {"field": field})
    assert [each.id for each in await door.store.read(lambda tx: tx.people())] == ["otto"]


async def test_the_longest_id_and_name_are_taken(door: Door, otto: Person) -> None:
    added = await add_person(door, otto, replace(ANNA, id="a" * 80, name="A" * 80), PASSWORD)
    assert (added.id, added.name) == ("a" * 80, "A" * 80)


async def test_a_weak_password_adds_nobody_and_is_given_to_nobody(door: Door, otto: Person) -> None:
    with pytest.raises(Declined, match="own name"):
        await add_person(door, otto, ANNA, "anna virtanen")
    assert await door.store.read(lambda tx: tx.person("anna")) is None
    anna = await add_person(door, otto, ANNA, PASSWORD)
    with pytest.raises(Declined, match="10 to 200"):
        await set_password(door, otto, "anna", "short")
    assert await stored(door, "anna") == anna


async def test_new_roles_count_at_once_for_who_is_signed_in(bench: Bench, door: Door, otto: Person) -> None:
    anna = await hire(door)
    token = (await door.sign_in("anna", PASSWORD, "")).token
    assert await door.who(token) is not None
    form = replace(form_of(anna), roles=[Role.BOOKKEEPER], branches=["CPL"], language="en")
    changed = await change_person(door, otto, form)
    known = await door.who(token)
    assert known is not None
    assert known[0] == changed == await stored(door, "anna")
    facts = {
        "person": "anna",
        "roles": {"from": ["clerk"], "to": ["bookkeeper"]},
        "branches": {"from": None, "to": ["CPL"]},
        "language": {"from": None, "to": "en"},
    }
    assert await newest(door) == Deed(bench.clock.now(), "otto", DeedKind.PERSON_CHANGED, facts)
    again = await change_person(door, otto, replace(form_of(changed), branches=None))
    assert again.branches is None


@pytest.mark.parametrize("branches", [None, ["CPL", "MPL"], ["MPL"]], ids=["all", "more", "another"])
async def test_an_administrator_of_a_branch_has_no_power_over_others(door: Door, branches: list[str] | None) -> None:
    ella = await hire(door, "ella", Role.ADMINISTRATOR, branches=["CPL"])
    await hire(door, "otto", Role.ADMINISTRATOR, branches=branches)
    wished = replace(ANNA, branches=branches)
    for change in (
        add_person(door, ella, wished, PASSWORD),
        change_person(door, ella, replace(form_of(ella), branches=branches)),
        change_person(door, ella, replace(form_of(await stored(door, "otto")), branches=["CPL"])),
        set_password(door, ella, "otto", NEW),
        withdraw_person(door, ella, "otto"),
    ):
        with pytest.raises(Declined) as declined:
            await change
        assert declined.value.code == "other_branch"
    assert await door.store.read(lambda tx: tx.person("anna")) is None
    assert (await stored(door, "ella")).branches == frozenset({"CPL"})
    assert (await door.sign_in("otto", PASSWORD, "")).person.id == "otto"


async def test_an_administrator_of_a_branch_looks_after_the_accounts_there(door: Door) -> None:
    ella = await hire(door, "ella", Role.ADMINISTRATOR, branches=["CPL", "MPL"])
    await add_person(door, ella, ANNA, PASSWORD)
    await change_person(door, ella, replace(ANNA, branches=["CPL"]))
    await set_password(door, ella, "anna", NEW)
    assert (await door.sign_in("anna", NEW, "")).person.branches == frozenset({"CPL"})
    assert (await withdraw_person(door, ella, "anna")).withdrawn


async def test_whoever_is_changed_in_one_thing_keeps_the_others(door: Door, otto: Person) -> None:
    anna = await add_person(door, otto, ANNA, PASSWORD)
    await change_person(door, otto, replace(form_of(anna), name="Anna Aho"))
    assert await stored(door, "anna") == replace(anna, name="Anna Aho")


async def test_a_change_that_changes_nothing_is_not_recorded(door: Door, otto: Person) -> None:
    anna = await hire(door)
    assert await change_person(door, otto, form_of(anna)) == anna
    assert (await newest(door)).kind == DeedKind.PERSON_ADDED


async def test_a_password_by_an_administrator_s_hand_ends_the_person_s_sessions(
    bench: Bench, door: Door, otto: Person
) -> None:
    await hire(door)
    token = (await door.sign_in("anna", PASSWORD, "")).token
    own = (await door.sign_in("otto", PASSWORD, "")).token
    assert await door.who(token) is not None
    changed = await set_password(door, otto, "anna", NEW)
    assert changed.password_changed_at == bench.clock.now()
    assert await door.who(token) is None
    assert await door.who(own) is not None
    assert await newest(door) == Deed(bench.clock.now(), "otto", DeedKind.PASSWORD_CHANGED, {"person": "anna"})
    await door.sign_in("anna", NEW, "")


async def test_a_withdrawn_account_has_no_password_and_no_session_and_says_who_withdrew_it(
    bench: Bench, door: Door, otto: Person
) -> None:
    await hire(door)
    token = (await door.sign_in("anna", PASSWORD, "")).token
    assert await door.who(token) is not None
    gone = await withdraw_person(door, otto, "anna")
    assert gone == await stored(door, "anna")
    assert (gone.withdrawn_at, gone.withdrawn_by, gone.password_hash) == (bench.clock.now(), "otto", "")
    assert await door.who(token) is None
    assert await newest(door) == Deed(bench.clock.now(), "otto", DeedKind.PERSON_WITHDRAWN, {"person": "anna"})


@pytest.mark.parametrize("whose", ["nobody", "anna"])
async def test_what_is_not_there_or_withdrawn_cannot_be_changed(door: Door, otto: Person, whose: str) -> None:
    await hire(door)
    await withdraw_person(door, otto, "anna")
    form = replace(ANNA, id=whose)
    for change in (
        change_person(door, otto, form),
        set_password(door, otto, whose, NEW),
        withdraw_person(door, otto, whose),
    ):
        with pytest.raises(Declined) as declined:
            await change
        assert (declined.value.code, declined.value.facts) == ("no_such_person", {"id": whose})
    assert (await newest(door)).kind == DeedKind.PERSON_WITHDRAWN


async def test_the_last_administrator_stays_one(door: Door, otto: Person) -> None:
    await hire(door)
    for change in (withdraw_person(door, otto, "otto"), change_person(door, otto, replace(ANNA, id="otto"))):
        with pytest.raises(Declined) as declined:
            await change
        assert (declined.value.code, declined.value.facts) == ("last_administrator", {"id": "otto"})
    renamed = await change_person(door, otto, replace(form_of(otto), name="Otto Niemi"))
    assert renamed.name == "Otto Niemi"
    await change_person(door, otto, replace(ANNA, roles=[Role.ADMINISTRATOR]))
    await withdraw_person(door, otto, "otto")


async def test_of_two_administrators_who_withdraw_each_other_at_once_one_stays(door: Door, otto: Person) -> None:
    sari = await hire(door, "sari", Role.ADMINISTRATOR)
    done = await asyncio.gather(
        withdraw_person(door, otto, "sari"), withdraw_person(door, sari, "otto"), return_exceptions=True
    )
    assert [each.code for each in done if isinstance(each, Declined)] == ["last_administrator"]
    left = [each.id for each in await door.store.read(lambda tx: tx.people()) if not each.withdrawn]
    assert len(left) == 1
