# SPDX-License-Identifier: GPL-3.0-or-later
"""Look a patron up by card number or name, and know for a while whom the desk has just looked up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from fastapi.responses import Response

from tillbridge.errors import Declined
from tillbridge.service.library_port import Patron
from tillbridge.service.people_port import Right
from tillbridge.service.starting import find_patron, find_patrons
from tillbridge.web.desk.front import front_page
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import OwnForm, Visit, Visiting

routes = DeskRouter()

REMEMBERED_S = 600.0
MOST_REMEMBERED = 1000


class LookedUp:
    """Remember patrons in memory alone, so that the library system is not asked for one again and again."""

    def __init__(self) -> None:
        self._patrons: OrderedDict[str, tuple[float, Patron]] = OrderedDict()

    def remember(self, patron: Patron, now: float) -> None:
        """Keep a patron for some minutes."""
        self._patrons[patron.patron_id] = (now + REMEMBERED_S, patron)
        self._patrons.move_to_end(patron.patron_id)
        while len(self._patrons) > MOST_REMEMBERED:
            self._patrons.popitem(last=False)

    def get(self, patron_id: str, now: float) -> Patron | None:
        """Return a patron who was looked up a moment ago."""
        until, patron = self._patrons.get(patron_id, (0.0, None))
        return patron if now < until else None


@routes.post("/look-up")
async def look_up(visit: Visiting, form: OwnForm) -> Response:
    """Find a patron: one leads to their charges, several to a list."""
    visit.need(Right.PAY)
    text = form.values.get("who", [""])[0].strip()[:100]
    # "Virtanen, Matti", as lists have it, is a name too.
    sought = " ".join(text.replace(",", " ").split())
    try:
        found = await find_patrons(visit.bridge.world, sought)
    except Declined as no:
        return await front_page(visit, no, text)
    if not found:
        return await front_page(visit, Declined("no_such_patron", "The library system knows no such patron."), text)
    remember_patrons(visit, found)
    if len(found) == 1:
        return visit.go(f"/patrons/{found[0].patron_id}")
    return visit.page("patrons.html", found=found, who=text)


def remember_patrons(visit: Visit, found: Iterable[Patron]) -> None:
    """Keep for a while whom the library system has just shown."""
    for patron in found:
        _looked_up(visit).remember(patron, visit.bridge.world.clock.now())


async def patron_of(visit: Visit, patron_id: str) -> Patron:
    """Return a patron, from memory where they were looked up a moment ago; raise Declined."""
    known, now = _looked_up(visit), visit.bridge.world.clock.now()
    patron = known.get(patron_id, now)
    if patron is None:
        patron = await find_patron(visit.bridge.world, None, patron_id)
        known.remember(patron, now)
    return patron


def _looked_up(visit: Visit) -> LookedUp:
    known: LookedUp = visit.request.app.state.looked_up
    return known
