# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio

import pytest

from support.fakes import report
from support.steps import at_register, claims, collected, decide, the_case, unknown
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.collecting import Collecting
from tillbridge.service.resolving import Action, Word, resolve_payment
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import CaseKind, Transaction


async def test_claims_a_charge_can_be_claimed_by_one_payment_and_the_second_is_shown_the_first(bench: Bench) -> None:
    first = await at_register(bench, "3", "4")
    bench.library.add_charge("3", "6")
    with pytest.raises(Declined) as no:
        await bench.start(charges=(Chosen("2"), Chosen("3")))
    assert (no.value.code, no.value.facts) == ("claimed", {"payment": first.id})
    assert await claims(bench) == {"1": first.id, "2": first.id}
    assert (await bench.start(charges=(Chosen("3"),))).id != first.id


async def test_claims_of_a_double_click_one_payment_comes(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    outcomes = await asyncio.gather(*(bench.start() for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(outcome, Declined) and outcome.code == "claimed" for outcome in outcomes) == 3
    await bench.work()
    assert len(bench.till.orders) == 1


async def test_claims_are_taken_with_created_before_anything_is_sent(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    assert bench.till.orders == []
    assert await claims(bench) == {"1": payment.id}


@pytest.mark.parametrize("says", ["cancelled", "refused"])
async def test_claims_end_when_the_payment_is_cancelled_or_refused(bench: Bench, says: str) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, says))
    assert await claims(bench) == {}


async def test_claims_end_when_the_payment_is_booked_and_verified_and_not_before(bench: Bench) -> None:
    payment = await collected(bench, "3")
    assert await claims(bench) == {"1": payment.id}
    bench.library.faults.append("kept")
    (task,) = await bench.due()
    await bench.do(task)
    assert (await bench.payment(payment.id)).booking is Booking.UNKNOWN
    assert await claims(bench) == {"1": payment.id}
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await claims(bench) == {}


async def test_claims_end_when_the_case_is_closed(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("refused")
    await bench.work()
    assert await claims(bench) == {"1": payment.id}
    await decide(bench, CaseKind.REFUSED_BY_LIBRARY, Action.SETTLED)
    assert await claims(bench) == {}


async def test_claims_are_held_by_unknown(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await bench.wait_and_work(100_000)
    with pytest.raises(Declined):
        await bench.start()
    assert await claims(bench) == {"1": payment.id}


async def facts_of(bench: Bench, payment: Payment, kind: str) -> list[object]:
    """Return what a payment's events of one kind keep."""
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    return [event.facts for event, _ in history if event.kind == kind]


async def test_claims_gone_and_claimed_by_another_make_a_paid_collected_twice_at_once(bench: Bench) -> None:
    late = await unknown(bench, "3")
    await resolve_payment(bench.world, late.id, Word(Action.NOT_PAID, "anna", "the till said so"))
    other = await bench.start()
    await bench.work()
    await bench.report(report(late.id, "paid"))
    case = await the_case(bench, CaseKind.COLLECTED_TWICE)
    assert (case.payment_id, case.other_payment_ids) == (late.id, (other.id,))
    assert (await bench.payment(late.id)).booking is Booking.BLOCKED
    assert await facts_of(bench, late, "booking_block") == [
        {"case": "collected_twice", "others": [other.id], "to": "blocked"}
    ]
    assert await facts_of(bench, other, "named") == [{"case": "collected_twice", "other": late.id}]
    assert await claims(bench) == {"1": other.id}
    await bench.report(report(other.id, "cancelled"))
    await decide(bench, CaseKind.COLLECTED_TWICE, Action.BOOK)
    await bench.work()
    assert (await bench.payment(late.id)).booking is Booking.BOOKED


async def test_claims_gone_and_paid_by_another_make_a_paid_collected_twice(bench: Bench) -> None:
    late = await unknown(bench, "3", "4")
    await resolve_payment(bench.world, late.id, Word(Action.NOT_PAID, "anna", "the till said so"))
    other = await bench.start(charges=(Chosen("1"),))
    await bench.work()
    await bench.report(report(other.id, "paid"))
    await bench.work()
    await bench.report(report(late.id, "paid"))
    await bench.work()
    case = await the_case(bench, CaseKind.COLLECTED_TWICE)
    assert (case.payment_id, case.other_payment_ids) == (late.id, (other.id,))
    assert [str(order.amount) for order in bench.library.orders] == ["3"]
    await decide(bench, CaseKind.COLLECTED_TWICE, Action.BOOK)
    await bench.work()
    case = await the_case(bench, CaseKind.COLLECTED_TWICE)
    assert (case.payment_id, case.other_payment_ids, case.facts["surplus"]) == (late.id, (other.id,), "3")
    assert [str(order.amount) for order in bench.library.orders] == ["3", "4"]


@pytest.mark.parametrize("booked", [False, True])
async def test_claims_gone_and_a_part_paid_by_another_make_a_paid_collected_twice(bench: Bench, booked: bool) -> None:
    late = await unknown(bench, "10", sum_minor=500)
    await resolve_payment(bench.world, late.id, Word(Action.NOT_PAID, "anna", "the till shows nothing"))
    other = await bench.start(sum_minor=500)
    await bench.work()
    await bench.report(report(other.id, "paid", receipt="4712"))
    if booked:
        await bench.work()
    await bench.report(report(late.id, "paid", receipt="4711"))
    await bench.work()
    case = await the_case(bench, CaseKind.COLLECTED_TWICE)
    assert (case.payment_id, case.other_payment_ids) == (late.id, (other.id,))
    assert bench.library.charges["1"].owed == 5
    await decide(bench, CaseKind.COLLECTED_TWICE, Action.BOOK)
    await bench.work()
    assert (await bench.payment(late.id)).booking is Booking.BOOKED
    assert bench.library.charges["1"].owed == 0


async def test_claims_of_two_that_were_both_given_up_and_both_turn_out_paid_make_the_later_one_a_case(
    bench: Bench,
) -> None:
    payments = [await unknown(bench, "10", sum_minor=500)]
    await resolve_payment(bench.world, payments[0].id, Word(Action.NOT_PAID, "anna", "the till shows nothing"))
    payments.append(await unknown(bench, sum_minor=500))
    await resolve_payment(bench.world, payments[1].id, Word(Action.NOT_PAID, "anna", "the till shows nothing"))
    for payment, receipt in zip(payments, ("4711", "4712"), strict=True):
        await bench.report(report(payment.id, "paid", receipt=receipt))
        await bench.work()
    case = await the_case(bench, CaseKind.COLLECTED_TWICE)
    assert (case.payment_id, case.other_payment_ids) == (payments[1].id, (payments[0].id,))


async def test_claims_gone_say_nothing_about_what_was_collected_before_the_payment_began(bench: Bench) -> None:
    await collected(bench, "10", sum_minor=500)
    await bench.work()
    late = await unknown(bench, sum_minor=300)
    await resolve_payment(bench.world, late.id, Word(Action.NOT_PAID, "anna", "the till shows nothing"))
    await bench.report(report(late.id, "paid", receipt="4712"))
    await bench.work()
    assert (await bench.payment(late.id)).booking is Booking.BOOKED
    assert await bench.cases() == []


async def test_claims_gone_and_taken_by_several_warn_each_of_them_at_once(bench: Bench) -> None:
    late = await unknown(bench, "3", "4")
    await resolve_payment(bench.world, late.id, Word(Action.NOT_PAID, "anna", "the till shows nothing"))
    others = [await bench.start(charges=(Chosen(charge),)) for charge in ("1", "2")]
    await bench.work()
    await bench.report(report(late.id, "paid"))
    for other in others:
        (case,) = await bench.store.read(lambda tx, other=other: tx.cases_naming(other.id))  # type: ignore[misc]
        assert (case.kind, case.payment_id) == (CaseKind.COLLECTED_TWICE, late.id)
        assert (await bench.events(other.id))[-1] == "named"


async def test_claims_of_a_case_that_goes_on_tell_those_alone_whom_it_did_not_name_before(bench: Bench) -> None:
    for charge in "123":
        bench.library.add_charge(charge, "5")
    late, first, second = [await bench.start(charges=(Chosen(charge),)) for charge in "123"]

    async def name(kind: CaseKind, *others: Payment, of: Payment = late) -> list[int]:
        def store(tx: Transaction) -> None:
            collecting = Collecting(tx, bench.clock.now(), bench.world)
            collecting.open_case(of, kind, {}, tuple(other.id for other in others))

        await bench.store.write(store)
        return [len(await facts_of(bench, other, "named")) for other in (first, second)]

    assert await name(CaseKind.SAME_RECEIPT, first) == [1, 0]
    assert await name(CaseKind.SAME_RECEIPT, first, second) == [1, 1]
    assert await name(CaseKind.COLLECTED_TWICE, first) == [2, 1]
    assert await name(CaseKind.SAME_RECEIPT, first, of=second) == [3, 1]


async def test_claims_collected_twice_with_another_sum_are_two_cases_and_each_waits_for_its_own_answer(
    bench: Bench,
) -> None:
    late = await unknown(bench, "3")
    await resolve_payment(bench.world, late.id, Word(Action.NOT_PAID, "anna", "the till said so"))
    other = await bench.start()
    await bench.work()
    await bench.report(report(late.id, "paid", total=100))
    assert await bench.kinds() == [CaseKind.COLLECTED_TWICE, CaseKind.SUM_DIFFERS]
    await bench.report(report(other.id, "cancelled"))
    await decide(bench, CaseKind.COLLECTED_TWICE, Action.BOOK)
    await bench.work()
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]
    assert bench.library.writes == 0
    await decide(bench, CaseKind.SUM_DIFFERS, Action.BOOK)
    await bench.work()
    assert (await bench.payment(late.id)).booking is Booking.BOOKED


async def test_claims_of_a_part_are_free_again_for_the_rest(bench: Bench) -> None:
    payment = await collected(bench, "10", sum_minor=400)
    await bench.work()
    rest = await bench.start()
    assert rest.total.minor == 600
    assert rest.id != payment.id
