# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from support.fakes import report
from support.patience import limits_of_waiting
from support.steps import at_register, collected, decide, locks, rows, tasks, the_case
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.resolving import Action
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import CaseKind, TaskKind
from tillbridge.store import tables as t


@pytest.mark.parametrize("fault", ["kept", "error_kept", "raises"])
async def test_booking_6_what_was_booked_though_the_answer_was_lost_is_found_at_once(bench: Bench, fault: str) -> None:
    payment = await collected(bench, "3", "4")
    bench.library.faults.append(fault)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert bench.library.writes == 1


async def test_booking_6_a_miss_after_a_time_out_allows_no_repeat_before_ten_minutes(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("lost")
    await bench.work()
    while bench.clock.now() < payment.created_at + 595:
        await bench.wait_and_work(5)
        assert bench.library.writes == 1
        assert (await bench.payment(payment.id)).booking is Booking.UNKNOWN
    await bench.wait_and_work(5)
    await bench.wait_and_work(5)
    assert bench.library.writes == 2
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_booking_6_a_hit_counts_at_any_time(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("late")
    await bench.work()
    await bench.wait_and_work(300)
    bench.library.land()
    await bench.wait_and_work(300)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert bench.library.writes == 1


async def test_booking_6_what_came_late_and_paid_for_nothing_is_found_before_it_is_sent_again(bench: Bench) -> None:
    """The charges show nothing of it: only looking for the credit itself does."""
    payment = await collected(bench, "3")
    bench.library.faults.append("late")
    await bench.work()
    await bench.wait_and_work(bench.world.limits.surely_ended_s)
    assert ((await bench.payment(payment.id)).booking, bench.library.writes) == (Booking.DUE, 1)
    bench.library._store(bench.library.in_flight.pop(), apply=False)
    await bench.wait_and_work(600)
    assert (await bench.kinds(), bench.library.writes) == ([CaseKind.NOT_APPLIED], 1)


async def test_booking_6_what_an_adapter_did_wrong_is_told(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("raises")
    await bench.work()
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    (unclear,) = [event.facts["why"] for event, _ in history if event.kind == "booking_unclear"]
    assert unclear == "the adapter failed: RuntimeError"


@pytest.mark.parametrize("fault", ["error", "never"])
async def test_booking_6_what_surely_came_to_nothing_is_repeated_ever_more_seldom(bench: Bench, fault: str) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.extend([fault] * 6)
    times: list[float] = []
    while (await bench.payment(payment.id)).booking is not Booking.BOOKED:
        before = bench.library.writes
        await bench.work()
        times += [bench.clock.now()] * (bench.library.writes - before)
        due_at = await bench.store.read(lambda tx: tx.next_due(list(TaskKind)))
        bench.clock.time = due_at or bench.clock.time
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == [5, 30, 120, 600, 600, 600]


async def test_booking_6_a_clear_refusal_asks_a_person(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("refused")
    await bench.work()
    assert (await the_case(bench, CaseKind.REFUSED_BY_LIBRARY)).facts == {"why": "400"}
    await decide(bench, CaseKind.REFUSED_BY_LIBRARY, Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


@pytest.mark.parametrize("fault", ["", "lost"])
async def test_booking_6_a_library_system_that_is_away_for_hours_loses_nothing(bench: Bench, fault: str) -> None:
    payment = await collected(bench, "3")
    if fault:
        bench.library.faults.append(fault)
        (task,) = await bench.due()
        await bench.do(task)
    bench.library.away = "connection refused"
    for _ in range(20):
        await bench.wait_and_work(600)
    bench.library.away = None
    for _ in range(3):
        await bench.wait_and_work(600)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert len(bench.library.credits) == 1


async def test_booking_6_an_adapter_that_never_answers_is_looked_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await collected(bench, "3")
    limits = limits_of_waiting(monkeypatch)
    bench.library.write_limit_s = 0.01 - bench.world.limits.write_hang_s
    bench.library.faults.append("hangs")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.UNKNOWN
    assert pytest.approx(0.01) in limits


async def test_booking_6_a_late_first_request_and_its_repeat_are_booked_twice(bench: Bench) -> None:
    payment = await collected(bench, "3", "4")
    bench.library.add_charge("8", "100")
    bench.library.faults.extend(["late", "kept"])
    await bench.work()
    bench.library.owes("2", "5")
    await bench.wait_and_work(601)
    bench.clock.advance(30)
    tasks = await bench.due()
    for task in tasks:
        await bench.do(task)
    bench.library.land()
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    assert (await the_case(bench, CaseKind.BOOKED_TWICE)).facts["credits"] == ["9001", "9000"]


@pytest.mark.parametrize("fault", ["gone", None])
async def test_booking_7_a_patron_that_is_gone_is_blocked_and_looked_up_where_the_charges_are(
    bench: Bench, fault: str | None
) -> None:
    payment = await collected(bench, "3")
    bench.library.add_patron("6", "C6")
    if fault:
        bench.library.faults.append(fault)
    else:
        bench.library.merge("5", "6")
    await bench.work()
    assert await bench.kinds() == [CaseKind.PATRON_GONE]
    assert await locks(bench) == {}
    if fault:
        bench.library.merge("5", "6")
    with pytest.raises(Declined, match="Name the patron"):
        await decide(bench, CaseKind.PATRON_GONE, Action.OTHER_PATRON)
    await decide(bench, CaseKind.PATRON_GONE, Action.OTHER_PATRON, patron="6")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert bench.library.orders[-1].patron_id == "6"


@pytest.mark.parametrize(("fault", "lands"), [("kept", False), ("late", True), ("lost", False)])
async def test_booking_7_a_booking_in_doubt_of_a_merged_patron_is_settled_at_the_other_one_first(
    bench: Bench, fault: str, lands: bool
) -> None:
    payment = await collected(bench, "3")
    bench.library.add_patron("6", "C6")
    bench.library.faults.append(fault)
    (task,) = await bench.due()
    await bench.do(task)
    bench.library.merge("5", "6")
    await bench.work()
    assert await bench.kinds() == [CaseKind.PATRON_GONE]
    await decide(bench, CaseKind.PATRON_GONE, Action.OTHER_PATRON, patron="6")
    await bench.work()
    if lands:
        bench.library.in_flight = [replace(order, patron_id="6") for order in bench.library.in_flight]
        bench.library.land()
    for _ in range(4):
        await bench.wait_and_work(300)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert len(bench.library.credits) == 1


async def test_booking_7_what_is_found_of_several_credits_at_the_other_patron_leaves_the_rest_to_book(
    bench: Bench,
) -> None:
    payment = await _collected_two(bench)
    bench.library.add_patron("6", "C6")
    bench.library.owes("1", "5")
    bench.library.faults.append("kept")
    (task,) = await bench.due()
    await bench.do(task)
    bench.library.merge("5", "6")
    await bench.work()
    await decide(bench, CaseKind.PATRON_GONE, Action.OTHER_PATRON, patron="6")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert [f"{'+'.join(o.charge_ids)} {o.amount}" for o in bench.library.orders] == ["1 3", "2 4"]


@pytest.mark.parametrize("fault", [None, "never", "error"])
async def test_booking_8_while_it_is_due_a_reversed_payment_is_no_longer_due(bench: Bench, fault: str | None) -> None:
    payment = await collected(bench, "3")
    if fault:
        bench.library.faults.append(fault)
        await bench.work()
    await bench.report(report(payment.id, "cancelled"))
    await bench.work()
    stands = await bench.payment(payment.id)
    assert stands.booking is (Booking.REVERSED if fault else Booking.NONE)
    assert bench.library.credits == []
    assert await bench.cases() == []
    assert await tasks(bench) == set()


@pytest.mark.parametrize("fault", ["lost", "kept", "late", "never", "error", "refused", "gone", "unapplied", ""])
async def test_booking_8_a_reversal_while_booking_is_settled_first(bench: Bench, fault: str) -> None:
    payment = await at_register(bench, "3")
    bench.library.faults.append(fault)
    original = bench.library.record

    async def reversed_meanwhile(order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - the fake's own signature
        await bench.report(report(payment.id, "cancelled"))
        assert (await bench.payment(payment.id)).booking is Booking.BOOKING
        return await original(order)

    bench.library.record = reversed_meanwhile  # type: ignore[method-assign]
    await bench.report(report(payment.id, "paid"))
    await bench.work()
    bench.library.land()
    for _ in range(4):
        await bench.wait_and_work(4000)
    stands = await bench.payment(payment.id)
    assert stands.collection is Collection.REVERSED
    if not bench.library.credits:
        assert stands.booking in (Booking.NONE, Booking.REVERSED)
        assert await bench.cases() == []
        return
    assert stands.booking is Booking.REVERSAL_DUE
    assert await bench.kinds() == [CaseKind.VOID_BY_HAND]
    bench.library.void("9000")
    await bench.wait_and_work(4000)
    assert (await bench.payment(payment.id)).booking is Booking.REVERSED
    assert await bench.cases() == []


async def test_booking_8_a_reversal_while_one_of_several_is_in_doubt_books_none_of_the_rest(bench: Bench) -> None:
    payment = await _collected_two(bench)
    bench.library.owes("1", "5")
    bench.library.faults.append("kept")
    (task,) = await bench.due()
    await bench.do(task)
    await bench.report(report(payment.id, "cancelled"))
    assert (await bench.payment(payment.id)).booking is Booking.UNKNOWN
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.REVERSAL_DUE
    assert await bench.kinds() == [CaseKind.VOID_BY_HAND]
    assert bench.library.writes == 1


async def test_booking_8_what_was_booked_is_to_be_voided_by_hand_and_seen_void(bench: Bench) -> None:
    payment = await collected(bench, "3", "4")
    bench.library.owes("1", "5")
    await bench.work()
    await bench.report(report(payment.id, "cancelled"))
    assert (await bench.payment(payment.id)).booking is Booking.REVERSAL_DUE
    bench.library.void("9000")
    await bench.wait_and_work(3600)
    assert (await bench.payment(payment.id)).booking is Booking.REVERSAL_DUE
    bench.library.void("9001")
    one = bench.library.credits.pop(0)
    await bench.wait_and_work(3600)
    assert (await bench.payment(payment.id)).booking is Booking.REVERSAL_DUE
    bench.library.credits.append(one)
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.REVERSED
    assert await bench.cases() == []
    assert await tasks(bench) == set()


async def test_booking_8_a_person_may_say_that_it_was_taken_back(bench: Bench) -> None:
    payment = await collected(bench, "3")
    await bench.work()
    await bench.report(report(payment.id, "cancelled"))
    assert (await the_case(bench, CaseKind.VOID_BY_HAND)).facts == {"reference": payment.reference}
    await decide(bench, CaseKind.VOID_BY_HAND, Action.SETTLED)
    assert (await bench.payment(payment.id)).booking is Booking.REVERSED
    assert await tasks(bench) == set()


async def test_booking_8_a_void_of_a_patron_that_is_gone_waits(bench: Bench) -> None:
    payment = await collected(bench, "3")
    await bench.work()
    await bench.report(report(payment.id, "cancelled"))
    del bench.library.patrons["5"]
    for _ in range(3):
        await bench.wait_and_work(3600)
    assert (await bench.payment(payment.id)).booking is Booking.REVERSAL_DUE
    assert await bench.kinds() == [CaseKind.VOID_BY_HAND]


async def test_booking_8_a_blocked_booking_that_never_began_is_no_longer_due(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "paid", total=1))
    await bench.report(report(payment.id, "cancelled"))
    assert (await bench.payment(payment.id)).booking is Booking.NONE
    assert await bench.cases() == []


async def _collected_two(bench: Bench) -> Payment:
    bench.library.add_charge("1", "3")
    bench.library.add_charge("2", "4")
    payment = await bench.start(charges=(Chosen("1"), Chosen("2")))
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    return payment


async def pauses(bench: Bench, kind: TaskKind, times: int) -> list[float]:
    """Return after how long the task of this kind is due again and again, each time from the last."""
    found = []
    for _ in range(times):
        (due_at,) = [row.due_at for row in await rows(bench, t.task) if row.kind == kind]
        found.append(due_at - bench.clock.now())
        await bench.wait_and_work(found[-1])
    return found


async def test_a_library_system_that_is_away_is_asked_ever_more_seldom(bench: Bench) -> None:
    await collected(bench, "3")
    bench.library.away = "no connection"
    await bench.work()
    assert await pauses(bench, TaskKind.BOOK, 6) == [5, 30, 120, 600, 600, 600]


async def test_what_may_still_come_is_looked_for_ever_more_seldom_and_last_when_it_has_surely_ended(
    bench: Bench,
) -> None:
    await collected(bench, "3")
    bench.library.faults.append("late")
    await bench.work()
    assert await pauses(bench, TaskKind.LOOK_UP, 4) == [5, 30, 120, 600 - 155]


async def test_a_surplus_of_a_few_cents_is_a_case_too(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.owes("1", "2.95")
    await bench.work()
    case = await the_case(bench, CaseKind.SURPLUS)
    assert (case.payment_id, case.facts["surplus"]) == (payment.id, "0.05")


async def test_what_is_booked_is_kept_with_the_numbers_of_its_credits(bench: Bench) -> None:
    payment = await collected(bench, "3", "4")
    bench.library.owes("1", "5")
    await bench.work()
    history = await bench.store.read(lambda tx: [event for event, _ in tx.history(payment.id)])
    assert [event.facts["credits"] for event in history if event.kind == "booking_confirmed"] == [["9000", "9001"]]


async def test_where_the_patron_owes_nothing_else_a_booking_reads_the_charges_once(bench: Bench) -> None:
    await collected(bench, "3", "4")
    before = bench.library.reads
    await bench.work()
    assert (bench.library.reads - before, bench.library.writes) == (1, 1)


@pytest.mark.parametrize(
    ("fault", "kind", "facts"),
    [
        ("unapplied", CaseKind.NOT_APPLIED, {"unapplied": "3"}),
        ("other_sum", CaseKind.WRONG_CREDIT, {"amount": "2.99"}),
    ],
)
async def test_a_case_about_a_credit_says_how_much_of_it_is_wrong(
    bench: Bench, fault: str, kind: CaseKind, facts: dict[str, str]
) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append(fault)
    await bench.work()
    assert (await the_case(bench, kind)).facts == {"credit": "9000"} | facts
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    (blocked,) = [event.facts for event, _ in history if event.kind == "booking_block"]
    assert blocked == {"case": str(kind), "credit": "9000", "to": "blocked"} | facts


async def test_a_booking_that_came_to_nothing_reads_the_charges_once(bench: Bench) -> None:
    await collected(bench, "3")
    bench.library.add_charge("2", "50")  # where a credit could have spilled over, if there had been one
    bench.library.faults.append("never")
    before = bench.library.reads
    await bench.work()
    assert (bench.library.reads - before, bench.library.writes) == (1, 1)


async def test_every_repetition_of_a_booking_is_counted(bench: Bench) -> None:
    await collected(bench, "3")
    bench.library.faults.extend(["never"] * 3)
    await bench.work()
    for times in (1, 2, 3):
        assert [row.attempt for row in await rows(bench, t.task) if row.kind == TaskKind.BOOK] == [times]
        await bench.wait_and_work(600)


async def test_a_case_that_is_settled_there_is_looked_at_once_an_hour(bench: Bench) -> None:
    await collected(bench, "3")
    bench.library.faults.append("unapplied")
    at_the_till = bench.library.reads
    await bench.work()
    before = bench.library.reads
    assert before == at_the_till + 1
    await bench.wait_and_work(3599)
    assert bench.library.reads == before
    await bench.wait_and_work(1)
    assert bench.library.reads == before + 2
