# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest

from support.crashes import Fuse, survive, with_fuse
from support.fakes import report
from support.rules import check, check_rest, valid_credits
from support.worlds import Bench, make_bench
from tillbridge.domain.lifecycle import CANCELLED_CLERK, NEVER_COLLECTED, Booking, Collection
from tillbridge.domain.payment import Payment
from tillbridge.service.register_port import Answer, Cancelled, NeverSent, NoOutcome, Order, Paid
from tillbridge.service.resolving import Action, Word, resolve_case, resolve_payment
from tillbridge.service.starting import ByHand, Chosen, StartRequest, record_by_hand
from tillbridge.service.store_port import CaseKind
from tillbridge.simulation.store import InlineStore

LAST_STEP = 200
ROUNDS = 5


async def _held_and_paid(_: Order, at_till: Callable[[], Awaitable[None]]) -> Answer:
    await at_till()
    return Paid("4711", 700, b"answer")


@dataclass(frozen=True)
class Story:
    """One kind of payment: what the till answers, what the library system does, and how it ends."""

    name: str
    answers: tuple[object, ...] = ()
    reports: tuple[str, ...] = ("paid",)
    faults: tuple[str, ...] = ()
    owes: tuple[tuple[str, str], ...] = ()
    by_hand: bool = False
    paid: bool = True
    booked: str = "7"


STORIES = (
    Story("a report"),
    Story("two reports", reports=("paid", "paid")),
    Story("a held request", answers=(_held_and_paid,), reports=()),
    Story("a held request and a report", answers=(_held_and_paid,)),
    Story("a cancelled one", answers=(Cancelled(b"c"),), reports=(), paid=False, booked="0"),
    Story("never sent at first", answers=(NeverSent("refused"), NeverSent("refused"))),
    Story("an unknown outcome", answers=(NoOutcome("time-out"),)),
    Story("changed charges", owes=(("1", "5"),)),
    Story("a surplus", owes=(("1", "1"),), booked="5"),
    Story("an answer lost", faults=("kept",)),
    Story("a request lost", faults=("lost",)),
    Story("an own error", faults=("error", "error_kept")),
    Story("never arrived", faults=("never", "never")),
    Story("changed, and an answer lost", owes=(("2", "9"),), faults=("kept", "lost")),
    Story("reversed", reports=("paid", "cancelled"), paid=False, booked="0"),
    Story("by hand", by_hand=True, reports=()),
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
async def test_a_process_may_die_at_any_step_and_nothing_is_lost_or_done_twice(story: Story) -> None:
    for n in range(LAST_STEP):
        store = InlineStore()
        try:
            fuse = Fuse(n)
            await _live(make_bench(store), fuse, story)
        finally:
            store.close()
        if not fuse.burnt:
            return
    raise AssertionError("more steps than a payment can have")


async def _live(quiet: Bench, fuse: Fuse, story: Story) -> None:
    bench = with_fuse(quiet, fuse)
    for charge, owed in (("1", "3"), ("2", "4"), ("9", "50")):
        quiet.library.add_charge(charge, owed)
    quiet.till.steps.extend(story.answers)  # type: ignore[arg-type]
    quiet.library.faults.extend(story.faults)
    await survive(quiet, lambda: _start(bench, story))
    await survive(quiet, bench.work)
    await survive(quiet, lambda: bench.wait_and_work(4))
    await survive(quiet, lambda: bench.wait_and_work(4))
    for charge, owed in story.owes:
        quiet.library.owes(charge, owed)
    for says in story.reports:
        await survive(quiet, lambda says=says: _report(bench, says))  # type: ignore[misc]
        await check(quiet)
        await survive(quiet, bench.work)
    for _ in range(ROUNDS):
        await survive(quiet, lambda: bench.wait_and_work(700))
        await check(quiet)
        await survive(quiet, lambda: _clerk(bench, story))
    await _judge(quiet, story)


async def _start(bench: Bench, story: Story) -> None:
    if await _payments(bench):
        return
    chosen = (Chosen("1"), Chosen("2"))
    if story.by_hand:
        request = StartRequest("CPL", "10", "anna", card_number="C1", charges=chosen)
        await record_by_hand(bench.world, request, ByHand("4711", "sari", "the bridge was down"))
    else:
        await bench.start(charges=chosen)


async def _report(bench: Bench, says: str) -> None:
    (payment,) = await _payments(bench)
    assert (await bench.report(report(payment.id, says))).status == 200


async def _clerk(bench: Bench, story: Story) -> None:
    """Look at the till for a payment in doubt, and void by hand what is to be voided."""
    (payment,) = await _payments(bench)
    if payment.collection is Collection.UNKNOWN:
        said = story.paid and bool(bench.till.orders)
        word = Word(Action.PAID if said else Action.NOT_PAID, "anna", "I looked at the till", "4711" if said else None)
        await resolve_payment(bench.world, payment.id, word)
    if payment.booking is Booking.REVERSAL_DUE:
        for credit in valid_credits(bench, payment):
            bench.library.void(credit.credit_id)
        for case in await bench.cases():
            await resolve_case(bench.world, case.id, Word(Action.LOOK, "sari", "voided"))


async def _judge(bench: Bench, story: Story) -> None:
    everything = await check(bench)
    check_rest(everything)
    (held,) = everything
    taken = story.by_hand or bool(story.reports) or bool(bench.till.orders)
    booked = sum((credit.amount for credit in valid_credits(bench, held.payment)), Decimal(0))
    if not taken:
        # It died before the till was asked: it never was, or a clerk had to say that the till has nothing.
        assert held.payment.standing in (NEVER_COLLECTED, CANCELLED_CLERK)
        return
    assert held.payment.collection in (
        (Collection.PAID,) if story.paid else (Collection.CANCELLED, Collection.REVERSED)
    )
    assert booked == Decimal(story.booked)
    assert held.kinds == ({CaseKind.SURPLUS} if story.name == "a surplus" else frozenset())


async def _payments(bench: Bench) -> tuple[Payment, ...]:
    return await bench.store.read(lambda tx: tx.recent_payments(10))
