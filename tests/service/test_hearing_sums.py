# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from support.fakes import report
from support.steps import (
    at_register,
    collected,
    decide,
    the_case,
    unknown,
)
from support.worlds import Bench
from tillbridge.domain.lifecycle import (
    Booking,
)
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.register_port import (
    Paid,
)
from tillbridge.service.resolving import Action, Word, resolve_payment
from tillbridge.service.store_port import CaseKind
from tillbridge.service.telling import tell


@pytest.mark.parametrize(
    ("total", "booked"), [(300, True), (298, True), (302, True), (297, False), (303, False), (0, False)]
)
async def test_hearing_9_another_sum_than_cash_rounding_waits_for_a_person(
    bench: Bench, total: int, booked: bool
) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "paid", total=total))
    await bench.work()
    stands = await bench.payment(payment.id)
    assert stands.collected_minor == total
    assert stands.booking is (Booking.BOOKED if booked else Booking.BLOCKED)
    assert await bench.kinds() == ([] if booked else [CaseKind.SUM_DIFFERS])
    assert bench.library.writes == (1 if booked else 0)


@pytest.mark.parametrize("booked", [False, True])
@pytest.mark.parametrize(
    ("total", "differs"), [(300, False), (298, False), (302, False), (297, True), (303, True), (0, True)]
)
async def test_hearing_9_the_sum_that_a_report_names_after_the_answer_is_kept(
    bench: Bench, total: int, differs: bool, booked: bool
) -> None:
    payment = await _answered_paid(bench)
    if booked:
        await bench.work()
    assert (await bench.report(report(payment.id, "paid", total=total))).status == 200
    await bench.work()
    stands = await bench.payment(payment.id)
    assert (stands.collected_minor, stands.rounding_minor) == (total, total - 300)
    assert stands.booking is (Booking.BOOKED if booked or not differs else Booking.BLOCKED)
    assert await bench.kinds() == ([CaseKind.SUM_DIFFERS] if differs else [])
    assert bench.library.writes == (0 if differs and not booked else 1)


async def test_hearing_9_the_sum_that_is_kept_has_its_event(bench: Bench) -> None:
    payment = await _answered_paid(bench)
    for _ in range(2):
        await bench.report(report(payment.id, "paid", total=302))
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    (kept,) = [event for event, _ in history if event.kind == "sum_named"]
    assert (kept.actor, kept.facts) == ("till", {"collected_minor": 302, "rounding_minor": 2})
    assert tell(kept) == "The till names the sum that it collected."


async def test_hearing_9_of_two_sums_the_first_stays_and_a_person_looks(bench: Bench) -> None:
    payment = await _answered_paid(bench)
    await bench.report(report(payment.id, "paid", total=301))
    assert await bench.kinds() == []
    await bench.report(report(payment.id, "paid", total=302))
    assert (await bench.payment(payment.id)).collected_minor == 301
    (case,) = await bench.cases()
    assert (case.kind, case.facts) == (CaseKind.SUM_DIFFERS, {"collected_minor": 302, "total_minor": 300})


async def test_hearing_9_a_sum_that_a_person_has_answered_for_is_no_case_when_it_is_heard_again(bench: Bench) -> None:
    payment = await _answered_paid(bench)
    await bench.report(report(payment.id, "paid", total=100))
    await decide(bench, CaseKind.SUM_DIFFERS, Action.BOOK)
    await bench.report(report(payment.id, "paid", total=100))
    await bench.work()
    assert await bench.cases() == []
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_hearing_9_the_sum_of_a_contradiction_counts_once_a_person_says_paid(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "cancelled"))
    await bench.report(report(payment.id, "paid", total=302))
    await decide(bench, CaseKind.CONTRADICTION, Action.PAID, receipt="4711")
    assert (await bench.payment(payment.id)).collected_minor == 302
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_hearing_9_another_sum_of_a_contradiction_is_a_case_once_a_person_says_paid(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "cancelled"))
    await bench.report(report(payment.id, "paid", total=100))
    await decide(bench, CaseKind.CONTRADICTION, Action.PAID, receipt="4711")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]


@pytest.mark.parametrize("booked", [False, True])
async def test_hearing_9_another_sum_in_a_second_report_is_a_case_too(bench: Bench, booked: bool) -> None:
    payment = await collected(bench, "3")
    if booked:
        await bench.work()
    await bench.report(report(payment.id, "paid", total=100))
    await bench.work()
    assert (await bench.payment(payment.id)).booking is (Booking.BOOKED if booked else Booking.BLOCKED)
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]
    if booked:
        with pytest.raises(Declined, match="not waiting"):
            await decide(bench, CaseKind.SUM_DIFFERS, Action.BOOK)
    await decide(bench, CaseKind.SUM_DIFFERS, Action.SETTLED if booked else Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert bench.library.writes == 1


async def test_hearing_9_a_report_that_corrects_a_clerks_word_brings_its_sum(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await resolve_payment(bench.world, payment.id, Word(Action.PAID, "anna", "seen", "4711"))
    await bench.report(report(payment.id, "paid", total=100))
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    (case,) = await bench.cases()
    assert (case.kind, case.facts) == (CaseKind.SUM_DIFFERS, {"collected_minor": 100, "total_minor": 300})


async def test_hearing_9_what_the_library_system_has_does_not_answer_for_the_sum(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("unapplied")
    await bench.work()
    await bench.report(report(payment.id, "paid", total=100))
    assert set(await bench.kinds()) == {CaseKind.NOT_APPLIED, CaseKind.SUM_DIFFERS}
    bench.library.credits = [(p, replace(c, unapplied=c.unapplied * 0)) for p, c in bench.library.credits]
    bench.library.owes("1", "0")
    await bench.wait_and_work(3600)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]


async def _answered_paid(bench: Bench) -> Payment:
    """Let the till's answer say paid, which names no sum; the booking is due."""
    bench.library.add_charge("1", "3")
    bench.till.steps.append(Paid("4711"))
    payment = await bench.start()
    (task,) = await bench.due()
    await bench.do(task)
    return await bench.payment(payment.id)


async def test_an_answer_that_names_another_sum_is_asked_about_like_a_report(bench: Bench) -> None:
    bench.till.steps.append(Paid("4711", 100, b"paid"))
    payment = await at_register(bench, "3")
    case = await the_case(bench, CaseKind.SUM_DIFFERS)
    assert (case.payment_id, case.facts) == (payment.id, {"collected_minor": 100, "total_minor": 300})
    assert (payment.collected_minor, payment.booking) == (100, Booking.BLOCKED)
    assert bench.library.writes == 0


async def test_whoever_reports_is_told_of_which_payment_it_was_or_what_was_wrong(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    told = await bench.report(report(payment.id, "paid"))
    assert (told.status, told.payment_id) == (200, payment.id)
    wrong = await bench.report(b"no report")
    assert (wrong.status, wrong.payment_id) == (400, None)
    assert wrong.why
