# SPDX-License-Identifier: GPL-3.0-or-later
"""Give money of a booked payment back: asked for here, given back at the till, and then told to the library system.

No till is known that takes a refund from us (Ceepos has no message for it), so a person gives the money back at the
till and says so with the number of its receipt. Where the till reports that it took the whole payment back, that is
heard as always, and what was only asked for ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from tillbridge.domain.lifecycle import Booking, Collection, Heard, RefundState, RefundStep
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Left, Refund, RefundLine, left_of, refund_lines
from tillbridge.errors import Declined
from tillbridge.service.collecting import Collecting, News
from tillbridge.service.library_port import Abilities
from tillbridge.service.ports import World
from tillbridge.service.refund_steps import open_refund, take_step
from tillbridge.service.starting import Beside, need_fresh_receipt, nothing_beside
from tillbridge.service.store_port import CreditState, TaskKind, Transaction
from tillbridge.service.weighing import shares


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Ask for money to be given back: of some charges so many cents (None: all that is left of all of them).

    `branch` and `register` say where it is given back, None where it was taken. `owed_again` takes the whole payment
    back, so that its charges are owed again; else they stay paid off.
    """

    person: str
    reason: str
    amounts: tuple[tuple[str, int], ...] | None = None
    owed_again: bool = False
    branch: str | None = None
    register: str | None = None
    library_staff_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refundable:
    """Hold what a refund may be about, as the payment stands now: what is left, and what the library system can do."""

    left: dict[str, Left]
    whole: bool
    parts: bool

    @property
    def anything(self) -> bool:
        """Tell whether money can be given back at all."""
        return bool(self.left) and (self.whole or self.parts)


def refundable(tx: Transaction, abilities: Abilities, payment: Payment) -> Refundable:
    """Reckon what can be given back of a payment: nothing unless it is paid, booked, and no refund of it is open."""
    refunds = tx.refunds_of(payment.id)
    at_rest = payment.collection is Collection.PAID and payment.booking is Booking.BOOKED
    if not at_rest or any(refund.open for refund in refunds):
        return Refundable({}, whole=False, parts=False)
    booked: dict[str, tuple[Decimal, int]] = {}
    for credit in tx.credits(payment.id):
        if credit.state is CreditState.BOOKED:
            booked |= {charge_id: (share, credit.n) for charge_id, share in shares(credit).items()}
    untouched = not any(refund.counts for refund in refunds)
    return Refundable(left_of(booked, refunds), whole=abilities.reversal and untouched, parts=abilities.refund)


async def ask_refund(world: World, payment_id: str, request: RefundRequest, beside: Beside = nothing_beside) -> Refund:
    """Store that money is to be given back at the till, and who asks for it; raise Declined, with nothing stored."""
    _need_words(request.person, request.reason)
    abilities = await world.library.learn()

    def store(tx: Transaction) -> Refund:
        beside.before(tx)
        payment = _known(tx, payment_id)
        refund = _refund(tx, world, abilities, payment, request)
        tx.add_refund(refund)
        tx.append_event(payment.id, refund.asked_at, request.person, "refund_asked", _facts(refund))
        tx.add_task(payment.id, TaskKind.REFUND, refund.asked_at + world.limits.ask_s)
        beside.after(tx, payment)
        return refund

    refund = await world.store.write(store)
    world.notifier.changed()
    return refund


async def give_back(world: World, payment_id: str, n: int, person: str, receipt_number: str) -> Refund:
    """Take a person's word that the till has given the money back, with the number of its receipt."""
    receipt = receipt_number.strip()
    if not person.strip():
        raise Declined("reason_missing", "Say who you are.")

    def step(tx: Transaction, payment: Payment, refund: Refund) -> Refund:
        need_refund_receipt(tx, payment, refund, receipt)
        return take_given_back(tx, world, payment, refund, person, receipt)

    return await _decide(world, payment_id, n, step)


async def withdraw_refund(world: World, payment_id: str, n: int, person: str, reason: str) -> Refund:
    """Take a person's word that no money was given back after all."""
    _need_words(person, reason)

    def step(tx: Transaction, _payment: Payment, refund: Refund) -> Refund:
        return take_step(tx, world.clock.now(), refund, RefundStep.WITHDRAW, person, {"why": reason})

    return await _decide(world, payment_id, n, step)


async def _decide(
    world: World, payment_id: str, n: int, step: Callable[[Transaction, Payment, Refund], Refund]
) -> Refund:
    def store(tx: Transaction) -> Refund:
        payment = _known(tx, payment_id)
        refund = next((each for each in tx.refunds_of(payment_id) if each.n == n), None)
        if refund is None:
            raise Declined("no_such_refund", "There is no such refund.")
        if refund.state is not RefundState.ASKED:
            raise Declined("refund_decided", f"This refund is {refund.state} already.", {"refund": n})
        return step(tx, payment, refund)

    refund = await world.store.write(store)
    world.notifier.changed()
    return refund


def _refund(tx: Transaction, world: World, abilities: Abilities, payment: Payment, request: RefundRequest) -> Refund:
    branch, register = request.branch or payment.branch, request.register or payment.register
    place = world.branches.get(branch)
    if place is None:
        raise Declined("no_such_branch", f"There is no branch {branch} in the settings.")
    if place.registers and register not in place.registers:
        raise Declined("no_such_register", f"Branch {branch} has no register {register}.")
    return Refund(
        payment_id=payment.id,
        n=len(tx.refunds_of(payment.id)) + 1,
        lines=_lines(tx, abilities, payment, request),
        currency=payment.currency,
        owed_again=request.owed_again,
        branch=branch,
        register_server=place.register_server,
        register=register,
        asked_by=request.person,
        asked_at=world.clock.now(),
        reason=request.reason.strip(),
        library_staff_id=request.library_staff_id,
        library_register_id=place.library_registers.get(register),
    )


def _lines(tx: Transaction, abilities: Abilities, payment: Payment, request: RefundRequest) -> tuple[RefundLine, ...]:
    waiting = open_refund(tx, payment.id)
    if waiting is not None:
        raise Declined("refund_waits", "Money of this payment is being given back already.", {"refund": waiting.n})
    can = refundable(tx, abilities, payment)
    if not can.left:
        raise Declined("not_refundable", "There is nothing booked of this payment that could be given back.")
    if not (can.whole if request.owed_again else can.parts):
        raise Declined("cannot_refund", "The library system cannot be told to give this money back.")
    everything = tuple((charge_id, left.amount_minor) for charge_id, left in can.left.items())
    wanted = everything if request.amounts is None else request.amounts
    if request.owed_again and sorted(wanted) != sorted(everything):
        raise Declined("whole_only", "Charges are owed again only where the whole payment is given back.")
    return _need_left(can.left, wanted)


def _need_left(left: dict[str, Left], wanted: Sequence[tuple[str, int]]) -> tuple[RefundLine, ...]:
    ids = [charge_id for charge_id, _ in wanted]
    try:
        if ids and len(set(ids)) == len(ids):
            return refund_lines(left, wanted)
    except ValueError:
        pass
    facts = {"left": [{"charge": charge_id, "amount_minor": each.amount_minor} for charge_id, each in left.items()]}
    raise Declined("more_than_left", "Of each charge more than nothing and no more than is left is given back.", facts)


def take_given_back(
    tx: Transaction,
    world: World,
    payment: Payment,
    refund: Refund,
    person: str,
    receipt: str,
    facts: Mapping[str, object] = MappingProxyType({}),
) -> Refund:
    """Go on: in the library system, or, where the whole payment is taken back, with its own reversal."""
    now, told = world.clock.now(), {**facts, "receipt": receipt}
    given = replace(refund, receipt_number=receipt, given_back_by=person, given_back_at=now)
    if not refund.owed_again:
        due = take_step(tx, now, given, RefundStep.GIVEN_BACK, person, told)
        tx.add_task(payment.id, TaskKind.REFUND, now)
        return due
    ended = take_step(tx, now, given, RefundStep.TAKE_BACK, person, told)
    Collecting(tx, now, world).hear(payment, News(Heard.GIVEN_BACK, person, "refund", refund.reason, receipt))
    return ended


def need_refund_receipt(tx: Transaction, payment: Payment, refund: Refund, receipt: str | None) -> None:
    """Raise Declined where a receipt is missing, or another payment's or refund's; a till may use the payment's own."""
    if not receipt:
        raise Declined("receipt_missing", "Type the number of the till's receipt.")
    need_fresh_receipt(tx, replace(payment, register_server=refund.register_server), receipt)


def _need_words(person: str, reason: str) -> None:
    if not person.strip() or not reason.strip():
        raise Declined("reason_missing", "Say who you are and give a reason.")


def _known(tx: Transaction, payment_id: str) -> Payment:
    payment = tx.payment(payment_id)
    if payment is None:
        raise Declined("no_such_payment", "There is no such payment.")
    return payment


def _facts(refund: Refund) -> dict[str, object]:
    return {
        "refund": refund.n,
        "total_minor": refund.total.minor,
        "currency": refund.currency,
        "lines": [[line.charge_id, line.amount_minor, str(line.exact)] for line in refund.lines],
        "owed_again": refund.owed_again,
        "branch": refund.branch,
        "register": refund.register,
        "why": refund.reason,
    }
