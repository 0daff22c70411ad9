# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: who did what, and when, newest first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import Response

from tillbridge.errors import Declined
from tillbridge.service.people_port import Right
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.deeds import Teller
from tillbridge.web.desk.person_form import offered_branches
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import Visit, Visiting

routes = DeskRouter()

LINES = 50
LONGEST_ID = 200
LARGEST = 2**53

Before = Annotated[int | None, Query(ge=1, le=LARGEST)]


@routes.get("/journal")
async def journal(visit: Visiting, person: str = "", before: Before = None) -> Response:
    """Show a part of the journal: the newest lines, or those before one; of everybody, or of one person."""
    visit.need(Right.PEOPLE)
    if len(person) > LONGEST_ID or not person.isprintable():
        raise Declined("wrong_field", "This cannot be anybody's sign-in name.")
    context = await visit.bridge.world.store.read(lambda tx: _shown(visit, tx, person, before))
    return visit.page("journal.html", chosen=person, before=before, **context)


def _shown(visit: Visit, tx: Transaction, person: str, before: int | None) -> dict[str, Any]:
    people = {each.id: each for each in tx.people()}
    teller = Teller(visit.texts, people, offered_branches(visit, None))
    found = tx.deeds(before, LINES + 1, person or None)
    lines = found[:LINES]
    return {
        "lines": [(deed, teller.who(deed), teller.what(deed), teller.details(deed)) for _, deed in lines],
        "older": lines[-1][0] if len(found) > LINES else None,
        "people": [(each.id, each.name) for each in people.values()]
        + ([(person, person)] if person and person not in people else []),
    }
