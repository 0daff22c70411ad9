# SPDX-License-Identifier: GPL-3.0-or-later
"""Show payments, charges and cases as JSON; names of patrons are in none of them."""

from __future__ import annotations

from datetime import UTC, datetime

from tillbridge.domain.history import Event
from tillbridge.domain.payment import Line, Payment
from tillbridge.domain.refund import Refund
from tillbridge.service.administration_port import BranchSwitch
from tillbridge.service.library_port import Charge
from tillbridge.service.ports import World
from tillbridge.service.store_port import Case, StoredCredit, Transaction
from tillbridge.service.telling import after_booking, remind, tell

Json = dict[str, object]


def payment_view(tx: Transaction, payment_id: str, world: World) -> Json | None:
    """Show a payment with its lines, both states, credits, refunds, cases and its history in plain words."""
    payment = tx.payment(payment_id)
    if payment is None:
        return None
    now, history = world.clock.now(), [event for event, _ in tx.history(payment_id)]
    return payment_facts(payment) | {
        "lines": [_line(line) for line in payment.lines],
        "remind": remind(payment, history, now, world.limits.remind_s),
        "after_booking": after_booking(payment),
        "credits": [_credit(credit) for credit in tx.credits(payment_id)],
        "refunds": [_refund(refund) for refund in tx.refunds_of(payment_id)],
        "open_cases": [case_view(case, now) for case in tx.open_cases(payment_id)],
        "warnings": [case_view(case, now) for case in tx.cases_naming(payment_id)],
        "history": [event_view(event) for event in history],
    }


def charge_view(charge: Charge) -> Json:
    """Show an open charge; `owed` is the library system's exact decimal text."""
    return {
        "charge_id": charge.charge_id,
        "debit_type": charge.debit_type,
        "description": charge.description,
        "owed": f"{charge.owed:f}",
        "date": charge.date,
    }


def case_view(case: Case, now: float) -> Json:
    """Show a case with its age."""
    return {
        "id": case.id,
        "kind": str(case.kind),
        "payment_id": case.payment_id,
        "other_payment_ids": list(case.other_payment_ids),
        "opened_at": iso(case.opened_at),
        "age_s": max(0, int(now - case.opened_at)),
        "facts": dict(case.facts),
    }


def switch_view(switch: BranchSwitch) -> Json:
    """Show who switched a branch."""
    return {"at": iso(switch.at), "by": switch.by, "on": switch.on, "reason": switch.reason}


def iso(at: float) -> str:
    """Write an instant in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def payment_facts(payment: Payment) -> Json:
    """Show a payment without what belongs to it."""
    return {
        "id": payment.id,
        "patron_id": payment.patron_id,
        "branch": payment.branch,
        "register_server": payment.register_server,
        "register": payment.register,
        "clerk": payment.clerk,
        "note": payment.note,
        "currency": payment.currency,
        "total_minor": payment.total.minor,
        "collected_minor": payment.collected_minor,
        "rounding_minor": payment.rounding_minor,
        "library_rounding": f"{payment.library_rounding:f}",
        "collection": str(payment.collection),
        "decided_by": str(payment.standing.by) if payment.standing.by else None,
        "booking": str(payment.booking),
        "receipt_number": payment.receipt_number,
        "cancel_wished": payment.cancel_wished,
        "created_at": iso(payment.created_at),
    }


def _line(line: Line) -> Json:
    return {
        "charge_id": line.charge_id,
        "debit_type": line.debit_type,
        "description": line.description,
        "product_code": line.product_code,
        "amount_minor": line.amount_minor,
        "owed": f"{line.owed:f}",
    }


def _credit(credit: StoredCredit) -> Json:
    return {"credit_id": credit.credit_id, "amount": f"{credit.amount:f}", "state": str(credit.state)}


def _refund(refund: Refund) -> Json:
    given_at = refund.given_back_at
    return {
        "n": refund.n,
        "state": str(refund.state),
        "total_minor": refund.total.minor,
        "lines": [
            {"charge_id": line.charge_id, "amount_minor": line.amount_minor, "amount": f"{line.exact:f}"}
            for line in refund.lines
        ],
        "owed_again": refund.owed_again,
        "branch": refund.branch,
        "register": refund.register,
        "asked_by": refund.asked_by,
        "asked_at": iso(refund.asked_at),
        "reason": refund.reason,
        "receipt_number": refund.receipt_number,
        "given_back_by": refund.given_back_by,
        "given_back_at": None if given_at is None else iso(given_at),
    }


def event_view(event: Event) -> Json:
    """Show an event in plain words."""
    return {"at": iso(event.at), "actor": event.actor, "kind": event.kind, "words": tell(event)}
