# SPDX-License-Identifier: GPL-3.0-or-later
"""Print a copy of a receipt, from a page or as PDF. The till's own receipt is the one that counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from fastapi.responses import Response

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import Collection, Heard
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund
from tillbridge.errors import Declined
from tillbridge.marking import marked
from tillbridge.service.people_port import Right
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.payment import HAS_RECEIPT
from tillbridge.web.desk.places import branch_name, register_name
from tillbridge.web.desk.receipt_copy import Receipt
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.texts import Texts
from tillbridge.web.desk.visit import GUARDED, Visit, Visiting

routes = DeskRouter()

COPY = marked("Copy, not a till's receipt")
COUNTS = marked("The receipt that the till has printed is the one that counts.")
TAKEN_BACK = marked("The till has taken this payment back.")
TOTAL, ROUNDING, PAID = marked("Total"), marked("Cash rounding"), marked("Paid")
DIFFERENCE = marked("Difference at the till (cash rounding, or another sum)")
GIVEN_BACK = marked("Given back, receipt %(number)s")
NUMBER, DATE = marked("Receipt number"), marked("Date")
REGISTER, CLERK = marked("Register"), marked("Clerk")
NO_NUMBER = marked("not named by the till")
_PDF_GUARDED = {name: value for name, value in GUARDED.items() if name != "Content-Security-Policy"}
"""A policy for pages would keep some browsers' own PDF readers from working, and a PDF loads nothing."""


@routes.get("/payments/{payment_id}/receipt")
async def page(payment_id: str, visit: Visiting) -> Response:
    """Show a copy of the receipt that can be printed."""
    visit.need(Right.SEE)
    receipt = await _receipt(visit, payment_id)
    return visit.page("receipt.html", receipt=receipt, payment_id=payment_id)


@routes.get("/payments/{payment_id}/receipt.pdf")
async def pdf(payment_id: str, visit: Visiting) -> Response:
    """Give out a copy of the receipt as PDF."""
    visit.need(Right.SEE)
    receipt = await _receipt(visit, payment_id)
    made_at = datetime.fromtimestamp(visit.bridge.world.clock.now(), visit.texts.zone)
    # Setting it takes a fifth of a second, in which everybody else's pages go on.
    content = await asyncio.to_thread(_set_as_pdf, receipt, made_at)
    named = {"Content-Disposition": f'inline; filename="receipt-{payment_id}.pdf"'}
    return Response(content, media_type="application/pdf", headers=_PDF_GUARDED | named)


def _set_as_pdf(receipt: Receipt, made_at: datetime) -> bytes:
    # What sets it takes long to load, and a bridge should not start more slowly for it.
    from tillbridge.web.desk.receipt_pdf import receipt_pdf  # noqa: PLC0415

    return receipt_pdf(receipt, made_at)


async def _receipt(visit: Visit, payment_id: str) -> Receipt:
    def read(tx: Transaction) -> Receipt:
        payment = visit.payment(tx, payment_id)
        if payment.collection not in HAS_RECEIPT:
            raise Declined("no_receipt", "There is no receipt: this payment has not been paid.")
        history = (event for event, _ in tx.history(payment_id))
        return receipt_of(visit, payment, history, tx.refunds_of(payment_id))

    return await visit.bridge.world.store.read(read)


def receipt_of(visit: Visit, payment: Payment, history: Iterable[Event], refunds: Sequence[Refund] = ()) -> Receipt:
    """Return what stands on the copy of a payment's receipt."""
    texts = visit.texts
    reversed_too = (TAKEN_BACK,) if payment.collection is Collection.REVERSED else ()
    return Receipt(
        language=texts.language,
        heading=branch_name(visit, payment.branch),
        notes=tuple(texts.gettext(note) for note in (COPY, *reversed_too)),
        lines=tuple(
            (line.description or line.debit_type, texts.money(line.amount_minor, payment.currency))
            for line in payment.lines
        ),
        sums=(*_sums(texts, payment, visit.bridge.world.limits.rounding_minor), *_given_back(texts, refunds)),
        facts=_facts(visit, payment, paid_at(payment, history)),
        counts=texts.gettext(COUNTS),
    )


def paid_at(payment: Payment, history: Iterable[Event]) -> float:
    """Return when it was first said that the payment is paid; one taken by hand was stored as paid."""
    said = (event.at for event in history if event.kind in (Heard.TILL_PAID, Heard.CLERK_PAID))
    return next(said, payment.created_at)


def _sums(texts: Texts, payment: Payment, rounding_minor: int) -> tuple[tuple[str, str], ...]:
    sums = [(TOTAL, payment.total.minor)]
    if payment.rounding_minor:
        words = ROUNDING if abs(payment.rounding_minor) <= rounding_minor else DIFFERENCE
        sums += [(words, payment.rounding_minor), (PAID, payment.total.minor + payment.rounding_minor)]
    return tuple((texts.gettext(words), texts.money(minor, payment.currency)) for words, minor in sums)


def _given_back(texts: Texts, refunds: Sequence[Refund]) -> tuple[tuple[str, str], ...]:
    """List what the till has given back since, each with its own receipt."""
    given = [refund for refund in refunds if refund.counts and refund.receipt_number]
    return tuple(
        (
            texts.gettext(GIVEN_BACK) % {"number": refund.receipt_number},
            texts.money(-refund.total.minor, refund.currency),
        )
        for refund in given
    )


def _facts(visit: Visit, payment: Payment, at: float) -> tuple[tuple[str, str], ...]:
    texts = visit.texts
    facts = (
        (NUMBER, payment.receipt_number or texts.gettext(NO_NUMBER)),
        (DATE, texts.moment(at)),
        (REGISTER, register_name(visit, payment.branch, payment.register)),
        (CLERK, payment.clerk),
    )
    return tuple((texts.gettext(words), value) for words, value in facts)
