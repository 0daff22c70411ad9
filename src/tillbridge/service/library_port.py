# SPDX-License-Identifier: GPL-3.0-or-later
"""The port to a library system: what an adapter is asked, and the facts that it may answer.

An adapter returns facts and writes no state. It is one folder, found by the entry point group
``tillbridge.libraries``: a module with ``Settings`` (a pydantic model) and ``connect(settings, surroundings)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tillbridge.service.checking_port import LibraryChecks


@dataclass(frozen=True, slots=True)
class Patron:
    """Name a patron as the library system knows them; `restricted` where a payment will not lift a restriction."""

    patron_id: str
    card_number: str
    surname: str
    firstname: str
    restricted: bool = False


class Effect(StrEnum):
    """Name what the library system may do with an item by itself when its charge is paid in full."""

    MAY_RENEW = "may_renew"
    MAY_RETURN = "may_return"


@dataclass(frozen=True, slots=True)
class Charge:
    """Describe one open debt; `owed` is the library system's exact decimal, which may have fractions of a cent."""

    charge_id: str
    patron_id: str
    debit_type: str
    description: str
    owed: Decimal
    date: str = ""
    effect: Effect | None = None


@dataclass(frozen=True, slots=True)
class NoSuchPatron:
    """State that the library system knows no such patron (any more)."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """State that the library system could not be asked, and why, in plain words."""

    why: str


@dataclass(frozen=True, slots=True)
class CreditOrder:
    """Ask for one credit of `amount` (exact) on `charge_ids` (in the library system's own order).

    `note` ends with `reference`, which finds the credit again.
    """

    patron_id: str
    branch: str
    charge_ids: tuple[str, ...]
    amount: Decimal
    reference: str
    note: str


@dataclass(frozen=True, slots=True)
class Credit:
    """Describe a credit as the library system has it; `unapplied` is what no charge has absorbed."""

    credit_id: str
    reference: str
    amount: Decimal
    unapplied: Decimal
    void: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """State that the library system answered with the credit that it recorded."""

    credit: Credit


@dataclass(frozen=True, slots=True)
class NotRecorded:
    """State with proof that nothing was recorded; `again` tells whether trying again can help."""

    why: str
    again: bool
    patron_gone: bool = False


@dataclass(frozen=True, slots=True)
class MaybeRecorded:
    """State that no one knows whether the credit was recorded: it must be looked up.

    `ended` is true only where the library system itself answered an error, so that the request runs no more.
    """

    why: str
    ended: bool


BookingAnswer = Recorded | NotRecorded | MaybeRecorded


class LibrarySystem(Protocol):
    """Talk to one library system.

    All methods may be called by many payments at once, and never raise for what the network or the library
    system does.
    """

    write_limit_s: float
    """The longest time that `record` may take."""

    currency: str

    @property
    def checks(self) -> LibraryChecks:
        """Return what can be looked at before the first customer."""
        ...

    async def patron_by_card(self, card_number: str) -> Patron | NoSuchPatron | Unavailable:
        """Find the one patron with exactly this card number."""
        ...

    async def patrons_by_name(self, text: str, limit: int) -> tuple[Patron, ...] | Unavailable:
        """Find patrons whose first name or surname begins with each of these words.

        At most `limit`, ordered by surname and first name; none where the text is no name to look for.
        """
        ...

    async def patron(self, patron_id: str) -> Patron | NoSuchPatron | Unavailable:
        """Read a patron by the library system's own id."""
        ...

    async def open_charges(self, patron_id: str) -> tuple[Charge, ...] | NoSuchPatron | Unavailable:
        """List the patron's open charges in the order in which the library system itself pays them off."""
        ...

    async def record(self, order: CreditOrder) -> BookingAnswer:
        """Record one credit; called once for each reference unless it is proven that nothing was recorded."""
        ...

    async def credits_of(
        self, patron_id: str, payment_reference: str
    ) -> tuple[Credit, ...] | NoSuchPatron | Unavailable:
        """Find every credit, void or not, whose reference is `payment_reference` or it with ``:n`` behind it.

        Compares exactly: same letter case, nothing before or behind.
        """
        ...

    async def ping(self) -> str | None:
        """Return None when the library system can be reached and lets us in, else why not."""
        ...

    async def close(self) -> None:
        """Release every connection."""
        ...
