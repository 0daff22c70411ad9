# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a refund one step further inside a transaction: state, event, task and cases."""

from __future__ import annotations

from collections.abc import Mapping

from tillbridge.domain.lifecycle import RefundState, RefundStep
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund
from tillbridge.service.overtaking import overtake
from tillbridge.service.store_port import CaseKind, TaskKind, Transaction

REFUND_CASES = frozenset({CaseKind.REFUND_UNDECIDED, CaseKind.REFUND_NOT_RECORDED})


def open_refund(tx: Transaction, payment_id: str) -> Refund | None:
    """Return the payment's refund of which something is still to be done: there is one at most."""
    return next((refund for refund in tx.refunds_of(payment_id) if refund.open), None)


def take_step(
    tx: Transaction, now: float, refund: Refund, step: RefundStep, actor: str, facts: Mapping[str, object]
) -> Refund:
    """Store the refund as it is after a step, with its event; one that ends takes its cases and its task along."""
    after = refund.after(step)
    tx.save_refund(after, refund.state)
    told = {"refund": refund.n, "to": str(after.state)} | dict(facts)
    tx.append_event(refund.payment_id, now, actor, f"refund_{step}", told)
    if refund.state is RefundState.ASKED:
        close_refund_cases(tx, now, refund.payment_id, CaseKind.REFUND_UNDECIDED, actor, str(after.state))
    if not after.open:
        close_refund_cases(tx, now, refund.payment_id, CaseKind.REFUND_NOT_RECORDED, actor, str(after.state))
        tx.drop_tasks(refund.payment_id, TaskKind.REFUND)
    return after


def close_refund_cases(
    tx: Transaction, now: float, payment_id: str, kind: CaseKind, actor: str, resolution: str
) -> None:
    """Take the payment's open case of this kind off the list."""
    for case in tx.open_cases(payment_id):
        if case.kind is kind:
            tx.close_case(case.id, now, actor, resolution)
            looks = tx.open_second_looks(case_id=case.id)
            overtake(tx, looks, now, actor, "it was answered before anyone agreed")


def end_wish(tx: Transaction, now: float, payment: Payment, actor: str) -> str:
    """End a refund that was only asked for, since all is taken back; return what a person must look at in it."""
    part = False
    waiting = open_refund(tx, payment.id)
    if waiting is not None and waiting.state is RefundState.ASKED:
        take_step(tx, now, waiting, RefundStep.TAKE_BACK, actor, {})
        part = waiting.total != payment.total
    if any(refund.counts for refund in tx.refunds_of(payment.id)):
        return "money of it had been given back before"
    # The till may have given the part out as well, and nobody has said so yet.
    return "a part of it was to be given back, and may have been" if part else ""
