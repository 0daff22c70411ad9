# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in, who is known again, and how guessing is slowed down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.people import CHEAP, PASSWORD, hire
from support.stores import everything
from support.worlds import Bench
from tillbridge.errors import Declined
from tillbridge.service import people as module
from tillbridge.service import tries as tries_module
from tillbridge.service.passwords import Passwords
from tillbridge.service.people import REMEMBERED_S, Door, SignedIn, set_password, withdraw_person
from tillbridge.service.people_port import Deed, DeedKind, Person, Role
from tillbridge.service.tries import MOST_PER_NAME, MOST_PER_SOURCE, WINDOW_S, Tries, network_of

SOURCE = "192.0.2.7"
HOUR = 3600.0
WRONG = "wrong"
NEW = "uusi pitkä salasana"


@pytest.fixture
def door(bench: Bench) -> Door:
    return Door(bench.store, bench.clock, CHEAP, 12 * HOUR)


async def refused(door: Door, name: str, password: str = WRONG, source: str = SOURCE) -> Declined:
    with pytest.raises(Declined) as declined:
        await door.sign_in(name, password, source)
    return declined.value


async def journal(door: Door) -> list[tuple[str, DeedKind]]:
    deeds = await door.store.read(lambda tx: tx.deeds(None, 100))
    return [(deed.person_id, deed.kind) for _, deed in reversed(deeds)][1:]


async def administrator(door: Door) -> Person:
    return await hire(door, "otto", Role.ADMINISTRATOR)


async def test_who_signs_in_is_known_again_by_the_token_and_by_nothing_else(bench: Bench, door: Door) -> None:
    anna = await hire(door)
    signed_in = await door.sign_in("anna", PASSWORD, SOURCE)
    assert await door.who(signed_in.token) == (anna, signed_in.session)
    session = signed_in.session
    assert (session.began_at, session.ends_at) == (bench.clock.now(), bench.clock.now() + 12 * HOUR)
    for wrong in ("", signed_in.token[:-1], session.token_hash, session.csrf, "\ud83d"):
        assert await door.who(wrong) is None
    (_, deed), *_ = await door.store.read(lambda tx: tx.deeds(None, 1))
    assert deed == Deed(bench.clock.now(), "anna", DeedKind.SIGNED_IN, {"source": SOURCE})


async def test_no_secret_of_a_session_is_stored_or_shown(door: Door) -> None:
    await hire(door)
    first, second = [await door.sign_in("anna", PASSWORD, SOURCE) for _ in range(2)]
    assert len({first.token, second.token, first.session.csrf, second.session.csrf}) == 4
    kept = await door.store.read(everything)
    assert first.session.token_hash in kept
    assert first.token not in kept
    assert PASSWORD not in kept
    for secret in (first.token, first.session.csrf, first.session.token_hash, first.person.password_hash):
        assert secret not in repr(first)


async def test_capitals_and_blanks_around_the_name_do_not_count(door: Door) -> None:
    await hire(door)
    assert (await door.sign_in(" Anna ", PASSWORD, SOURCE)).person.id == "anna"


async def test_a_wrong_password_an_unknown_name_and_a_withdrawn_person_are_told_alike(door: Door) -> None:
    otto = await administrator(door)
    await hire(door)
    await hire(door, "sari")
    await withdraw_person(door, otto, "sari")
    told = [
        await refused(door, "anna"),
        await refused(door, "nobody", PASSWORD),
        await refused(door, "sari", PASSWORD),
        await refused(door, "x" * 500),
    ]
    assert {(each.code, each.message, str(each.facts)) for each in told} == {
        ("wrong_password", "The name or the password is wrong.", "{}")
    }


async def test_a_failed_sign_in_is_recorded_without_a_name_that_nobody_has(door: Door) -> None:
    await hire(door)
    await refused(door, "anna")
    await refused(door, "my s3cret in the wrong field")
    assert await journal(door) == [("anna", DeedKind.SIGN_IN_FAILED), ("", DeedKind.SIGN_IN_FAILED)]
    assert "s3cret" not in await door.store.read(everything)
    deeds = [deed for _, deed in await door.store.read(lambda tx: tx.deeds(None, 2))]
    assert [deed.facts for deed in deeds] == [{"source": SOURCE}] * 2


async def test_a_session_ends_when_its_time_is_over_and_is_erased_at_the_next_sign_in(bench: Bench, door: Door) -> None:
    await hire(door)
    old = await door.sign_in("anna", PASSWORD, SOURCE)
    bench.clock.advance(12 * HOUR - 0.5)
    assert await door.who(old.token) is not None
    bench.clock.advance(0.5)
    assert await door.who(old.token) is None
    await door.sign_in("anna", PASSWORD, SOURCE)
    assert await door.store.read(lambda tx: tx.session(old.session.token_hash)) is None


async def test_who_signs_out_is_not_known_any_more_and_another_session_goes_on(door: Door) -> None:
    await hire(door)
    first, second = [await door.sign_in("anna", PASSWORD, SOURCE) for _ in range(2)]
    assert await door.who(first.token) is not None
    await door.sign_out(first.token)
    await door.sign_out(first.token)
    assert await door.who(first.token) is None
    assert await door.who(second.token) is not None
    assert await journal(door) == [("anna", DeedKind.SIGNED_IN)] * 2 + [("anna", DeedKind.SIGNED_OUT)]


async def test_who_comes_again_at_once_is_known_without_asking_the_database(bench: Bench, door: Door) -> None:
    await hire(door)
    signed_in = await door.sign_in("anna", PASSWORD, SOURCE)
    first = await door.who(signed_in.token)
    bench.clock.advance(REMEMBERED_S - 0.1)
    bench.store.close()
    assert first is not None
    assert await door.who(signed_in.token) == first


async def test_what_another_bridge_changes_counts_a_moment_later(bench: Bench, door: Door) -> None:
    otto = await administrator(door)
    await hire(door)
    signed_in = await door.sign_in("anna", PASSWORD, SOURCE)
    assert await door.who(signed_in.token) is not None
    other = Door(bench.store, bench.clock, CHEAP, HOUR)
    await withdraw_person(other, otto, "anna")
    bench.clock.advance(REMEMBERED_S)
    assert await door.who(signed_in.token) is None


async def test_many_who_come_at_once_are_looked_up_at_once(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = await hire(door)
    signed_in = [await door.sign_in("anna", PASSWORD, SOURCE) for _ in range(3)]
    reads = 0
    really = door.store.read

    async def read(work: Any) -> Any:
        nonlocal reads
        reads += 1
        return await really(work)

    monkeypatch.setattr(door.store, "read", read)
    known = await asyncio.gather(*(door.who(token) for token in [each.token for each in signed_in] + ["wrong"] * 50))
    assert known == [(anna, each.session) for each in signed_in] + [None] * 50
    assert reads == 1


async def test_a_withdrawn_person_is_refused_even_by_a_session_that_is_left(door: Door) -> None:
    otto = await administrator(door)
    await hire(door)
    signed_in = await door.sign_in("anna", PASSWORD, SOURCE)
    await withdraw_person(door, otto, "anna")
    assert await door.store.read(lambda tx: tx.session(signed_in.session.token_hash)) is None
    await door.store.write(lambda tx: tx.add_session(signed_in.session))
    assert await door.who(signed_in.token) is None


async def test_a_flood_of_wrong_tokens_fills_no_memory(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 5)
    for number in range(12):
        assert await door.who(f"wrong {number}") is None
    assert len(door._remembered) <= 5


async def test_a_new_own_password_ends_the_other_sessions_and_not_this_one(bench: Bench, door: Door) -> None:
    await hire(door)
    here, there = [await door.sign_in("anna", PASSWORD, SOURCE) for _ in range(2)]
    assert await door.who(there.token) is not None
    bench.clock.advance(5)
    changed = await door.change_password(here.person, here.session, PASSWORD, NEW)
    assert changed.password_changed_at == bench.clock.now()
    assert await door.who(here.token) == (changed, here.session)
    assert await door.who(there.token) is None
    assert (await refused(door, "anna", PASSWORD)).code == "wrong_password"
    await door.sign_in("anna", NEW, SOURCE)
    deeds = [deed for _, deed in await door.store.read(lambda tx: tx.deeds(None, 100))]
    assert Deed(bench.clock.now(), "anna", DeedKind.PASSWORD_CHANGED, {"person": "anna"}) in deeds


async def test_the_old_password_must_be_right_and_the_new_one_good(door: Door) -> None:
    await hire(door)
    here = await door.sign_in("anna", PASSWORD, SOURCE)
    for old, new, code, field in (
        ("wrong", NEW, "wrong_password", "old"),
        (PASSWORD, "short", "weak_password", "password"),
    ):
        with pytest.raises(Declined) as declined:
            await door.change_password(here.person, here.session, old, new)
        assert (declined.value.code, declined.value.facts["field"]) == (code, field)
    await door.sign_in("anna", PASSWORD, SOURCE)


async def test_the_old_password_cannot_be_guessed_in_an_open_session(door: Door) -> None:
    await hire(door)
    here = await door.sign_in("anna", PASSWORD, SOURCE)
    codes = []
    for _ in range(MOST_PER_NAME + 1):
        with pytest.raises(Declined) as declined:
            await door.change_password(here.person, here.session, "wrong", NEW)
        codes.append(declined.value.code)
    assert codes == ["wrong_password"] * MOST_PER_NAME + ["too_many_tries"]


async def test_a_hash_of_another_cost_is_made_anew_when_its_person_signs_in(bench: Bench, door: Door) -> None:
    before = await hire(door)
    dearer = Passwords(memory_kib=16, rounds=1)
    later = Door(bench.store, bench.clock, dearer, HOUR)
    await later.sign_in("anna", PASSWORD, SOURCE)
    after = await door.store.read(lambda tx: tx.person("anna"))
    assert after is not None
    assert after.password_hash != before.password_hash
    assert not dearer.outdated(after.password_hash)
    assert after.password_changed_at == before.password_changed_at
    await later.sign_in("anna", PASSWORD, SOURCE)
    dearer.close()


@pytest.mark.parametrize("change", ["withdrawn", "password"])
async def test_a_password_that_was_right_a_moment_ago_lets_nobody_in(
    bench: Bench, door: Door, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    otto = await administrator(door)
    await hire(door)
    check = door.passwords.check

    async def check_and_wait(password_hash: str | None, password: str) -> bool:
        right = await check(password_hash, password)
        bench.clock.advance(1)
        if change == "withdrawn":
            await withdraw_person(door, otto, "anna")
        else:
            await set_password(door, otto, "anna", NEW)
        return right

    monkeypatch.setattr(door, "passwords", _With(check_and_wait))
    assert (await refused(door, "anna", PASSWORD)).code == "wrong_password"


class _With:
    """The cheap passwords with a check of the test's own."""

    def __init__(self, check: object) -> None:
        self.check, self.hash, self.outdated = check, CHEAP.hash, CHEAP.outdated


async def test_after_ten_wrong_passwords_even_the_right_one_waits(bench: Bench, door: Door) -> None:
    await hire(door)
    for _ in range(MOST_PER_NAME):
        assert (await refused(door, "anna")).code == "wrong_password"
        bench.clock.advance(1.5)
    for _ in range(3):
        told = await refused(door, "ANNA", PASSWORD, "192.0.2.8")
        assert (told.code, told.facts) == ("too_many_tries", {"wait_s": WINDOW_S - 15})
    bench.clock.advance(WINDOW_S - 15)
    await door.sign_in("anna", PASSWORD, SOURCE)


async def test_a_right_password_starts_the_count_of_its_name_anew(door: Door) -> None:
    await hire(door)
    for _ in range(2):
        for _ in range(MOST_PER_NAME - 1):
            await refused(door, "anna")
        await door.sign_in("anna", PASSWORD, SOURCE)


async def test_many_at_once_have_no_more_tries_than_one_after_the_other(door: Door) -> None:
    await hire(door)
    told = await asyncio.gather(*(refused(door, "anna", source=f"192.0.2.{n}") for n in range(30)))
    codes = [each.code for each in told]
    assert (codes.count("wrong_password"), codes.count("too_many_tries")) == (MOST_PER_NAME, 20)


async def test_an_address_has_so_many_tries_whatever_the_names_and_a_desk_that_signs_in_none_too_few(
    door: Door,
) -> None:
    await hire(door)
    for _ in range(MOST_PER_SOURCE + 1):
        await door.sign_in("anna", PASSWORD, SOURCE)
    for n in range(MOST_PER_SOURCE):
        assert (await refused(door, f"name{n}")).code == "wrong_password"
    assert (await refused(door, "anna", PASSWORD)).code == "too_many_tries"
    await door.sign_in("anna", PASSWORD, "192.0.2.8")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("a socket", "a socket", True),
    ],
)
def test_an_address_is_what_one_caller_has_to_itself(one: str, other: str, same: bool) -> None:
    tries = Tries()
    for n in range(MOST_PER_SOURCE):
        tries.begin(0.0, f"name{n}", one)
    turned_away = False
    try:
        tries.begin(1.0, "another", other)
    except Declined:
        turned_away = True
    assert turned_away == same


def test_a_flood_of_names_fills_no_memory_and_a_forgotten_try_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries_module, "MOST_REMEMBERED", 4)
    tries = Tries()
    for n in range(40):
        tries.begin(0.0, f"name{n}", f"source{n}")
    assert list(tries._at) == [("name", "name38"), *_keys_of("38")[1:], *_keys_of("39")]
    tries.succeeded("name0", "source0")


def _keys_of(n: str) -> list[tuple[str, str]]:
    return [("name", f"name{n}"), ("source", f"source{n}")]


def test_whoever_must_wait_for_less_than_a_second_must_wait() -> None:
    tries = Tries()
    for _ in range(MOST_PER_NAME):
        tries.begin(0.0, "anna", None)
    with pytest.raises(Declined) as no:
        tries.begin(WINDOW_S - 0.5, "anna", None)
    assert no.value.facts == {"wait_s": 1}
    tries.begin(WINDOW_S, "anna", None)


def test_a_network_is_named_as_networks_are() -> None:
    assert network_of("fe80::1:2:3:4") == "fe80::/64"


async def test_what_is_done_in_the_pages_is_recorded_with_the_person(bench: Bench, door: Door) -> None:
    anna = await hire(door)
    await door.record(anna, DeedKind.PAYMENT_STARTED, payment="A1")
    (_, deed), *_ = await door.store.read(lambda tx: tx.deeds(None, 1))
    assert deed == Deed(bench.clock.now(), "anna", DeedKind.PAYMENT_STARTED, {"payment": "A1"})


def test_a_token_is_not_shown_with_the_rest() -> None:
    assert "token" not in {name for name, field in SignedIn.__dataclass_fields__.items() if field.repr}
