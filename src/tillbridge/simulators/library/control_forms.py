# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what the control API is asked; amounts are exact decimals, as JSON numbers or texts."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tillbridge.simulators.library.facts import EVERY_STAFF_RIGHT, ChargeOrder, CreditOrder, PatronOrder, Renewal
from tillbridge.simulators.library.faults import Fault, FaultKind

Amount = Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 12, allow_inf_nan=False)]
Id = Annotated[int, Field(gt=0, lt=10**15)]
Text = Annotated[str, Field(max_length=100_000)]
_A_DAY_S = 86_400


class Form(BaseModel):
    """Refuse members that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PatronForm(Form):
    """Describe a new patron."""

    cardnumber: Text
    surname: Text
    firstname: Text = ""
    library_id: Text = "CPL"
    category_id: Text = "PT"
    userid: Text | None = None
    patron_id: Id | None = None
    restricted: bool = False
    rights: frozenset[Text] = EVERY_STAFF_RIGHT

    def order(self) -> PatronOrder:
        """Return the same as the ledger takes it."""
        return PatronOrder(**self.model_dump())


class ChargeForm(Form):
    """Describe a new charge."""

    amount: Amount
    type: Text = "MANUAL"
    description: Text = ""
    status: Text | None = None
    library_id: Text | None = "CPL"
    account_line_id: Id | None = None

    def order(self) -> ChargeOrder:
        """Return the same as the ledger takes it."""
        return ChargeOrder(
            self.amount, self.type, self.description, self.status, self.library_id, line_id=self.account_line_id
        )


class GrowForm(Form):
    """Say by how much a charge grows."""

    amount: Amount


class WriteOffForm(Form):
    """Say how much is written off; nothing said means all of it."""

    amount: Amount | None = None


class PayForm(Form):
    """Describe a payment by Koha's own button."""

    amount: Amount
    account_lines_ids: tuple[Id, ...] | None = None
    payment_type: Text | None = "CARD"
    library_id: Text | None = "CPL"
    note: Text = ""

    def order(self) -> CreditOrder:
        """Return the same as the ledger takes it."""
        return CreditOrder(
            amount=self.amount,
            line_ids=self.account_lines_ids,
            library_id=self.library_id,
            payment_type=self.payment_type,
            note=self.note,
        )


class ApplyForm(Form):
    """Say which charges a credit is applied to; nothing said means all of its patron."""

    account_lines_ids: tuple[Id, ...] | None = None


class MergeForm(Form):
    """Name the patron that remains."""

    into: Id


class SettingsForm(Form):
    """Name the settings that change."""

    use_cash_registers: bool | None = None
    require_payment_type: bool | None = None
    renewal: Renewal | None = None
    lost_paid_returns: bool | None = None
    email_receipts: bool | None = None
    credit_numbers: bool | None = None
    plugin: bool | None = None
    plugin_abilities: tuple[Literal["book", "reverse", "refund", "look_up"], ...] | None = None
    token_s: Annotated[float, Field(gt=0, le=_A_DAY_S)] | None = None
    restart_after: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    restart_s: Annotated[float, Field(ge=0, le=_A_DAY_S)] | None = None


class ResetForm(Form):
    """Say what to start again with; nothing said means as at the start."""

    seed: Literal["demo", "empty"] | None = None


class FaultForm(Form):
    """Plan a fault: `next` requests or ``"all"``, narrowed down by method and route."""

    kind: FaultKind
    next: Annotated[int, Field(gt=0, le=1_000_000)] | Literal["all"] = 1
    method: Literal["GET", "POST"] | None = None
    route: Text | None = None
    seconds: Annotated[float, Field(ge=0, le=_A_DAY_S)] | None = None
    stored: bool = False

    def fault(self) -> Fault:
        """Return the fault, not yet numbered."""
        left = None if self.next == "all" else self.next
        return Fault(0, self.kind, left, self.method, self.route, self.seconds, self.stored)
