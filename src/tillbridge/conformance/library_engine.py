# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a library system inside a real bridge: the counterparts of python-getpaid-core's durable suite.

The till is always paid here; what is looked at is whether the money is booked once, or stands on the list.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tillbridge.conformance.engine import Engine, engine_with
from tillbridge.conformance.kit import Durable, checks_of, durable_check, need
from tillbridge.conformance.library_peer import LibraryFault, LibraryPeer, Made, Need, Of
from tillbridge.conformance.library_trying import (
    ALL_OR_NOTHING,
    account,
    connected,
    credit_order,
    only_plain,
    recorded,
)
from tillbridge.conformance.stand_ins import PaidTill
from tillbridge.domain.lifecycle import Booking
from tillbridge.domain.payment import Payment
from tillbridge.service.library_port import LibrarySystem

CAPABILITY = "inside a real bridge"
_SURELY_ENDED_S = 700.0
"""Longer than any request may still run somewhere: from then on a miss is believed."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Hold a bridge with this library system, and a patron who owes 1.00 and 2.00."""

    peer: LibraryPeer
    library: LibrarySystem
    engine: Engine
    made: Made

    async def pay(self, *charge_ids: str) -> Payment:
        """Collect these charges (none: all) at the till, and do what follows."""
        payment = await self.engine.start(self.made.patron_id, charge_ids or self.made.charge_ids)
        await self.engine.work()
        return await self.engine.payment(payment.id)

    async def pay_with(self, fault: LibraryFault) -> Payment:
        """Collect all, with this fault when it is booked."""
        await self.library.ping()
        self.peer.lay(fault, Of.WRITING)
        return await self.pay()

    async def pay_and_block(self) -> Payment:
        """Collect all; it is recorded, not told, and taken back by a librarian before anybody looks: a person must."""
        if self.keyed:
            self.peer.lay(LibraryFault.NOT_UTF8, Of.CREDITS)
        payment = await self.pay_with(LibraryFault.ANSWER_LOST if self.keyed else LibraryFault.ERROR_UNAPPLIED)
        (kept,) = (await account(self.peer, self.made)).with_reference(payment.reference)
        await self.peer.void(kept.credit_id)
        await self.engine.work(after_s=2 * _SURELY_ENDED_S * 6)
        return await self.engine.payment(payment.id)

    @property
    def keyed(self) -> bool:
        """Tell whether an order may be sent again at any time."""
        return self.library.abilities.keyed

    @property
    def in_doubt(self) -> Sequence[Booking]:
        """Return how a booking stands that may be recorded or not: where there is a key, it is simply due again."""
        return (Booking.UNKNOWN, Booking.DUE) if self.keyed else (Booking.UNKNOWN,)

    def need_sent_once(self) -> None:
        """Need one request to record, where there is no key that would make another one harmless."""
        need(self.keyed or self.peer.writes() == 1, f"it was sent {self.peer.writes()} times")

    async def need_booked_once(self, payment: Payment, why: str) -> None:
        """Need one whole credit in the ledger, the payment booked, and nothing on the list."""
        now = await self.engine.payment(payment.id)
        need(now.booking is Booking.BOOKED, f"{why}: its booking is {now.booking}")
        kept = (await account(self.peer, self.made)).with_reference(payment.reference)
        need(len(kept) == 1, f"{why}: the ledger has {len(kept)} credits")
        need(not await self.engine.cases(), f"{why}: it is still on the list")

    async def need_on_list(self, payment: Payment, kind: str) -> None:
        """Need the payment among the open cases, as this kind."""
        cases = [(case.payment_id, str(case.kind)) for case in await self.engine.cases()]
        need(cases == [(payment.id, kind)], f"the open cases are {cases}")


async def charges_that_shrank_get_no_more_than_they_owe(peer: LibraryPeer) -> None:
    """What was paid elsewhere while the till collected is not paid again: the rest is a case, and spills nowhere."""
    async with _desk(peer) as desk:
        payment = await desk.engine.start(desk.made.patron_id, desk.made.charge_ids[:1])
        await recorded(
            desk.library, await credit_order(peer, desk.library, desk.made, "0.40", desk.made.charge_ids[:1])
        )
        await desk.engine.work()
        owed = (await account(peer, desk.made)).owed
        need(owed == {desk.made.charge_ids[1]: Decimal("2.00")}, f"there is owed {owed}")
        await desk.need_on_list(payment, "surplus")


async def a_void_credit_is_not_booked_again(peer: LibraryPeer) -> None:
    """A credit that was recorded and taken back by a librarian is asked about, and not recorded anew."""
    peer.takes(Need.FAULTS)
    async with _desk(peer) as desk:
        payment = await desk.pay_and_block()
        need(not (await account(peer, desk.made)).with_reference(payment.reference), "it was booked again")
        need(payment.booking is Booking.BLOCKED, f"it does not wait for a person: its booking is {payment.booking}")


async def a_lost_answer_books_once(peer: LibraryPeer) -> None:
    """A credit whose answer was lost is found, and not recorded twice."""
    peer.takes(Need.FAULTS)
    async with _desk(peer) as desk:
        payment = await desk.pay_with(LibraryFault.ANSWER_LOST)
        await desk.engine.work(after_s=_SURELY_ENDED_S)
        await desk.need_booked_once(payment, "after a lost answer")
        desk.need_sent_once()


async def two_payments_of_one_patron_are_both_booked(peer: LibraryPeer) -> None:
    """Two payments of one patron that are booked at once are two credits, each on its own charge."""
    async with _desk(peer) as desk:
        payments = [await desk.engine.start(desk.made.patron_id, [each]) for each in desk.made.charge_ids]
        await asyncio.gather(desk.engine.work(), desk.engine.work())
        await desk.engine.work(after_s=5)
        for payment in payments:
            await desk.need_booked_once(payment, "of two")
        need(not (await account(peer, desk.made)).owed, "there is something left")


async def a_booking_in_doubt_is_looked_up(peer: LibraryPeer) -> None:
    """A booking that was cut off is in doubt, stays pending, and is recorded once a miss can be believed."""
    peer.takes(Need.FAULTS)
    async with _desk(peer) as desk:
        payment = await desk.pay_with(LibraryFault.CUT_READ)
        need(payment.booking in desk.in_doubt, f"its booking is {payment.booking}")
        need(await desk.engine.pending(), "nothing will ever look at it again")
        need(peer.writes() == 1, "it was sent again while the first request may still run")
        await desk.engine.work(after_s=_SURELY_ENDED_S)
        await desk.engine.work(after_s=_SURELY_ENDED_S)
        await desk.need_booked_once(payment, "after a doubt")


async def an_unapplied_credit_is_on_the_list(peer: LibraryPeer) -> None:
    """A credit that pays nothing is not taken for booked: it stands on the list."""
    peer.takes(Need.FAULTS)
    async with _desk(peer) as desk:
        only_plain(desk.library, ALL_OR_NOTHING)
        await desk.need_on_list(await desk.pay_with(LibraryFault.UNAPPLIED), "not_applied")


async def a_claimed_charge_blocks_another_payment(peer: LibraryPeer) -> None:
    """While a booking is in doubt its charges cannot be collected again."""
    peer.takes(Need.FAULTS)
    async with _desk(peer) as desk:
        await desk.pay_with(LibraryFault.CUT_READ)
        code = await desk.engine.declined(desk.made.patron_id, desk.made.charge_ids)
        need(code == "claimed", f"a second payment is answered {code or 'with yes'}")


async def another_reference_settles_nothing(peer: LibraryPeer) -> None:
    """A credit with nearly the payment's reference, or at another patron, is not taken for the payment's own."""
    peer.takes(Need.FAULTS)
    async with _desk(peer) as desk:
        payment = await desk.pay_with(LibraryFault.CUT_READ)
        for other in (payment.reference.swapcase(), f"{payment.reference}0", f"x{payment.reference}"):
            extra = await peer.charge(desk.made.patron_id, "3.00")
            await recorded(desk.library, await credit_order(peer, desk.library, desk.made, "3.00", [extra], other))
        await desk.engine.work()
        now = (await desk.engine.payment(payment.id)).booking
        need(now in desk.in_doubt, f"it is settled by another's credit: its booking is {now}")
        await desk.engine.work(after_s=_SURELY_ENDED_S)
        await desk.engine.work(after_s=_SURELY_ENDED_S)
        await desk.need_booked_once(payment, "beside others")


async def an_unreadable_answer_settles_nothing(peer: LibraryPeer) -> None:
    """A look-up that cannot be read neither books nor frees: the next one that can be read decides."""
    peer.takes(Need.FAULTS)
    async with _desk(peer) as desk:
        await desk.library.ping()
        peer.lay(LibraryFault.ANSWER_LOST, Of.WRITING)
        peer.lay(LibraryFault.NOT_UTF8, Of.CREDITS)
        payment = await desk.pay()
        need(payment.booking in desk.in_doubt, f"its booking is {payment.booking}")
        for _ in range(3):
            await desk.engine.work(after_s=60)
        await desk.need_booked_once(payment, "after an unreadable answer")
        desk.need_sent_once()


async def a_blocked_booking_sends_nothing(peer: LibraryPeer) -> None:
    """While a person must act, time alone sends nothing more to the library system."""
    peer.takes(Need.FAULTS)
    async with _desk(peer) as desk:
        await desk.pay_and_block()
        sent = peer.writes()
        for _ in range(3):
            await desk.engine.work(after_s=_SURELY_ENDED_S * 6)
        need(peer.writes() == sent, f"it was sent {peer.writes()} times, and {sent} before")
        desk.need_sent_once()
        code = await desk.engine.declined(desk.made.patron_id, desk.made.charge_ids)
        need(code == "claimed", f"a second payment is answered {code or 'with yes'}")


async def out_of_service_is_waited_for(peer: LibraryPeer) -> None:
    """A library system that is away for a while gets its credit later, once."""
    peer.takes(Need.FAULTS)
    async with _desk(peer) as desk:
        payment = await desk.engine.start(desk.made.patron_id, desk.made.charge_ids)
        peer.lay(LibraryFault.NOT_NOW, Of.WRITING if desk.keyed else Of.CHARGES, 4)
        await desk.engine.work()
        for _ in range(6):
            await desk.engine.work(after_s=_SURELY_ENDED_S)
        await desk.need_booked_once(payment, "after a while")


@contextlib.asynccontextmanager
async def _desk(peer: LibraryPeer) -> AsyncIterator[Desk]:
    library, made = await connected(peer), await peer.patron(("1.00", "2.00"))
    async with engine_with(PaidTill(), library, peer.branch, "10") as engine:
        yield Desk(peer, library, engine, made)


CHECKS = (
    durable_check(CAPABILITY, Durable.STALE_OPERATION, charges_that_shrank_get_no_more_than_they_owe),
    durable_check(CAPABILITY, Durable.DOUBLE_CAPTURE, a_void_credit_is_not_booked_again),
    durable_check(CAPABILITY, Durable.DUPLICATE_EVENT, a_lost_answer_books_once),
    durable_check(CAPABILITY, Durable.DISTINCT_EVENTS, two_payments_of_one_patron_are_both_booked),
    durable_check(CAPABILITY, Durable.UNRESOLVED_DISCOVERABLE, a_booking_in_doubt_is_looked_up),
    durable_check(CAPABILITY, Durable.RECONCILIATION_ENUMERABLE, an_unapplied_credit_is_on_the_list),
    durable_check(CAPABILITY, Durable.OUTSTANDING_BLOCKS, a_claimed_charge_blocks_another_payment),
    durable_check(CAPABILITY, Durable.FORGED_REPLAY, another_reference_settles_nothing),
    durable_check(CAPABILITY, Durable.MALFORMED_ATOMIC, an_unreadable_answer_settles_nothing),
    durable_check(CAPABILITY, Durable.RECONCILIATION_BLOCKS, a_blocked_booking_sends_nothing),
    *checks_of(CAPABILITY, out_of_service_is_waited_for),
)
