# SPDX-License-Identifier: GPL-3.0-or-later
"""The port to a library system: what an adapter is asked, and the facts that it may answer.

An adapter returns facts and writes no state. It is one folder, found by the entry point group
``tillbridge.libraries``: a module with ``Settings`` (a pydantic model) and ``connect(settings, surroundings)``. Where
the library system's own pages can lead to the bridge, it has ``pages(settings, surroundings)`` too (`library_pages`).
"""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Abilities:
    """Say what a library system can do beyond the least, as far as its adapter knows: the least unless it says more.

    `exact_lines`: a credit lands on the charges that it is ordered for with just these amounts, or nowhere at all.
    `unique_key`: an order whose reference is known already is answered with what was recorded, and records nothing.
    `reversal`: a credit can be taken back. `refund`: money of a credit can be given back, charge by charge.
    `names_staff`: the books show who did it, and at which of the library system's registers.
    Reversals and refunds are known by their references too.
    """

    exact_lines: bool = False
    unique_key: bool = False
    reversal: bool = False
    refund: bool = False
    names_staff: bool = False

    @property
    def keyed(self) -> bool:
        """Tell whether an order needs no reading before, and may be sent again at any time."""
        return self.exact_lines and self.unique_key


class Effect(StrEnum):
    """Name what the library system did besides when a charge was paid in full, or may have done."""

    MAY_RENEW = "may_renew"
    MAY_RETURN = "may_return"
    RENEWED = "renewed"
    RENEWAL_REFUSED = "renewal_refused"
    RETURNED = "returned"
    RECEIPT_SENT = "receipt_sent"


GUESSES = frozenset({Effect.MAY_RENEW, Effect.MAY_RETURN})
"""What is only known as long as nobody tells what was done."""


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

    `note` ends with `reference`, which finds the credit again. `shares` is how much of it each charge shall get.
    `staff_id` and `register_id` are the library system's own. `keyed` relies on the abilities `exact_lines` and
    `unique_key`: where they are not there any more, nothing may be recorded.
    """

    patron_id: str
    branch: str
    charge_ids: tuple[str, ...]
    amount: Decimal
    reference: str
    note: str
    shares: Mapping[str, Decimal] | None = None
    staff_id: str | None = None
    register_id: str | None = None
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class ReversalOrder:
    """Ask for the credit with the reference `booking` to be taken back; `reference` is the reversal's own."""

    patron_id: str
    branch: str
    booking: str
    reference: str
    reason: str
    staff_id: str | None = None
    register_id: str | None = None


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Ask for money of the credit with the reference `booking` to be given back: `shares` by charge, exact."""

    patron_id: str
    branch: str
    booking: str
    reference: str
    shares: Mapping[str, Decimal]
    reason: str
    staff_id: str | None = None
    register_id: str | None = None


@dataclass(frozen=True, slots=True)
class Credit:
    """Describe a credit as the library system has it; `unapplied` is what no charge has absorbed.

    `lines` is what each charge got of it, where the library system tells.
    """

    credit_id: str
    reference: str
    amount: Decimal
    unapplied: Decimal
    void: bool
    lines: Mapping[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """State that the library system answered with the credit that it recorded, now or under this key before.

    `effects` is what it did besides; None where it does not tell.
    """

    credit: Credit
    effects: frozenset[Effect] | None = None


@dataclass(frozen=True, slots=True)
class Reversed:
    """State that the credit is void; `by_hand` where a librarian had taken it back before."""

    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Refunded:
    """State that the money is given back in the library system's books, with the ids of what it has of it."""

    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotRecorded:
    """State with proof that nothing was recorded; `again` tells whether trying again can help.

    `owed` is what the charges owe now (one that is not open any more: nothing), where that is the reason.
    `absent`: there is no such credit to take back or to give back from.
    """

    why: str
    again: bool
    patron_gone: bool = False
    owed: Mapping[str, Decimal] | None = None
    absent: bool = False


@dataclass(frozen=True, slots=True)
class MaybeRecorded:
    """State that no one knows whether it was recorded: it must be looked up, or asked for again under its key.

    `ended` is true only where the library system itself answered an error, so that the request runs no more.
    """

    why: str
    ended: bool


BookingAnswer = Recorded | NotRecorded | MaybeRecorded
ReversalAnswer = Reversed | NotRecorded | MaybeRecorded
RefundAnswer = Refunded | NotRecorded | MaybeRecorded


class PlainLibrary:
    """Be inherited by an adapter that can do the least: it takes nothing back and has no key."""

    abilities: Abilities = Abilities()

    async def learn(self) -> Abilities:
        """Return the same always."""
        return self.abilities

    async def reverse(self, order: ReversalOrder) -> ReversalAnswer:  # noqa: ARG002 - the port's
        """Refuse: nobody asks for what is not among the abilities."""
        return NotRecorded("this library system takes nothing back", again=False)

    async def refund(self, order: RefundOrder) -> RefundAnswer:  # noqa: ARG002 - the port's
        """Refuse: nobody asks for what is not among the abilities."""
        return NotRecorded("this library system gives nothing back", again=False)


class LibrarySystem(Protocol):
    """Talk to one library system.

    All methods may be called by many payments at once, and never raise for what the network or the library
    system does.
    """

    write_limit_s: float
    """The longest time that `record`, `reverse` or `refund` may take."""

    currency: str

    @property
    def abilities(self) -> Abilities:
        """Return what it can do, as far as is known without asking."""
        ...

    async def learn(self) -> Abilities:
        """Return what it can do now: asked if not answered a moment ago; the last known where nobody answers."""
        ...

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
        """Record one credit.

        Called once for each reference, unless it is proven that nothing was recorded, or the order is keyed.
        """
        ...

    async def reverse(self, order: ReversalOrder) -> ReversalAnswer:
        """Take a credit back whole, once for its reference."""
        ...

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money of a credit back, once for its reference, and never more than was booked less what was given."""
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
