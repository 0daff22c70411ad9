# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer a request that is sent again with the same ``Idempotency-Key`` as it was answered the first time.

By Stripe's published contract: the first answer counts, a yes and a no alike, for a day at least; the same key with
another content is refused; a request that was not of the right form, or that could not be looked into, counts as not
made. The answer is stored in the transaction that does what it tells of, so that there is never one without the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema
from structlog.contextvars import bind_contextvars

from tillbridge.composition import Bridge
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.administration_port import Answered, ApiKey
from tillbridge.service.starting import Beside, nothing_beside
from tillbridge.service.store_port import Transaction
from tillbridge.web.problems import problem_of
from tillbridge.web.views import payment_view

IdempotencyKey = Annotated[
    Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x20-\x7e]+$")] | SkipJsonSchema[None],
    Header(description="Any text of your own, new for each payment: sent again, the request is answered as before."),
]
CREATED = 201
NOT_LOOKED_INTO = 503

MADE: dict[int | str, dict[str, Any]] = {
    CREATED: {
        "headers": {
            "Location": {"description": "The payment's own address.", "required": True, "schema": {"type": "string"}},
            "Idempotent-Replayed": {"description": "It was answered before.", "schema": {"const": "true"}},
        }
    }
}
"""The headers of a payment that was made, for OpenAPI."""

Create = Callable[[Beside], Awaitable[Payment]]


class _AnsweredBefore(Exception):  # noqa: N818 - it never leaves this module
    def __init__(self, answered: Answered) -> None:
        super().__init__()
        self.answered = answered


class _Once(Beside):
    """Look for the answer before anything is stored, and keep it beside what is."""

    def __init__(self, bridge: Bridge, caller: ApiKey, key: str, fingerprint: str) -> None:
        self._bridge, self._caller, self._key, self._fingerprint = bridge, caller, key, fingerprint

    def before(self, tx: Transaction) -> None:
        """Stop where the request was answered already."""
        answered = tx.answered(self._caller.id, self._key)
        if answered is None:
            return
        if answered.fingerprint != self._fingerprint:
            why = "This idempotency key was used for a request with another content."
            raise Declined("idempotency_key_reused", why)
        raise _AnsweredBefore(answered)

    def after(self, tx: Transaction, payment: Payment) -> None:
        """Keep the answer to a payment that was stored."""
        self.keep(tx, CREATED, payment_view(tx, payment.id, self._bridge.world))

    def keep(self, tx: Transaction, status: int, body: Any) -> None:
        """Keep an answer."""
        text = json.dumps(body, ensure_ascii=False, sort_keys=True)
        now = self._bridge.world.clock.now()
        tx.keep_answer(Answered(self._caller.id, self._key, now, self._fingerprint, status, text))


async def created_once(
    bridge: Bridge, caller: ApiKey, key: str | None, route: str, form: BaseModel, create: Create
) -> JSONResponse:
    """Create a payment, or answer what its first request with this key was answered."""
    if key is None:
        payment = await create(nothing_beside)
        return _created(await bridge.world.store.read(lambda tx: payment_view(tx, payment.id, bridge.world)))
    once = _Once(bridge, caller, key, _fingerprint(route, form))
    try:
        await bridge.world.store.read(once.before)
        payment = await create(once)
    except _AnsweredBefore as before:
        return _replayed(before.answered)
    except Declined as no:
        return await _declined_once(bridge, once, no)
    return _replayed(await bridge.world.store.read(lambda tx: _kept(tx, caller, key)), fresh=True)


async def _declined_once(bridge: Bridge, once: _Once, no: Declined) -> JSONResponse:
    status, problem = problem_of(no)
    if status == NOT_LOOKED_INTO or no.code == "idempotency_key_reused":
        raise no

    def keep(tx: Transaction) -> None:
        once.before(tx)
        once.keep(tx, status, problem)

    try:
        await bridge.world.store.write(keep)
    except _AnsweredBefore as before:
        return _replayed(before.answered)
    raise no


def _kept(tx: Transaction, caller: ApiKey, key: str) -> Answered:
    answered = tx.answered(caller.id, key)
    assert answered is not None  # noqa: S101 - it was stored in the transaction before
    return answered


def _created(view: Any) -> JSONResponse:
    bind_contextvars(payment_id=view["id"])
    return JSONResponse(view, CREATED, {"Location": f"/api/v1/payments/{view['id']}"})


def _replayed(answered: Answered, *, fresh: bool = False) -> JSONResponse:
    body = json.loads(answered.body)
    marks = {} if fresh else {"Idempotent-Replayed": "true"}
    if answered.status == CREATED:
        response = _created(body)
        response.headers.update(marks)
        return response
    return JSONResponse(body, answered.status, marks, media_type="application/problem+json")


def _fingerprint(route: str, form: BaseModel) -> str:
    return hashlib.sha256(f"{route} {form.model_dump_json(by_alias=True)}".encode()).hexdigest()
