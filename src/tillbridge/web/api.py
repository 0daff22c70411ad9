# SPDX-License-Identifier: GPL-3.0-or-later
"""The small API: start a payment, see it, and say what became of it."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from tillbridge.domain.money import decimal_of
from tillbridge.errors import Declined
from tillbridge.service.resolving import Action, Word, resolve_case, resolve_payment, stop_waiting
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.starting import (
    ByHand,
    Chosen,
    StartRequest,
    find_patron,
    open_charges,
    record_by_hand,
    start_payment,
)
from tillbridge.web.access import TheBridge, need_key
from tillbridge.web.views import case_view, charge_view, payment_view

api = APIRouter(prefix="/api/v1", dependencies=[Depends(need_key)], tags=["payments"])
Json = dict[str, object]


def _text(value: Any) -> Any:
    if isinstance(value, str) and any(unicodedata.category(sign) == "Cc" and sign not in "\t\n" for sign in value):
        raise ValueError("a text has no control characters")
    return value


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        return _text(value)


class ChosenForm(_Form):
    """Choose a charge by id; `owed` is the decimal text that the caller saw."""

    charge_id: str = Field(min_length=1, max_length=80)
    owed: str | None = Field(default=None, max_length=40)


class StartForm(_Form):
    """Ask for a payment of some charges, or of all."""

    branch: str = Field(min_length=1, max_length=40)
    register_number: str = Field(alias="register", min_length=1, max_length=40)
    clerk: str = Field(min_length=1, max_length=200)
    card_number: str | None = Field(default=None, max_length=80)
    patron_id: str | None = Field(default=None, max_length=80)
    charges: list[ChosenForm] | None = Field(default=None, min_length=1, max_length=500)
    sum_minor: int | None = Field(default=None, gt=0, le=100_000_000, strict=True)
    note: str = Field(default="", max_length=500)

    def request(self) -> StartRequest:
        """Return the use case's request; raise Declined for an amount that is none."""
        return StartRequest(
            branch=self.branch,
            register=self.register_number,
            clerk=self.clerk,
            card_number=self.card_number,
            patron_id=self.patron_id,
            charges=None if self.charges is None else tuple(Chosen(c.charge_id, _owed(c.owed)) for c in self.charges),
            sum_minor=self.sum_minor,
            note=self.note,
        )


class ByHandForm(StartForm):
    """Record a payment that a till took while the bridge or its server was down."""

    receipt_number: str = Field(min_length=1, max_length=200)
    supervisor: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=500)


class WordForm(_Form):
    """Say what became of a payment or a case, who says so and why."""

    action: Action
    person: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=500)
    receipt_number: str | None = Field(default=None, max_length=200)
    patron_id: str | None = Field(default=None, max_length=80)

    def word(self) -> Word:
        """Return the use case's word."""
        return Word(self.action, self.person, self.reason, self.receipt_number, self.patron_id)


Clerk = Annotated[str, Body(embed=True, min_length=1, max_length=200), AfterValidator(_text)]
CardNumber = Annotated[str, Path(max_length=80), AfterValidator(_text)]
CaseId = Annotated[int, Path(ge=1, lt=2**63)]


@api.get("/patrons/{card_number}/charges")
async def charges(card_number: CardNumber, bridge: TheBridge) -> Json:
    """List the open charges of the patron with this card number."""
    patron = await find_patron(bridge.world, card_number, None)
    listed = await open_charges(bridge.world, patron.patron_id)
    return {"patron_id": patron.patron_id, "charges": [charge_view(charge) for charge in listed]}


@api.post("/payments", status_code=201)
async def start(form: StartForm, bridge: TheBridge, response: Response) -> Json:
    """Start a payment: its charges are claimed and travel to the till."""
    payment = await start_payment(bridge.world, form.request())
    response.headers["Location"] = f"/api/v1/payments/{payment.id}"
    return await _view(bridge, payment.id)


@api.post("/payments/by-hand", status_code=201)
async def by_hand(form: ByHandForm, bridge: TheBridge) -> Json:
    """Record a payment that a till has taken by hand."""
    word = ByHand(form.receipt_number, form.supervisor, form.reason)
    return await _view(bridge, (await record_by_hand(bridge.world, form.request(), word)).id)


@api.get("/payments/{payment_id}")
async def payment(payment_id: str, bridge: TheBridge) -> Json:
    """Show a payment with its history."""
    return await _view(bridge, payment_id)


@api.post("/payments/{payment_id}/cancel")
async def cancel(payment_id: str, clerk: Clerk, bridge: TheBridge) -> Json:
    """Cancel a payment that was not sent yet; later, store the wish: the till itself must cancel."""
    return await _view(bridge, (await wish_to_cancel(bridge.world, payment_id, clerk)).id)


@api.post("/payments/{payment_id}/stop-waiting")
async def stop(payment_id: str, clerk: Clerk, bridge: TheBridge) -> Json:
    """Stop waiting for the till; what became of the payment is then unknown."""
    return await _view(bridge, (await stop_waiting(bridge.world, payment_id, clerk)).id)


@api.post("/payments/{payment_id}/resolve")
async def resolve(payment_id: str, form: WordForm, bridge: TheBridge) -> Json:
    """Take a clerk's word about a payment whose outcome is unknown."""
    return await _view(bridge, (await resolve_payment(bridge.world, payment_id, form.word())).id)


@api.get("/open-cases")
async def open_cases(bridge: TheBridge) -> Json:
    """List the open cases, oldest first."""
    cases = await bridge.world.store.read(lambda tx: tx.open_cases())
    return {"cases": [case_view(case) for case in cases]}


@api.post("/open-cases/{case_id}/resolve", status_code=204)
async def resolve_one(case_id: CaseId, form: WordForm, bridge: TheBridge) -> None:
    """Decide about an open case."""
    await resolve_case(bridge.world, case_id, form.word())


async def _view(bridge: TheBridge, payment_id: str) -> Json:
    def read(tx: object) -> Json | None:
        return payment_view(tx, payment_id)  # type: ignore[arg-type]

    view = await bridge.world.store.read(read)
    if view is None:
        raise Declined("no_such_payment", "There is no such payment.")
    return view


def _owed(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return decimal_of(text)
    except ValueError as error:
        raise Declined("not_an_amount", str(error)) from error
