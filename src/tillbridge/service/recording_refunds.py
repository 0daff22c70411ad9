# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell the library system of money that the till has given back: once, under a reference of its own.

`recording` is stored before the request goes out. After an unclear answer it is asked for again under the same
reference, which the library system knows: that is the look-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from tillbridge.domain.lifecycle import RefundState, RefundStep
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund, RefundLine
from tillbridge.service.collecting import Collecting
from tillbridge.service.insisting import insist
from tillbridge.service.lease import Lease
from tillbridge.service.library_port import MaybeRecorded, NotRecorded, RefundAnswer, Refunded, RefundOrder
from tillbridge.service.ports import World
from tillbridge.service.refund_steps import open_refund, take_step
from tillbridge.service.store_port import CaseKind, Task, Transaction
from tillbridge.service.weighing import reference_of

_TOLD = (RefundState.DUE, RefundState.UNKNOWN)
"""Refunds of which the library system is to be told, once more perhaps."""


@dataclass(frozen=True, slots=True)
class _Told:
    """State that the library system has all of it, with its ids."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _NotTold:
    """State that it was not told, or not all of it, and why; nothing has gone out where it is `unasked`."""

    why: str
    unasked: bool = False


_Outcome = _Told | _NotTold | NotRecorded | MaybeRecorded


class Recorder:
    """Do the task that tells the library system of money that was given back, and asks where nobody says so."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def refund(self, task: Task, lease: Lease) -> None:
        """Record a refund that is due, or put one on the list that nobody has decided."""
        able = await self._able()
        begun = await self._world.store.write(lambda tx: self._begin(tx, task))
        if begun is not None:
            outcome = await self._tell(lease, *begun, able=able)
            await insist(lambda: self._world.store.write(lambda tx: self._end(tx, task, lease, outcome)))
        self._world.notifier.changed()

    async def _able(self) -> bool:
        try:
            return (await self._world.library.learn()).refund
        except Exception:  # noqa: BLE001 - whatever an adapter does wrong, the least is sure
            return False

    def _begin(self, tx: Transaction, task: Task) -> tuple[Payment, Refund] | None:
        payment, refund = tx.payment(task.payment_id), open_refund(tx, task.payment_id)
        if payment is None or refund is None or refund.state is RefundState.BLOCKED:
            tx.finish_task(task)
            return None
        if refund.state is RefundState.ASKED:
            self._ask(tx, task, payment, refund)
            return None
        if refund.state is RefundState.RECORDING:
            # It died on its way: whether the library system has it shows when it is told again.
            why = {"why": "the bridge stopped while it was recording it"}
            refund = take_step(tx, self._now(), refund, RefundStep.UNCLEAR, "library", why)
        if not tx.lock_patron(payment):
            self._list_late(tx, payment, refund, "another payment of the patron is being booked")
            tx.postpone_task(task, self._now() + self._world.limits.patron_busy_s, task.attempt)
            return None
        return payment, refund

    def _ask(self, tx: Transaction, task: Task, payment: Payment, refund: Refund) -> None:
        """Put it on the list that nobody has said whether the money was given back."""
        ask_at = refund.asked_at + self._world.limits.ask_s
        if self._now() < ask_at:
            tx.postpone_task(task, ask_at, task.attempt)
            return
        facts = {"refund": refund.n, "total_minor": refund.total.minor, "register": refund.register}
        Collecting(tx, self._now(), self._world).open_case(payment, CaseKind.REFUND_UNDECIDED, facts)
        tx.finish_task(task)

    async def _tell(self, lease: Lease, payment: Payment, refund: Refund, *, able: bool) -> _Outcome:
        if not able:
            return _NotTold("the library system cannot be told to", unasked=True)
        if not self._may_write(lease):
            return _NotTold("the bridge was paused before it could ask", unasked=True)
        if not await self._world.store.write(lambda tx: self._start(tx, lease, refund)):
            return _NotTold("something happened meanwhile", unasked=True)
        ids: list[str] = []
        for order in _orders(payment, refund):
            if not self._may_write(lease):
                return _NotTold("the bridge was paused before it could ask for all of it")
            answer = await self._record(order)
            if not isinstance(answer, Refunded):
                return answer
            ids += answer.ids
        return _Told(tuple(ids))

    def _start(self, tx: Transaction, lease: Lease, begun: Refund) -> bool:
        payment, refund = tx.payment(begun.payment_id), open_refund(tx, begun.payment_id)
        # Whoever slept until the lease was over has no task any more that would go on from here.
        if payment is None or refund != begun or not self._may_write(lease) or not tx.lock_patron(payment):
            return False
        take_step(tx, self._now(), refund, RefundStep.START, "library", {})
        return True

    async def _record(self, order: RefundOrder) -> RefundAnswer:
        try:
            async with asyncio.timeout(self._world.library.write_limit_s + self._world.limits.write_hang_s):
                return await self._world.library.refund(order)
        except Exception as fault:  # noqa: BLE001 - whatever an adapter does wrong, the library system may have it
            return MaybeRecorded(f"the adapter failed: {type(fault).__name__}", ended=False)

    def _end(self, tx: Transaction, task: Task, lease: Lease, outcome: _Outcome) -> None:
        payment, refund = tx.payment(task.payment_id), open_refund(tx, task.payment_id)
        assert payment is not None  # noqa: S101 - it was there when the task began, and no payment is ever deleted
        if refund is None or refund.state not in (*_TOLD, RefundState.RECORDING):
            tx.finish_task(task)
        elif isinstance(outcome, _NotTold) and outcome.unasked:
            self._again(tx, task, payment, refund, outcome.why)
        elif refund.state is RefundState.RECORDING:
            self._answered(tx, task, payment, refund, outcome)
        else:
            # Another process took this for a stopped one, and goes on: it tells the same, under the same reference.
            tx.postpone_task(task, self._now(), task.attempt)
        if lease.good_for(0.0, self._now()):
            tx.unlock_patron(payment, self._now())

    def _answered(self, tx: Transaction, task: Task, payment: Payment, refund: Refund, outcome: _Outcome) -> None:
        now = self._now()
        match outcome:
            case _Told(ids):
                take_step(tx, now, refund, RefundStep.CONFIRMED, "library", {"ids": list(ids)})
                tx.finish_task(task)
            case NotRecorded(why, again=False):
                take_step(tx, now, refund, RefundStep.BLOCK, "library", {"why": why})
                self._list(tx, payment, refund, why)
                tx.finish_task(task)
            case NotRecorded(why) | _NotTold(why):
                due = take_step(tx, now, refund, RefundStep.ABSENT, "library", {"why": why})
                self._again(tx, task, payment, due, why)
            case MaybeRecorded(why):  # the last case
                unknown = take_step(tx, now, refund, RefundStep.UNCLEAR, "library", {"why": why})
                self._again(tx, task, payment, unknown, why)

    def _again(self, tx: Transaction, task: Task, payment: Payment, refund: Refund, why: str) -> None:
        """Tell it again after a pause; what lasts too long is put on the list meanwhile."""
        self._list_late(tx, payment, refund, why)
        pauses = self._world.limits.booking_again_s
        tx.postpone_task(task, self._now() + pauses[min(task.attempt, len(pauses) - 1)], task.attempt + 1)

    def _list_late(self, tx: Transaction, payment: Payment, refund: Refund, why: str) -> None:
        if self._now() > (refund.given_back_at or 0.0) + self._world.limits.late_s:
            self._list(tx, payment, refund, why)

    def _list(self, tx: Transaction, payment: Payment, refund: Refund, why: str) -> None:
        facts = {"refund": refund.n, "total_minor": refund.total.minor, "why": why}
        Collecting(tx, self._now(), self._world).open_case(payment, CaseKind.REFUND_NOT_RECORDED, facts)

    def _may_write(self, lease: Lease) -> bool:
        needed_s = self._world.library.write_limit_s + self._world.limits.write_margin_s
        return lease.good_for(needed_s, self._now())

    def _now(self) -> float:
        return self._world.clock.now()


def _orders(payment: Payment, refund: Refund) -> Sequence[RefundOrder]:
    """Make an order for each of the payment's credits that the refund takes from: each has its own reference."""
    in_order = sorted(refund.lines, key=lambda line: line.credit_n)
    parts = groupby(in_order, key=lambda line: line.credit_n)
    return [_order(payment, refund, credit_n, tuple(lines)) for credit_n, lines in parts]


def _order(payment: Payment, refund: Refund, credit_n: int, lines: Sequence[RefundLine]) -> RefundOrder:
    booking = reference_of(payment, credit_n)
    return RefundOrder(
        patron_id=payment.patron_id,
        branch=refund.branch,
        booking=booking,
        reference=f"{booking}:refund:{refund.n}",
        shares={line.charge_id: line.exact for line in lines},
        reason=refund.reason_with_receipt,
        staff_id=refund.library_staff_id,
        register_id=refund.library_register_id,
    )
