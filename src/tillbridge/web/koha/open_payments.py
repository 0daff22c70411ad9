# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell the library system's own pages which payments of a patron are open; no name is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from tillbridge.composition import Bridge
from tillbridge.domain.lifecycle import Collection
from tillbridge.domain.money import exact_of
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.administration_port import Scope
from tillbridge.service.library_pages import LibraryPages
from tillbridge.service.store_port import Transaction
from tillbridge.web.access import TheBridge
from tillbridge.web.koha.claims import Look, claims_in
from tillbridge.web.koha.turns import Turns
from tillbridge.web.problems import problem_body

routes = APIRouter()

MOST_AT_ONCE, EACH_S = 120, 0.25
"""How often one network may ask: a branch with many desks may have one address."""

HOUR_S = 3600
OPEN = frozenset(Collection) - {Collection.CANCELLED, Collection.REFUSED, Collection.REVERSED}
PATRON = re.compile(r"[0-9]{1,12}")
LONGEST_BRANCH = 80

Json = dict[str, object]


def make_turns() -> Turns:
    """Return what counts how often each network asks."""
    return Turns(MOST_AT_ONCE, EACH_S)


@dataclass(frozen=True, slots=True)
class Asking:
    """Hold who asks: what they may see, and at which branch of ours they are ("" where nobody says so)."""

    patron_id: str
    branch: str
    branches: frozenset[str] | None


@routes.options("/koha/open-payments")
async def may_ask(request: Request, bridge: TheBridge) -> Response:
    """Let a browser know which site's pages may ask."""
    pages = bridge.pages
    if pages is None or request.headers.get("Origin") != pages.address:
        return _no(403, "foreign_page", {})
    allowed = {"Access-Control-Allow-Methods": "GET", "Access-Control-Allow-Headers": "authorization"}
    return Response(status_code=204, headers=_headers(pages) | allowed | {"Access-Control-Max-Age": str(HOUR_S)})


@routes.get("/koha/open-payments")
async def open_payments(request: Request, bridge: TheBridge, patron: str = "", branch: str = "") -> Response:
    """Answer a page of the library system that shows a page key, or a token of the plugin for this patron."""
    pages = bridge.pages
    if pages is None or request.headers.get("Origin", pages.address) != pages.address:
        return _no(403, "foreign_page", {})
    headers = _headers(pages)
    turns: Turns = request.app.state.open_payments_turns
    if not turns.take(request, bridge.world.clock.now()):
        return _no(429, "too_many_requests", headers | {"Retry-After": "5"})
    if not PATRON.fullmatch(patron) or len(branch) > LONGEST_BRANCH:
        return _no(422, "form", headers)
    asking = await _asking(request, bridge, pages, patron, branch)
    if asking is None:
        return _no(401, "key_needed", headers | {"WWW-Authenticate": "Bearer"})
    shown = await bridge.world.store.read(lambda tx: _shown(bridge, tx, asking))
    return JSONResponse({"open": shown} | _about(bridge, pages, asking.branch), headers=headers)


async def _asking(request: Request, bridge: Bridge, pages: LibraryPages, patron: str, branch: str) -> Asking | None:
    """Return who asks; None where nothing shows that they may."""
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    if "." not in shown:
        key = await bridge.keys.find(shown.strip())
        known = key is not None and Scope.PAGES in key.scopes
        return Asking(patron, pages.branch(branch) if branch else "", key.branches) if key and known else None
    try:
        look = claims_in(shown.strip(), pages, Look)
    except Declined:
        return None
    return Asking(patron, pages.branch(look.library), None) if str(look.patron.id) == patron else None


def _shown(bridge: Bridge, tx: Transaction, asking: Asking) -> list[Json]:
    claims = tx.claims_of(bridge.world.library_name, asking.patron_id)
    payments = (tx.payment(payment_id) for payment_id in sorted(set(claims.values())))
    return [
        _payment(bridge, payment, claims, asking)
        for payment in payments
        if payment is not None
        and payment.collection in OPEN
        and (asking.branches is None or payment.branch in asking.branches)
    ]


def _payment(bridge: Bridge, payment: Payment, claims: Mapping[str, str], asking: Asking) -> Json:
    return {
        "payment": payment.id,
        "charges": [charge_id for charge_id, holder in claims.items() if holder == payment.id],
        "amount": f"{exact_of(payment.total.minor):f}",
        "register": _register(bridge, payment, asking),
        "state": str(payment.collection),
        "address": f"{bridge.public_address}/payments/{payment.id}/wait",
    }


def _register(bridge: Bridge, payment: Payment, asking: Asking) -> str:
    """Name the register, with its branch where that is another one."""
    branch = bridge.world.branches.get(payment.branch)
    if branch is None:
        return payment.register
    name = branch.registers.get(payment.register, payment.register)
    return name if payment.branch == asking.branch else f"{name}, {branch.name or payment.branch}"


def _about(bridge: Bridge, pages: LibraryPages, branch: str) -> Json:
    """Say what counts at a branch: whether its registers are on, and whether the library system's own button goes."""
    world = bridge.world
    on = not branch or (branch in world.branches and world.products.is_on(branch))
    hidden = on and branch in pages.hides_confirm
    return {"currency": world.library.currency, "on": on, "hide_confirm": hidden}


def _headers(pages: LibraryPages) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": pages.address, "Vary": "Origin", "Cache-Control": "no-store"}


def _no(status: int, code: str, headers: Mapping[str, str]) -> Response:
    body = problem_body(status, TITLES[code], code)
    return JSONResponse(body, status, dict(headers), media_type="application/problem+json")


TITLES = {
    "foreign_page": "Only pages of the library system that the settings name may ask this.",
    "too_many_requests": "This was asked too often. Ask again in a while.",
    "form": "Name a patron by the library system's number, and a branch by its code.",
    "key_needed": "A page key, or a token for this patron, is needed: Authorization: Bearer …",
}
