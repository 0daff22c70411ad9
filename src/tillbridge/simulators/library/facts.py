# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo library knows: patrons, account lines, offsets, and what was asked of it.

Amounts are exact decimals with at most six places; a debit is positive, a credit negative (dossier 1.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class LedgerError(Exception):
    """Be the root of what the ledger says no with."""


class CrashError(LedgerError):
    """State that Koha would answer 500 here; what was stored before stays stored."""


class MissingError(LedgerError):
    """State that there is no such patron or line."""


class NotPossibleError(LedgerError):
    """State that a correction by hand makes no sense, and why."""


RECORD, REFUND, PAYOUT = "updatecharges:remaining_permissions", "updatecharges:refund", "updatecharges:payout"
EVERY_STAFF_RIGHT = frozenset({RECORD, REFUND, PAYOUT})
STAFF = "S"


class Side(StrEnum):
    """Tell a debt from a payment."""

    DEBIT = "debit"
    CREDIT = "credit"


class OffsetKind(StrEnum):
    """Say why an offset exists; a void writes the negative of what it takes back."""

    CREATE = "CREATE"
    GROW = "GROW"
    APPLY = "APPLY"
    VOID = "VOID"


@dataclass(frozen=True, slots=True)
class Patron:
    """Describe a patron; `category_id` is ``S`` for staff; `restricted` is a restriction that no payment lifts.

    `rights` are what a member of staff may do to accounts; they say nothing of anyone else.
    """

    patron_id: int
    cardnumber: str
    surname: str
    firstname: str
    library_id: str
    category_id: str
    userid: str
    updated_on: datetime
    restricted: bool = False
    rights: frozenset[str] = EVERY_STAFF_RIGHT


@dataclass(frozen=True, slots=True)
class Line:
    """Describe one account line; `outstanding` is what is still owed (or, negative, still to be spent)."""

    line_id: int
    patron_id: int | None
    side: Side
    type: str
    amount: Decimal
    outstanding: Decimal
    date: datetime
    timestamp: datetime
    description: str = ""
    note: str = ""
    status: str | None = None
    payment_type: str | None = None
    library_id: str | None = None
    interface: str = "intranet"
    user_id: int | None = None
    register_id: int | None = None
    payout_type: str | None = None
    credit_number: str | None = None

    @property
    def is_credit(self) -> bool:
        """Tell whether the line is a credit."""
        return self.side is Side.CREDIT


@dataclass(frozen=True, slots=True)
class Offset:
    """State that `credit_id` changed `debit_id` by `amount`; one of them is None where a line was made or grew."""

    credit_id: int | None
    debit_id: int | None
    amount: Decimal
    kind: OffsetKind


@dataclass(frozen=True, slots=True)
class CreditOrder:
    """Ask for one credit; `line_ids` None or empty means every open debt, in id order."""

    amount: Decimal
    credit_type: str = "PAYMENT"
    line_ids: tuple[int, ...] | None = None
    library_id: str | None = None
    payment_type: str | None = None
    description: str = ""
    note: str = ""
    date: date | None = None
    register_id: int | None = None


@dataclass(frozen=True, slots=True)
class PayoutOrder:
    """Say how a refund is paid out, where, and by whom."""

    payout_type: str
    library_id: str
    register_id: int | None
    user_id: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class ChargeOrder:
    """Ask for one debt; `line_id` is only named to rebuild a known state."""

    amount: Decimal
    type: str
    description: str = ""
    status: str | None = None
    library_id: str | None = "CPL"
    note: str = ""
    interface: str = "intranet"
    user_id: int | None = 1
    line_id: int | None = None


@dataclass(frozen=True, slots=True)
class PatronOrder:
    """Ask for one patron; `patron_id` is only named to rebuild a known state."""

    cardnumber: str
    surname: str
    firstname: str = ""
    library_id: str = "CPL"
    category_id: str = "PT"
    userid: str | None = None
    patron_id: int | None = None
    restricted: bool = False
    rights: frozenset[str] = EVERY_STAFF_RIGHT


class Renewal(StrEnum):
    """Say what happens to an item that is still out when its overdue charge is paid in full."""

    NEVER = "never"
    RENEWED = "renewed"
    REFUSED = "refused"


@dataclass(slots=True)
class Rules:
    """Hold the switches of Koha's administration that change what a credit does (dossier 1.7 and 4.1).

    `renewal`, `lost_paid_returns`, `email_receipts` and `credit_numbers` only matter to what the plugin records.
    """

    use_cash_registers: bool = True
    require_payment_type: bool = False
    renewal: Renewal = Renewal.NEVER
    lost_paid_returns: bool = False
    email_receipts: bool = False
    credit_numbers: bool = False
