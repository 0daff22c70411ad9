# SPDX-License-Identifier: GPL-3.0-or-later
"""A booking of several credits: each goes out on a fresh reading, and is looked at on its own and with the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from support.fakes import report
from support.rules import check
from support.steps import collected, credits_of, decide, tasks, the_case
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking
from tillbridge.domain.payment import Payment
from tillbridge.service.library_port import BookingAnswer, CreditOrder
from tillbridge.service.resolving import Action
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import CaseKind, CreditState, TaskKind


async def changed(bench: Bench) -> Payment:
    """Collect 3 and 4 for charges of which the first has grown meanwhile, so that each gets a credit of its own."""
    payment = await collected(bench, "3", "4")
    bench.library.owes("1", "5")
    return payment


async def changed_beside_a_foreign_charge(bench: Bench) -> Payment:
    for charge, owed in (("1", "3"), ("2", "4"), ("3", "50")):
        bench.library.add_charge(charge, owed)
    payment = await bench.start(charges=(Chosen("1"), Chosen("2")))
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    bench.library.owes("1", "5")
    return payment


def around_the_next_write(
    bench: Bench, *, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None
) -> None:
    """Let something happen right before or after the library system records the next credit."""
    record = bench.library.record

    async def with_company(order: CreditOrder) -> BookingAnswer:
        bench.library.record = record  # type: ignore[method-assign]
        before()
        answer = await record(order)
        after()
        return answer

    bench.library.record = with_company  # type: ignore[method-assign]


def sent(bench: Bench) -> list[str]:
    return [f"{'+'.join(order.charge_ids)} {order.amount}" for order in bench.library.orders]


async def test_a_credit_that_spills_over_to_the_payments_own_other_line_is_not_taken_for_booked(bench: Bench) -> None:
    payment = await collected(bench, "3", "4")
    bench.library.owes("2", "12")
    around_the_next_write(bench, before=lambda: bench.library.owes("1", "0"))
    await bench.work()
    assert bench.library.charges["2"].owed == 9
    assert sent(bench) == ["1 3"]
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    facts = (await the_case(bench, CaseKind.WRONG_CREDIT)).facts
    assert (facts["elsewhere"], facts["unsent"]) == (True, ["2"])


async def test_a_charge_that_falls_between_two_credits_gets_none_that_would_spill_over(bench: Bench) -> None:
    payment = await changed_beside_a_foreign_charge(bench)
    around_the_next_write(bench, after=lambda: bench.library.owes("2", "0"))
    await bench.work()
    assert bench.library.charges["3"].owed == 50
    assert sent(bench) == ["1 3"]
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED


async def test_the_rest_is_planned_anew_against_what_is_owed_after_each_credit(bench: Bench) -> None:
    for charge, owed in (("1", "3"), ("2", "4"), ("3", "6")):
        bench.library.add_charge(charge, owed)
    payment = await bench.start()
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    bench.library.owes("1", "5")
    await bench.work()
    assert sent(bench) == ["1 3", "2+3 10"]
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.cases() == []


async def test_every_credit_is_followed_by_one_reading_and_no_more(bench: Bench) -> None:
    await changed(bench)
    before = bench.library.reads
    await bench.work()
    # The charges, the credits and the charges again since something has changed, and the charges after each credit.
    assert bench.library.reads - before == 1 + 2 + 2


@pytest.mark.parametrize("gone", ["void", "missing"])
async def test_a_credit_that_is_taken_back_while_another_one_is_in_doubt_is_not_booked(bench: Bench, gone: str) -> None:
    payment = await changed(bench)
    bench.library.faults.extend(["", "late"])
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.UNKNOWN
    bench.library.void("9000")
    if gone == "missing":
        bench.library.credits.pop(0)
    bench.library.land()
    await bench.wait_and_work(600)
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    facts = (await the_case(bench, CaseKind.CREDIT_VOIDED)).facts
    assert (facts["credits"], facts["n"]) == (["9000"], 1)
    await decide(bench, CaseKind.CREDIT_VOIDED, Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert sent(bench) == ["1 3", "2 4", "1 3"]
    assert [bench.library.charges[charge].owed for charge in ("1", "2")] == [2, 0]


async def test_a_credit_that_is_taken_back_before_the_next_one_goes_out_is_not_booked(bench: Bench) -> None:
    payment = await changed(bench)
    bench.library.faults.extend(["", "refused"])
    await bench.work()
    bench.library.void("9000")
    await decide(bench, CaseKind.REFUSED_BY_LIBRARY, Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    assert (await the_case(bench, CaseKind.CREDIT_VOIDED)).facts["credits"] == ["9000"]
    assert len(sent(bench)) == 2


async def test_what_was_taken_back_and_is_settled_by_hand_does_not_stand_for_booked(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("kept")
    (task,) = await bench.due()
    await bench.do(task)
    bench.library.void("9000")
    await bench.work()
    await decide(bench, CaseKind.CREDIT_VOIDED, Action.SETTLED)
    assert (await bench.payment(payment.id)).booking is Booking.NONE
    assert [credit.state for credit in await credits_of(bench, payment)] == [CreditState.VOIDED]


async def test_a_first_credit_that_could_not_be_checked_is_booked_with_the_rest_once_it_was_seen(bench: Bench) -> None:
    payment = await changed_beside_a_foreign_charge(bench)

    def away() -> None:
        bench.library.away = "no connection"

    around_the_next_write(bench, after=away)
    await bench.work()
    assert await bench.kinds() == [CaseKind.WRONG_CREDIT]
    bench.library.away = None
    await bench.wait_and_work(5)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert sent(bench) == ["1 3", "2 4"]
    assert await bench.cases() == []
    await check(bench)


async def not_applied(bench: Bench) -> Payment:
    payment = await changed(bench)
    bench.library.faults.append("unapplied")
    await bench.work()
    assert (await the_case(bench, CaseKind.NOT_APPLIED)).facts["unsent"] == ["2"]
    return payment


def apply_by_hand(bench: Bench) -> None:
    bench.library.credits = [(p, replace(c, unapplied=c.unapplied * 0)) for p, c in bench.library.credits]
    bench.library.owes("1", "2")


async def test_a_first_credit_that_a_librarian_applied_is_followed_by_the_rest(bench: Bench) -> None:
    payment = await not_applied(bench)
    apply_by_hand(bench)
    await decide(bench, CaseKind.NOT_APPLIED, Action.LOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert sent(bench) == ["1 3", "2 4"]
    assert await bench.cases() == []
    assert await tasks(bench) == set()


async def test_a_credit_that_surely_came_to_nothing_does_not_keep_an_applied_one_from_counting(bench: Bench) -> None:
    payment = await changed(bench)
    bench.library.faults.extend(["never", "unapplied"])
    await bench.work()
    await bench.wait_and_work(5)
    apply_by_hand(bench)
    await decide(bench, CaseKind.NOT_APPLIED, Action.LOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert sent(bench) == ["1 3", "1 3", "2 4"]
    assert await bench.cases() == []


async def still_open_after_a_look(bench: Bench, kind: CaseKind) -> bool:
    """Let the library system be looked at; tell whether the case is still the one that it was, with its age."""
    before = await bench.cases()
    await decide(bench, kind, Action.LOOK)
    await bench.wait_and_work(1)
    return await bench.cases() == before


async def second_not_applied(bench: Bench) -> Payment:
    payment = await changed(bench)
    bench.library.faults.extend(["", "unapplied"])
    await bench.work()
    return payment


async def test_a_case_about_one_of_several_credits_stays_open_until_that_one_is_applied(bench: Bench) -> None:
    payment = await second_not_applied(bench)
    assert await still_open_after_a_look(bench, CaseKind.NOT_APPLIED)
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED


async def test_the_rest_is_booked_at_once_where_a_look_finds_the_credit_in_doubt(bench: Bench) -> None:
    payment = await changed(bench)
    bench.library.faults.append("kept")
    (book,) = await bench.due()
    await bench.do(book)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert sent(bench) == ["1 3", "2 4"]


async def test_a_case_of_every_kind_that_is_answered_there_is_answered_by_one_look(bench: Bench) -> None:
    payment = await not_applied(bench)
    await bench.store.write(lambda tx: tx.open_case(CaseKind.WRONG_CREDIT, payment.id, 1.0, {}))
    await bench.store.write(lambda tx: tx.open_case(CaseKind.BOOKED_TWICE, payment.id, 1.0, {}))
    apply_by_hand(bench)
    await decide(bench, CaseKind.NOT_APPLIED, Action.LOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.cases() == []


async def test_a_credit_that_is_not_there_any_more_is_not_taken_for_applied(bench: Bench) -> None:
    payment = await second_not_applied(bench)
    bench.library.credits.pop()
    assert await still_open_after_a_look(bench, CaseKind.NOT_APPLIED)
    for _ in range(3):
        await bench.wait_and_work(3600)
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    assert sent(bench) == ["1 3", "2 4"]


async def test_a_credit_that_nobody_sent_stays_a_case_beside_those_that_are_whole(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("kept")
    (book,) = await bench.due()
    await bench.do(book)
    patron, credit = bench.library.credits[0]
    bench.library.credits.append((patron, replace(credit, credit_id="666", reference=f"{payment.reference}:2")))
    await bench.work()
    assert await still_open_after_a_look(bench, CaseKind.BOOKED_TWICE)
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    bench.library.credits.pop()
    await decide(bench, CaseKind.BOOKED_TWICE, Action.LOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.cases() == []


async def test_the_rest_waits_where_a_person_must_still_decide_about_the_sum(bench: Bench) -> None:
    payment = await not_applied(bench)
    await bench.report(report(payment.id, "paid", total=100))
    apply_by_hand(bench)
    await decide(bench, CaseKind.NOT_APPLIED, Action.LOOK)
    await bench.work()
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]
    assert sent(bench) == ["1 3"]
    await decide(bench, CaseKind.SUM_DIFFERS, Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert sent(bench) == ["1 3", "2 4"]


async def test_whoever_settles_a_booking_by_hand_is_told_what_was_never_sent(bench: Bench) -> None:
    payment = await not_applied(bench)
    apply_by_hand(bench)
    await decide(bench, CaseKind.NOT_APPLIED, Action.SETTLED)
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    assert history[-1][0].facts["not_booked"] == {"1": "3", "2": "4"}


@pytest.mark.parametrize("void", ["9000", "9001"])
async def test_of_what_was_booked_twice_the_librarian_may_take_back_either(bench: Bench, void: str) -> None:
    payment = await changed(bench)
    bench.library.faults.extend(["late", "kept"])
    await bench.work()
    for _ in range(2):
        await bench.wait_and_work(301)
    bench.clock.advance(30)
    (book,) = [task for task in await bench.due() if task.kind is TaskKind.BOOK]
    await bench.do(book)
    bench.library.land()
    await bench.work()
    assert CaseKind.BOOKED_TWICE in await bench.kinds()
    bench.library.void(void)
    for charge, owed in (("1", "2"), ("2", "4")):
        bench.library.owes(charge, owed)
    await decide(bench, CaseKind.BOOKED_TWICE, Action.LOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert sent(bench) == ["1 3", "1 3", "2 4"]
    assert await bench.cases() == []
