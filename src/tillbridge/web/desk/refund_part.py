# SPDX-License-Identifier: GPL-3.0-or-later
"""Show money that goes back to the customer: what was given back of a payment, and what may still be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tillbridge.domain.lifecycle import RefundState
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund
from tillbridge.service.refunding import refundable
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.places import Place, places, register_name
from tillbridge.web.desk.visit import Form, Visit
from tillbridge.web.desk.words import refund_words, tone_of


@dataclass(frozen=True, slots=True)
class RefundShown:
    """Hold a refund with its words."""

    refund: Refund
    state: str
    tone: str
    register: str


@dataclass(frozen=True, slots=True)
class Giveable:
    """Hold what can be given back of one charge; `name` is its field in the form."""

    name: str
    description: str
    left_minor: int


def refunds_shown(visit: Visit, tx: Transaction, payment: Payment) -> list[RefundShown]:
    """List what was given back of a payment, and what is about to be."""
    return [
        RefundShown(
            refund,
            refund_words(visit.texts, refund),
            tone_of(refund.state),
            register_name(visit, refund.branch, refund.register),
        )
        for refund in tx.refunds_of(payment.id)
    ]


def refund_form(visit: Visit, tx: Transaction, payment: Payment, form: Form | None = None) -> dict[str, Any]:
    """Return what the forms need by which money is given back; nothing to choose where this person may not."""
    waiting = next((each for each in tx.refunds_of(payment.id) if each.state is RefundState.ASKED), None)
    can = refundable(tx, visit.bridge.world.library.abilities, payment)
    giveable = [
        Giveable(f"amount-{n}", line.description or line.debit_type, can.left[line.charge_id].amount_minor)
        for n, line in enumerate(payment.lines, 1)
        if line.charge_id in can.left
    ]
    mine = visit.may_refund
    return {
        "asked": waiting if mine else None,
        "asked_register": register_name(visit, waiting.branch, waiting.register) if waiting else "",
        "giveable": giveable if mine and can.anything else [],
        "can": can,
        "refund_places": _places(visit, tx, payment),
        "typed": form,
    }


def field_of(payment: Payment, n: int) -> str:
    """Return the charge that the nth field of the form stands for."""
    return payment.lines[n - 1].charge_id


def _places(visit: Visit, tx: Transaction, payment: Payment) -> list[tuple[Place, bool]]:
    """List the registers where money can be given back; the one where it was taken comes chosen."""
    own = (payment.branch, payment.register)
    return [(place, (place.branch, place.register) == own) for place in places(visit, tx)]
