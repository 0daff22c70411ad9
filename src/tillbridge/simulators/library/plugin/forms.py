# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what the plugin's routes are asked: amounts are decimal texts, ids whole numbers, unknown members refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]{1,80}$")]
AmountText = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?$")]
Id = Annotated[int, Field(gt=0, lt=10**15)]
Code = Annotated[str, Field(min_length=1, max_length=80)]
Shares = tuple[tuple[int, Decimal], ...]
"""What each charge gets, by the charges' ids."""


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ShareForm(_Form):
    """Say how much of what is recorded is for one charge."""

    charge_id: Id
    amount: AmountText


class _WithLines(_Form):
    lines: Annotated[list[ShareForm], Field(min_length=1, max_length=1000)]

    @property
    def shares(self) -> Shares:
        """Return the lines in Koha's order of paying, which is that of the ids (measured)."""
        return tuple(sorted((line.charge_id, Decimal(line.amount)) for line in self.lines))

    @model_validator(mode="after")
    def _something_for_each_charge_once(self) -> Self:
        if len({line.charge_id for line in self.lines}) < len(self.lines):
            raise ValueError("a charge is named twice")
        if any(share <= 0 for _, share in self.shares):
            raise ValueError("an amount is not more than nothing")
        return self


class BookingForm(_WithLines):
    """Ask for a booking: one or several credits that pay just these charges with just these amounts."""

    reference: Reference
    patron_id: Id
    library_id: Code
    staff_id: Id | None
    register_id: Id | None
    payment_type: Code
    description: Annotated[str, Field(max_length=1000)] = ""
    note: Annotated[str, Field(max_length=65_535)] = ""


class ReversalForm(_Form):
    """Ask for a booking to be taken back whole."""

    reference: Reference
    booking: Reference
    staff_id: Id | None
    library_id: Code
    register_id: Id | None = None
    reason: Annotated[str, Field(max_length=1000)] = ""


class RefundForm(_WithLines):
    """Ask for money of a booking to be given back."""

    reference: Reference
    booking: Reference
    payout_type: Code
    staff_id: Id | None
    library_id: Code
    register_id: Id | None = None
    reason: Annotated[str, Field(max_length=1000)] = ""
