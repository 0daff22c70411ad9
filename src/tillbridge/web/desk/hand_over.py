# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a payment over from the library system's own page: one press there, and the till has it.

The token comes from another site's page, so that none of our cookies come with it. What it says is kept, the librarian
is signed in, and the browser is sent on to a page of ours: that one knows which register stands beside the workstation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import Response

from tillbridge.composition import Bridge
from tillbridge.errors import Declined
from tillbridge.service.hand_over_port import HandOver
from tillbridge.service.handing_over import BegunBefore, OfHandOver, redeem, usable
from tillbridge.service.library_pages import LibraryPages
from tillbridge.service.people_port import Right
from tillbridge.service.ports import World
from tillbridge.service.starting import Chosen, StartRequest, start_payment
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.days import span, today
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.places import Place, places, remember, split
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import FROM_LIBRARY, SESSION, Guest, Guesting, OwnForm, Visit, Visiting
from tillbridge.web.koha.claims import Pay, claims_in
from tillbridge.web.koha.turns import Turns
from tillbridge.web.problems import status_of

routes = DeskRouter()

MOST_AT_ONCE, EACH_S = 60, 0.5
"""How often one network may hand over: a branch with many desks may have one address."""


def make_turns() -> Turns:
    """Return what counts how often each network hands over."""
    return Turns(MOST_AT_ONCE, EACH_S)


@dataclass(frozen=True, slots=True)
class _Found:
    """Hold what a hand-over says, when it was taken, and the registers where it may begin its payment."""

    pay: Pay
    taken_at: float
    places: list[Place]


@routes.post("/koha/hand-over")
async def take(request: Request, guest: Guesting) -> Response:
    """Believe a token, sign its librarian in, and lead on; one that was taken before leads on and signs nobody in."""
    bridge, pages = guest.bridge, _pages(guest.bridge)
    turns: Turns = request.app.state.hand_over_turns
    if not turns.take(request, bridge.world.clock.now()):
        raise Declined("too_many_requests", "There were too many hand-overs from here.")
    if request.headers.get("Origin", pages.address) != pages.address:
        # Or anybody's page could sign its visitor in as whoever had the token made.
        raise Declined("foreign_page", "This was sent from another site's page. Nothing was done.")
    pay = claims_in(await _token(request), pages, Pay)
    branch = pages.branch(pay.library)
    if branch not in bridge.world.branches:
        raise Declined("unknown_branch", "The settings have no branch for the one in the library system.")
    if pay.currency != bridge.world.library.currency:
        raise Declined("other_currency", "The library system reckons in another currency than the settings say.")
    kept = HandOver(pay.jti, 0.0, "", pay.model_dump_json(by_alias=True))
    source = request.client.host if request.client else ""
    signed = await redeem(bridge.door, pay.librarian, branch, kept, _midnight(guest), source)
    response = guest.go(f"/koha/hand-over/{pay.jti}")
    if signed is not None:
        guest.keep(response, SESSION, signed.token, None)
        guest.keep(response, FROM_LIBRARY, "1", None)
    return response


@routes.get("/koha/hand-over/{hand_over_id}")
async def go_on(hand_over_id: str, visit: Visiting) -> Response:
    """Begin the payment at the register that is clear, or ask for it; what has begun already is shown."""
    found = await visit.bridge.world.store.read(lambda tx: _found(visit, tx, hand_over_id))
    if isinstance(found, str):
        return visit.go(f"/payments/{found}/wait")
    register = _clear(found.places)
    return await _begin(visit, found, register) if register else _asking(visit, found)


@routes.post("/koha/hand-over/{hand_over_id}")
async def choose(hand_over_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Begin the payment at the register that was chosen."""
    found = await visit.bridge.world.store.read(lambda tx: _found(visit, tx, hand_over_id))
    if isinstance(found, str):
        return visit.go(f"/payments/{found}/wait")
    wanted = form.one("register", 100)
    if wanted not in {place.value for place in found.places}:
        return _asking(visit, found, Declined("no_such_register", "There is no such register at this branch."))
    return await _begin(visit, found, wanted)


def _pages(bridge: Bridge) -> LibraryPages:
    if bridge.pages is None or not bridge.pages.secrets:
        raise Declined("no_hand_over", "The settings name no secret for hand-overs.")
    return bridge.pages


async def _token(request: Request) -> str:
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return parse_qs(body, max_num_fields=10).get("token", [""])[0]
    except ValueError:
        return ""


def _midnight(guest: Guest) -> float:
    """Return when the working day is over."""
    zone = guest.texts.zone
    day = today(guest.bridge.world.clock.now(), zone)
    until = span(day, day, zone)[1]
    assert until is not None  # noqa: S101 - a day that is named has an end
    return until


def _found(visit: Visit, tx: Transaction, hand_over_id: str) -> str | _Found:
    """Return the payment that a hand-over has begun, or what it says with the registers where it may begin one."""
    visit.need(Right.PAY)
    held = tx.hand_over(hand_over_id)
    if held is not None and held.payment_id is not None:
        return visit.payment(tx, held.payment_id).id
    taken = usable(held, visit.person, visit.bridge.world.clock.now())
    pay = Pay.model_validate_json(taken.content)
    branch = _pages(visit.bridge).branch(pay.library)
    visit.need_branch(branch)
    there = [place for place in places(visit, tx) if place.on and place.branch == branch]
    return _Found(pay, taken.at, there)


def _clear(there: list[Place]) -> str | None:
    """Return the register that stands beside the workstation, or the branch's only one."""
    chosen = [place for place in there if place.chosen] or there
    return chosen[0].value if len(chosen) == 1 else None


async def _begin(visit: Visit, found: _Found, register: str) -> Response:
    pay, world, (branch, number) = found.pay, visit.bridge.world, split(register)
    fresh = _is_fresh(world, found)
    request = StartRequest(
        branch=branch,
        register=number,
        clerk=visit.person.id,
        patron_id=str(pay.patron.id),
        charges=None if fresh else tuple(Chosen(charge.charge_id, charge.owed) for charge in pay.charges),
        sum_minor=pay.amount_minor,
        library_staff_id=str(pay.staff.id),
        library_register_id=None if pay.register_id is None else str(pay.register_id),
    )
    beside = OfHandOver(world, visit.person, pay.jti)
    try:
        payment_id = (await start_payment(world, request, beside, pay.payer, pay.charges if fresh else None)).id
    except BegunBefore as before:
        payment_id = before.payment_id
    except Declined as no:
        return await _not_begun(visit, pay, no)
    response = visit.go(f"/payments/{payment_id}/wait")
    remember(visit, response, branch, number)
    return response


def _is_fresh(world: World, found: _Found) -> bool:
    """Tell whether the charges were read a moment ago; else they may have been paid since, and are read again."""
    fresh_s = world.limits.fresh_s
    return found.pay.age_s <= fresh_s and world.clock.now() <= found.taken_at + fresh_s


async def _not_begun(visit: Visit, pay: Pay, no: Declined) -> Response:
    """Say why not; sent twice at once, it meets what it has begun itself."""
    found = await visit.bridge.world.store.read(lambda tx: _found(visit, tx, pay.jti))
    return visit.go(f"/payments/{found}/wait") if isinstance(found, str) else _asking(visit, found, no)


def _asking(visit: Visit, found: _Found, no: Declined | None = None) -> Response:
    pay = found.pay
    context: dict[str, Any] = {
        "pay": pay,
        "parts": [(line.amount_minor, line.description or line.type or "") for line in pay.lines],
        "places": found.places,
        "told": explained(visit.texts, no) if no else None,
        "back": _pages(visit.bridge).account_of(str(pay.patron.id)),
    }
    return visit.page("hand_over.html", status_of(no.code) if no else 200, **context)
