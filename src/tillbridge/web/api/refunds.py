# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask for money to be given back, and say that the till has given it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from tillbridge.domain.payment import Payment
from tillbridge.service.administration_port import ApiKey
from tillbridge.service.refunding import ask_refund, give_back, withdraw_refund
from tillbridge.service.starting import Beside
from tillbridge.service.store_port import Transaction
from tillbridge.web.access import Resolver, TheBridge, need_branch, visible
from tillbridge.web.api.forms import GivenBackForm, RefundForm, WithdrawForm
from tillbridge.web.api.idempotency import MADE, IdempotencyKey, created_once
from tillbridge.web.api.shapes import PaymentShape
from tillbridge.web.problems import answers
from tillbridge.web.views import payment_view

routes = APIRouter(tags=["payments"])
Nth = Annotated[int, Path(ge=1, lt=2**31)]


@routes.post(
    "/payments/{payment_id}/refunds", status_code=201, response_model=PaymentShape, responses=MADE | answers(404, 409)
)
async def ask(
    payment_id: str, form: RefundForm, caller: Resolver, bridge: TheBridge, idempotency_key: IdempotencyKey = None
) -> Any:
    """Ask for money of a payment to be given back: a person gives it back at the till, and says so."""
    payment = await _seen(bridge, caller, payment_id)
    need_branch(caller, form.branch or payment.branch)
    request = form.request()

    async def make(beside: Beside) -> Payment:
        await ask_refund(bridge.world, payment_id, request, beside)
        return payment

    return await created_once(bridge, caller, idempotency_key, f"refund of {payment_id}", form, make)


@routes.post("/payments/{payment_id}/refunds/{n}/given-back", response_model=PaymentShape, responses=answers(404, 409))
async def given_back(payment_id: str, n: Nth, form: GivenBackForm, caller: Resolver, bridge: TheBridge) -> Any:
    """Say that the till has given the money back, with the number of its receipt."""
    await _seen(bridge, caller, payment_id)
    await give_back(bridge.world, payment_id, n, form.person, form.receipt_number)
    return await bridge.world.store.read(lambda tx: payment_view(tx, payment_id, bridge.world))


@routes.post("/payments/{payment_id}/refunds/{n}/withdraw", response_model=PaymentShape, responses=answers(404, 409))
async def withdraw(payment_id: str, n: Nth, form: WithdrawForm, caller: Resolver, bridge: TheBridge) -> Any:
    """Say that no money was given back after all."""
    await _seen(bridge, caller, payment_id)
    await withdraw_refund(bridge.world, payment_id, n, form.person, form.reason)
    return await bridge.world.store.read(lambda tx: payment_view(tx, payment_id, bridge.world))


async def _seen(bridge: TheBridge, caller: ApiKey, payment_id: str) -> Payment:
    def read(tx: Transaction) -> Payment:
        return visible(caller, tx.payment(payment_id))

    return await bridge.world.store.read(read)
