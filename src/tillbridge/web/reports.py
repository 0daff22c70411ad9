# SPDX-License-Identifier: GPL-3.0-or-later
"""Take what tills post: Ceepos ones at the origin's address and the Perl plugin's (Koha bug 15654; dossier 4.2).

Register servers of every kind have an address of their own by their names.

Open to the outside: the report's own signature is the proof. The origin let the path choose the payment and the
body the hash; here both must name the same one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from structlog.contextvars import bind_contextvars

from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.domain.payment import Payment
from tillbridge.service.administration_port import ApiKey
from tillbridge.service.reporting import take_report
from tillbridge.service.store_port import Transaction
from tillbridge.web.access import Reader, TheBridge
from tillbridge.web.api.shapes import RefusalShape, TransactionShape
from tillbridge.web.problems import answers, problem

reports = APIRouter(tags=["tills"])

KIND = "ceepos"

_ORIGIN_STATUS = {
    Collection.CREATED: "unsent",
    Collection.SENDING: "pending",
    Collection.AT_REGISTER: "pending",
    Collection.UNKNOWN: "pending",
    Collection.CANCELLED: "cancelled",
    Collection.REFUSED: "cancelled",
    Collection.REVERSED: "cancelled",
}

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "No payment has this id.", "model": RefusalShape}}
_REPORTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The report is stored, and counts."},
    400: {"description": "The report proves nothing.", "model": RefusalShape},
    **_UNKNOWN,
    **problem(408),
    **problem(413),
    **problem(503),
}
_REPORT: dict[str, Any] = {
    "type": "object",
    "required": ["Id", "Status", "Hash"],
    "properties": {
        "Id": {"description": "The payment's id.", "type": ["string", "integer"], "minLength": 1, "maxLength": 100},
        "Status": {"description": "1: paid; 0: cancelled.", "type": ["integer", "string"]},
        "Reference": {"description": "The receipt's number.", "type": ["string", "null"]},
        "Hash": {"description": "The proof, over these and what else the till's version covers.", "type": "string"},
    },
}
_ANY_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": _REPORT}}}}


@reports.post(
    "/api/v1/pos/cpu/{invoicenumber}/report", response_class=Response, responses=_REPORTED, openapi_extra=_BODY
)
async def report_for(invoicenumber: str, request: Request, bridge: TheBridge) -> Response:
    """Take a report for the payment that the address names."""
    return await _take(bridge, request, invoicenumber, bridge.servers.get(KIND, ()))


@reports.post(
    "/api/v1/contrib/kohasuomi/payments/ceepos/report",
    response_class=Response,
    responses=_REPORTED,
    openapi_extra=_BODY,
)
async def report_as_to_the_plugin(request: Request, bridge: TheBridge) -> Response:
    """Take a report of a till that is still set up for the Perl plugin's address."""
    return await _take(bridge, request, None, bridge.servers.get(KIND, ()))


@reports.post("/api/v1/registers/{name}/report", response_class=Response, responses=_REPORTED, openapi_extra=_ANY_BODY)
async def report_of(name: str, request: Request, bridge: TheBridge) -> Response:
    """Take a report of the register server that the address names as the settings do, whatever its kind."""
    return await _take(bridge, request, None, (name,) if name in bridge.world.registers else ())


@reports.get("/api/v1/pos/cpu/{invoicenumber}", response_model=TransactionShape, responses=answers() | _UNKNOWN)
async def transaction(invoicenumber: str, caller: Reader, bridge: TheBridge) -> Any:
    """Answer a payment in the origin's form; its `processing` means paid and not yet booked."""
    view = await bridge.world.store.read(lambda tx: _origin_view(tx, caller, invoicenumber))
    return JSONResponse({"error": "Transaction not found"}, 404) if view is None else view


async def _take(bridge: TheBridge, request: Request, address_id: str | None, servers: Sequence[str]) -> Response:
    if not servers:
        return JSONResponse({"error": "No such register server is set up here"}, 404)
    raw = await request.body()
    reply = await take_report(bridge.world, servers, raw, address_id)
    if reply.payment_id is not None:
        bind_contextvars(payment_id=reply.payment_id)
    return Response(status_code=200) if reply.status == 200 else JSONResponse({"error": reply.why}, reply.status)  # noqa: PLR2004


def _origin_view(tx: Transaction, caller: ApiKey, payment_id: str) -> dict[str, object] | None:
    payment = tx.payment(payment_id)
    if payment is None or (caller.branches is not None and payment.branch not in caller.branches):
        return None
    return {
        "transaction_id": payment.id,
        "borrowernumber": _number(payment.patron_id),
        "status": _origin_status(payment),
        "timestamp": _iso(tx.history(payment_id)[-1][0].at),
        "description": payment.note,
        "price_in_cents": payment.total.minor,
    }


def _number(patron_id: str) -> int | str:
    """Return the number that the origin's integer column had; other library systems have ids that are none."""
    return int(patron_id) if re.fullmatch("0|[1-9][0-9]{0,17}", patron_id) else patron_id


def _origin_status(payment: Payment) -> str:
    if payment.collection is not Collection.PAID:
        return _ORIGIN_STATUS[payment.collection]
    return "paid" if payment.booking is Booking.BOOKED else "processing"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
