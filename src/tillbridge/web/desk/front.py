# SPDX-License-Identifier: GPL-3.0-or-later
"""The front page: look a patron up, see what is under way, and what needs a person."""

from __future__ import annotations

from typing import Any

from fastapi.responses import Response

from tillbridge.errors import Declined
from tillbridge.service.people_port import Right
from tillbridge.service.store_port import CaseFilter, Transaction
from tillbridge.web.desk.live import live_for_all
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.places import branch_name, register_name
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import Visit, Visiting
from tillbridge.web.desk.words import booking_words, case_words, collection_words, tone_of
from tillbridge.web.problems import status_of

routes = DeskRouter()

MOST_SHOWN = 20
GATHER_S = 1.0
"""How long news are gathered before the page changes: it may be open at every desk of a city."""


@routes.get("/")
async def front(visit: Visiting) -> Response:
    """Show the desk."""
    return await front_page(visit)


@routes.get("/live")
async def live(visit: Visiting) -> Response:
    """Send what is under way and what needs a person again whenever it changes."""
    visit.need(Right.SEE)

    async def draw(anybody: Visit) -> str:
        return anybody.draw("parts/front.html", **await _read(anybody))

    return live_for_all(visit, "front", draw, rest_s=GATHER_S)


async def front_page(visit: Visit, no: Declined | None = None, who: str = "") -> Response:
    """Show the desk, with a no to what was looked up where there is one."""
    visit.need(Right.SEE)
    told = explained(visit.texts, no) if no else None
    context = await _read(visit)
    return visit.page("front.html", status_of(no.code) if no else 200, told=told, who=who, **context)


async def _read(visit: Visit) -> dict[str, Any]:
    return await visit.bridge.world.store.read(lambda tx: _shown(visit, tx))


def _shown(visit: Visit, tx: Transaction) -> dict[str, Any]:
    branches, texts = visit.person.branches, visit.texts
    cases = tx.find_cases(CaseFilter(open=True, branches=branches), None, MOST_SHOWN)
    under_way = tx.payments_under_way(branches, MOST_SHOWN)
    return {
        "now": visit.bridge.world.clock.now(),
        "under_way": [
            (payment, collection_words(texts, payment), booking_words(texts, payment)) for payment in under_way
        ],
        "cases": [(case, *case_words(texts, case.kind), tx.payment(case.payment_id or "")) for case in cases],
        "case_count": sum(tally.count for tally in tx.count_cases(branches).values()),
        "looks": [look for look in tx.open_second_looks() if visit.concerned(tx, look.payment_id)],
        "tone": tone_of,
        "place": lambda payment: (
            register_name(visit, payment.branch, payment.register),
            branch_name(visit, payment.branch),
        ),
    }
