# SPDX-License-Identifier: GPL-3.0-or-later
"""A patron was merged, and the person who is asked names the wrong one first."""

from __future__ import annotations

import pytest

from support.fakes import report
from support.steps import collected, decide, tasks, unknown
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking
from tillbridge.service.resolving import Action, Word, resolve_payment
from tillbridge.service.store_port import CaseKind, TaskKind


def merge_beside_a_stranger(bench: Bench) -> None:
    """Merge patron 5 into 6; 7 has nothing to do with it."""
    for patron in ("6", "7"):
        bench.library.add_patron(patron, f"C{patron}")
    bench.library.add_charge("70", "50", patron_id="7")
    bench.library.merge("5", "6")


@pytest.mark.parametrize("fault", [None, "kept", "lost"])
async def test_a_surplus_at_a_patron_who_never_had_the_charges_is_answered_by_naming_another_one(
    bench: Bench, fault: str | None
) -> None:
    payment = await collected(bench, "3")
    if fault is not None:
        bench.library.faults.append(fault)
        (book,) = [task for task in await bench.due() if task.kind is TaskKind.BOOK]
        await bench.do(book)
    merge_beside_a_stranger(bench)
    await bench.work()
    await decide(bench, CaseKind.PATRON_GONE, Action.OTHER_PATRON, patron="7")
    for _ in range(4):
        await bench.wait_and_work(300)
    assert await bench.kinds() == [CaseKind.SURPLUS]
    await decide(bench, CaseKind.SURPLUS, Action.OTHER_PATRON, patron="6")
    await bench.work()
    stands = await bench.payment(payment.id)
    assert (stands.booking, stands.patron_id) == (Booking.BOOKED, "6")
    assert len(bench.library.credits) == 1
    assert bench.library.charges["70"].owed == 50
    assert await tasks(bench) == set()


async def test_a_credit_that_is_not_there_for_the_wrong_patron_is_found_at_the_right_one(bench: Bench) -> None:
    payment = await collected(bench, "3", "4")
    bench.library.owes("1", "5")
    bench.library.faults.extend(["", "never"])
    await bench.work()
    merge_beside_a_stranger(bench)
    await bench.wait_and_work(5)
    await decide(bench, CaseKind.PATRON_GONE, Action.OTHER_PATRON, patron="7")
    await bench.work()
    assert await bench.kinds() == [CaseKind.CREDIT_VOIDED]
    await decide(bench, CaseKind.CREDIT_VOIDED, Action.OTHER_PATRON, patron="6")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert [str(order.amount) for order in bench.library.orders] == ["3", "4", "4"]
    assert len(bench.library.credits) == 2


async def test_what_was_collected_twice_may_be_booked_at_the_patron_who_has_the_rest_now(bench: Bench) -> None:
    late = await unknown(bench, "10", sum_minor=300)
    await resolve_payment(bench.world, late.id, Word(Action.NOT_PAID, "anna", "the till shows nothing"))
    other = await bench.start(sum_minor=300)
    await bench.work()
    for payment, receipt in ((other, "4712"), (late, "4711")):
        await bench.report(report(payment.id, "paid", receipt=receipt))
        await bench.work()
    merge_beside_a_stranger(bench)
    await decide(bench, CaseKind.COLLECTED_TWICE, Action.OTHER_PATRON, patron="6")
    await bench.work()
    assert (await bench.payment(late.id)).booking is Booking.BOOKED
    assert bench.library.charges["1"].owed == 4
