# SPDX-License-Identifier: GPL-3.0-or-later
"""One receipt stands for one payment: where the till names a number that a person typed, the typed one is in doubt."""

from __future__ import annotations

import pytest

from support.fakes import report
from support.payments import make_payment
from support.rules import check
from support.steps import at_register, decide, locks, tasks, the_case, unknown
from support.worlds import Bench
from tillbridge.domain.lifecycle import PAID_CLERK, REVERSED_CLERK, Booking
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.register_port import NoOutcome, Paid
from tillbridge.service.resolving import Action, Word, resolve_payment
from tillbridge.service.starting import ByHand, Chosen, StartRequest, record_by_hand
from tillbridge.service.store_port import CaseKind, TaskKind

TYPED = Word(Action.PAID, "anna", "the receipt is there", "4711")
NOT_PAID = Word(Action.NOT_PAID, "anna", "the till shows nothing")


async def other_patrons(bench: Bench, answer: NoOutcome | Paid | None = None) -> Payment:
    """Bring a payment of another patron to the till."""
    bench.library.add_patron("6", "C6")
    bench.library.add_charge("9", "5", patron_id="6")
    if answer is not None:
        bench.till.steps.append(answer)
    payment = await bench.start(card_number="C6")
    await bench.work()
    return payment


async def mistyped(bench: Bench, *, booked: bool) -> tuple[Payment, Payment]:
    """Let a clerk type the receipt of one payment for another one: (the mistaken one, the right one)."""
    mistaken = await unknown(bench, "5")
    right = await other_patrons(bench, NoOutcome("time-out"))
    await resolve_payment(bench.world, mistaken.id, TYPED)
    if booked:
        await bench.work()
    return mistaken, right


@pytest.mark.parametrize("booked", [False, True])
async def test_a_typed_receipt_that_a_report_names_for_another_payment_is_in_doubt(bench: Bench, booked: bool) -> None:
    mistaken, right = await mistyped(bench, booked=booked)
    await bench.report(report(right.id, "paid", receipt="4711"))
    await bench.work()
    case = await the_case(bench, CaseKind.SAME_RECEIPT)
    assert (case.payment_id, case.other_payment_ids, case.facts) == (mistaken.id, (right.id,), {"receipt": "4711"})
    assert (await bench.payment(right.id)).booking is Booking.BOOKED
    assert (await bench.payment(mistaken.id)).booking is (Booking.BOOKED if booked else Booking.BLOCKED)
    assert len(bench.library.credits) == (2 if booked else 1)
    assert await locks(bench) == {}
    await check(bench)


async def test_a_case_about_others_keeps_no_receipt_from_being_doubted(bench: Bench) -> None:
    """A third payment has a case that names the mistaken one: that says nothing about the right one."""
    mistaken, right = await mistyped(bench, booked=False)
    third = make_payment("A3", "77")
    await bench.store.write(lambda tx: tx.add_payment(third, None))
    await bench.store.write(lambda tx: tx.open_case(CaseKind.COLLECTED_TWICE, "A3", 1.0, {}, (mistaken.id,)))
    await bench.report(report(right.id, "paid", receipt="4711"))
    assert (await the_case(bench, CaseKind.SAME_RECEIPT)).payment_id == mistaken.id


async def test_an_answer_proves_the_receipt_as_well_as_a_report(bench: Bench) -> None:
    mistaken = await unknown(bench, "5")
    await resolve_payment(bench.world, mistaken.id, TYPED)
    await other_patrons(bench, Paid("4711"))
    assert (await the_case(bench, CaseKind.SAME_RECEIPT)).payment_id == mistaken.id


async def test_a_report_that_brings_the_receipt_after_the_answer_proves_it_too(bench: Bench) -> None:
    mistaken = await unknown(bench, "5")
    await resolve_payment(bench.world, mistaken.id, TYPED)
    right = await other_patrons(bench, Paid(None))
    assert await bench.cases() == []
    await bench.report(report(right.id, "paid", receipt="4711"))
    assert (await the_case(bench, CaseKind.SAME_RECEIPT)).payment_id == mistaken.id


async def test_what_was_typed_is_in_doubt_even_where_the_till_contradicts_itself(bench: Bench) -> None:
    mistaken, right = await mistyped(bench, booked=True)
    await bench.report(report(right.id, "cancelled"))
    await bench.report(report(right.id, "paid", receipt="4711"))
    assert set(await bench.kinds()) == {CaseKind.SAME_RECEIPT, CaseKind.CONTRADICTION}
    await decide(bench, CaseKind.SAME_RECEIPT, Action.NOT_PAID)
    await decide(bench, CaseKind.CONTRADICTION, Action.PAID, receipt="4711")
    await bench.work()
    assert (await bench.payment(right.id)).booking is Booking.BOOKED
    assert (await bench.payment(mistaken.id)).booking is Booking.REVERSAL_DUE


@pytest.mark.parametrize(("booked", "left"), [(False, Booking.NONE), (True, Booking.REVERSAL_DUE)])
async def test_a_person_takes_back_what_was_mistyped(bench: Bench, booked: bool, left: Booking) -> None:
    mistaken, right = await mistyped(bench, booked=booked)
    await bench.report(report(right.id, "paid", receipt="4711"))
    await bench.work()
    await decide(bench, CaseKind.SAME_RECEIPT, Action.NOT_PAID)
    stands = await bench.payment(mistaken.id)
    assert (stands.standing, stands.booking) == (REVERSED_CLERK, left)
    assert await bench.kinds() == ([CaseKind.VOID_BY_HAND] if booked else [])
    await check(bench)


async def test_a_person_lets_both_be_booked_and_is_not_asked_again(bench: Bench) -> None:
    mistaken, right = await mistyped(bench, booked=False)
    raw = report(right.id, "paid", receipt="4711")
    await bench.report(raw)
    await decide(bench, CaseKind.SAME_RECEIPT, Action.BOOK)
    await bench.report(raw)
    await bench.work()
    assert [(await bench.payment(each.id)).booking for each in (mistaken, right)] == [Booking.BOOKED] * 2
    assert await bench.cases() == []
    assert await tasks(bench) == set()


async def test_a_booking_in_doubt_whose_receipt_was_mistyped_is_not_repeated(bench: Bench) -> None:
    mistaken = await unknown(bench, "5")
    right = await other_patrons(bench)
    await resolve_payment(bench.world, mistaken.id, TYPED)
    bench.library.faults.append("lost")
    await bench.work()
    await bench.report(report(right.id, "paid", receipt="4711"))
    for _ in range(4):
        await bench.wait_and_work(300)
    assert (await bench.payment(mistaken.id)).booking is Booking.BLOCKED
    assert await bench.kinds() == [CaseKind.SAME_RECEIPT]
    assert len(bench.library.credits) == 1


@pytest.mark.parametrize("booked", [False, True])
async def test_the_till_s_own_word_for_the_typed_one_ends_the_doubt(bench: Bench, booked: bool) -> None:
    mistaken, right = await mistyped(bench, booked=booked)
    await bench.report(report(right.id, "paid", receipt="4711"))
    await bench.report(report(mistaken.id, "paid", receipt="4710"))
    await bench.work()
    done = await bench.payment(mistaken.id)
    assert (done.receipt_number, done.booking) == ("4710", Booking.BOOKED)
    assert await bench.cases() == []
    (case,) = await bench.store.read(lambda tx: tx.cases_of(mistaken.id))
    assert (case.closed_by, case.resolution) == ("till", "paid by till")


async def test_the_till_s_own_word_for_the_typed_one_waits_for_no_other_payment_s_case(bench: Bench) -> None:
    mistaken, right = await mistyped(bench, booked=False)
    bench.library.faults.append("refused")
    await bench.report(report(right.id, "paid", receipt="4711"))
    await bench.work()
    await bench.report(report(mistaken.id, "paid", receipt="4710"))
    await bench.work()
    assert (await bench.payment(mistaken.id)).booking is Booking.BOOKED
    assert (await the_case(bench, CaseKind.REFUSED_BY_LIBRARY)).payment_id == right.id
    assert await bench.kinds() == [CaseKind.REFUSED_BY_LIBRARY]


async def test_the_till_s_own_word_leaves_what_else_is_to_be_decided(bench: Bench) -> None:
    mistaken, right = await mistyped(bench, booked=False)
    await bench.report(report(right.id, "paid", receipt="4711"))
    await bench.report(report(mistaken.id, "paid", receipt="4710", total=1))
    await bench.work()
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]
    assert (await bench.payment(mistaken.id)).booking is Booking.BLOCKED


async def test_tills_may_number_alike(bench: Bench) -> None:
    first = await at_register(bench, "5")
    second = await other_patrons(bench)
    for payment in (first, second):
        await bench.report(report(payment.id, "paid", receipt="4711"))
    await bench.work()
    assert [(await bench.payment(each.id)).booking for each in (first, second)] == [Booking.BOOKED] * 2
    assert await bench.cases() == []


async def test_a_receipt_taken_by_hand_that_a_late_report_names_for_its_own_payment_is_in_doubt(bench: Bench) -> None:
    late = await unknown(bench, "5")
    bench.library.add_charge("2", "5")
    await resolve_payment(bench.world, late.id, NOT_PAID)
    request = StartRequest("CPL", "10", "anna", card_number="C1", charges=(Chosen("2"),))
    by_hand = await record_by_hand(bench.world, request, ByHand("4711", "sari", "the receipt is here after all"))
    await bench.work()
    await bench.report(report(late.id, "paid", receipt="4711"))
    await bench.work()
    case = await the_case(bench, CaseKind.SAME_RECEIPT)
    assert (case.payment_id, case.other_payment_ids) == (by_hand.id, (late.id,))
    assert (await bench.payment(late.id)).booking is Booking.BOOKED


async def test_one_receipt_for_two_parts_of_one_charge_is_one_case_and_books_one_of_them(bench: Bench) -> None:
    late = await unknown(bench, "10", sum_minor=500)
    await resolve_payment(bench.world, late.id, NOT_PAID)
    request = StartRequest("CPL", "10", "anna", card_number="C1", sum_minor=500)
    by_hand = await record_by_hand(bench.world, request, ByHand("4711", "sari", "the receipt is here after all"))
    await bench.work()
    await bench.report(report(late.id, "paid", receipt="4711"))
    await bench.work()
    case = await the_case(bench, CaseKind.COLLECTED_TWICE)
    assert (case.payment_id, case.other_payment_ids) == (late.id, (by_hand.id,))
    assert await bench.kinds() == [CaseKind.COLLECTED_TWICE]
    assert bench.library.charges["1"].owed == 5


async def test_a_receipt_that_a_report_has_brought_cannot_be_typed_for_another_payment(bench: Bench) -> None:
    payment = await unknown(bench, "5")
    other = await other_patrons(bench)
    await bench.report(report(other.id, "paid", receipt="4711"))
    with pytest.raises(Declined) as no:
        await resolve_payment(bench.world, payment.id, TYPED)
    assert (no.value.code, no.value.facts) == ("receipt_used", {"payment": other.id})


async def test_a_booking_of_a_mistyped_payment_that_nobody_has_begun_is_not_begun(bench: Bench) -> None:
    mistaken, right = await mistyped(bench, booked=False)
    await bench.report(report(right.id, "paid", receipt="4711"))
    assert (mistaken.id, TaskKind.BOOK) not in await tasks(bench)
    assert (await bench.payment(mistaken.id)).standing == PAID_CLERK
