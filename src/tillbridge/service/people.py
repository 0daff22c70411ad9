# SPDX-License-Identifier: GPL-3.0-or-later
"""The door of the pages: who is let in, who is there, and who looks after the accounts.

A session's secret has 256 random bits, so that a plain SHA-256 hides it; a password has not, and is kept by
`passwords`.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tillbridge.errors import Declined
from tillbridge.service import librarians, staff
from tillbridge.service.passwords import Passwords, checked_password
from tillbridge.service.people_port import Deed, DeedKind, Person, Session
from tillbridge.service.ports import Clock
from tillbridge.service.staff import PersonForm, checked, id_of, valid_person
from tillbridge.service.store_port import Store, Transaction
from tillbridge.service.tries import Tries

T = TypeVar("T")

REMEMBERED_S = 1.0
"""How long a session that was found is not asked for again; an ended one is refused after that at the latest."""
MOST_REMEMBERED = 5000
LONGEST_ID = 80

Known = tuple[Person, Session]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Hold a session that has just begun; `token` is its secret, which nobody can see again."""

    token: str = field(repr=False)
    session: Session
    person: Person


def hash_of(token: str) -> str:
    """Return what is stored of a session's secret."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Door:
    """Let people in by their passwords, and know them again by their sessions."""

    def __init__(self, store: Store, clock: Clock, passwords: Passwords, session_s: float) -> None:
        """Make it; `session_s` is how long a session lasts, whatever is done in it."""
        self.store, self.clock, self.passwords, self._session_s = store, clock, passwords, session_s
        self.tries = Tries()
        self._remembered: dict[str, tuple[float, Known | None]] = {}
        self._wanted: set[str] = set()
        self._asking: asyncio.Task[Mapping[str, Known]] | None = None

    async def sign_in(self, name: str, password: str, source: str) -> SignedIn:
        """Begin a session; raise Declined, alike for a wrong password, an unknown name and a withdrawn account."""
        person_id = id_of(name)[:LONGEST_ID]
        self.tries.begin(self.clock.now(), person_id, source)
        person = await self.store.read(lambda tx: tx.person(person_id))
        if not await self.passwords.check(person.password_hash if person else None, password):
            await self._record_failure(person, source)
            raise _wrong_password()
        assert person is not None  # noqa: S101 - nobody has no password
        signed_in = await self._begin(person, await self._renewed(person, password), source)
        self.tries.succeeded(person_id, source)
        return signed_in

    async def who(self, token: str) -> Known | None:
        """Return who shows this secret, with the session; None where it is no valid one."""
        shown, now = hash_of(token), self.clock.now()
        until, known = self._remembered.get(shown, (0.0, None))
        if now >= until:
            known = await self._asked(shown)
            self._remember(shown, now + REMEMBERED_S, known)
        return known if known is not None and now < known[1].ends_at else None

    async def sign_out(self, token: str) -> None:
        """End the session with this secret, if there is one."""
        shown, now = hash_of(token), self.clock.now()

        def work(tx: Transaction) -> None:
            if session := tx.session(shown):
                tx.end_session(shown)
                tx.record_deed(Deed(now, session.person_id, DeedKind.SIGNED_OUT))

        await self.store.write(work)
        self._remembered.pop(shown, None)

    async def change_password(self, person: Person, session: Session, old: str, new: str) -> Person:
        """Let a person choose a new password, and end the person's other sessions; raise Declined."""
        self.tries.begin(self.clock.now(), person.id, None)
        if not await self.passwords.check(person.password_hash, old):
            raise Declined("wrong_password", "The old password is wrong.", {"field": "old"})
        self.tries.succeeded(person.id, None)
        checked_password(new, person.id, person.name)
        made, now = await self.passwords.hash(new), self.clock.now()

        def work(tx: Transaction) -> Person:
            changed = replace(valid_person(tx, person.id), password_hash=made, password_changed_at=now)
            tx.save_person(changed)
            tx.end_sessions_of(person.id, but=session.token_hash)
            tx.record_deed(Deed(now, person.id, DeedKind.PASSWORD_CHANGED, {"person": person.id}))
            return changed

        return await self.changing(work)

    async def record(self, person: Person, kind: DeedKind, **facts: object) -> None:
        """Add to the journal what a person has done in the pages."""
        deed = Deed(self.clock.now(), person.id, kind, facts)
        await self.store.write(lambda tx: tx.record_deed(deed))

    async def changing(self, work: Callable[[Transaction], T]) -> T:
        """Change accounts, and know nobody any more by what was so before."""
        result = await self.store.write(work)
        self._remembered.clear()
        return result

    def begin(self, tx: Transaction, person: Person, until: float | None, **facts: object) -> SignedIn:
        """Begin a session for somebody who is known to be this person; `until` may end it earlier than usual."""
        token, csrf, now = secrets.token_urlsafe(32), secrets.token_urlsafe(32), self.clock.now()
        ends_at = now + self._session_s
        session = Session(hash_of(token), person.id, csrf, now, ends_at if until is None else min(until, ends_at))
        tx.end_sessions_before(now)
        tx.add_session(session)
        tx.record_deed(Deed(now, person.id, DeedKind.SIGNED_IN, facts))
        return SignedIn(token, session, person)

    async def _begin(self, person: Person, password_hash: str, source: str) -> SignedIn:
        def work(tx: Transaction) -> SignedIn:
            held = tx.person(person.id)
            if held is None or held.withdrawn or held.password_changed_at != person.password_changed_at:
                raise _wrong_password()
            if password_hash != person.password_hash:
                tx.save_person(replace(held, password_hash=password_hash))
            return self.begin(tx, held, None, source=source)

        return await self.store.write(work)

    async def _renewed(self, person: Person, password: str) -> str:
        """Return the hash of a right password at today's cost."""
        if self.passwords.outdated(person.password_hash):
            return await self.passwords.hash(password)
        return person.password_hash

    async def _record_failure(self, person: Person | None, source: str) -> None:
        # What was typed for a name may be a password: only a name that somebody has is kept.
        deed = Deed(self.clock.now(), person.id if person else "", DeedKind.SIGN_IN_FAILED, {"source": source})
        await self.store.write(lambda tx: tx.record_deed(deed))

    async def _asked(self, shown: str) -> Known | None:
        """Ask the store for this session, and at once for all others that are asked for at this moment.

        A thousand pages that show the same news ask at the same time.
        """
        self._wanted.add(shown)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return (await asyncio.shield(self._asking)).get(shown)

    async def _ask(self) -> Mapping[str, Known]:
        await asyncio.sleep(0)
        wanted, self._wanted, self._asking = tuple(self._wanted), set(), None
        found = await self.store.read(lambda tx: tx.sessions(wanted))
        return {session.token_hash: (person, session) for person, session in found if not person.withdrawn}

    def _remember(self, shown: str, until: float, known: Known | None) -> None:
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[shown] = (until, known)


async def add_person(door: Door, by: Person, form: PersonForm, password: str) -> Person:
    """Add an account with its first password; raise Declined."""
    tidy = checked(form)
    _need_reach(by, tidy.branches)
    checked_password(password, tidy.id, tidy.name)
    made, now = await door.passwords.hash(password), door.clock.now()
    return await door.changing(lambda tx: staff.add_person(tx, now, by.id, tidy, made))


async def change_person(door: Door, by: Person, form: PersonForm) -> Person:
    """Change what is said about a person; raise Declined."""
    now = door.clock.now()

    def work(tx: Transaction) -> Person:
        _reached(tx, by, form.id)
        _need_reach(by, form.branches)
        return staff.change_person(tx, now, by.id, form)

    return await door.changing(work)


async def choose_language(door: Door, person: Person, language: str | None) -> Person:
    """Let a person choose the language of the pages, and leave the rest as it is now; raise Declined."""
    now = door.clock.now()
    return await door.changing(lambda tx: staff.choose_language(tx, now, person.id, language))


async def set_password(door: Door, by: Person, person_id: str, password: str) -> Person:
    """Give a person a new password, who is signed out everywhere by that; raise Declined."""
    person = await door.store.read(lambda tx: _reached(tx, by, person_id))
    checked_password(password, person.id, person.name)
    made, now = await door.passwords.hash(password), door.clock.now()

    def work(tx: Transaction) -> Person:
        _reached(tx, by, person.id)
        return staff.set_password(tx, now, by.id, person.id, made)

    return await door.changing(work)


async def withdraw_person(door: Door, by: Person, person_id: str) -> Person:
    """Withdraw an account for good; raise Declined."""
    now = door.clock.now()

    def work(tx: Transaction) -> Person:
        _reached(tx, by, person_id)
        return staff.withdraw_person(tx, now, by.id, person_id)

    return await door.changing(work)


async def let_in_again(door: Door, by: Person, person_id: str) -> Person:
    """Let a librarian in again whose account was switched off; raise Declined."""
    now = door.clock.now()

    def work(tx: Transaction) -> Person:
        tx.people()
        person = tx.person(id_of(person_id))
        if person is None:
            raise Declined("no_such_person", "There is no such account.", {"id": person_id})
        _need_reach(by, person.branches)
        return librarians.let_in_again(tx, now, by.id, person)

    return await door.changing(work)


def _reached(tx: Transaction, by: Person, person_id: str) -> Person:
    tx.people()  # in one order for all who change accounts
    person = valid_person(tx, person_id)
    _need_reach(by, person.branches)
    return person


def _need_reach(by: Person, branches: Collection[str] | None) -> None:
    """Raise Declined where somebody of some branches would have to do with accounts of others."""
    if by.branches is not None and (branches is None or not by.branches.issuperset(branches)):
        raise Declined("other_branch", "An administrator of some branches looks after accounts of these alone.")


def _wrong_password() -> Declined:
    return Declined("wrong_password", "The name or the password is wrong.")
