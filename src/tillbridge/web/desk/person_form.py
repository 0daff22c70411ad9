# SPDX-License-Identifier: GPL-3.0-or-later
"""What a form says about a person, as it was typed, and as the use cases want it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from tillbridge.errors import Declined
from tillbridge.service.people_port import Person, Role
from tillbridge.service.staff import PersonForm
from tillbridge.web.desk.visit import Form, Visit

EVERY = "all"
"""What the field `which` has for all branches, also those that come later."""


@dataclass(frozen=True, slots=True)
class Typed:
    """Hold the fields as they stand in the form, right or wrong: nothing that was typed is lost."""

    id: str = ""
    name: str = ""
    roles: frozenset[str] = frozenset()
    every: bool = False
    branches: frozenset[str] = frozenset()
    language: str = ""

    def wished(self, known: Collection[str]) -> PersonForm:
        """Return what is wished; raise Declined where it names what was not offered."""
        if not self.branches <= set(known):
            raise Declined("no_such_branch", "There is no such branch.")
        try:
            roles = [Role(role) for role in self.roles]
        except ValueError as error:
            raise Declined("wrong_field", "There is no such role.") from error
        return PersonForm(self.id, self.name, roles, None if self.every else self.branches, self.language or None)


def typed_in(form: Form, person_id: str | None = None) -> Typed:
    """Read the form; an account that is there already keeps its id."""
    return Typed(
        id=form.one("id") if person_id is None else person_id,
        name=form.one("name"),
        roles=frozenset(form.all("role")),
        every=form.one("which") == EVERY,
        branches=frozenset(form.all("branch")),
        language=form.one("language", 10),
    )


def typed_of(person: Person) -> Typed:
    """Return the form as it is filled for an account that is there."""
    branches = person.branches or frozenset()
    every = person.branches is None
    return Typed(person.id, person.name, frozenset(person.roles), every, branches, person.language or "")


def offered_branches(visit: Visit, person: Person | None) -> dict[str, str]:
    """Name the branches that can be chosen: those of the settings, and what the person has of earlier ones."""
    known = {code: branch.name or code for code, branch in visit.bridge.world.branches.items()}
    held = (person.branches if person else None) or frozenset()
    return known | {code: code for code in sorted(held - known.keys())}


def new_password(form: Form) -> str:
    """Return a new password that was typed twice; raise Declined where it differs."""
    # A password may begin or end with a blank.
    password, again = (form.values.get(name, [""])[0] for name in ("new", "again"))
    if password != again:
        raise Declined("passwords_differ", "The two new passwords are not the same.", {"field": "again"})
    return password
