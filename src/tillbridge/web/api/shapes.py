# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of the API's answers: what OpenAPI promises, and every answer is checked against."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tillbridge.domain.lifecycle import Booking, Collection, Decider, RefundState
from tillbridge.service.store_port import CaseKind, CreditState


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChargeShape(_Shape):
    """Show an open charge; `owed` is the library system's exact decimal."""

    charge_id: str
    debit_type: str
    description: str
    owed: str
    date: str


class ChargesShape(_Shape):
    """List a patron's open charges."""

    patron_id: str
    charges: list[ChargeShape]


class LineShape(_Shape):
    """Show what a payment takes of one charge."""

    charge_id: str
    debit_type: str
    description: str
    product_code: str
    amount_minor: int
    owed: str


class CreditShape(_Shape):
    """Show one credit of a booking."""

    credit_id: str | None
    amount: str
    state: CreditState


class RefundLineShape(_Shape):
    """Show what is given back of one charge; `amount` is the library system's exact decimal."""

    charge_id: str
    amount_minor: int
    amount: str


class RefundShape(_Shape):
    """Show money that is given back: where, by whom, and how far it is."""

    n: int
    state: RefundState
    total_minor: int
    lines: list[RefundLineShape]
    owed_again: bool
    branch: str
    register_number: str = Field(alias="register")
    asked_by: str
    asked_at: str
    reason: str
    receipt_number: str | None
    given_back_by: str | None
    given_back_at: str | None


class CaseShape(_Shape):
    """Show an open case; what `facts` holds depends on the kind."""

    id: int
    kind: CaseKind
    payment_id: str | None
    other_payment_ids: list[str]
    opened_at: str
    age_s: int
    facts: dict[str, Any]


class CaseList(_Shape):
    """List open cases, oldest first."""

    cases: list[CaseShape]


class EventShape(_Shape):
    """Show an event in plain words."""

    at: str
    actor: str
    kind: str
    words: str


class NewsShape(EventShape):
    """Show an event of a stream: whose it is, and which one."""

    payment_id: str
    seq: int


class PaymentFacts(_Shape):
    """Show a payment without what belongs to it."""

    id: str
    patron_id: str
    branch: str
    register_server: str
    register_number: str = Field(alias="register")
    clerk: str
    note: str
    currency: str
    total_minor: int
    collected_minor: int | None
    rounding_minor: int
    library_rounding: str
    collection: Collection
    decided_by: Decider | None
    booking: Booking
    receipt_number: str | None
    cancel_wished: bool
    created_at: str


class PaymentShape(PaymentFacts):
    """Show a payment with its lines, credits, refunds, cases and history."""

    lines: list[LineShape]
    remind: bool
    after_booking: list[str]
    credits: list[CreditShape]
    refunds: list[RefundShape]
    open_cases: list[CaseShape]
    warnings: list[CaseShape]
    history: list[EventShape]


class PaymentPage(_Shape):
    """List payments, newest first; `next` is the cursor of the page behind, where there is one."""

    payments: list[PaymentFacts]
    next: str | None


class SwitchShape(_Shape):
    """Show who switched a branch, when and why."""

    at: str
    by: str
    on: bool
    reason: str


class RegisterShape(_Shape):
    """Show a register; `heard_at` is when a till last answered or reported there."""

    register_number: str = Field(alias="register")
    name: str
    heard_at: str | None


class RegisterList(_Shape):
    """List a branch's registers."""

    registers: list[RegisterShape]


class BranchShape(_Shape):
    """Show a branch; `name` is what people call it."""

    branch: str
    name: str
    register_server: str
    on: bool
    switched: SwitchShape | None
    registers: list[RegisterShape]


class BranchList(_Shape):
    """List branches."""

    branches: list[BranchShape]


class VersionShape(_Shape):
    """Show a version of the product map without its text."""

    version: int
    at: str
    by: str
    origin: str


class VersionList(_Shape):
    """List versions, newest first."""

    versions: list[VersionShape]


class ProductMapShape(VersionShape):
    """Show a version of the product map with its text."""

    text: str


class TransactionShape(_Shape):
    """Show a payment as Koha bug 15654 does; `borrowernumber` is the text of an id that is no number."""

    transaction_id: str
    borrowernumber: int | str
    status: Literal["unsent", "pending", "processing", "paid", "cancelled"]
    timestamp: str
    description: str
    price_in_cents: int


class RefusalShape(_Shape):
    """Say why not, as the routes for tills do."""

    error: str
