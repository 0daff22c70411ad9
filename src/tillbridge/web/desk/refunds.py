# SPDX-License-Identifier: GPL-3.0-or-later
"""Give money back: ask for it, and say with the till's receipt that it was given, or that it was not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Path
from fastapi.responses import Response

from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund
from tillbridge.errors import Declined
from tillbridge.service.people_port import DeedKind
from tillbridge.service.refunding import RefundRequest, ask_refund, give_back, withdraw_refund
from tillbridge.web.desk.amounts import typed_cents
from tillbridge.web.desk.payment import payment_page
from tillbridge.web.desk.places import split
from tillbridge.web.desk.refund_part import field_of
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import Form, OwnForm, Visit, Visiting

routes = DeskRouter()
Nth = Annotated[int, Path(ge=1, lt=2**31)]


@routes.post("/payments/{payment_id}/refunds")
async def ask(payment_id: str, visit: Visiting, form: OwnForm) -> Response:
    """Ask for money of a payment to be given back at the till."""

    async def do(payment: Payment) -> Refund:
        return await ask_refund(visit.bridge.world, payment_id, _request(visit, payment, form))

    return await _done(visit, payment_id, form, DeedKind.REFUND_ASKED, do)


@routes.post("/payments/{payment_id}/refunds/{n}/given-back")
async def given_back(payment_id: str, n: Nth, visit: Visiting, form: OwnForm) -> Response:
    """Take it that the till has given the money back."""

    async def do(_payment: Payment) -> Refund:
        return await give_back(visit.bridge.world, payment_id, n, visit.person.id, form.one("receipt"))

    return await _done(visit, payment_id, form, DeedKind.REFUND_GIVEN_BACK, do)


@routes.post("/payments/{payment_id}/refunds/{n}/withdraw")
async def withdraw(payment_id: str, n: Nth, visit: Visiting, form: OwnForm) -> Response:
    """Take it that no money was given back after all."""

    async def do(_payment: Payment) -> Refund:
        return await withdraw_refund(visit.bridge.world, payment_id, n, visit.person.id, form.one("why", 500))

    return await _done(visit, payment_id, form, DeedKind.REFUND_WITHDRAWN, do)


async def _done(
    visit: Visit, payment_id: str, form: Form, deed: DeedKind, do: Callable[[Payment], Awaitable[Refund]]
) -> Response:
    payment = await visit.bridge.world.store.read(lambda tx: visit.payment(tx, payment_id))
    if not visit.may_refund:
        raise Declined("not_allowed", "Your role does not allow this.")
    try:
        await do(payment)
    except Declined as no:
        return await payment_page(visit, payment_id, form, no)
    await visit.bridge.door.record(visit.person, deed, payment=payment_id)
    return visit.go(f"/payments/{payment_id}")


def _request(visit: Visit, payment: Payment, form: Form) -> RefundRequest:
    branch, register = split(form.one("register", 100))
    if branch:
        visit.need_branch(branch)
    typed = [
        (field_of(payment, n), cents)
        for n in range(1, len(payment.lines) + 1)
        if (cents := typed_cents(form.one(f"amount-{n}", 40))) is not None
    ]
    # Nothing typed means everything; nothing but zeros does not.
    amounts = [(charge_id, cents) for charge_id, cents in typed if cents] or typed
    return RefundRequest(
        person=visit.person.id,
        reason=form.one("reason", 500),
        amounts=tuple(amounts) or None,
        owed_again=form.one("charges", 20) == "owed_again",
        branch=branch or None,
        register=register or None,
        library_staff_id=visit.person.origin_id,
    )
