# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of librarians who come from the library system: it says who they are, and they have no password here.

They are clerks at the branch where they work there, and never more: whoever has the library system's secret could
be any of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tillbridge.errors import Declined
from tillbridge.service.people_port import Deed, DeedKind, Person, Role
from tillbridge.service.staff import NAME_LIMIT, OF_KOHA
from tillbridge.service.store_port import Transaction

KOHA = "koha"
LONGEST_USER_NAME = 50


@dataclass(frozen=True, slots=True)
class Librarian:
    """Name a librarian as the library system does; `number` is theirs for ever, the others may change."""

    number: str
    user_name: str
    name: str


def admitted(tx: Transaction, at: float, librarian: Librarian, branch: str) -> Person:
    """Return the librarian's account, made or changed to what is so now; raise Declined where it is switched off."""
    before = tx.person_from(KOHA, librarian.number)
    if before is None:
        return _added(tx, at, librarian, branch)
    if before.withdrawn:
        raise Declined("switched_off", "An administrator has switched this account off.", {"id": before.id})
    after = replace(before, name=_name(librarian), branches=frozenset({branch}))
    if after != before:
        tx.save_person(after)
    return after


def let_in_again(tx: Transaction, at: float, by: str, person: Person) -> Person:
    """Let a librarian in again whose account was switched off; any other account is withdrawn for good."""
    if person.origin is None or not person.withdrawn:
        raise Declined("no_such_person", "There is no account here that was switched off.", {"id": person.id})
    again = replace(person, withdrawn_at=None, withdrawn_by=None)
    tx.save_person(again)
    tx.record_deed(Deed(at, by, DeedKind.PERSON_LET_IN_AGAIN, {"person": person.id}))
    return again


def _added(tx: Transaction, at: float, librarian: Librarian, branch: str) -> Person:
    person = Person(
        id=_free_id(tx, librarian),
        name=_name(librarian),
        roles=frozenset({Role.CLERK}),
        branches=frozenset({branch}),
        language=None,
        password_hash="",
        created_at=at,
        created_by=KOHA,
        password_changed_at=at,
        origin=KOHA,
        origin_id=librarian.number,
    )
    tx.add_person(person)
    said = {"name": person.name, "roles": sorted(person.roles), "branches": [branch]}
    tx.record_deed(Deed(at, KOHA, DeedKind.PERSON_ADDED, {"person": person.id, **said}))
    return person


def _free_id(tx: Transaction, librarian: Librarian) -> str:
    """Return an id that tells who it is; with the number where somebody else had this user name before."""
    plain = re.sub(r"[^a-z0-9_-]", "", librarian.user_name.lower()).lstrip("_-")[:LONGEST_USER_NAME]
    short = f"{plain}{OF_KOHA}"
    return short if plain and tx.person(short) is None else f"{plain or 'librarian'}.{librarian.number}{OF_KOHA}"


def _name(librarian: Librarian) -> str:
    """Return a name that the pages can show, whatever signs the library system has in it."""
    said = " ".join("".join(sign if sign.isprintable() else " " for sign in librarian.name).split())
    return said[:NAME_LIMIT].strip() or librarian.number
