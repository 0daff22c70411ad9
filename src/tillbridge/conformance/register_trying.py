# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that the checks of registers share: an order, a bell, a payment that is sent and finished."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from tillbridge.conformance.kit import need
from tillbridge.conformance.register_peer import RegisterPeer, Seen
from tillbridge.domain.money import Money
from tillbridge.service.register_port import (
    Answer,
    AtRegister,
    Order,
    Paid,
    Payer,
    Product,
    Register,
    Report,
    Verdict,
)

FEE = Product("1000", "Overdue charge", 250)
PAYER = Payer("Mäkinen", "Äijä", "21000777")


@dataclass(slots=True)
class Bell:
    """Be an `at_register` that counts, and may fail or stand still."""

    times: int = 0
    rung: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False
    hangs: bool = False

    async def __call__(self) -> None:
        """Note that the till has the order."""
        self.times += 1
        self.rung.set()
        if self.fails:
            raise RuntimeError("the kit fails here on purpose")
        if self.hangs:
            await asyncio.Event().wait()


def new_id() -> str:
    """Make an id in the bridge's own form."""
    return secrets.token_hex(12).upper()


def order_of(peer: RegisterPeer, products: Sequence[Product] = (FEE,), payment_id: str | None = None) -> Order:
    """Order some products at the peer's register."""
    total = Money(sum(product.price_minor for product in products), "EUR")
    return Order(payment_id or new_id(), peer.branch, peer.register, tuple(products), total)


async def sold(peer: RegisterPeer, register: Register, order: Order, bell: Bell | None = None) -> Answer:
    """Send an order, let the cashier take the money where the till has it, and return the answer."""
    sending = asyncio.create_task(register.send(order, bell or Bell()))
    there = asyncio.create_task(peer.until_has(order.payment_id))
    try:
        await asyncio.wait({sending, there}, return_when=asyncio.FIRST_COMPLETED)
        if there.done() and not there.cancelled() and there.exception() is None:
            await peer.pay(order.payment_id)
        return await sending
    finally:
        there.cancel()
        sending.cancel()
        await asyncio.gather(there, sending, return_exceptions=True)


async def told(peer: RegisterPeer, register: Register, order: Order) -> Answer | Verdict:
    """Sell, and return how it ended: by the answer, or by the report where the answer only says that it is there."""
    answer = await sold(peer, register, order)
    if not isinstance(answer, AtRegister):
        return answer
    await peer.pay(order.payment_id)
    return judged(register, await peer.reported(order.payment_id), order.branch)


def judged(register: Register, raw: bytes, branch: str) -> Verdict:
    """Read a report and judge it."""
    report = read(register, raw)
    return register.judge_report(report, branch)


def read(register: Register, raw: bytes) -> Report:
    """Read a report that must be readable."""
    report = register.read_report(raw)
    need(isinstance(report, Report), f"a good report is not read: {report}")
    assert isinstance(report, Report)  # noqa: S101 - needed a line above; the types do not know
    return report


async def arrived(peer: RegisterPeer, register: Register, order: Order) -> Seen:
    """Sell an order that must end paid, and return what the till had of it."""
    outcome = await told(peer, register, order)
    need(isinstance(outcome, Paid), f"it was to be paid, and is told as {short(outcome)}")
    return there(peer, order)


def there(peer: RegisterPeer, order: Order) -> Seen:
    """Return what the till has of an order that must be there."""
    seen = peer.seen(order.payment_id)
    need(seen is not None, "the order has not arrived at all")
    assert seen is not None  # noqa: S101 - needed a line above; the types do not know
    return seen


def short(fact: object) -> str:
    """Name a fact with its reason, without raw bytes."""
    why = getattr(fact, "why", "")
    return f"{type(fact).__name__}{f' ({why})' if why else ''}"
