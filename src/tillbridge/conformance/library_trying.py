# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that the checks of library systems share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tillbridge.conformance.kit import Skipped, need
from tillbridge.conformance.library_peer import Booked, LibraryPeer, Made
from tillbridge.conformance.register_peer import Situation
from tillbridge.domain.payment import REFERENCE_PREFIX
from tillbridge.service.library_port import BookingAnswer, Charge, Credit, CreditOrder, LibrarySystem, Patron, Recorded
from tillbridge.service.store_port import CreditState, StoredCredit
from tillbridge.service.weighing import shares as shares_of

ALL_OR_NOTHING = "this library system records a credit on its charges, or not at all"

Owed = Mapping[str, Decimal]


def new_reference() -> str:
    """Make a reference in the bridge's own form."""
    return REFERENCE_PREFIX + secrets.token_hex(12).upper()


async def connected(peer: LibraryPeer, situation: Situation = Situation.USUAL) -> LibrarySystem:
    """Connect an adapter anew, and let it learn what its library system can do, as the bridge does at its start."""
    library = peer.connect(situation)
    await library.learn()
    return library


async def credit_order(
    peer: LibraryPeer,
    library: LibrarySystem,
    made: Made,
    amount: str,
    charge_ids: Sequence[str] | None = None,
    reference: str = "",
) -> CreditOrder:
    """Order a credit on a patron's charges as the bridge would, by what the adapter has learnt.

    The note is as the bridge writes it. Where lines are exact, each charge gets its share in the order given, and
    those that would get nothing are left out.
    """
    reference = reference or new_reference()
    order = CreditOrder(
        patron_id=made.patron_id,
        branch=peer.branch,
        charge_ids=tuple(made.charge_ids if charge_ids is None else charge_ids),
        amount=Decimal(amount),
        reference=reference,
        note=f"Cash register 10, clerk kit, receipt K000777 {reference}",
        keyed=library.abilities.keyed,
    )
    return with_shares(order, await peer.owed(made.patron_id)) if library.abilities.exact_lines else order


def with_shares(order: CreditOrder, owed: Owed) -> CreditOrder:
    """Say how much each charge gets, as the bridge does: the first ones all that they owe, the last one the rest."""
    asked = StoredCredit(0, order.charge_ids, order.amount, owed, CreditState.SENT)
    shares = shares_of(asked)
    return replace(order, shares=shares, charge_ids=tuple(shares))


def on_charges(order: CreditOrder, shares: Mapping[str, str]) -> CreditOrder:
    """Order a credit of just these shares instead."""
    exact = {charge_id: Decimal(share) for charge_id, share in shares.items()}
    return replace(order, charge_ids=tuple(exact), shares=exact, amount=sum(exact.values(), Decimal(0)))


def only_plain(library: LibrarySystem, why: str) -> None:
    """Skip what only a library system without keys and exact lines does."""
    if library.abilities.keyed:
        raise Skipped(why)


def only_where(able: bool, what: str) -> None:
    """Skip what this library system cannot do."""
    if not able:
        raise Skipped(f"this library system {what}")


@dataclass(frozen=True, slots=True)
class Account:
    """Hold what a ledger itself says: what is owed on each open charge, and the credits."""

    owed: dict[str, Decimal]
    booked: Sequence[Booked]

    def with_reference(self, reference: str) -> list[Booked]:
        """Return the credits whose note ends with the reference."""
        return [each for each in self.booked if each.note.split()[-1:] == [reference]]


async def account(peer: LibraryPeer, made: Made) -> Account:
    """Read the ledger."""
    return Account(dict(await peer.owed(made.patron_id)), await peer.booked(made.patron_id))


async def need_unchanged(peer: LibraryPeer, made: Made, before: Account, why: str) -> None:
    """Need the ledger to be as it was."""
    now = await account(peer, made)
    need(now == before, f"{why}: the ledger was {before} and is {now}")


async def recorded(library: LibrarySystem, order: CreditOrder) -> Credit:
    """Record a credit that must be recorded, and return it."""
    answer = await library.record(order)
    need(isinstance(answer, Recorded), f"it was to be recorded, and is told as {short(answer)}")
    assert isinstance(answer, Recorded)  # noqa: S101 - needed a line above; the types do not know
    return answer.credit


async def found(library: LibrarySystem, patron_id: str, reference: str) -> tuple[Credit, ...]:
    """Look credits up that the library system must be able to list."""
    credits_ = await library.credits_of(patron_id, reference)
    need(isinstance(credits_, tuple), f"they were to be listed, and are told as {short(credits_)}")
    assert isinstance(credits_, tuple)  # noqa: S101 - needed a line above; the types do not know
    return credits_


async def charges(library: LibrarySystem, patron_id: str) -> tuple[Charge, ...]:
    """List charges that the library system must be able to list."""
    listed = await library.open_charges(patron_id)
    need(isinstance(listed, tuple), f"they were to be listed, and are told as {short(listed)}")
    assert isinstance(listed, tuple)  # noqa: S101 - needed a line above; the types do not know
    return listed


def same_patron(told: object, made: Made) -> bool:
    """Tell whether the adapter tells the patron that was made."""
    facts = (made.patron_id, made.card_number, made.surname, made.firstname)
    return isinstance(told, Patron) and (told.patron_id, told.card_number, told.surname, told.firstname) == facts


def short(fact: BookingAnswer | object) -> str:
    """Name a fact with its reason."""
    why = getattr(fact, "why", "")
    return f"{type(fact).__name__}{f' ({why})' if why else ''}"
