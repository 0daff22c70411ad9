# SPDX-License-Identifier: GPL-3.0-or-later
"""Book a collected payment in the library system: once, whole, on its own charges, or say why a person must act."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from tillbridge.domain.lifecycle import AT_REST, Booking
from tillbridge.domain.payment import Payment, without_references
from tillbridge.service.collecting import LATE, Collecting
from tillbridge.service.insisting import insist
from tillbridge.service.lease import Lease
from tillbridge.service.library_port import (
    BookingAnswer,
    Credit,
    CreditOrder,
    MaybeRecorded,
    NoSuchPatron,
    NotRecorded,
    Recorded,
    Unavailable,
)
from tillbridge.service.looking import LookingAgain
from tillbridge.service.planning import Owed, is_sent_again, surely_ended_at
from tillbridge.service.ports import World
from tillbridge.service.settling import SETTLED_THERE, Settling
from tillbridge.service.store_port import CaseKind, StoredCredit, Task, TaskKind, Transaction
from tillbridge.service.weighing import LOOKED_FOR, Wrong, may_spill, reference_of, shares

MOST_CHANGES = 3
"""How often a booking is planned anew at once, since the library system says that the charges have changed."""


class Way(Enum):
    """Say how a booking begins."""

    UNREAD = "nothing went out before, and the library system compares the charges itself"
    AGAIN = "no one knows what became of it, and the library system knows it by its key"
    READ = "the library system is read before anything is sent"


@dataclass(frozen=True, slots=True)
class _Begun:
    """Hold a payment that is to be booked; `repeat` where something went out for it before."""

    payment: Payment
    way: Way
    repeat: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """Hold a credit that was asked for; `again` where an earlier request for it is still in doubt."""

    credit: StoredCredit
    again: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """Hold what the library system showed at `asked_at`: the payment's credits and what its patron owes."""

    asked_at: float
    credits: tuple[Credit, ...]
    owed: Owed


class Booker:
    """Do the tasks that concern the library system: book, and look up."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def book(self, task: Task, lease: Lease) -> None:
        """Book a payment that is due.

        Under the patron's lock the charges are read again, the plan is made against what they owe right now, and
        `booking` is stored before the request goes out. A payment found in `booking` died on its way: look it up.
        Where the library system compares the charges itself, and knows what it has by a key, nothing is read.
        """
        keyed = await self._keyed()
        begun = await self._world.store.write(lambda tx: self._begin(tx, task, keyed=keyed))
        if begun is None:
            return
        seen = await self._before(begun)
        if isinstance(seen, NoSuchPatron | Unavailable):
            await self._not_seen(task, lease, begun.payment, seen)
        elif not self._may_write(lease):
            await self._later(task, lease)
        else:
            await self._book(task, lease, begun, seen, keyed=keyed)
        self._world.notifier.changed()

    async def _keyed(self) -> bool:
        try:
            return (await self._world.library.learn()).keyed
        except Exception:  # noqa: BLE001 - whatever an adapter does wrong, the least is sure
            return False

    async def _before(self, begun: _Begun) -> _Seen | NoSuchPatron | Unavailable | None:
        """Read what must be known before anything is sent; None where nothing must."""
        if begun.way is not Way.READ:
            return None
        seen = await self._see(begun.payment, credits_too=begun.repeat, charges_too=True)
        if isinstance(seen, _Seen) and not begun.repeat and _changed(begun.payment, seen.owed):
            # After a restored backup the bridge does not know what it did: the library system does.
            return await self._see(begun.payment, credits_too=True, charges_too=True)
        return seen

    async def look_up(self, task: Task, lease: Lease) -> None:
        """Ask the library system what became of a booking in doubt, or of a case that is settled there."""
        payment = await self._world.store.write(lambda tx: self._asked_about(tx, task))
        if payment is None:
            return
        seen = await self._see(payment, credits_too=True, charges_too=False)
        if isinstance(seen, _Seen):
            await self._world.store.write(lambda tx: self._looked(tx, task, payment, seen))
        else:
            await self._not_seen(task, lease, payment, seen)
        self._world.notifier.changed()

    def _begin(self, tx: Transaction, task: Task, *, keyed: bool) -> _Begun | None:
        payment = tx.payment(task.payment_id)
        if payment is not None and payment.booking is Booking.DUE:
            if tx.lock_patron(payment):
                earlier = [credit for credit in tx.credits(payment.id) if credit.state in LOOKED_FOR]
                return _Begun(payment, self._way(earlier, keyed=keyed), repeat=bool(earlier))
            tx.postpone_task(task, self._world.clock.now() + self._world.limits.patron_busy_s, task.attempt)
        elif payment is not None and payment.booking is Booking.BOOKING:
            stopped = MaybeRecorded("the bridge stopped while it was booking", ended=False)
            Settling(tx, self._world, task, payment).doubt(stopped)
        else:
            tx.finish_task(task)
        return None

    def _way(self, earlier: Sequence[StoredCredit], *, keyed: bool) -> Way:
        """Say how to begin: what may still be under way is sent again as it was, until that has surely ended."""
        if keyed and not earlier:
            return Way.UNREAD
        now, running_s = self._world.clock.now(), self._world.limits.surely_ended_s
        if keyed and is_sent_again(earlier) and now < surely_ended_at(earlier, running_s):
            return Way.AGAIN
        return Way.READ

    def _asked_about(self, tx: Transaction, task: Task) -> Payment | None:
        payment = tx.payment(task.payment_id)
        if payment is not None and payment.booking is Booking.REVERSAL_DUE and self._world.library.abilities.reversal:
            # It could not be told to when the case was opened: it can now.
            tx.add_task(payment.id, TaskKind.REVERSE, self._world.clock.now())
        elif payment is not None and payment.booking in (Booking.UNKNOWN, *SETTLED_THERE, *AT_REST):
            return payment
        tx.finish_task(task)
        return None

    async def watch(self, task: Task, lease: Lease) -> None:
        """Put a payment that is collected and still not booked on the list."""
        del lease

        def store(tx: Transaction) -> None:
            payment = tx.payment(task.payment_id)
            if payment is not None and payment.booking in LATE:
                Collecting(tx, self._world.clock.now(), self._world).open_case(payment, CaseKind.NOT_BOOKED, {})
            tx.finish_task(task)

        await self._world.store.write(store)
        self._world.notifier.changed()

    async def _see(
        self, payment: Payment, *, credits_too: bool, charges_too: bool
    ) -> _Seen | NoSuchPatron | Unavailable:
        """Read the credits where something was sent before, and the charges where they will matter."""
        try:
            return await self._read(payment, credits_too=credits_too, charges_too=charges_too)
        except Exception as fault:  # noqa: BLE001 - whatever an adapter does wrong, it is tried again and listed
            return Unavailable(f"the adapter failed: {type(fault).__name__}")

    async def _read(
        self, payment: Payment, *, credits_too: bool, charges_too: bool
    ) -> _Seen | NoSuchPatron | Unavailable:
        asked_at = self._world.clock.now()
        found: tuple[Credit, ...] | NoSuchPatron | Unavailable = ()
        if credits_too:
            found = await self._world.library.credits_of(payment.patron_id, payment.reference)
        if not isinstance(found, tuple):
            return found
        if not charges_too and all(credit.lines is not None for credit in found):
            return _Seen(asked_at, found, {})
        charges = await self._world.library.open_charges(payment.patron_id)
        if not isinstance(charges, tuple):
            return charges
        return _Seen(asked_at, found, {charge.charge_id: charge.owed for charge in charges})

    async def _book(self, task: Task, lease: Lease, begun: _Begun, seen: _Seen | None, *, keyed: bool) -> None:
        following = await self._world.store.write(lambda tx: self._plan(tx, task, begun, seen, keyed=keyed))
        changes, again = 0, begun.way is Way.AGAIN
        while following is not None and self._may_write(lease):
            answer = await self._record(begun.payment, following)
            changes += isinstance(answer, NotRecorded) and answer.owed is not None
            if isinstance(answer, NotRecorded) and changes > MOST_CHANGES:
                answer = replace(answer, owed=None)
            owed = await self._owed_after(begun.payment, following) if isinstance(answer, Recorded) else None
            following = await self._keep(task, _Asked(following, again=again), answer, owed)
            again = False

    def _plan(
        self, tx: Transaction, task: Task, begun: _Begun, seen: _Seen | None, *, keyed: bool
    ) -> StoredCredit | None:
        payment = self._unmoved(tx, task, begun.payment)
        if payment is None:
            return None
        settling = Settling(tx, self._world, task, payment, keyed=keyed)
        if seen is not None:
            return settling.start(seen.credits, seen.owed, seen.asked_at)
        return settling.send_again() if begun.way is Way.AGAIN else settling.start_unread()

    async def _record(self, payment: Payment, credit: StoredCredit) -> BookingAnswer:
        try:
            async with asyncio.timeout(self._world.library.write_limit_s + self._world.limits.write_hang_s):
                return await self._world.library.record(_credit_order(payment, credit))
        except Exception as fault:  # noqa: BLE001 - whatever an adapter does wrong, the credit may be there
            return MaybeRecorded(f"the adapter failed: {type(fault).__name__}", ended=False)

    async def _owed_after(self, payment: Payment, asked: StoredCredit) -> Owed | None:
        """Read the charges once more where the credit could have spilled over to others."""
        if not may_spill(asked):
            return None
        seen = await self._see(payment, credits_too=False, charges_too=True)
        return seen.owed if isinstance(seen, _Seen) else None

    async def _keep(self, task: Task, asked: _Asked, answer: BookingAnswer, owed: Owed | None) -> StoredCredit | None:
        return await insist(lambda: self._world.store.write(lambda tx: self._answered(tx, task, asked, answer, owed)))

    def _answered(
        self, tx: Transaction, task: Task, asked: _Asked, answer: BookingAnswer, owed: Owed | None
    ) -> StoredCredit | None:
        payment = _payment(tx, task)
        settling = Settling(tx, self._world, task, payment, keyed=asked.credit.keyed)
        if payment.booking is not Booking.BOOKING or asked.credit not in tx.credits(payment.id):
            # Another process took this for a stopped one, and has gone on by itself.
            settling.overtaken(asked.credit, answer)
            return None
        match answer:
            case Recorded():
                return settling.recorded(asked.credit, answer, owed)
            case NotRecorded():
                return settling.not_recorded(asked.credit, answer, again=asked.again)
            case MaybeRecorded():  # the last case
                settling.doubt(answer)
        return None

    def _looked(self, tx: Transaction, task: Task, begun: Payment, seen: _Seen) -> None:
        payment = self._unmoved(tx, task, begun)
        if payment is None:
            return
        if payment.booking is not Booking.UNKNOWN:
            LookingAgain(tx, self._world, task, payment).look_at_case(seen.credits, seen.owed, seen.asked_at)
            return
        settling = Settling(tx, self._world, task, payment)
        if settling.adopt(seen.credits, seen.owed):
            settling.let_go()
        else:
            settling.missed(seen.asked_at)

    def _unmoved(self, tx: Transaction, task: Task, begun: Payment) -> Payment | None:
        """Return the payment where it is still as it was before the library system was asked, and ours to book.

        What was read answers a question about the old one otherwise: the task begins anew.
        """
        payment = tx.payment(begun.id)
        unmoved = payment is not None and payment.version == begun.version
        if unmoved and (begun.booking is not Booking.DUE or tx.lock_patron(begun)):
            return payment
        tx.postpone_task(task, self._world.clock.now(), task.attempt)
        return None

    async def _not_seen(self, task: Task, lease: Lease, begun: Payment, answer: NoSuchPatron | Unavailable) -> None:
        if isinstance(answer, NoSuchPatron):
            await self._world.store.write(lambda tx: self._patron_gone(tx, task, begun))
        else:
            await self._later(task, lease)

    def _patron_gone(self, tx: Transaction, task: Task, begun: Payment) -> None:
        payment = self._unmoved(tx, task, begun)
        if payment is None:
            return
        settling = Settling(tx, self._world, task, payment)
        if payment.booking in (Booking.DUE, Booking.UNKNOWN):
            settling.block(Wrong(CaseKind.PATRON_GONE, {}))
        settling.let_go()

    async def _later(self, task: Task, lease: Lease) -> None:
        """Try again after a pause; a booking that was never sent lets the patron's other payments go first.

        Whose lease is over leaves the patron locked: another process may be at work under that lock.
        """
        ours = lease.good_for(0.0, self._world.clock.now())

        def store(tx: Transaction) -> None:
            payment = _payment(tx, task)
            pause = Settling(tx, self._world, task, payment).pause()
            tx.postpone_task(task, self._world.clock.now() + pause, task.attempt + 1)
            if ours and payment.booking is Booking.DUE:
                tx.unlock_patron(payment, self._world.clock.now())

        await self._world.store.write(store)

    def _may_write(self, lease: Lease) -> bool:
        needed_s = self._world.library.write_limit_s + self._world.limits.write_margin_s
        return lease.good_for(needed_s, self._world.clock.now())


def _payment(tx: Transaction, task: Task) -> Payment:
    payment = tx.payment(task.payment_id)
    assert payment is not None  # noqa: S101 - it was there when the task began, and no payment is ever deleted
    return payment


def _changed(payment: Payment, owed: Owed) -> bool:
    return any(owed.get(line.charge_id) != line.owed for line in payment.lines)


def _credit_order(payment: Payment, credit: StoredCredit) -> CreditOrder:
    reference = reference_of(payment, credit.n)
    readable = f"Cash register {payment.register}, clerk {payment.clerk}"
    if payment.receipt_number:
        readable += f", receipt {payment.receipt_number}"
    return CreditOrder(
        patron_id=payment.patron_id,
        branch=payment.branch,
        charge_ids=credit.charge_ids,
        amount=credit.amount,
        reference=reference,
        note=f"{without_references(readable)} {reference}",
        shares=shares(credit),
        staff_id=payment.library_staff_id,
        register_id=payment.library_register_id,
        keyed=credit.keyed,
    )
