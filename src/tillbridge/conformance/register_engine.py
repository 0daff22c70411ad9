# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a register inside a real bridge: the counterparts of python-getpaid-core's durable suite.

What that suite asks of a store, this one asks of adapter, use cases and store together: an adapter that told wrong
facts would book money twice, or lose it, in ways that none of its answers shows alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tillbridge.conformance.engine import Engine, engine_with
from tillbridge.conformance.kit import Durable, checks_of, durable_check, need
from tillbridge.conformance.register_peer import RECEIPT, Fault, RegisterPeer, Said, Situation
from tillbridge.conformance.stand_ins import PATRON, PaperLibrary
from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.domain.payment import Payment
from tillbridge.service.register_port import Register

CAPABILITY = "inside a real bridge"
_OK, _BAD = 200, 400


@dataclass(frozen=True, slots=True)
class Counter:
    """Hold a bridge with this register, a patron who owes something, and the till."""

    peer: RegisterPeer
    register: Register
    engine: Engine
    library: PaperLibrary

    async def start(self, number: int = 1) -> Payment:
        """Let the patron owe 2.50 more, and store the intent to collect it."""
        return await self.engine.start(PATRON.patron_id, [self.library.charge(str(number), "2.50")])

    async def at_the_till(self, number: int = 1) -> tuple[Payment, asyncio.Task[None]]:
        """Bring a payment to the till, and return what waits for its answer."""
        payment = await self.start(number)
        working = asyncio.create_task(self.engine.work())
        await self.peer.until_has(payment.id)
        return payment, working

    async def paid(self, number: int = 1) -> Payment:
        """Bring a payment to its end: paid at the till, reported, and booked."""
        payment, working = await self.at_the_till(number)
        await self.peer.pay(payment.id)
        await working
        need((await self.report(await self.peer.reported(payment.id), payment)) == _OK, "the till's report is refused")
        return await self.engine.payment(payment.id)

    async def doubtful(self) -> Payment:
        """Bring a payment to where no one knows what the till did."""
        payment = await self.start()
        self.peer.lay(Fault.SERVER_ERROR)
        await self.engine.work()
        return await self.engine.payment(payment.id)

    async def report(self, raw: bytes, payment: Payment) -> int:
        """Post a report, do what follows from it, and return what it was answered."""
        reply = await self.engine.report(raw, payment.id)
        await self.engine.work()
        return reply.status

    async def say(self, payment: Payment, *said: Said) -> list[int]:
        """Post reports that the peer makes, one after the other."""
        return [await self.report(self.peer.report(payment.id, each), payment) for each in said]

    async def need_booked_once(self, payment: Payment, why: str) -> Payment:
        """Need the payment paid, and booked with one credit of its sum."""
        now = await self.engine.payment(payment.id)
        need(now.collection is Collection.PAID, f"{why}: it is {now.collection}")
        need(now.booking is Booking.BOOKED, f"{why}: its booking is {now.booking}")
        booked = [each for each in self.library.credits if each.reference == payment.reference]
        need(len(booked) == 1, f"{why}: it has {len(booked)} credits")
        return now


async def a_stale_answer_undoes_nothing(peer: RegisterPeer) -> None:
    """What comes late (a status that decides nothing, a lost answer) undoes no payment that is paid."""
    async with _counter(peer) as counter:
        payment, working = await counter.at_the_till()
        await counter.engine.report(peer.report(payment.id, Said.NO_RECEIPT), payment.id)
        await counter.register.close()
        await working
        await counter.say(payment, Said.ODD)
        await counter.need_booked_once(payment, "after a late message")


async def paid_and_taken_back_both_stay(peer: RegisterPeer) -> None:
    """A payment that was paid and taken back is reversed: neither of the two is lost, in whatever order they repeat."""
    async with _counter(peer) as counter:
        payment = await counter.paid()
        await peer.take_back(payment.id)
        first, last = await peer.reported(payment.id), await peer.reported(payment.id, 2)
        await counter.report(last, payment)
        await counter.report(first, payment)
        await counter.report(last, payment)
        now = await counter.engine.payment(payment.id)
        need(now.collection is Collection.REVERSED, f"it is {now.collection}")
        need(now.receipt_number == payment.receipt_number, "the receipt number is lost")
        need(now.booking is Booking.REVERSAL_DUE, f"its booking is {now.booking}")


async def a_doubled_report_counts_once(peer: RegisterPeer) -> None:
    """The till's report twice, two at once, and again later, books the payment once."""
    async with _counter(peer) as counter:
        payment = await counter.paid()
        raw = await peer.reported(payment.id)
        replies = await asyncio.gather(*(counter.engine.report(raw, payment.id) for _ in range(5)))
        await counter.engine.work()
        need({reply.status for reply in replies} == {_OK}, f"they are answered {replies}")
        await counter.need_booked_once(payment, "after the same report again")


async def distinct_reports_all_stay(peer: RegisterPeer) -> None:
    """Two payments, reported crosswise, both count; and two receipts for one payment are kept beside one booking."""
    async with _counter(peer) as counter:
        one, two = await counter.paid(1), await counter.paid(2)
        for payment in (two, one, two):
            await counter.report(await peer.reported(payment.id), payment)
        need(one.receipt_number != two.receipt_number, "two payments have one receipt")
        await counter.say(one, Said.OTHER_RECEIPT)
        for payment in (one, two):
            await counter.need_booked_once(payment, "after crossed reports")
        stored = await counter.engine.world.store.read(lambda tx: tx.messages(one.id))
        need(any(message.raw == peer.report(one.id, Said.OTHER_RECEIPT) for message in stored), "a report is not kept")


async def an_unknown_outcome_is_found_again(peer: RegisterPeer) -> None:
    """A payment whose answer was lost is unknown, becomes an open case by itself, and a report settles it."""
    async with _counter(peer) as counter:
        payment = await counter.doubtful()
        need(payment.collection is Collection.UNKNOWN, f"it is {payment.collection}")
        need(await counter.engine.pending(), "nothing will ever look at it again")
        await counter.engine.work(after_s=700)
        need([case.payment_id for case in await counter.engine.cases()] == [payment.id], "it is on no list")
        await counter.say(payment, Said.PAID)
        await counter.need_booked_once(payment, "after its report")
        need(not await counter.engine.cases(), "it is still on the list")


async def a_contradiction_is_on_the_list(peer: RegisterPeer) -> None:
    """*Paid* after the till's own proven *cancelled* books nothing and stands on the list."""
    async with _counter(peer) as counter:
        payment = await counter.doubtful()
        await counter.say(payment, Said.CANCELLED, Said.PAID)
        need([case.payment_id for case in await counter.engine.cases()] == [payment.id], "it is on no list")
        need(not counter.library.credits, "it was booked")


async def an_outstanding_payment_blocks_another(peer: RegisterPeer) -> None:
    """While the till has a payment, its charge cannot be sent again, to this till or another one."""
    async with _counter(peer) as counter:
        payment, working = await counter.at_the_till()
        charges = [line.charge_id for line in payment.lines]
        code = await counter.engine.declined(PATRON.patron_id, charges)
        await peer.pay(payment.id)
        await working
        need(code == "claimed", f"a second payment is answered {code or 'with yes'}")


async def a_forged_report_cannot_shadow_a_true_one(peer: RegisterPeer) -> None:
    """Forged reports, before and after the true one, neither count nor keep the true one from counting."""
    async with _counter(peer) as counter:
        payment = await counter.doubtful()
        forged = [Said.WRONG_PROOF, Said.OTHER_SOURCE, Said.NO_PROOF]
        need(set(await counter.say(payment, *forged)) == {_BAD}, "a forged one is not answered 400")
        now = await counter.engine.payment(payment.id)
        need(now.collection is Collection.UNKNOWN, f"by forged reports it is {now.collection}")
        await counter.say(payment, Said.PAID)
        await counter.say(payment, *forged)
        now = await counter.need_booked_once(payment, "after forged reports")
        need(now.receipt_number == RECEIPT, f"the receipt is {now.receipt_number}")


async def a_damaged_report_changes_nothing(peer: RegisterPeer) -> None:
    """Damaged reports are refused whole: state, history and what is booked stay as they were."""
    async with _counter(peer) as counter:
        payment = await counter.paid()
        raw, before = await peer.reported(payment.id), await counter.engine.events(payment.id)
        for damaged in (raw[:-1], raw.replace(payment.id.encode(), b"0" * len(payment.id)), b"\xff" + raw, b""):
            need(await counter.report(damaged, payment) == _BAD, f"it is not answered 400: {damaged!r}")
        need(await counter.engine.payment(payment.id) == payment, "the payment has changed")
        need(await counter.engine.events(payment.id) == before, "its history has changed")
        await counter.need_booked_once(payment, "after damaged reports")


async def a_doubtful_payment_blocks_new_ones(peer: RegisterPeer) -> None:
    """While nobody knows what the till did, the charge cannot be sent again, and nothing sends the payment again."""
    async with _counter(peer) as counter:
        payment = await counter.doubtful()
        connections = peer.connections()
        await counter.engine.work(after_s=700)
        code = await counter.engine.declined(PATRON.patron_id, [line.charge_id for line in payment.lines])
        need(code == "claimed", f"a second payment is answered {code or 'with yes'}")
        need(peer.connections() == connections, "something was sent again")


async def answer_and_report_race_to_one_booking(peer: RegisterPeer) -> None:
    """The answer and the report of one payment at the same moment are one booking."""
    async with _counter(peer) as counter:
        payment, working = await counter.at_the_till()
        await peer.pay(payment.id)
        raw = await peer.reported(payment.id)
        await asyncio.gather(working, counter.engine.report(raw, payment.id))
        await counter.engine.work()
        await counter.need_booked_once(payment, "after both")


async def never_sent_is_tried_again_and_given_up(peer: RegisterPeer) -> None:
    """A till that nobody reaches is tried again for a minute; then the payment is cancelled and its charge is free."""
    async with _counter(peer, Situation.NOT_THERE) as counter:
        payment = await counter.start()
        await counter.engine.work()
        need((await counter.engine.payment(payment.id)).collection is Collection.CREATED, "it is taken for sent")
        await counter.engine.work(after_s=61)
        now = await counter.engine.payment(payment.id)
        need(now.collection is Collection.CANCELLED, f"it is {now.collection}")
        code = await counter.engine.declined(PATRON.patron_id, [line.charge_id for line in payment.lines])
        need(code == "", f"its charge is not free: {code}")


@contextlib.asynccontextmanager
async def _counter(peer: RegisterPeer, situation: Situation = Situation.USUAL) -> AsyncIterator[Counter]:
    register, library = peer.connect(situation), PaperLibrary()
    async with engine_with(register, library, peer.branch, peer.register) as engine:
        yield Counter(peer, register, engine, library)


CHECKS = (
    durable_check(CAPABILITY, Durable.STALE_OPERATION, a_stale_answer_undoes_nothing),
    durable_check(CAPABILITY, Durable.DOUBLE_CAPTURE, paid_and_taken_back_both_stay),
    durable_check(CAPABILITY, Durable.DUPLICATE_EVENT, a_doubled_report_counts_once),
    durable_check(CAPABILITY, Durable.DISTINCT_EVENTS, distinct_reports_all_stay),
    durable_check(CAPABILITY, Durable.UNRESOLVED_DISCOVERABLE, an_unknown_outcome_is_found_again),
    durable_check(CAPABILITY, Durable.RECONCILIATION_ENUMERABLE, a_contradiction_is_on_the_list),
    durable_check(CAPABILITY, Durable.OUTSTANDING_BLOCKS, an_outstanding_payment_blocks_another),
    durable_check(CAPABILITY, Durable.FORGED_REPLAY, a_forged_report_cannot_shadow_a_true_one),
    durable_check(CAPABILITY, Durable.MALFORMED_ATOMIC, a_damaged_report_changes_nothing),
    durable_check(CAPABILITY, Durable.RECONCILIATION_BLOCKS, a_doubtful_payment_blocks_new_ones),
    *checks_of(CAPABILITY, answer_and_report_race_to_one_booking, never_sent_is_tried_again_and_given_up),
)
