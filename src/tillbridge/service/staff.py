# SPDX-License-Identifier: GPL-3.0-or-later
"""Change people's accounts inside a transaction: each change writes its line of the journal with it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from tillbridge.errors import Declined
from tillbridge.service.people_port import LANGUAGES, Deed, DeedKind, Person, Role
from tillbridge.service.store_port import Transaction

ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9._@-]{0,79}")
NAME_LIMIT = 80
OF_KOHA = "@koha"
"""How the names of accounts end that come from Koha, and no others'."""


@dataclass(frozen=True, slots=True)
class PersonForm:
    """Hold what an administrator says about a person; `branches` None means all."""

    id: str
    name: str
    roles: Collection[Role]
    branches: Collection[str] | None = None
    language: str | None = None


def id_of(text: str) -> str:
    """Return the id that a person means who typed this: capitals and blanks around do not count."""
    return text.strip().lower()


def form_of(person: Person) -> PersonForm:
    """Return what is said about a person now, for a change of some of it."""
    return PersonForm(person.id, person.name, person.roles, person.branches, person.language)


def checked(form: PersonForm) -> PersonForm:
    """Return the form as it is kept; raise Declined with the field that cannot be."""
    tidy = replace(form, id=id_of(form.id), name=" ".join(form.name.split()))
    if not ID_PATTERN.fullmatch(tidy.id):
        raise _wrong(
            "id", "A sign-in name has 1 to 80 of a to z, 0 to 9, '.', '_', '@' and '-', a letter or digit first."
        )
    if not tidy.name or len(tidy.name) > NAME_LIMIT or not tidy.name.isprintable():
        raise _wrong("name", f"A name has 1 to {NAME_LIMIT} characters on one line.")
    if not tidy.roles:
        raise _wrong("roles", "A person needs at least one role.")
    if tidy.branches is not None and not tidy.branches:
        raise _wrong("branches", "Choose at least one branch, or all of them.")
    if tidy.language is not None and tidy.language not in LANGUAGES:
        raise _wrong("language", f"The pages speak: {', '.join(LANGUAGES)}.")
    return tidy


def add_person(tx: Transaction, at: float, by: str, form: PersonForm, password_hash: str) -> Person:
    """Add an account; raise Declined where the id is taken, also by one that is withdrawn."""
    tidy = checked(form)
    if tidy.id.endswith(OF_KOHA):
        raise _wrong("id", f"Names that end in {OF_KOHA} are for librarians who come from there.")
    if tx.person(tidy.id) is not None:
        raise Declined("person_exists", f"There is an account {tidy.id} already.", {"id": tidy.id})
    person = Person(
        id=tidy.id,
        name=tidy.name,
        roles=frozenset(tidy.roles),
        branches=None if tidy.branches is None else frozenset(tidy.branches),
        language=tidy.language,
        password_hash=password_hash,
        created_at=at,
        created_by=by,
        password_changed_at=at,
    )
    tx.add_person(person)
    tx.record_deed(Deed(at, by, DeedKind.PERSON_ADDED, {"person": person.id, **_said(person)}))
    return person


def change_person(tx: Transaction, at: float, by: str, form: PersonForm) -> Person:
    """Let what the form says count from now on; a person who is signed in stays so, with the new rights."""
    tidy = checked(form)
    before = _others_wait(tx, tidy.id)
    branches = None if tidy.branches is None else frozenset(tidy.branches)
    after = replace(before, name=tidy.name, roles=frozenset(tidy.roles), branches=branches, language=tidy.language)
    if after == before:
        return before
    if before.origin is not None and replace(after, language=before.language) != before:
        raise Declined("account_of_library", "The library system says who this is and where they work.")
    if Role.ADMINISTRATOR not in after.roles:
        _keep_an_administrator(tx, before)
    old, new = _said(before), _said(after)
    changed = {field: {"from": old[field], "to": new[field]} for field in new if old[field] != new[field]}
    tx.save_person(after)
    tx.record_deed(Deed(at, by, DeedKind.PERSON_CHANGED, {"person": after.id, **changed}))
    return after


def choose_language(tx: Transaction, at: float, person_id: str, language: str | None) -> Person:
    """Let a person choose the language of the pages; None leaves it to the browser."""
    before = _others_wait(tx, person_id)
    return change_person(tx, at, before.id, replace(form_of(before), language=language))


def set_password(tx: Transaction, at: float, by: str, person_id: str, password_hash: str) -> Person:
    """Give a person a new password by an administrator's hand, and end the person's sessions."""
    before = _others_wait(tx, person_id)
    if before.origin is not None:
        raise Declined("no_password_here", "This account has no password: its owner comes from the library system.")
    person = replace(before, password_hash=password_hash, password_changed_at=at)
    tx.save_person(person)
    tx.end_sessions_of(person.id)
    tx.record_deed(Deed(at, by, DeedKind.PASSWORD_CHANGED, {"person": person.id}))
    return person


def withdraw_person(tx: Transaction, at: float, by: str, person_id: str) -> Person:
    """Withdraw an account for good, end its sessions and forget its password; the id stays taken."""
    before = _others_wait(tx, person_id)
    _keep_an_administrator(tx, before)
    person = replace(before, password_hash="", withdrawn_at=at, withdrawn_by=by)
    tx.save_person(person)
    tx.end_sessions_of(person.id)
    tx.record_deed(Deed(at, by, DeedKind.PERSON_WITHDRAWN, {"person": person.id}))
    return person


def valid_person(tx: Transaction, person_id: str) -> Person:
    """Return an account that is not withdrawn; raise Declined where there is none."""
    person = tx.person(id_of(person_id))
    if person is None or person.withdrawn:
        raise Declined("no_such_person", "There is no valid account with this sign-in name.", {"id": person_id})
    return person


def _others_wait(tx: Transaction, person_id: str) -> Person:
    """Read all accounts first, so that two who would each take away one of the last two administrators take turns."""
    tx.people()
    return valid_person(tx, person_id)


def _keep_an_administrator(tx: Transaction, person: Person) -> None:
    valid = {each.id for each in tx.people() if Role.ADMINISTRATOR in each.roles and not each.withdrawn}
    if valid == {person.id}:
        message = "This is the last administrator. Make somebody else one first."
        raise Declined("last_administrator", message, {"id": person.id})


def _said(person: Person) -> dict[str, object]:
    branches = None if person.branches is None else sorted(person.branches)
    return {"name": person.name, "roles": sorted(person.roles), "branches": branches, "language": person.language}


def _wrong(field: str, message: str) -> Declined:
    return Declined("wrong_person_form", message, {"field": field})
