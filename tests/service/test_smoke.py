# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from support.fakes import report
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking, Collection


async def test_a_payment_goes_all_the_way(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    bench.library.add_charge("2", "4")
    bench.library.add_charge("3", "6")
    payment = await bench.start(sum_minor=500)
    assert [line.amount_minor for line in payment.lines] == [300, 200]
    await bench.work()
    assert (await bench.payment(payment.id)).collection is Collection.AT_REGISTER
    assert (await bench.report(report(payment.id, "paid"), payment.id)).status == 200
    await bench.work()
    done = await bench.payment(payment.id)
    assert (done.collection, done.booking, done.receipt_number) == (Collection.PAID, Booking.BOOKED, "4711")
    assert bench.library.reads == 4  # one more than the least: the patron owes something else, where it could spill
    assert bench.library.writes == 1
    assert await bench.events(payment.id) == [
        "created", "send", "reached", "till_paid", "booking_money_taken", "booking_start", "booking_confirmed",
    ]  # fmt: skip
    assert await bench.cases() == []
