# SPDX-License-Identifier: GPL-3.0-or-later
"""Be the second pair of eyes: agree to a colleague's decision, refuse it, or take one's own back."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from fastapi.responses import Response

from tillbridge.errors import Declined
from tillbridge.service.deciding import agree, refuse, withdraw
from tillbridge.service.people_port import DeedKind, Right
from tillbridge.service.second_look_port import SecondLook
from tillbridge.service.store_port import Transaction
from tillbridge.web.api.forms import CaseId
from tillbridge.web.desk.case import case_page
from tillbridge.web.desk.case_parts import history_of, in_short
from tillbridge.web.desk.live import live as live_part
from tillbridge.web.desk.look_words import told_look
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import OwnForm, Visit, Visiting
from tillbridge.web.problems import status_of

routes = DeskRouter()

LookId = CaseId


@routes.get("/second-looks/{look_id}")
async def second_look(look_id: LookId, visit: Visiting) -> Response:
    """Show a decision; one about a case stands on the case's page."""
    visit.need(Right.SEE)
    look = await _look(visit, look_id)
    if look.case_id is None:
        return await _page(visit, look_id)
    return visit.go(f"/cases/{look.case_id}", look=str(look_id))


@routes.get("/second-looks/{look_id}/live")
async def live(look_id: LookId, visit: Visiting) -> Response:
    """Send the page's live part again whenever it changes."""
    visit.need(Right.SEE)
    look = await _look(visit, look_id)

    async def draw() -> str:
        return visit.draw("parts/second_look.html", **await _read(visit, look_id))

    return live_part(visit, draw, look.payment_id)


@routes.post("/second-looks/{look_id}/agree")
async def agree_to(look_id: LookId, visit: Visiting, form: OwnForm) -> Response:
    """Carry out a colleague's decision."""
    del form
    visit.need(Right.RESOLVE)
    look = await _look(visit, look_id)
    done = agree(visit.bridge.world, look_id, visit.person.id)
    return await _done(visit, look, DeedKind.SECOND_LOOK_AGREED, done)


@routes.post("/second-looks/{look_id}/refuse")
async def refuse_it(look_id: LookId, visit: Visiting, form: OwnForm) -> Response:
    """Say no to a colleague's decision."""
    visit.need(Right.RESOLVE)
    look = await _look(visit, look_id)
    done = refuse(visit.bridge.world, look_id, visit.person.id, form.one("reason", 500))
    return await _done(visit, look, DeedKind.SECOND_LOOK_REFUSED, done)


@routes.post("/second-looks/{look_id}/withdraw")
async def take_back(look_id: LookId, visit: Visiting, form: OwnForm) -> Response:
    """Take one's own decision back."""
    del form
    visit.need(Right.SEE)
    look = await _look(visit, look_id)
    done = withdraw(visit.bridge.world, look_id, visit.person.id)
    return await _done(visit, look, DeedKind.SECOND_LOOK_WITHDRAWN, done)


async def _done(visit: Visit, look: SecondLook, deed: DeedKind, doing: Awaitable[None]) -> Response:
    """Do it, record it, and go back to where the decision stands."""
    try:
        await doing
    except Declined as no:
        if look.case_id is None:
            return await _page(visit, look.id, no)
        return await case_page(visit, look.case_id, no, look_id=look.id)
    facts = {"second_look": look.id, "case": look.case_id, "payment": look.payment_id, "action": look.action}
    await visit.bridge.door.record(visit.person, deed, **facts)
    if look.case_id is None:
        return visit.go(f"/second-looks/{look.id}")
    return visit.go(f"/cases/{look.case_id}", look=str(look.id))


async def _look(visit: Visit, look_id: int) -> SecondLook:
    return await visit.bridge.world.store.read(lambda tx: _seen(visit, tx, look_id))


def _seen(visit: Visit, tx: Transaction, look_id: int) -> SecondLook:
    """Read a decision; raise Declined where there is none that this person may see."""
    look = tx.second_look(look_id)
    if look is None or not visit.concerned(tx, look.payment_id):
        raise Declined("no_such_second_look", "There is no such decision.")
    return look


async def _page(visit: Visit, look_id: int, no: Declined | None = None) -> Response:
    told = explained(visit.texts, no) if no else None
    context = await _read(visit, look_id)
    return visit.page("second_look.html", status_of(no.code) if no else 200, told=told, **context)


async def _read(visit: Visit, look_id: int) -> dict[str, Any]:
    return await visit.bridge.world.store.read(lambda tx: _shown(visit, tx, look_id))


def _shown(visit: Visit, tx: Transaction, look_id: int) -> dict[str, Any]:
    look = _seen(visit, tx, look_id)
    payment_id = str(look.payment_id)
    return {
        "look": told_look(visit, None, look),
        "look_patron": "",
        "short": in_short(visit, tx, payment_id),
        "history": history_of(visit, tx, payment_id),
        "now": visit.bridge.world.clock.now(),
    }
