# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring about every kind of case as it comes about in a library: by what a till, a person or a library system does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from support.fakes import report
from support.steps import at_register, collected, the_case, unknown
from support.worlds import Bench
from tillbridge.domain.payment import Payment
from tillbridge.service.library_port import Abilities
from tillbridge.service.refunding import RefundRequest, ask_refund, give_back
from tillbridge.service.resolving import Action, Word, resolve_payment
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import Case, CaseKind, Task, TaskKind, Transaction

STRAY_ID = "F" * 24


async def _do_all(bench: Bench, kind: TaskKind) -> None:
    """Do what is due of one kind; what else is due stays due."""

    def claim(tx: Transaction) -> tuple[Task, ...]:
        now = bench.clock.now()
        return tx.claim_tasks("bench", [kind], now, now + bench.world.limits.lease_s, 100)

    for task in await bench.store.write(claim):
        await bench.do(task)


async def _unknown_outcome(bench: Bench) -> None:
    await unknown(bench, "3")
    await bench.wait_and_work(600)


async def _odd_status(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await bench.report(report(payment.id, "odd"))


async def _contradiction(bench: Bench) -> None:
    """The till has said cancelled, then paid."""
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "cancelled"))
    await bench.report(report(payment.id, "paid"))


async def _word_contradicted(bench: Bench) -> None:
    """A person has said paid, the till says cancelled."""
    payment = await unknown(bench, "3")
    await resolve_payment(bench.world, payment.id, Word(Action.PAID, "sari", "it is there", "4711"))
    await bench.report(report(payment.id, "cancelled"))


async def _paid_for_unknown_id(bench: Bench) -> None:
    await bench.report(report(STRAY_ID, "paid", total=1300))


async def _sum_differs(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "paid", total=100))


async def _same_receipt(bench: Bench) -> None:
    mistaken = await unknown(bench, "3", charges=(Chosen("1"),))
    await resolve_payment(bench.world, mistaken.id, Word(Action.PAID, "sari", "it is there", "4711"))
    bench.library.add_charge("9", "2")
    other = await bench.start(charges=(Chosen("9"),))
    await _do_all(bench, TaskKind.SEND)
    await bench.report(report(other.id, "paid"))


async def _collected_twice(bench: Bench) -> None:
    first = await unknown(bench, "3")
    await resolve_payment(bench.world, first.id, Word(Action.NOT_PAID, "sari", "there is none"))
    second = await bench.start()
    await bench.work()
    await bench.report(report(second.id, "paid"))
    await bench.work()
    await bench.report(report(first.id, "paid", receipt="4712"))


async def _surplus(bench: Bench) -> None:
    await collected(bench, "3")
    bench.library.owes("1", "1")
    await bench.work()


async def _not_booked(bench: Bench) -> None:
    await collected(bench, "3")
    bench.library.away = "no answer"
    await bench.wait_and_work(bench.world.limits.late_s)


def _at_library(fault: str) -> Callable[[Bench], Awaitable[None]]:
    async def bring(bench: Bench) -> None:
        await collected(bench, "3")
        bench.library.faults.append(fault)
        await bench.work()

    return bring


async def _credit_voided(bench: Bench) -> None:
    await collected(bench, "3")
    bench.library.faults.append("kept")
    await _do_all(bench, TaskKind.BOOK)
    bench.library.void("9000")
    await bench.work()


async def _patron_gone(bench: Bench) -> None:
    await collected(bench, "3")
    bench.library.merge("5", "6")
    await bench.work()


async def _void_by_hand(bench: Bench) -> None:
    payment = await collected(bench, "3")
    await bench.work()
    await bench.report(report(payment.id, "cancelled"))


async def _money_asked_back(bench: Bench) -> Payment:
    """Ask for the money of a booked payment, at a library system that says it can be told of refunds."""
    payment = await collected(bench, "3")
    await bench.work()
    bench.library.abilities = Abilities(refund=True)
    await ask_refund(bench.world, payment.id, RefundRequest("sari", "charged in error"))
    return payment


async def _refund_undecided(bench: Bench) -> None:
    await _money_asked_back(bench)
    await bench.wait_and_work(bench.world.limits.ask_s)


async def _refund_not_recorded(bench: Bench) -> None:
    """The library system refuses what the till has done."""
    payment = await _money_asked_back(bench)
    await give_back(bench.world, payment.id, 1, "sari", "9001")
    await bench.work()


SCENES: Mapping[CaseKind, Callable[[Bench], Awaitable[None]]] = {
    CaseKind.UNKNOWN_OUTCOME: _unknown_outcome,
    CaseKind.ODD_STATUS: _odd_status,
    CaseKind.CONTRADICTION: _contradiction,
    CaseKind.PAID_FOR_UNKNOWN_ID: _paid_for_unknown_id,
    CaseKind.SUM_DIFFERS: _sum_differs,
    CaseKind.SAME_RECEIPT: _same_receipt,
    CaseKind.COLLECTED_TWICE: _collected_twice,
    CaseKind.SURPLUS: _surplus,
    CaseKind.NOT_BOOKED: _not_booked,
    CaseKind.NOT_APPLIED: _at_library("unapplied"),
    CaseKind.WRONG_CREDIT: _at_library("other_sum"),
    CaseKind.BOOKED_TWICE: _at_library("doubled"),
    CaseKind.CREDIT_VOIDED: _credit_voided,
    CaseKind.PATRON_GONE: _patron_gone,
    CaseKind.REFUSED_BY_LIBRARY: _at_library("refused"),
    CaseKind.VOID_BY_HAND: _void_by_hand,
    CaseKind.REFUND_UNDECIDED: _refund_undecided,
    CaseKind.REFUND_NOT_RECORDED: _refund_not_recorded,
}


async def case_of(bench: Bench, kind: CaseKind, action: Action | None = None) -> Case:
    """Bring about a case of this kind in which this can be decided; patron 6 is there with the card C6."""
    bench.library.add_patron("6", "C6")
    contradicted = (kind, action) == (CaseKind.CONTRADICTION, Action.NOT_PAID)
    await (_word_contradicted if contradicted else SCENES[kind])(bench)
    return await the_case(bench, kind)
