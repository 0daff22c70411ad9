# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages of a case and of a second look show alike: the payment in short, and what has happened to it."""

from __future__ import annotations

from dataclasses import dataclass

from tillbridge.domain.payment import Payment
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.places import branch_name, register_name
from tillbridge.web.desk.visit import Visit
from tillbridge.web.desk.words import actor_words, booking_words, collection_words, event_words, tone_of


@dataclass(frozen=True, slots=True)
class Short:
    """Hold a payment with the words that a page needs; `payment` is None where the person may not see it."""

    id: str
    payment: Payment | None
    register: str = ""
    branch: str = ""
    at_till: str = ""
    till_tone: str = ""
    in_library: str = ""
    library_tone: str = ""


def in_short(visit: Visit, tx: Transaction, payment_id: str) -> Short:
    """Sum a payment up."""
    payment = tx.payment(payment_id)
    if payment is None or not visit.person.sees(payment.branch):
        return Short(payment_id, None)
    return Short(
        id=payment.id,
        payment=payment,
        register=register_name(visit, payment.branch, payment.register),
        branch=branch_name(visit, payment.branch),
        at_till=collection_words(visit.texts, payment),
        till_tone=tone_of(payment.collection),
        in_library=booking_words(visit.texts, payment),
        library_tone=tone_of(payment.booking),
    )


def history_of(visit: Visit, tx: Transaction, payment_id: str | None) -> list[tuple[float, str, str]]:
    """Tell what has happened to a payment: when, what, and who did it."""
    texts = visit.texts
    events = [event for event, _ in tx.history(payment_id)] if payment_id else []
    return [(event.at, event_words(texts, event), actor_words(texts, event.actor)) for event in events]
