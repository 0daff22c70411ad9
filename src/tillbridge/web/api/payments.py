# SPDX-License-Identifier: GPL-3.0-or-later
"""Start payments, see them, and say what became of them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.errors import Declined
from tillbridge.service.finding_port import PaymentFilter
from tillbridge.service.resolving import resolve_payment, stop_waiting
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.starting import find_patron, open_charges, record_by_hand, start_payment
from tillbridge.service.store_port import Transaction
from tillbridge.web.access import Payer, Reader, ReaderOrPayer, Resolver, TheBridge, need_branch, visible
from tillbridge.web.api.cursor import cursor_of, place_of
from tillbridge.web.api.forms import ByHandForm, CardNumber, Clerk, StartForm, WordForm
from tillbridge.web.api.idempotency import MADE, IdempotencyKey, created_once
from tillbridge.web.api.shapes import ChargesShape, PaymentPage, PaymentShape
from tillbridge.web.problems import answers
from tillbridge.web.views import charge_view, payment_facts, payment_view

routes = APIRouter(tags=["payments"])
Json = dict[str, Any]

MOST_AT_ONCE = 200


def _instant(text: str) -> str:
    """Refuse a bare number, which would be read as seconds since 1970."""
    if not re.match(r"\d{4}-\d\d-\d\d[Tt ]", text, re.ASCII):
        raise ValueError("an instant is a date, a time and an offset (ISO 8601)")
    return text


# None stands for a parameter that is not there: it has no null that could be written.
Text40 = Annotated[str, Field(max_length=40)] | SkipJsonSchema[None]
Text80 = Annotated[str, Field(max_length=80)] | SkipJsonSchema[None]
Text100 = Annotated[str, Field(max_length=100)] | SkipJsonSchema[None]
Text200 = Annotated[str, Field(max_length=200)] | SkipJsonSchema[None]
Instant = Annotated[AwareDatetime, BeforeValidator(_instant)] | SkipJsonSchema[None]


@routes.get(
    "/patrons/{card_number}/charges", response_model=ChargesShape, responses=answers(404), response_class=JSONResponse
)
async def charges(card_number: CardNumber, caller: ReaderOrPayer, bridge: TheBridge) -> Any:
    """List the open charges of the patron with this card number."""
    del caller
    patron = await find_patron(bridge.world, card_number, None)
    listed = await open_charges(bridge.world, patron.patron_id)
    return {"patron_id": patron.patron_id, "charges": [charge_view(charge) for charge in listed]}


@routes.post("/payments", status_code=201, response_model=PaymentShape, responses=MADE | answers(404, 409))
async def start(form: StartForm, caller: Payer, bridge: TheBridge, idempotency_key: IdempotencyKey = None) -> Any:
    """Start a payment: its charges are claimed and travel to the till."""
    need_branch(caller, form.branch)
    request = form.request()
    return await created_once(
        bridge, caller, idempotency_key, "start", form, lambda beside: start_payment(bridge.world, request, beside)
    )


@routes.post("/payments/by-hand", status_code=201, response_model=PaymentShape, responses=MADE | answers(404, 409))
async def by_hand(form: ByHandForm, caller: Resolver, bridge: TheBridge, idempotency_key: IdempotencyKey = None) -> Any:
    """Record a payment that a till has taken by hand."""
    need_branch(caller, form.branch)
    request, word = form.request(), form.word()
    return await created_once(
        bridge,
        caller,
        idempotency_key,
        "by hand",
        form,
        lambda beside: record_by_hand(bridge.world, request, word, beside),
    )


@routes.get("/payments", response_model=PaymentPage, responses=answers())
async def listed(
    caller: Reader,
    bridge: TheBridge,
    *,
    collection: Annotated[Collection | SkipJsonSchema[None], Query(description="State at the till")] = None,
    booking: Annotated[Booking | SkipJsonSchema[None], Query(description="State in the library system")] = None,
    branch: Text40 = None,
    register: Text40 = None,
    clerk: Text200 = None,
    patron: Text80 = None,
    receipt: Text200 = None,
    since: Annotated[Instant, Query(description="Started at this instant or later (ISO 8601)")] = None,
    until: Annotated[Instant, Query(description="Started before this instant (ISO 8601)")] = None,
    cursor: Annotated[Text100, Query(description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 50,
) -> Any:
    """List payments, newest first; `next` is there where there are more."""
    wanted = PaymentFilter(
        collections=None if collection is None else frozenset({collection}),
        bookings=None if booking is None else frozenset({booking}),
        branches=_branches(caller.branches, branch),
        register=register,
        clerk=clerk,
        patron_id=patron,
        receipt_number=receipt,
        since=None if since is None else since.timestamp(),
        until=None if until is None else until.timestamp(),
    )
    after = None if cursor is None else place_of(cursor)
    found = await bridge.world.store.search(lambda tx: tx.find_payments(wanted, after, limit + 1))
    shown = found[:limit]
    more = cursor_of(shown[-1]) if len(found) > limit else None
    return {"payments": [payment_facts(payment) for payment in shown], "next": more}


@routes.get("/payments/{payment_id}", response_model=PaymentShape, responses=answers(404))
async def payment(payment_id: str, caller: Reader, bridge: TheBridge) -> Any:
    """Show a payment with its history."""
    return await _view(bridge, caller, payment_id)


@routes.post("/payments/{payment_id}/cancel", response_model=PaymentShape, responses=answers(404, 409))
async def cancel(payment_id: str, clerk: Clerk, caller: Payer, bridge: TheBridge) -> Any:
    """Cancel a payment that was not sent yet; later, store the wish: the till itself must cancel."""
    await _view(bridge, caller, payment_id)
    await wish_to_cancel(bridge.world, payment_id, clerk)
    return await _view(bridge, caller, payment_id)


@routes.post("/payments/{payment_id}/stop-waiting", response_model=PaymentShape, responses=answers(404, 409))
async def stop(payment_id: str, clerk: Clerk, caller: Payer, bridge: TheBridge) -> Any:
    """Stop waiting for the till; what became of the payment is then unknown."""
    await _view(bridge, caller, payment_id)
    await stop_waiting(bridge.world, payment_id, clerk)
    return await _view(bridge, caller, payment_id)


@routes.post("/payments/{payment_id}/resolve", response_model=PaymentShape, responses=answers(404, 409))
async def resolve(payment_id: str, form: WordForm, caller: Payer, bridge: TheBridge) -> Any:
    """Take a clerk's word about a payment whose outcome is unknown."""
    await _view(bridge, caller, payment_id)
    await resolve_payment(bridge.world, payment_id, form.word())
    return await _view(bridge, caller, payment_id)


async def _view(bridge: TheBridge, caller: Reader, payment_id: str) -> Json | None:
    def read(tx: Transaction) -> Json | None:
        visible(caller, tx.payment(payment_id))
        return payment_view(tx, payment_id, bridge.world)

    return await bridge.world.store.read(read)


def _branches(allowed: frozenset[str] | None, wanted: str | None) -> frozenset[str] | None:
    """Return the branches to look in: what the caller asks for, as far as the key may see it."""
    if wanted is None:
        return allowed
    if allowed is not None and wanted not in allowed:
        raise Declined("branch_not_allowed", f"This key is not for branch {wanted}.")
    return frozenset({wanted})
