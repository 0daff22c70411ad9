# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms that the API takes, checked before a use case sees them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from fastapi import Body, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tillbridge.domain.money import DECIMAL_TEXT, decimal_of
from tillbridge.errors import Declined
from tillbridge.service.refunding import RefundRequest
from tillbridge.service.resolving import Action, Word
from tillbridge.service.starting import ByHand, Chosen, StartRequest

_PLAIN = r"^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*$"
"""Tabs and new lines are the only control characters of a text."""


def _plain(text: str) -> str:
    if not re.fullmatch(_PLAIN, text):
        raise ValueError("a text has no control characters")
    return text


Text = Annotated[str, AfterValidator(_plain), Field(json_schema_extra={"pattern": _PLAIN})]
Amount = Annotated[str, Field(json_schema_extra={"pattern": f"^({DECIMAL_TEXT})$"})]
"""An amount as text: what is none is refused with a code of its own, and not as a wrong form."""


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChosenForm(_Form):
    """Choose a charge by id; `owed` is the decimal text that the caller saw."""

    charge_id: Text = Field(min_length=1, max_length=80)
    owed: Amount | None = Field(default=None, max_length=40)


class StartForm(_Form):
    """Ask for a payment of some charges, or of all."""

    branch: Text = Field(min_length=1, max_length=40)
    register_number: Text = Field(alias="register", min_length=1, max_length=40)
    clerk: Text = Field(min_length=1, max_length=200)
    card_number: Text | None = Field(default=None, max_length=80)
    patron_id: Text | None = Field(default=None, max_length=80)
    charges: list[ChosenForm] | None = Field(default=None, min_length=1, max_length=500)
    sum_minor: int | None = Field(default=None, gt=0, le=100_000_000, strict=True)
    note: Text = Field(default="", max_length=500)

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

    receipt_number: Text = Field(min_length=1, max_length=200)
    supervisor: Text = Field(min_length=1, max_length=200)
    reason: Text = Field(min_length=1, max_length=500)

    def word(self) -> ByHand:
        """Return who says so, and why."""
        return ByHand(self.receipt_number, self.supervisor, self.reason)


class WordForm(_Form):
    """Say what became of a payment or a case, who says so and why."""

    action: Action
    person: Text = Field(min_length=1, max_length=200)
    reason: Text = Field(min_length=1, max_length=500)
    receipt_number: Text | None = Field(default=None, max_length=200)
    patron_id: Text | None = Field(default=None, max_length=80)

    def word(self) -> Word:
        """Return the use case's word."""
        return Word(self.action, self.person, self.reason, self.receipt_number, self.patron_id)


class RefundedForm(_Form):
    """Say how many cents are given back of a charge."""

    charge_id: Text = Field(min_length=1, max_length=80)
    amount_minor: int = Field(gt=0, le=100_000_000, strict=True)


class RefundForm(_Form):
    """Ask for money to be given back: of some charges, or all that is left; where the till is, if it is another one."""

    person: Text = Field(min_length=1, max_length=200)
    reason: Text = Field(min_length=1, max_length=500)
    charges: list[RefundedForm] | None = Field(default=None, min_length=1, max_length=500)
    owed_again: bool = Field(default=False, strict=True)
    branch: Text | None = Field(default=None, min_length=1, max_length=40)
    register_number: Text | None = Field(default=None, alias="register", min_length=1, max_length=40)

    def request(self) -> RefundRequest:
        """Return the use case's request."""
        charges = self.charges
        return RefundRequest(
            person=self.person,
            reason=self.reason,
            amounts=None if charges is None else tuple((each.charge_id, each.amount_minor) for each in charges),
            owed_again=self.owed_again,
            branch=self.branch,
            register=self.register_number,
        )


class GivenBackForm(_Form):
    """Say that the till has given money back: who says so, and the number of its receipt."""

    person: Text = Field(min_length=1, max_length=200)
    receipt_number: Text = Field(min_length=1, max_length=200)


class WithdrawForm(_Form):
    """Say that no money was given back: who says so, and why."""

    person: Text = Field(min_length=1, max_length=200)
    reason: Text = Field(min_length=1, max_length=500)


class SwitchForm(_Form):
    """Switch a branch on or off, with who and why."""

    on: bool = Field(strict=True)
    person: Text = Field(min_length=1, max_length=200)
    reason: Text = Field(default="", max_length=500)


class ProductMapForm(_Form):
    """Replace the product map by this text (YAML: branch, debit type, product code)."""

    text: Text = Field(min_length=1, max_length=60_000)
    person: Text = Field(min_length=1, max_length=200)


Clerk = Annotated[Text, Body(embed=True, min_length=1, max_length=200)]
CardNumber = Annotated[Text, Path(max_length=80)]
CaseId = Annotated[int, Path(ge=1, lt=2**31)]
Version = Annotated[int, Path(ge=1, lt=2**31)]


def _owed(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return decimal_of(text)
    except ValueError as error:
        raise Declined("not_an_amount", str(error)) from error
