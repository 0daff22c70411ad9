# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clerk is told of a payment that takes its time."""

from __future__ import annotations

import asyncio

import pytest

from support.fakes import report
from support.steps import at_register, begun, held, unknown
from support.worlds import Bench
from tillbridge.domain.payment import Payment
from tillbridge.service.register_port import NeverSent, Paid
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.telling import remind


async def reminds(bench: Bench, payment: Payment) -> bool:
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    found = await bench.payment(payment.id)
    return remind(found, [event for event, _ in history], bench.clock.now(), bench.world.limits.remind_s)


async def test_the_clerk_is_reminded_of_a_payment_that_the_till_has_for_more_than_three_minutes(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    bench.clock.advance(180)
    assert await reminds(bench, payment) is False
    bench.clock.advance(1)
    assert await reminds(bench, payment) is True
    await bench.report(report(payment.id, "paid"))
    assert await reminds(bench, payment) is False


async def test_the_clerk_is_reminded_of_a_request_that_is_held_too(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    waiting, until = asyncio.Event(), asyncio.Event()
    bench.till.steps.append(held(Paid("4711"), until, waiting))
    sending = await begun(bench, "bench", waiting)
    bench.clock.advance(181)
    assert await reminds(bench, payment) is True
    until.set()
    await sending


async def test_the_time_counts_from_when_the_message_went_out(bench: Bench) -> None:
    bench.till.steps.append(NeverSent("connection refused"))
    payment = await at_register(bench, "3")
    await bench.wait_and_work(50)
    bench.clock.advance(179)
    assert await reminds(bench, payment) is False


async def test_what_the_clerk_wishes_meanwhile_puts_off_no_reminder(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    bench.clock.advance(100)
    await wish_to_cancel(bench.world, payment.id, "anna")
    bench.clock.advance(81)
    assert await reminds(bench, payment) is True


async def test_nobody_is_reminded_of_a_payment_of_which_nothing_has_gone_out(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    bench.clock.advance(10_000)
    assert await reminds(bench, payment) is False


@pytest.mark.parametrize("seconds", [0, 10_000])
async def test_nobody_is_reminded_of_what_is_not_at_the_till(bench: Bench, seconds: float) -> None:
    payment = await unknown(bench, "3")
    bench.clock.advance(seconds)
    assert await reminds(bench, payment) is False
