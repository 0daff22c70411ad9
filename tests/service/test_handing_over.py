# SPDX-License-Identifier: GPL-3.0-or-later
"""A librarian who comes from the library system: an account without a password, and a hand-over that is taken once."""

from __future__ import annotations

import asyncio

import pytest

from support.people import CHEAP, hire
from support.worlds import Bench
from tillbridge.errors import Declined
from tillbridge.service import people
from tillbridge.service.hand_over_port import HandOver
from tillbridge.service.handing_over import LASTING_S, BegunBefore, OfHandOver, redeem, usable
from tillbridge.service.librarians import Librarian, admitted
from tillbridge.service.people import Door, SignedIn
from tillbridge.service.people_port import DeedKind, Person, Role
from tillbridge.service.staff import PersonForm, change_person, form_of, set_password
from tillbridge.service.starting import Chosen, StartRequest, start_payment

ANNA = Librarian("17", "anna", "Anna  Aalto\n")


@pytest.fixture
def door(bench: Bench) -> Door:
    return Door(bench.store, bench.clock, CHEAP, 3600)


async def handed(bench: Bench, door: Door, number: str = "a", who: Librarian = ANNA, until: float = 1e12) -> SignedIn:
    signed = await redeem(door, who, "CPL", HandOver(number, 0.0, "", "what it says"), until, "10.0.0.1")
    assert signed is not None
    return signed


async def admit(bench: Bench, who: Librarian, branch: str = "CPL") -> Person:
    return await bench.store.write(lambda tx: admitted(tx, bench.clock.now(), who, branch))


async def test_a_librarian_gets_an_account_at_the_first_hand_over_and_keeps_it(bench: Bench, door: Door) -> None:
    first = await handed(bench, door)
    assert (first.person.id, first.person.name, first.person.origin_id) == ("anna@koha", "Anna Aalto", "17")
    assert (first.person.roles, first.person.branches) == (frozenset({Role.CLERK}), frozenset({"CPL"}))
    assert await door.who(first.token) == (first.person, first.session)
    again = await admit(bench, Librarian("17", "aalto", "Anna Berg"), "MPL")
    assert (again.id, again.name, again.branches) == ("anna@koha", "Anna Berg", frozenset({"MPL"}))
    assert await bench.store.read(lambda tx: tx.person_from("koha", "17")) == again
    assert again.password_hash == ""
    deeds = [
        (deed.person_id, deed.kind, dict(deed.facts))
        for _, deed in await bench.store.read(lambda tx: tx.deeds(None, 9))
    ]
    said = {"name": "Anna Aalto", "roles": ["clerk"], "branches": ["CPL"]}
    assert deeds[::-1] == [
        ("koha", DeedKind.PERSON_ADDED, {"person": "anna@koha", **said}),
        ("anna@koha", DeedKind.SIGNED_IN, {"source": "10.0.0.1", "origin": "koha"}),
    ]


@pytest.mark.parametrize(
    ("who", "id_", "name"),
    [
        (Librarian("18", "anna", "Anna Other"), "anna.18@koha", "Anna Other"),
        (Librarian("18", "Ville.K", "Ville"), "villek@koha", "Ville"),
        (Librarian("18", "__-", "\u202e"), "librarian.18@koha", "18"),
        (Librarian("18", "_ville_-", "Ville"), "ville_-@koha", "Ville"),
        (Librarian("18", "Пётр", ""), "librarian.18@koha", "18"),
        (Librarian("18", "v" * 200, "n" * 200), f"{'v' * 50}@koha", "n" * 80),
    ],
)
async def test_the_id_tells_who_it_is_and_is_nobody_elses(bench: Bench, who: Librarian, id_: str, name: str) -> None:
    await admit(bench, ANNA)
    made = await admit(bench, who)
    assert (made.id, made.name) == (id_, name)
    assert (await admit(bench, who)).id == id_


async def test_a_session_ends_when_the_day_does_or_when_sessions_do(bench: Bench, door: Door) -> None:
    now = bench.clock.now()
    assert (await handed(bench, door, "a", until=now + 60)).session.ends_at == now + 60
    assert (await handed(bench, door, "b")).session.ends_at == now + 3600


async def test_a_hand_over_is_taken_once(bench: Bench, door: Door) -> None:
    await handed(bench, door)
    thief = Librarian("99", "thief", "Thief")
    assert await redeem(door, thief, "CPL", HandOver("a", 0.0, "", "other"), 1e12, "") is None
    held = await bench.store.read(lambda tx: tx.hand_over("a"))
    assert held is not None
    assert (held.person_id, held.content) == ("anna@koha", "what it says")
    assert await bench.store.read(lambda tx: tx.person_from("koha", "99")) is None
    assert not await bench.store.write(lambda tx: tx.add_hand_over(held))


async def test_of_those_who_bring_it_at_once_one_is_let_in(bench: Bench, door: Door) -> None:
    one = HandOver("a", 0.0, "", "what it says")
    came = await asyncio.gather(*(redeem(door, ANNA, "CPL", one, 1e12, "") for _ in range(4)))
    [signed] = [each for each in came if each is not None]
    assert await door.who(signed.token) == (signed.person, signed.session)
    deeds = await bench.store.read(lambda tx: tx.deeds(None, 9))
    assert [deed.kind for _, deed in deeds] == [DeedKind.SIGNED_IN, DeedKind.PERSON_ADDED]


async def test_it_begins_one_payment_and_is_forgotten_then(bench: Bench, door: Door) -> None:
    bench.library.add_charge("1", "3")
    bench.library.add_charge("2", "4")
    person = (await handed(bench, door)).person
    request = StartRequest("CPL", "10", person.id, card_number="C1", charges=(Chosen("1"),))
    payment = await start_payment(bench.world, request, OfHandOver(bench.world, person, "a"))
    other = StartRequest("CPL", "10", person.id, card_number="C1", charges=(Chosen("2"),))
    with pytest.raises(BegunBefore) as before:
        await start_payment(bench.world, other, OfHandOver(bench.world, person, "a"))
    assert before.value.payment_id == payment.id == str(before.value)
    held = await bench.store.read(lambda tx: tx.hand_over("a"))
    assert held == HandOver("a", bench.clock.now(), person.id, "", payment.id)
    [(_, deed)] = await bench.store.read(lambda tx: tx.deeds(None, 1))
    assert (deed.person_id, deed.kind, deed.facts) == (person.id, DeedKind.PAYMENT_STARTED, {"payment": payment.id})


async def test_only_its_librarian_uses_it_and_only_for_a_while(bench: Bench, door: Door) -> None:
    person, other = (
        (await handed(bench, door)).person,
        (await handed(bench, door, "b", Librarian("18", "v", "V"))).person,
    )
    held = await bench.store.read(lambda tx: tx.hand_over("a"))
    assert usable(held, person, bench.clock.now() + LASTING_S) == held
    for nobodys, who, later, code in (
        (held, other, 0.0, "no_such_hand_over"),
        (None, person, 0.0, "no_such_hand_over"),
        (held, person, LASTING_S + 1, "hand_over_over"),
    ):
        with pytest.raises(Declined) as no:
            usable(nobodys, who, bench.clock.now() + later)
        assert no.value.code == code
    bench.clock.advance(LASTING_S + 1)
    await handed(bench, door, "c")
    erased = await bench.store.read(lambda tx: tx.hand_over("a"))
    with pytest.raises(Declined, match="too long ago"):
        usable(erased, person, bench.clock.now())


async def test_a_librarian_who_is_switched_off_is_refused_until_let_in_again(bench: Bench, door: Door) -> None:
    otto = await hire(door, "otto", Role.ADMINISTRATOR)
    signed = await handed(bench, door)
    await people.withdraw_person(door, otto, signed.person.id)
    assert await door.who(signed.token) is None
    with pytest.raises(Declined) as no:
        await handed(bench, door, "b")
    assert (no.value.code, no.value.facts) == ("switched_off", {"id": "anna@koha"})
    assert await bench.store.read(lambda tx: tx.hand_over("b")) is None
    again = await people.let_in_again(door, otto, signed.person.id)
    assert (again.withdrawn, again.withdrawn_by) == (False, None)
    [(_, deed)] = await bench.store.read(lambda tx: tx.deeds(None, 1))
    assert (deed.person_id, deed.kind) == ("otto", DeedKind.PERSON_LET_IN_AGAIN)
    assert deed.facts == {"person": "anna@koha"}
    assert (await handed(bench, door, "b")).person == again
    for wrong in ("otto", "nobody", "anna@koha"):
        with pytest.raises(Declined) as no:
            await people.let_in_again(door, otto, wrong)
        assert (no.value.code, no.value.facts) == ("no_such_person", {"id": wrong})
    here = await hire(door, "aino", Role.ADMINISTRATOR, branches=["CPL"])
    await people.withdraw_person(door, here, signed.person.id)
    assert await people.let_in_again(door, here, signed.person.id) == again
    there = await hire(door, "eeva", Role.ADMINISTRATOR, branches=["MPL"])
    with pytest.raises(Declined) as no:
        await people.let_in_again(door, there, signed.person.id)
    assert no.value.code == "other_branch"


async def test_such_an_account_can_be_given_no_other_role_and_no_password(bench: Bench, door: Door) -> None:
    person = (await handed(bench, door)).person
    more = PersonForm(person.id, person.name, [Role.ADMINISTRATOR], None)
    for change, code in (
        (lambda tx: change_person(tx, 1.0, "otto", more), "account_of_library"),
        (lambda tx: set_password(tx, 1.0, "otto", person.id, "hash"), "no_password_here"),
    ):
        with pytest.raises(Declined) as no:
            await bench.store.write(change)
        assert no.value.code == code
    assert (await people.choose_language(door, person, "fi")).language == "fi"
    same = await bench.store.write(lambda tx: change_person(tx, 1.0, "otto", form_of(person)))
    assert same.roles == person.roles
    with pytest.raises(Declined) as no:
        await hire(door, "liisa@koha")
    assert no.value.facts == {"field": "id"}


async def test_what_was_handed_over_and_never_used_is_erased_once_a_day(bench: Bench, door: Door) -> None:
    await handed(bench, door)
    await bench.store.write(lambda tx: tx.erase_hand_overs(bench.clock.now()))
    held = await bench.store.read(lambda tx: tx.hand_over("a"))
    assert held is not None
    assert held.content == "what it says"
    await bench.store.write(lambda tx: tx.erase_hand_overs(bench.clock.now() + 1))
    held = await bench.store.read(lambda tx: tx.hand_over("a"))
    assert held is not None
    assert held.content == ""
