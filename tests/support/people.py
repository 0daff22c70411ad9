# SPDX-License-Identifier: GPL-3.0-or-later
"""People with accounts, and passwords that cost nothing to hash."""

from __future__ import annotations

from collections.abc import Collection

from tillbridge.service import staff
from tillbridge.service.passwords import Passwords
from tillbridge.service.people import Door
from tillbridge.service.people_port import Person, Role
from tillbridge.service.staff import PersonForm

CHEAP = Passwords(memory_kib=8, rounds=1)
"""One for all tests: its threads end with the process."""

PASSWORD = "kolme iloista rosvoa"


async def hire(
    door: Door,
    person_id: str = "anna",
    *roles: Role,
    branches: Collection[str] | None = None,
    language: str | None = None,
) -> Person:
    """Give somebody an account, a clerk's where nothing else is said, with PASSWORD."""
    form = PersonForm(person_id, person_id.title(), roles or (Role.CLERK,), branches, language)
    made, now = door.passwords.hash_now(PASSWORD), door.clock.now()
    return await door.changing(lambda tx: staff.add_person(tx, now, "the command line", form, made))
