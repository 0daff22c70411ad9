# SPDX-License-Identifier: GPL-3.0-or-later
"""A patron's open charges: choose some, see how a sum is split, and pay them at the register."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi.responses import Response

from tillbridge.domain.money import rounded
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.library_port import Charge
from tillbridge.service.people_port import DeedKind, Right
from tillbridge.service.starting import Beside, ByHand, open_charges, record_by_hand, start_payment
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.choosing import Choice, choice_now, choice_of, request_of, shares_of, value_of
from tillbridge.web.desk.hints import Hints, hints_in
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.once import Once, PaidBefore
from tillbridge.web.desk.patrons import patron_of
from tillbridge.web.desk.places import branch_name, places, register_name, remember, split
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import FROM_LIBRARY, Form, OwnForm, Visit, Visiting
from tillbridge.web.problems import status_of

routes = DeskRouter()

MOST_SAID = 500
NO_FORM = Form({})


@routes.get("/patrons/{patron_id}")
async def charges(patron_id: str, visit: Visiting) -> Response:
    """Show what a patron owes."""
    visit.need(Right.PAY)
    return await _page(visit, patron_id)


@routes.get("/desk")
async def from_library(visit: Visiting) -> Response:
    """Show what a patron owes to somebody who comes from the library system's own page, with what it says chosen."""
    visit.need(Right.PAY)
    hints = hints_in(visit, visit.request.query_params)
    response = await _page(visit, hints.patron_id, hints=hints)
    if visit.bridge.pages:
        visit.keep(response, FROM_LIBRARY, "1", None)
    return response


@routes.post("/patrons/{patron_id}/split")
async def show_split(patron_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Show how the sum will be split over the chosen charges, as the page that was sent saw them."""
    visit.need(Right.PAY)
    if visit.request.headers.get("HX-Request"):
        return visit.page("parts/split.html", **_split(visit, form))
    return await _page(visit, patron_id, form)


@routes.post("/patrons/{patron_id}/pay")
async def pay(patron_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Start a payment; the waiting page shows how it goes on."""
    visit.need(Right.PAY)
    patron = await patron_of(visit, patron_id)

    async def start(beside: Beside) -> Payment:
        return await start_payment(visit.bridge.world, request_of(visit, form, patron_id), beside, patron)

    return await _started(visit, patron_id, form, DeedKind.PAYMENT_STARTED, start)


@routes.post("/patrons/{patron_id}/by-hand")
async def by_hand(patron_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Record that a till took the money while the bridge or its server was down."""
    visit.need(Right.BY_HAND)

    async def record(beside: Beside) -> Payment:
        word = ByHand(form.one("receipt"), visit.person.id, form.one("reason", 500))
        return await record_by_hand(visit.bridge.world, request_of(visit, form, patron_id), word, beside)

    return await _started(visit, patron_id, form, DeedKind.PAYMENT_BY_HAND, record)


async def _started(
    visit: Visit, patron_id: str, form: Form, deed: DeedKind, start: Callable[[Beside], Awaitable[Payment]]
) -> Response:
    once = Once(visit, form.one("once", 80), deed)
    try:
        await visit.bridge.world.store.read(once.before)
        payment_id = (await start(once)).id
    except PaidBefore as before:
        payment_id = before.payment_id
    except Declined as no:
        # Sent twice at once, the form meets what it has started itself.
        meanwhile = await visit.bridge.world.store.read(once.started)
        if meanwhile is None:
            return await _page(visit, patron_id, form, no)
        payment_id = meanwhile
    response = visit.go(f"/payments/{payment_id}/wait")
    remember(visit, response, *split(form.one("register", 100)))
    return response


async def _page(
    visit: Visit,
    patron_id: str,
    form: Form | None = None,
    no: Declined | None = None,
    hints: Hints | None = None,
) -> Response:
    patron = await patron_of(visit, patron_id)
    listed = await open_charges(visit.bridge.world, patron_id)
    context = await visit.bridge.world.store.read(lambda tx: _shown(visit, tx, listed))
    context |= {"differences": [], "back": visit.way_back(patron_id)}
    if hints is not None:
        payable = [charge for charge, _, _ in context["charges"]]
        form, context["differences"] = hints.form(payable, context["places"]), hints.differences(visit, payable)
        context["back"] = visit.bridge.pages and visit.bridge.pages.account_of(patron_id)
    context |= {"patron": patron, "form": form, "told": explained(visit.texts, no) if no else None}
    context |= {"once": secrets.token_urlsafe(16), "changed": _changed(no), "ticked": _ticked(form)}
    context["by_hand"] = form is not None and (form.one("receipt") != "" or visit.request.url.path.endswith("/by-hand"))
    context |= _now(visit, form, context["charges"], context["ticked"])
    if context["told"]:
        context["split_told"] = None
    return visit.page("charges.html", status_of(no.code) if no else 200, **context)


def _shown(visit: Visit, tx: Transaction, listed: Sequence[Charge]) -> dict[str, Any]:
    payable = [charge for charge in listed if rounded(charge.owed) > 0]
    held = tx.claims_on(visit.bridge.world.library_name, [charge.charge_id for charge in payable])
    holders = {payment_id: tx.payment(payment_id) for payment_id in set(held.values())}
    return {
        "charges": [(charge, value_of(charge), holders.get(held.get(charge.charge_id, ""))) for charge in payable],
        "total_minor": sum(rounded(charge.owed) for charge in payable),
        "places": places(visit, tx),
        "place_of": lambda payment: (
            f"{register_name(visit, payment.branch, payment.register)}, {branch_name(visit, payment.branch)}"
        ),
        "sees": lambda payment: visit.person.sees(payment.branch),
    }


def _split(visit: Visit, form: Form) -> dict[str, Any]:
    """Show how what a form chooses is split, by what its own page has shown."""
    return _reckoned(visit, lambda: choice_of(form), lambda charge_id: _said(form, charge_id))


def _now(
    visit: Visit, form: Form | None, charges: Sequence[tuple[Charge, str, Payment | None]], ticked: set[str] | None
) -> dict[str, Any]:
    """Show how what is ticked is split, by what the charges owe now; what somebody else is paying is left out."""
    free = [charge for charge, _, holder in charges if holder is None]
    chosen = [charge for charge in free if ticked is None or charge.charge_id in ticked]
    said = {charge.charge_id: charge.description or charge.debit_type for charge in chosen}
    reckoned = _reckoned(visit, lambda: choice_now(form or NO_FORM, chosen), said.__getitem__)
    return reckoned | {"all_ticked": len(chosen) == len(free), "any_free": bool(free)}


def _reckoned(visit: Visit, choice: Callable[[], Choice], said: Callable[[str], str]) -> dict[str, Any]:
    """Reckon what is to be paid; what was typed wrong is told where the split would be."""
    nothing = {"parts": set(), "to_pay": 0, "split_told": None, "currency": visit.bridge.world.library.currency}
    try:
        shares = shares_of(chosen := choice())
    except Declined as no:
        return nothing | {"shares": {}, "descriptions": {}, "split_told": explained(visit.texts, no)}
    owed = dict(zip((each.charge_id for each in chosen.charges), chosen.owed(), strict=True))
    return nothing | {
        "shares": shares,
        "parts": {charge_id for charge_id, share in shares.items() if share < owed[charge_id]},
        "to_pay": sum(shares.values()),
        "descriptions": {charge_id: said(charge_id) for charge_id in shares},
    }


def _said(form: Form, charge_id: str) -> str:
    """Return what the page has called a charge: the library system's words, with whatever signs they have."""
    return "".join(form.all(f"says-{charge_id}")[:1])[:MOST_SAID]


def _ticked(form: Form | None) -> set[str] | None:
    """Return which charges are ticked; None for a fresh page, where all are."""
    return None if form is None else {value.rpartition("=")[0] for value in form.all("charge")}


def _changed(no: Declined | None) -> dict[str, Any]:
    changed: Any = no.facts.get("changed", []) if no is not None and no.code == "changed" else []
    return {each["charge"]: each for each in changed}
