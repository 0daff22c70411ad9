# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements about people, their sessions and the journal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from tillbridge.service.people_port import Deed, DeedKind, Person, Role, Session
from tillbridge.store import tables as t
from tillbridge.store.ordering import one_at_a_time


class PeopleStatements:
    """Bind the statements to one connection with an open transaction."""

    _connection: Connection
    _writes: bool

    def add_person(self, person: Person) -> None:
        self._connection.execute(insert(t.person).values(_row(person)))

    def save_person(self, person: Person) -> None:
        self._connection.execute(update(t.person).where(t.person.c.id == person.id).values(_row(person)))

    def person(self, person_id: str) -> Person | None:
        row = self._connection.execute(self._held(select(t.person).where(t.person.c.id == person_id))).first()
        return _person(row) if row else None

    def person_from(self, origin: str, origin_id: str) -> Person | None:
        if self._writes:
            one_at_a_time(self._connection, f"person {origin} {origin_id}")
        found = (t.person.c.origin == origin) & (t.person.c.origin_id == origin_id)
        row = self._connection.execute(self._held(select(t.person).where(found))).first()
        return _person(row) if row else None

    def people(self) -> tuple[Person, ...]:
        rows = self._connection.execute(self._held(select(t.person).order_by(t.person.c.id)))
        return tuple(_person(row) for row in rows)

    def add_session(self, session: Session) -> None:
        row = {
            "token_hash": session.token_hash,
            "person_id": session.person_id,
            "csrf": session.csrf,
            "began_at": session.began_at,
            "ends_at": session.ends_at,
        }
        self._connection.execute(insert(t.session).values(row))

    def session(self, token_hash: str) -> Session | None:
        row = self._connection.execute(select(t.session).where(t.session.c.token_hash == token_hash)).first()
        return _session(row) if row else None

    def sessions(self, token_hashes: Sequence[str]) -> tuple[tuple[Person, Session], ...]:
        both = select(t.session, t.person).join(t.person, t.person.c.id == t.session.c.person_id)
        rows = self._connection.execute(both.where(t.session.c.token_hash.in_(token_hashes)))
        return tuple((_person(row), _session(row)) for row in rows)

    def end_session(self, token_hash: str) -> None:
        self._connection.execute(delete(t.session).where(t.session.c.token_hash == token_hash))

    def end_sessions_of(self, person_id: str, but: str | None = None) -> None:
        ended = delete(t.session).where(t.session.c.person_id == person_id)
        self._connection.execute(ended if but is None else ended.where(t.session.c.token_hash != but))

    def end_sessions_before(self, at: float) -> None:
        self._connection.execute(delete(t.session).where(t.session.c.ends_at <= at))

    def record_deed(self, deed: Deed) -> None:
        facts = json.dumps(deed.facts, ensure_ascii=False, sort_keys=True)
        row = {"at": deed.at, "person_id": deed.person_id, "kind": deed.kind, "facts": facts}
        self._connection.execute(insert(t.deed).values(row))

    def deeds(self, after: int | None, limit: int, person_id: str | None = None) -> tuple[tuple[int, Deed], ...]:
        wanted = select(t.deed).order_by(t.deed.c.id.desc()).limit(limit)
        wanted = wanted if after is None else wanted.where(t.deed.c.id < after)
        rows = self._connection.execute(wanted if person_id is None else wanted.where(t.deed.c.person_id == person_id))
        return tuple((row.id, Deed(row.at, row.person_id, DeedKind(row.kind), json.loads(row.facts))) for row in rows)

    def _held(self, wanted: Select[Any]) -> Select[Any]:
        """Let others who would change these people wait until this transaction is over, where it writes."""
        return wanted.with_for_update() if self._writes else wanted


def _row(person: Person) -> dict[str, object]:
    return {
        "id": person.id,
        "name": person.name,
        "roles": " ".join(sorted(person.roles)),
        "branches": None if person.branches is None else json.dumps(sorted(person.branches)),
        "language": person.language,
        "password_hash": person.password_hash,
        "created_at": person.created_at,
        "created_by": person.created_by,
        "password_changed_at": person.password_changed_at,
        "withdrawn_at": person.withdrawn_at,
        "withdrawn_by": person.withdrawn_by,
        "origin": person.origin,
        "origin_id": person.origin_id,
    }


def _session(row: Any) -> Session:
    return Session(row.token_hash, row.person_id, row.csrf, row.began_at, row.ends_at)


def _person(row: Any) -> Person:
    return Person(
        id=row.id,
        name=row.name,
        roles=frozenset(Role(role) for role in row.roles.split()),
        branches=None if row.branches is None else frozenset(json.loads(row.branches)),
        language=row.language,
        password_hash=row.password_hash,
        created_at=row.created_at,
        created_by=row.created_by,
        password_changed_at=row.password_changed_at,
        withdrawn_at=row.withdrawn_at,
        withdrawn_by=row.withdrawn_by,
        origin=row.origin,
        origin_id=row.origin_id,
    )
