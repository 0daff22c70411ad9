# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a booking back in the library system, where that can be told to; else a person does it, and the void is seen.

What is there is looked for first: one credit or several, what no one knows of, and what a librarian has taken back
already. A reversal is known by its reference, so that asking again after an unclear answer is harmless.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tillbridge.domain.lifecycle import Booking, Done
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund
from tillbridge.service.collecting import Collecting
from tillbridge.service.insisting import insist
from tillbridge.service.lease import Lease
from tillbridge.service.library_port import (
    Credit,
    MaybeRecorded,
    NotRecorded,
    ReversalAnswer,
    ReversalOrder,
    Reversed,
)
from tillbridge.service.planning import surely_ended_at
from tillbridge.service.ports import World
from tillbridge.service.store_port import CreditState, StoredCredit, Task, TaskKind, Transaction
from tillbridge.service.weighing import reference_of

REASON = "the till took the money back"
NO_WAY = "the library system cannot be told to"

_RETURNED = f"booking_{Done.RETURNED_BOOKED}"


def reversal_reference(booking_reference: str) -> str:
    """Return the reference of a credit's reversal."""
    return f"{booking_reference}:reversal"


@dataclass(frozen=True, slots=True)
class _Again:
    """Say that it is not done, and why; `by_hand` where asking again does not help."""

    why: str
    by_hand: bool = False


def _given_back(tx: Transaction, payment: Payment) -> Refund | None:
    """Return the refund that a person has given the whole payment back by; none where the till said it by itself."""
    given = [each for each in tx.refunds_of(payment.id) if each.owed_again and each.receipt_number is not None]
    return given[-1] if given else None


def _order(payment: Payment, refund: Refund | None, booking: str) -> ReversalOrder:
    """Order a credit's reversal, where it is known in the name of who gave the money back, not of who took it."""
    done = refund or payment
    return ReversalOrder(
        patron_id=payment.patron_id,
        branch=done.branch,
        booking=booking,
        reference=reversal_reference(booking),
        reason=refund.reason_with_receipt if refund else REASON,
        staff_id=done.library_staff_id,
        register_id=done.library_register_id,
    )


class Reverser:
    """Do the task that takes a booking back."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def reverse(self, task: Task, lease: Lease) -> None:
        """Take a booking back that must be: look, store `reversing`, ask, and believe only a clear answer."""
        able = await self._able()
        payment = await self._world.store.write(lambda tx: self._begin(tx, task, lease))
        if payment is None:
            return
        outcome = await self._taken_back(lease, payment) if able else _Again(NO_WAY, by_hand=True)
        await insist(lambda: self._world.store.write(lambda tx: self._end(tx, task, lease, outcome)))
        self._world.notifier.changed()

    async def _able(self) -> bool:
        try:
            return (await self._world.library.learn()).reversal
        except Exception:  # noqa: BLE001 - whatever an adapter does wrong, the least is sure
            return False

    def _begin(self, tx: Transaction, task: Task, lease: Lease) -> Payment | None:
        if not lease.good_for(0.0, self._now()):
            # Another process has gone on by now, and would not know that the patron is locked once more.
            return None
        payment = tx.payment(task.payment_id)
        if payment is not None and payment.booking is Booking.REVERSING:
            # It died on its way. What became of it shows when it is looked for.
            why = {"why": "the bridge stopped while it was taking it back"}
            payment = Collecting(tx, self._now(), self._world).advance(payment, Done.REVERSAL_UNCLEAR, "library", why)
        if payment is None or payment.booking is not Booking.REVERSAL_DUE:
            tx.finish_task(task)
            return None
        if not tx.lock_patron(payment):
            tx.postpone_task(task, self._now() + self._world.limits.patron_busy_s, task.attempt)
            return None
        return payment

    async def _taken_back(self, lease: Lease, payment: Payment) -> _Again | Sequence[str]:
        """Take back what there is; return the references that are, or why it is not done."""
        found = await self._find(payment)
        if isinstance(found, _Again):
            return found
        valid = [credit.reference for credit in found if not credit.void]
        if any(often > 1 for often in Counter(valid).values()):
            return _Again("the library system has more than one credit of the payment", by_hand=True)
        if valid and not await self._world.store.write(lambda tx: self._start(tx, lease, payment, valid)):
            return _Again("something happened meanwhile")
        refund = await self._world.store.read(lambda tx: _given_back(tx, payment)) if valid else None
        for reference in valid:
            if not self._may_write(lease):
                return _Again("the bridge was paused before it could ask")
            answer = await self._ask(_order(payment, refund, reference))
            if not isinstance(answer, Reversed):
                return _not_done(answer)
        return [credit.reference for credit in found]

    async def _find(self, payment: Payment) -> tuple[Credit, ...] | _Again:
        try:
            found = await self._world.library.credits_of(payment.patron_id, payment.reference)
        except Exception as fault:  # noqa: BLE001 - whatever an adapter does wrong, it is tried again and listed
            return _Again(f"the adapter failed: {type(fault).__name__}")
        if isinstance(found, tuple):
            return found
        return _Again(getattr(found, "why", "the library system does not know the patron"))

    def _start(self, tx: Transaction, lease: Lease, begun: Payment, valid: Sequence[str]) -> bool:
        payment = tx.payment(begun.id)
        # Whoever slept until the lease was over has no task any more that would go on from here.
        ours = payment is not None and payment.version == begun.version and self._may_write(lease)
        if payment is None or not ours or not tx.lock_patron(payment):
            return False
        collecting = Collecting(tx, self._now(), self._world)
        collecting.advance(payment, Done.REVERSAL_STARTED, "library", {"references": list(valid)})
        return True

    async def _ask(self, order: ReversalOrder) -> ReversalAnswer:
        try:
            async with asyncio.timeout(self._world.library.write_limit_s + self._world.limits.write_hang_s):
                return await self._world.library.reverse(order)
        except Exception as fault:  # noqa: BLE001 - whatever an adapter does wrong, the credit may be void
            return MaybeRecorded(f"the adapter failed: {type(fault).__name__}", ended=False)

    def _end(self, tx: Transaction, task: Task, lease: Lease, outcome: _Again | Sequence[str]) -> None:
        payment = tx.payment(task.payment_id)
        assert payment is not None  # noqa: S101 - it was there when the task began, and no payment is ever deleted
        collecting = Collecting(tx, self._now(), self._world)
        if payment.booking not in (Booking.REVERSAL_DUE, Booking.REVERSING):
            tx.finish_task(task)
        elif isinstance(outcome, _Again):
            self._again(tx, task, lease, _due(collecting, payment, outcome.why), outcome)
        else:
            self._seen(tx, task, lease, payment, outcome)
        if lease.good_for(0.0, self._now()):
            # Whose lease is over leaves the patron locked: another process may be at work under that lock.
            tx.unlock_patron(payment, self._now())

    def _seen(self, tx: Transaction, task: Task, lease: Lease, payment: Payment, references: Sequence[str]) -> None:
        """Take it that nothing of the payment stands any more, unless something is missing or may still arrive."""
        credits_, collecting = tx.credits(payment.id), Collecting(tx, self._now(), self._world)
        unseen = [credit for credit in credits_ if reference_of(payment, credit.n) not in references]
        ended_at = surely_ended_at(unseen, self._world.limits.surely_ended_s)
        if any(credit.state is CreditState.BOOKED for credit in unseen):
            missing = _Again("a credit that was booked is not there", by_hand=True)
            self._again(tx, task, lease, _due(collecting, payment, missing.why), missing)
        elif self._now() < ended_at:
            self._wait(tx, task, lease, _due(collecting, payment, "a credit may still arrive"), ended_at)
        else:
            for credit in credits_:
                if reference_of(payment, credit.n) in references:
                    tx.put_credit(payment.id, replace(credit, state=CreditState.VOIDED))
            collecting.reversal_seen(payment, {})
            self._look_later(tx, payment, credits_)
            tx.finish_task(task)

    def _look_later(self, tx: Transaction, payment: Payment, credits_: Sequence[StoredCredit]) -> None:
        """Look once more where a second credit of a number that was booked may still come: none may stand unseen."""
        ended_at = surely_ended_at(credits_, self._world.limits.surely_ended_s)
        if self._now() < ended_at:
            tx.add_task(payment.id, TaskKind.LOOK_UP, ended_at)

    def _again(self, tx: Transaction, task: Task, lease: Lease, payment: Payment, again: _Again) -> None:
        collecting, limits = Collecting(tx, self._now(), self._world), self._world.limits
        if again.by_hand:
            collecting.ask_for_void(payment, again.why)
            tx.finish_task(task)
            return
        if self._now() > _since(tx, payment) + limits.late_s:
            collecting.ask_for_void(payment, again.why)
        pauses = limits.booking_again_s
        self._wait(tx, task, lease, payment, self._now() + pauses[min(task.attempt, len(pauses) - 1)])

    def _wait(self, tx: Transaction, task: Task, lease: Lease, payment: Payment, until: float) -> None:
        tx.postpone_task(task, until, task.attempt + 1)
        if lease.good_for(0.0, self._now()):
            # To be looked at here, not there: both would do the same.
            tx.drop_tasks(payment.id, TaskKind.LOOK_UP)

    def _may_write(self, lease: Lease) -> bool:
        needed_s = self._world.library.write_limit_s + self._world.limits.write_margin_s
        return lease.good_for(needed_s, self._now())

    def _now(self) -> float:
        return self._world.clock.now()


def _not_done(answer: NotRecorded | MaybeRecorded) -> _Again:
    if isinstance(answer, NotRecorded) and not answer.absent:
        return _Again(answer.why, by_hand=not answer.again)
    # What is not there any more shows when it is looked for again.
    return _Again(answer.why)


def _due(collecting: Collecting, payment: Payment, why: str) -> Payment:
    """Let a reversal that was begun be due again; one that was not is so already."""
    if payment.booking is Booking.REVERSING:
        return collecting.advance(payment, Done.REVERSAL_UNCLEAR, "library", {"why": why})
    return payment


def _since(tx: Transaction, payment: Payment) -> float:
    return max((event.at for event, _ in tx.history(payment.id) if event.kind == _RETURNED), default=0.0)
