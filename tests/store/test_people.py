# SPDX-License-Identifier: GPL-3.0-or-later
"""People, their sessions and the journal come back from the store as they were put there."""

from __future__ import annotations

from dataclasses import replace

from support.stores import AnyStore
from tillbridge.service.people_port import Deed, DeedKind, Person, Role, Session
from tillbridge.service.store_port import Transaction

ANNA = Person(
    id="anna@example.fi",
    name="Änna 日本",
    roles=frozenset({Role.CLERK, Role.BOOKKEEPER}),
    branches=frozenset({"CPL", "a branch"}),
    language="sv",
    password_hash="$argon2id$x",
    created_at=1.5,
    created_by="otto",
    password_changed_at=2.5,
)
OTTO = Person("otto", "Otto", frozenset({Role.ADMINISTRATOR}), None, None, "$", 1.0, "the command line", 1.0)


def session(n: int, person: Person = ANNA, ends_at: float = 10.0) -> Session:
    return Session(f"{n:064}", person.id, f"csrf{n}", 1.0, ends_at)


async def furnished(store: AnyStore, *sessions: Session) -> None:
    def work(tx: Transaction) -> None:
        tx.add_person(OTTO)
        tx.add_person(ANNA)
        for each in sessions:
            tx.add_session(each)

    await store.write(work)


async def left(store: AnyStore, *sessions: Session) -> list[Session]:
    found = [await store.read(lambda tx, each=each: tx.session(each.token_hash)) for each in sessions]  # type: ignore[misc]
    return [each for each in found if each is not None]


async def test_people_are_listed_by_id_as_they_were_stored(store: AnyStore) -> None:
    await furnished(store)
    assert await store.read(lambda tx: tx.people()) == (ANNA, OTTO)
    assert await store.read(lambda tx: tx.person(ANNA.id)) == ANNA
    assert await store.read(lambda tx: tx.person("nobody")) is None
    assert ANNA.password_hash not in repr(ANNA)


async def test_a_changed_person_is_stored_whole_and_no_other_is_touched(store: AnyStore) -> None:
    await furnished(store)
    changed = replace(
        ANNA,
        name="Anna",
        roles=frozenset({Role.SUPERVISOR}),
        branches=None,
        language=None,
        password_hash="",
        password_changed_at=3.0,
        withdrawn_at=4.0,
        withdrawn_by="otto",
    )
    await store.write(lambda tx: tx.save_person(changed))
    assert await store.read(lambda tx: tx.people()) == (changed, OTTO)


async def test_a_session_is_found_until_it_is_ended(store: AnyStore) -> None:
    first, second = session(1), session(2)
    await furnished(store, first, second)
    assert await left(store, first, second) == [first, second]
    await store.write(lambda tx: tx.end_session(first.token_hash))
    assert await left(store, first, second) == [second]


async def test_many_sessions_are_found_at_once_each_with_its_person(store: AnyStore) -> None:
    mine, also, his = session(1), session(2, ends_at=0.5), session(3, OTTO)
    await furnished(store, mine, also, his)
    wanted = [each.token_hash for each in (mine, also, his)] + ["none"] * 2000
    found = await store.read(lambda tx: tx.sessions(wanted))
    assert sorted(found, key=lambda each: each[1].token_hash) == [(ANNA, mine), (ANNA, also), (OTTO, his)]
    assert await store.read(lambda tx: tx.sessions([])) == ()


async def test_all_sessions_of_a_person_end_but_one_and_nobody_else_s(store: AnyStore) -> None:
    mine, also, his = session(1), session(2), session(3, OTTO)
    await furnished(store, mine, also, his)
    await store.write(lambda tx: tx.end_sessions_of(ANNA.id, but=also.token_hash))
    assert await left(store, mine, also, his) == [also, his]
    await store.write(lambda tx: tx.end_sessions_of(ANNA.id))
    assert await left(store, mine, also, his) == [his]


async def test_sessions_whose_time_is_over_are_forgotten(store: AnyStore) -> None:
    over, just, going = session(1, ends_at=9.0), session(2, ends_at=10.0), session(3, ends_at=10.5)
    await furnished(store, over, just, going)
    await store.write(lambda tx: tx.end_sessions_before(10.0))
    assert await left(store, over, just, going) == [going]


async def test_the_journal_is_read_from_its_newest_line_on_page_by_page(store: AnyStore) -> None:
    deeds = [Deed(float(n), "anna", DeedKind.SIGNED_IN, {"source": f"ä{n}", "n": n, "no": None}) for n in range(5)]

    def work(tx: Transaction) -> None:
        for deed in deeds:
            tx.record_deed(deed)

    await store.write(work)
    first = await store.read(lambda tx: tx.deeds(None, 3))
    then = await store.read(lambda tx: tx.deeds(first[-1][0], 3))
    assert [deed for _, deed in (*first, *then)] == deeds[::-1]
    assert await store.read(lambda tx: tx.deeds(then[-1][0], 3)) == ()


async def test_a_deed_may_be_anybody_s(store: AnyStore) -> None:
    deed = Deed(1.0, "the night watch", DeedKind.PERSON_ADDED)
    await store.write(lambda tx: tx.record_deed(deed))
    ((_, kept),) = await store.read(lambda tx: tx.deeds(None, 10))
    assert kept == deed
