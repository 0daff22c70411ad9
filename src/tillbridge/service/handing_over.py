# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a hand-over from the library system's own page: once, for the librarian it names, and for one payment."""

from __future__ import annotations

from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.hand_over_port import HandOver
from tillbridge.service.librarians import Librarian, admitted
from tillbridge.service.people import Door, SignedIn
from tillbridge.service.people_port import Deed, DeedKind, Person
from tillbridge.service.ports import World
from tillbridge.service.starting import Beside
from tillbridge.service.store_port import Transaction

LASTING_S = 300.0
"""How long after it was taken a hand-over may still begin its payment: nobody comes back to a desk after that."""


async def redeem(
    door: Door, librarian: Librarian, branch: str, hand_over: HandOver, until: float, source: str
) -> SignedIn | None:
    """Sign the librarian in and keep what was handed over; None where it was taken before, by whomever.

    `hand_over` names no person yet. Raise Declined where the account is switched off. The session ends at `until`.
    """
    now = door.clock.now()

    def work(tx: Transaction) -> SignedIn | None:
        if tx.hand_over(hand_over.id) is not None:
            return None
        tx.erase_hand_overs(now - LASTING_S)
        person = admitted(tx, now, librarian, branch)
        kept = HandOver(hand_over.id, now, person.id, hand_over.content)
        return door.begin(tx, person, until, source=source, origin=person.origin) if tx.add_hand_over(kept) else None

    return await door.store.write(work)


def usable(hand_over: HandOver | None, person: Person, now: float) -> HandOver:
    """Return a hand-over that may still begin its payment; raise Declined for any other, and for somebody else's."""
    if hand_over is None or hand_over.person_id != person.id:
        raise Declined("no_such_hand_over", "There is no such hand-over for you.")
    if not hand_over.content or now > hand_over.at + LASTING_S:
        raise Declined("hand_over_over", "This was handed over too long ago.")
    return hand_over


class BegunBefore(Exception):  # noqa: N818 - it leads to that payment's page
    """Say that this hand-over has begun a payment already."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(payment_id)
        self.payment_id = payment_id


class OfHandOver(Beside):
    """Begin one payment for a hand-over, whoever presses how often."""

    def __init__(self, world: World, person: Person, hand_over_id: str) -> None:
        self._world, self._person, self._id = world, person, hand_over_id

    def before(self, tx: Transaction) -> None:
        """Stop where a payment has begun already, or its time is over."""
        held = tx.hand_over(self._id)
        if held is not None and held.payment_id is not None:
            raise BegunBefore(held.payment_id)
        usable(held, self._person, self._world.clock.now())

    def after(self, tx: Transaction, payment: Payment) -> None:
        """Keep which payment it was, and who did it."""
        tx.end_hand_over(self._id, payment.id)
        now = self._world.clock.now()
        tx.record_deed(Deed(now, self._person.id, DeedKind.PAYMENT_STARTED, {"payment": payment.id}))
