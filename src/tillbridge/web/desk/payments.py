# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for payments among years of them: those of today, unless something else is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi.responses import Response

from tillbridge.domain.lifecycle import Collection
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.people_port import Right
from tillbridge.service.starting import find_patron
from tillbridge.web.api.cursor import cursor_of, place_of
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.places import branch_name, register_name
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.seeking import CURSOR, FIRST, LAST, STATES, Typed, address_of, filter_of, of_today, typed_in
from tillbridge.web.desk.visit import OwnForm, Visit, Visiting
from tillbridge.web.desk.words import booking_words, collection_words, tone_of
from tillbridge.web.problems import status_of

routes = DeskRouter()

AT_ONCE = 50
_DAYS_ALONE = frozenset({FIRST, LAST})


@routes.get("/payments")
async def payments(visit: Visiting) -> Response:
    """Show the payments that are looked for."""
    visit.need(Right.SEE)
    return await _page(visit, typed_in(visit))


@routes.post("/payments/of-card")
async def of_card(visit: Visiting, form: OwnForm) -> Response:
    """Lead to the payments of the patron who has a card; the card's number gets into no address."""
    visit.need(Right.SEE)
    card = form.one("card")
    try:
        patron = await find_patron(visit.bridge.world, card or None, None)
    except Declined as no:
        return await _page(visit, typed_in(visit), no, card)
    return visit.go("/payments", **{"patron": patron.patron_id, FIRST: "", LAST: ""})


async def _page(visit: Visit, typed: Typed, no: Declined | None = None, card: str = "") -> Response:
    found: Sequence[Payment] = ()
    if no is None:
        try:
            found = await _found(visit, typed)
        except Declined as wrong:
            no = wrong
    shown = found[:AT_ONCE]
    context = _context(visit, typed, shown) | {"told": explained(visit.texts, no) if no else None, "card": card}
    context["older"] = address_of(typed, cursor=cursor_of(shown[-1])) if len(found) > AT_ONCE else None
    return visit.page("payments.html", status_of(no.code) if no else 200, **context)


async def _found(visit: Visit, typed: Typed) -> Sequence[Payment]:
    wanted, cursor = filter_of(visit, typed), visit.request.query_params.get(CURSOR)
    after = place_of(cursor) if cursor else None
    return await visit.bridge.world.store.search(lambda tx: tx.find_payments(wanted, after, AT_ONCE + 1))


def _context(visit: Visit, typed: Typed, shown: Sequence[Payment]) -> dict[str, Any]:
    texts = visit.texts
    return {
        "typed": typed,
        "states": [(state, texts.gettext(words)) for state, (words, _) in STATES.items()],
        "groups": _groups(visit, typed["place"]),
        "rows": [(each, collection_words(texts, each), booking_words(texts, each)) for each in shown],
        "paid": _paid(shown),
        "tone": tone_of,
        "place": lambda payment: (
            register_name(visit, payment.branch, payment.register),
            branch_name(visit, payment.branch),
        ),
        "is_today": {name: value for name, value in typed.items() if value} == of_today(visit),
        "any_day": address_of(typed, **{FIRST: "", LAST: ""}) if typed[FIRST] or typed[LAST] else None,
        "any_patron": address_of(typed, patron=""),
        "newest": address_of(typed) if visit.request.query_params.get(CURSOR) else None,
        "narrowed": any(value for name, value in typed.items() if name not in _DAYS_ALONE),
    }


def _groups(visit: Visit, chosen: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each branch with what of it can be chosen; a place that the settings no longer have stays chosen."""
    groups = [(branch_name(visit, branch), [(branch, ""), *_registers(visit, branch)]) for branch in visit.branches()]
    if chosen and not any(chosen == value for _, options in groups for value, _ in options):
        groups.append((chosen, [(chosen, chosen)]))
    return groups


def _registers(visit: Visit, branch: str) -> list[tuple[str, str]]:
    registers = visit.bridge.world.branches[branch].registers
    return [(f"{branch}/{register}", name) for register, name in registers.items()]


def _paid(shown: Sequence[Payment]) -> tuple[int, str] | None:
    """Return what the tills have taken for the payments that are shown; None where currencies cannot be added."""
    paid = [payment for payment in shown if payment.collection is Collection.PAID]
    currencies = {payment.currency for payment in paid}
    if len(currencies) != 1:
        return None
    return sum(payment.total.minor + payment.rounding_minor for payment in paid), currencies.pop()
