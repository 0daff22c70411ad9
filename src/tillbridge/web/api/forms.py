# SPDX-License-Identifier: GPL-3.0-or-later
"""The forms that the API takes, checked before a use case sees them."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Body, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from tillbridge.domain.money import decimal_of
from tillbridge.errors import Declined
from tillbridge.service.resolving import Action, Word
from tillbridge.service.starting import ByHand, Chosen, StartRequest


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

    def word(self) -> ByHand:
        """Return who says so, and why."""
        return ByHand(self.receipt_number, self.supervisor, self.reason)


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


class SwitchForm(_Form):
    """Switch a branch on or off, with who and why."""

    on: bool = Field(strict=True)
    person: str = Field(min_length=1, max_length=200)
    reason: str = Field(default="", max_length=500)


class ProductMapForm(_Form):
    """Replace the product map by this text (YAML: branch, debit type, product code)."""

    text: str = Field(min_length=1, max_length=60_000)
    person: str = Field(min_length=1, max_length=200)


Clerk = Annotated[str, Body(embed=True, min_length=1, max_length=200), AfterValidator(_text)]
CardNumber = Annotated[str, Path(max_length=80), AfterValidator(_text)]
CaseId = Annotated[int, Path(ge=1, lt=2**31)]
Version = Annotated[int, Path(ge=1, lt=2**31)]


def _owed(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        return decimal_of(text)
    except ValueError as error:
        raise Declined("not_an_amount", str(error)) from error
