# SPDX-License-Identifier: GPL-3.0-or-later
"""Send a payment to its till, once, and take the answer; whatever is not proof is an unknown outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tillbridge.domain.lifecycle import Collection, Heard
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.collecting import Collecting, News
from tillbridge.service.insisting import insist
from tillbridge.service.lease import Lease
from tillbridge.service.library_port import Unavailable
from tillbridge.service.ports import World
from tillbridge.service.register_port import (
    Answer,
    AtRegister,
    Cancelled,
    NeverSent,
    NoOutcome,
    Order,
    Paid,
    Product,
    Refused,
    Register,
)
from tillbridge.service.store_port import CaseKind, Message, Task, TaskKind, Transaction

HANG_MARGIN_S = 20.0
"""How far beyond its own limit an adapter is waited for; longer than storing a fact may be insisted upon."""


class Sending:
    """Do the tasks that wait for the till: send, the limit of waiting, and the question to a person."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def send(self, task: Task, lease: Lease) -> None:
        """Send the payment to its till and store what became of it.

        The state `sending` is stored before the first byte. A payment that is found half-way is never sent again:
        its request died with the process that held it, and no one knows what the till has.
        """
        if not self._may_send(lease):
            return  # Another process may be sending it by now: what became of the payment is not ours to say.
        if await self._changed_meanwhile(task):
            return
        order = await self._world.store.write(lambda tx: self._begin(tx, task))
        self._world.notifier.changed()
        if order is None:
            return
        register = self._world.registers[order[0]]
        if not self._may_send(lease):
            answer: Answer = NeverSent("the process was paused before it could send")
        else:
            answer = await _send(register, order[1], lambda: self._reached(task.payment_id))
        await self.take_answer(task, answer)

    def _may_send(self, lease: Lease) -> bool:
        return lease.good_for(self._world.limits.send_margin_s, self._world.clock.now())

    async def _changed_meanwhile(self, task: Task) -> bool:
        """Read the charges again where the first reading is not fresh any more; nothing is sent for changed ones."""
        payment = await self._world.store.read(lambda tx: tx.payment(task.payment_id))
        if payment is None or payment.collection is not Collection.CREATED:
            return False
        now, limits = self._world.clock.now(), self._world.limits
        if now <= payment.created_at + limits.fresh_s or now > payment.created_at + limits.reach_s:
            return False
        charges = await self._world.library.open_charges(payment.patron_id)
        if isinstance(charges, Unavailable):
            await self._world.store.write(
                lambda tx: tx.postpone_task(task, now + limits.reach_again_s, task.attempt + 1)
            )
            return True
        owed = {charge.charge_id: charge.owed for charge in charges} if isinstance(charges, tuple) else {}
        if all(owed.get(line.charge_id) == line.owed for line in payment.lines):
            return False
        await self._world.store.write(lambda tx: self._give_up(tx, task, "the charges have changed meanwhile"))
        self._world.notifier.changed()
        return True

    def _give_up(self, tx: Transaction, task: Task, why: str) -> None:
        payment = tx.payment(task.payment_id)
        if payment is not None and payment.collection is Collection.CREATED:
            self._collecting(tx).hear(payment, News(Heard.GIVEN_UP, "bridge", "library", why))
        tx.finish_task(task)

    async def take_answer(self, task: Task, answer: Answer) -> None:
        """Store the answer with its raw bytes and let it count like a report."""

        def store(tx: Transaction) -> None:
            payment = tx.payment(task.payment_id)
            assert payment is not None  # noqa: S101 - payments are never deleted
            self._hear_answer(tx, payment, task, answer)

        await insist(lambda: self._world.store.write(store))
        self._world.notifier.changed()

    async def limit(self, task: Task, lease: Lease) -> None:
        """End the waiting for a report that does not come."""
        del lease

        def store(tx: Transaction) -> None:
            payment = tx.payment(task.payment_id)
            if payment is not None and payment.collection is Collection.AT_REGISTER:
                news = News(Heard.LOST, "bridge", "time", "no report came in time")
                self._collecting(tx).hear(payment, news)
            tx.finish_task(task)

        await self._world.store.write(store)
        self._world.notifier.changed()

    async def ask(self, task: Task, lease: Lease) -> None:
        """Put a payment whose outcome stays unknown on the list of open cases."""
        del lease

        def store(tx: Transaction) -> None:
            payment = tx.payment(task.payment_id)
            if payment is not None and payment.collection is Collection.UNKNOWN:
                self._collecting(tx).open_case(payment, CaseKind.UNKNOWN_OUTCOME, {})
            tx.finish_task(task)

        await self._world.store.write(store)
        self._world.notifier.changed()

    def _begin(self, tx: Transaction, task: Task) -> tuple[str, Order] | None:
        payment = tx.payment(task.payment_id)
        collecting = self._collecting(tx)
        if payment is None or payment.collection not in (
            Collection.CREATED,
            Collection.SENDING,
            Collection.AT_REGISTER,
        ):
            tx.finish_task(task)
            return None
        if payment.collection is not Collection.CREATED:
            why = "the bridge stopped while the till had the payment"
            collecting.hear(payment, News(Heard.LOST, "bridge", "restart", why))
            return None
        if self._world.clock.now() > payment.created_at + self._world.limits.reach_s:
            why = "the register server could not be reached in time"
            collecting.hear(payment, News(Heard.GIVEN_UP, "bridge", "time", why))
            return None
        collecting.hear(payment, News(Heard.SEND, "bridge", "task"))
        return payment.register_server, _order(tx, payment)

    async def _reached(self, payment_id: str) -> None:
        def store(tx: Transaction) -> None:
            payment = tx.payment(payment_id)
            if payment is not None and payment.collection is Collection.SENDING:
                self._collecting(tx).hear(payment, News(Heard.REACHED, "bridge", "request", "the request is held"))

        await insist(lambda: self._world.store.write(store))
        self._world.notifier.changed()

    def _hear_answer(self, tx: Transaction, payment: Payment, task: Task, answer: Answer) -> None:
        collecting, now = self._collecting(tx), self._world.clock.now()
        if not isinstance(answer, NeverSent) and answer.raw:
            tx.keep_message(Message(now, "answer", type(answer).__name__, answer.raw, payment.id))
        match answer:
            case NeverSent(why):
                self._not_sent(tx, payment, task, why)
            case AtRegister():
                if payment.collection is Collection.SENDING:
                    payment, _ = collecting.hear(payment, News(Heard.REACHED, "till", "answer"))
                self._wait_for_report(tx, payment)
            case Paid(receipt, total):
                news = News(Heard.TILL_PAID, "till", "answer", receipt_number=receipt, sum_minor=total)
                collecting.hear(payment, news)
            case Cancelled():
                collecting.hear(payment, News(Heard.TILL_CANCELLED, "till", "answer"))
            case Refused(why):
                collecting.hear(payment, News(Heard.TILL_REFUSED, "till", "answer", why))
            case NoOutcome(why):  # the last case
                collecting.hear(payment, News(Heard.LOST, "bridge", "answer", why))
        if not isinstance(answer, NeverSent):
            tx.finish_task(task)

    def _wait_for_report(self, tx: Transaction, payment: Payment) -> None:
        if payment.collection is Collection.AT_REGISTER:
            tx.drop_tasks(payment.id, TaskKind.SEND)
            tx.add_task(payment.id, TaskKind.LIMIT, self._world.clock.now() + self._world.limits.at_register_s)

    def _not_sent(self, tx: Transaction, payment: Payment, task: Task, why: str) -> None:
        collecting, now = self._collecting(tx), self._world.clock.now()
        back, _ = collecting.hear(payment, News(Heard.NEVER_SENT, "bridge", "connection", why))
        if back.collection is not Collection.CREATED:
            tx.finish_task(task)
        elif back.cancel_wished:
            collecting.hear(back, News(Heard.GIVEN_UP, "bridge", "cancel", "cancelled before anything was sent"))
        else:
            tx.postpone_task(task, now + self._world.limits.reach_again_s, task.attempt + 1)

    def _collecting(self, tx: Transaction) -> Collecting:
        return Collecting(tx, self._world.clock.now(), self._world)


async def _send(register: Register, order: Order, at_register: Callable[[], Awaitable[None]]) -> Answer:
    try:
        async with asyncio.timeout(register.answer_limit_s + HANG_MARGIN_S):
            return await register.send(order, at_register)
    except Exception as fault:  # noqa: BLE001 - whatever an adapter does wrong, the till may have the payment
        return NoOutcome(f"the adapter failed: {type(fault).__name__}")


def _order(tx: Transaction, payment: Payment) -> Order:
    products = tuple(Product(line.product_code, line.description, line.amount_minor) for line in payment.lines)
    return Order(
        payment_id=payment.id,
        branch=payment.branch,
        register=payment.register,
        products=products,
        total=payment.total,
        payer=tx.payer(payment.id),
    )


async def wish_to_cancel(world: World, payment_id: str, clerk: str) -> Payment:
    """Cancel a payment of which nothing was sent; later, store the wish: only the till can cancel then.

    Raises Declined for a payment that nobody knows or whose outcome is decided.
    """

    def store(tx: Transaction) -> Payment:
        payment = tx.payment(payment_id)
        if payment is None:
            raise Declined("no_such_payment", "There is no such payment.")
        if not payment.undecided:
            raise Declined("decided", f"This payment is {payment.collection} already.", {"payment": payment_id})
        now = world.clock.now()
        if payment.collection is Collection.CREATED:
            news = News(Heard.GIVEN_UP, clerk, "cancel", "cancelled before anything was sent")
            return Collecting(tx, now, world).hear(payment, news)[0]
        tx.append_event(payment_id, now, clerk, "cancel_wished", {})
        return tx.save(replace(payment, cancel_wished=True))

    payment = await world.store.write(store)
    world.notifier.changed()
    return payment
