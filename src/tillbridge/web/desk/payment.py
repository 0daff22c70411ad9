# SPDX-License-Identifier: GPL-3.0-or-later
"""Show everything about one payment: what it was for, where it stands, what has happened, and whether that is whole."""

from __future__ import annotations

import re
from typing import Any

from fastapi.responses import Response

from tillbridge.domain.history import first_break
from tillbridge.domain.lifecycle import Collection
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.people_port import Right
from tillbridge.service.store_port import Message, Transaction
from tillbridge.web.desk.live import live as live_part
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.places import branch_name, register_name
from tillbridge.web.desk.refund_part import refund_form, refunds_shown
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import Form, Visit, Visiting
from tillbridge.web.desk.words import (
    actor_words,
    booking_words,
    case_words,
    collection_words,
    credit_words,
    decider_words,
    direction_words,
    event_words,
    remark_words,
    tone_of,
)
from tillbridge.web.problems import status_of

routes = DeskRouter()

HAS_RECEIPT = frozenset({Collection.PAID, Collection.REVERSED})
_UNREADABLE = re.compile(r"[^\S\n\t ]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What would not be seen, or would turn round what stands beside it."""


@routes.get("/payments/{payment_id}")
async def payment(payment_id: str, visit: Visiting) -> Response:
    """Show a payment."""
    visit.need(Right.SEE)
    return await payment_page(visit, payment_id)


async def payment_page(visit: Visit, payment_id: str, form: Form | None = None, no: Declined | None = None) -> Response:
    """Show a payment, with a no to what was tried and with what was typed."""

    def read(tx: Transaction) -> dict[str, Any]:
        shown = _shown(visit, tx, payment_id) | {"messages": _messages(visit, tx, payment_id)}
        return shown | refund_form(visit, tx, shown["payment"], form)

    context = await visit.bridge.world.store.read(read)
    told = explained(visit.texts, no) if no else None
    return visit.page("payment.html", status_of(no.code) if no else 200, told=told, **context)


@routes.get("/payments/{payment_id}/news")
async def news(payment_id: str, visit: Visiting) -> Response:
    """Send the page's live part again whenever it changes."""
    visit.need(Right.SEE)
    await visit.bridge.world.store.read(lambda tx: visit.payment(tx, payment_id))

    async def draw() -> str:
        context = await visit.bridge.world.store.read(lambda tx: _shown(visit, tx, payment_id))
        return visit.draw("parts/payment.html", **context)

    return live_part(visit, draw, payment_id)


def readable(raw: bytes) -> str:
    """Return bytes of the wire as text in which everything can be seen."""
    return _UNREADABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", raw.decode("utf-8", "backslashreplace"))


def _shown(visit: Visit, tx: Transaction, payment_id: str) -> dict[str, Any]:
    payment = visit.payment(tx, payment_id)
    return _standing(visit, payment) | _happened(visit, tx, payment) | _cases(visit, tx, payment_id)


def _standing(visit: Visit, payment: Payment) -> dict[str, Any]:
    texts = visit.texts
    return {
        "payment": payment,
        "register": register_name(visit, payment.branch, payment.register),
        "branch": branch_name(visit, payment.branch),
        "collection": collection_words(texts, payment),
        "decider": decider_words(texts, payment),
        "booking": booking_words(texts, payment),
        "remarks": remark_words(texts, payment),
        "tone": tone_of,
        "has_receipt": payment.collection in HAS_RECEIPT,
        "may_pay": visit.may(Right.PAY),
    }


def _happened(visit: Visit, tx: Transaction, payment: Payment) -> dict[str, Any]:
    history, texts = tx.history(payment.id), visit.texts
    return {
        "timeline": [(e.at, event_words(texts, e), actor_words(texts, e.actor)) for e, _ in history],
        "broken": first_break(history),
        "credits": [(credit, credit_words(texts, credit)) for credit in tx.credits(payment.id)],
        "refunds": refunds_shown(visit, tx, payment),
    }


def _cases(visit: Visit, tx: Transaction, payment_id: str) -> dict[str, Any]:
    texts = visit.texts
    return {
        "cases": [(case, *case_words(texts, case.kind)) for case in tx.cases_of(payment_id)],
        "warnings": [(case, *case_words(texts, case.kind)) for case in tx.cases_naming(payment_id)],
        "actor": lambda actor: actor_words(texts, actor),
        "waiting_looks": tx.open_second_looks(payment_id),
    }


def _messages(visit: Visit, tx: Transaction, payment_id: str) -> list[tuple[Message, str, str]]:
    """Return what came over the wire, for those alone who may see it."""
    if not visit.may(Right.RAW):
        return []
    kept = tx.messages(payment_id)
    return [(message, direction_words(visit.texts, message), readable(message.raw)) for message in kept]
