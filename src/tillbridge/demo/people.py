# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the demo's staff their accounts."""

from __future__ import annotations

from tillbridge.demo.setup import BRANCH, SMALL_BRANCH
from tillbridge.service import staff
from tillbridge.service.people import Door, add_person
from tillbridge.service.people_port import Role
from tillbridge.service.staff import PersonForm

PASSWORD = "kirjasto2026"  # noqa: S105 - it is printed for everybody who opens the demo

ADMINISTRATOR = PersonForm("pekka", "Pekka Palvelin", [Role.ADMINISTRATOR])
OTHERS = (
    PersonForm("anna", "Anna Aalto", [Role.CLERK], [BRANCH]),
    PersonForm("ville", "Ville Virta", [Role.CLERK], [SMALL_BRANCH]),
    PersonForm("sirpa", "Sirpa Suvanto", [Role.SUPERVISOR]),
    PersonForm("kerttu", "Kerttu Koski", [Role.BOOKKEEPER]),
)
STAFF = (*OTHERS, ADMINISTRATOR)

CLERKS = {BRANCH: "anna", SMALL_BRANCH: "ville"}
"""Who stands at the desk of a branch."""

FIRST_BY = "tillbridge demo"


async def hire(door: Door) -> None:
    """Make the accounts: the first as on a command line, the others by that administrator.

    A bridge that has accounts already keeps those.
    """
    if await door.store.read(lambda tx: tx.people()):
        return
    made, now = await door.passwords.hash(PASSWORD), door.clock.now()
    first = await door.changing(lambda tx: staff.add_person(tx, now, FIRST_BY, ADMINISTRATOR, made))
    for form in OTHERS:
        await add_person(door, first, form, PASSWORD)
