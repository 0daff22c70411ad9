# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server itself sends: signed answers and reports, and the answers that are no messages at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tillbridge.simulators.till.faults import AnswerPlan, Ending, Reference, ReportPlan
from tillbridge.simulators.till.payment import STATUS_OF, Payment
from tillbridge.simulators.till.settings import TillSettings
from tillbridge.simulators.till.wire import message_hash

WRONG_HASH = "0" * 64
_METHODS = {"cash": 1, "card": 4}
"""Tender types. Numbers below 30 presumably belong to tills; only 4 has been seen (dossier 4.5, vector H2)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer an HTTP request with this; None where the connection is to be dropped instead."""

    http_status: int
    media_type: str
    body: bytes


_WEB_PAGE = b"<!doctype html><title>Kirjaudu</title><h1>Kirjaudu</h1><p>Istunto on vanhentunut.</p>"
_BARE: dict[Ending, Reply] = {
    "http_500": Reply(500, "text/plain", b"Internal server error"),
    "http_503": Reply(503, "text/plain", b"Service unavailable"),
    "html": Reply(200, "text/html", _WEB_PAGE),
}
PLAIN = Reply(200, "text/plain", b"Invalid message")
"""The answer to a message without a usable Id (dossier 4.1: plain text may come)."""


def answer(
    settings: TillSettings, payment_id: str, status: int, reference: str | None, plan: AnswerPlan
) -> Reply | None:
    """Return what a request gets by the plan; None drops the connection."""
    if plan.ending == "drop":
        return None
    if plan.ending in _BARE:
        return _BARE[plan.ending]
    message = _start(settings, payment_id, status) | {"Reference": reference} | _action(settings)
    return _json(message | {"Hash": _hash(settings, message, right=plan.right_hash) if plan.signed else None})


def error(settings: TillSettings, payment_id: str, status: int) -> Reply:
    """Return the signed answer to a request that cannot be taken; its Reference is null (vector E10)."""
    message = _start(settings, payment_id, status) | {"Reference": None} | _action(settings)
    return _json(message | {"Hash": _hash(settings, message, right=True)})


def report(settings: TillSettings, payment: Payment, plan: ReportPlan, other_id: Callable[[], str]) -> bytes:
    """Return the report of the state that the payment is in now, as the plan has it."""
    payment_id = other_id() if plan.other_id else payment.payment_id
    message = _start(settings, payment_id, STATUS_OF[payment.state])
    message |= _reference(payment.receipt_number, plan.reference)
    if settings.api_version == "3.0":
        message["Payments"] = _payments(payment)
    message["Hash"] = _hash(settings, message, right=plan.right_hash)
    return json.dumps(message).encode()


def trial_report(settings: TillSettings, payment_id: str) -> bytes:
    """Return the report that a payment which was never on a till is cancelled."""
    message = _start(settings, payment_id, STATUS_OF["cancelled"]) | {"Reference": None}
    if settings.api_version == "3.0":
        message["Payments"] = []
    message["Hash"] = _hash(settings, message, right=True)
    return json.dumps(message).encode()


def _json(message: dict[str, object]) -> Reply:
    return Reply(200, "application/json", json.dumps(message).encode())


def _start(settings: TillSettings, payment_id: str, status: int) -> dict[str, object]:
    source = {"Source": settings.source} if settings.api_version == "2.0" else {}
    return {"Id": payment_id, **source, "Status": status}


def _action(settings: TillSettings) -> dict[str, object]:
    """Name the Action in an answer, as a point of sale of 3.x is said to do (dossier 4.1, vector H2)."""
    return {"Action": "new payment"} if settings.api_version == "3.0" else {}


def _hash(settings: TillSettings, message: dict[str, object], *, right: bool) -> str:
    return message_hash(message, settings.secret) if right else WRONG_HASH


def _reference(receipt_number: str | None, kind: Reference) -> dict[str, object]:
    match kind:
        case "right":
            return {"Reference": receipt_number}
        case "null":
            return {"Reference": None}
        case "missing":
            return {}
        case "number":
            return {"Reference": int("".join(filter(str.isdecimal, receipt_number or "")) or "0")}


def _payments(payment: Payment) -> list[dict[str, object]]:
    """List what was tendered; nothing for a payment that is not paid (dossier 4.2, 3.x)."""
    if payment.state != "paid" or payment.finished_at is None:
        return []
    return [_tender(method, share, payment.finished_at) for method, share in tender_shares(payment).items()]


def tender_shares(payment: Payment) -> dict[str, int]:
    """Split what was taken by what it was paid with, in cents; a mixed payment is half cash, the rest by card."""
    if payment.tender == "mixed":
        cash = payment.collected_minor // 2
        return {"cash": cash, "card": payment.collected_minor - cash}
    return {payment.tender or "card": payment.collected_minor}


def _tender(method: str, share_minor: int, at: datetime) -> dict[str, object]:
    return {
        "PaymentMethod": _METHODS[method],
        "PaymentSum": share_minor,
        "Timestamp": f"{at:%Y%m%d%H%M}",
        "PaymentDescription": method.capitalize(),
        "CardExpiration": None,
    }
