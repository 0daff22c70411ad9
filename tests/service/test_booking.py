# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from support.fakes import report
from support.steps import collected, credits_of, decide, locks, tasks, the_case
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.resolving import Action
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import CaseKind, CreditState, TaskKind


async def test_booking_1_the_reference_stands_behind_a_readable_text_in_the_credits_note(bench: Bench) -> None:
    payment = await collected(bench, "3")
    await bench.work()
    (order,) = bench.library.orders
    assert order.reference == f"tillbridge:{payment.id}"
    assert order.note == f"Cash register 10, clerk anna, receipt 4711 tillbridge:{payment.id}"
    assert (order.patron_id, order.branch) == ("5", "CPL")


async def test_booking_1_several_credits_are_numbered(bench: Bench) -> None:
    payment = await collected(bench, "3", "4")
    bench.library.owes("1", "2")
    await bench.work()
    assert [order.reference for order in bench.library.orders] == [f"tillbridge:{payment.id}:{n}" for n in (1, 2)]


async def test_booking_2_for_one_patron_one_books_at_a_time_until_its_outcome_is_settled(bench: Bench) -> None:
    first = await collected(bench, "3")
    bench.library.add_charge("2", "4")
    second = await bench.start(charges=(Chosen("2"),))
    await bench.work()
    await bench.report(report(second.id, "paid"))
    bench.library.faults.append("lost")
    tried = (await bench.payment(first.id), await bench.payment(second.id))
    assert {payment.booking for payment in tried} == {Booking.BOOKED, Booking.DUE}
    assert await locks(bench) == {}
    bench.library.add_charge("3", "5")
    third = await bench.start(charges=(Chosen("3"),))
    await bench.work()
    in_doubt = await bench.payment(second.id)
    assert in_doubt.booking is Booking.UNKNOWN
    await bench.report(report(third.id, "paid"))
    for _ in range(9):
        await bench.wait_and_work(60)
        assert (await bench.payment(third.id)).booking is Booking.DUE
        assert await locks(bench) == {"5": second.id}
    bench.library.add_patron("6", "C2")
    bench.library.add_charge("9", "1", patron_id="6")
    other = await bench.start(card_number="C2")
    await bench.work()
    await bench.report(report(other.id, "paid"))
    await bench.work()
    assert (await bench.payment(other.id)).booking is Booking.BOOKED
    for _ in range(3):
        await bench.wait_and_work(60)
    for payment in (second, third):
        assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await locks(bench) == {}


async def test_booking_2_a_pause_lets_the_patrons_other_payments_go_first(bench: Bench) -> None:
    first = await collected(bench, "3")
    bench.library.add_charge("2", "4")
    second = await bench.start(charges=(Chosen("2"),))
    bench.library.faults.append("never")
    await bench.work()
    await bench.report(report(second.id, "paid"))
    await bench.work()
    assert (await bench.payment(first.id)).booking is Booking.DUE
    assert (await bench.payment(second.id)).booking is Booking.BOOKED


async def test_booking_2_the_waiting_payment_is_woken_when_the_patron_is_free(bench: Bench) -> None:
    first = await collected(bench, "3")
    bench.library.add_charge("2", "4")
    second = await bench.start(charges=(Chosen("2"),))
    await bench.report(report(second.id, "paid"))
    await bench.store.write(lambda tx: tx.lock_patron(first))
    claimed = {(task.payment_id, task.kind): task for task in await bench.due()}
    await bench.do(claimed[second.id, TaskKind.BOOK])
    assert (await bench.payment(second.id)).booking is Booking.DUE
    await bench.do(claimed[first.id, TaskKind.BOOK])
    assert (await bench.payment(first.id)).booking is Booking.BOOKED
    await bench.work()
    assert (await bench.payment(second.id)).booking is Booking.BOOKED


async def test_booking_3_what_changed_before_the_till_is_shown_and_nothing_is_sent(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    with pytest.raises(Declined) as no:
        await bench.start(charges=(Chosen("1", Decimal("2.50")),))
    assert no.value.code == "changed"
    assert no.value.facts == {"changed": [{"charge": "1", "seen": "2.50", "now": "3"}]}
    await bench.work()
    assert bench.till.orders == []


CHANGES = [
    ("as they were", {}, ["1+2 7"], None),
    ("one grew", {"1": "5"}, ["1 3", "2 4"], None),
    ("one shrank", {"1": "1"}, ["1 1", "2 4"], "2"),
    ("one is gone", {"1": "0"}, ["2 4"], "3"),
    ("all are gone", {"1": "0", "2": "0"}, [], "7"),
    ("all shrank", {"1": "0.50", "2": "1.20"}, ["1 0.50", "2 1.20"], "5.30"),
]


@pytest.mark.parametrize(("name", "now", "sent", "surplus"), CHANGES, ids=[row[0] for row in CHANGES])
async def test_booking_4_charges_are_read_again_and_nothing_spills_over(
    bench: Bench, name: str, now: dict[str, str], sent: list[str], surplus: str | None
) -> None:
    bench.library.add_charge("3", "50")
    payment = await _collected_two(bench)
    for charge, owed in now.items():
        bench.library.owes(charge, owed)
    await bench.work()
    assert [f"{'+'.join(order.charge_ids)} {order.amount}" for order in bench.library.orders] == sent
    assert {charge for _, charge, _ in bench.library.paid_to} <= {"1", "2"}
    stands = await bench.payment(payment.id)
    assert stands.booking is (Booking.BOOKED if surplus is None else Booking.BLOCKED)
    if surplus is not None:
        assert (await the_case(bench, CaseKind.SURPLUS)).facts["surplus"] == surplus


async def test_booking_4_a_partial_sum_lands_where_the_lines_say(bench: Bench) -> None:
    for number, owed in (("1", "3"), ("2", "4"), ("3", "6")):
        bench.library.add_charge(number, owed)
    payment = await bench.start(sum_minor=500)
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    await bench.work()
    assert [(charge, str(share)) for _, charge, share in bench.library.paid_to] == [("1", "3"), ("2", "2.00")]


@pytest.mark.parametrize("more", [True, False])
async def test_booking_4_a_surplus_that_is_to_be_booked_never_sends_an_empty_credit(bench: Bench, more: bool) -> None:
    payment = await _collected_two(bench)
    bench.library.owes("1", "1" if more else "0")
    await bench.work()
    sent = len(bench.library.orders)
    await decide(bench, CaseKind.SURPLUS, Action.BOOK)
    await bench.work()
    assert len(bench.library.orders) == sent
    assert await bench.kinds() == [CaseKind.SURPLUS]
    await decide(bench, CaseKind.SURPLUS, Action.SETTLED)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await tasks(bench) == set()


FOUND = [
    ("unapplied", CaseKind.NOT_APPLIED),
    ("error_unapplied", CaseKind.NOT_APPLIED),
    ("other_sum", CaseKind.WRONG_CREDIT),
    ("doubled", CaseKind.BOOKED_TWICE),
]


@pytest.mark.parametrize(("fault", "kind"), FOUND)
async def test_booking_5_found_is_not_booked(bench: Bench, fault: str, kind: CaseKind) -> None:
    payment = await collected(bench, "3")
    bench.library.add_charge("2", "50")
    bench.library.faults.append(fault)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    assert await bench.kinds() == [kind]
    assert await locks(bench) == {}
    for _ in range(3):
        await bench.wait_and_work(4000)
    assert bench.library.writes == 1
    assert await bench.kinds() == [kind]


@pytest.mark.parametrize("amount", ["2.99", "3.01"])
async def test_booking_5_a_credit_of_another_sum_is_not_booked(bench: Bench, amount: str) -> None:
    await _lost_then(bench, lambda credit: replace(credit, amount=Decimal(amount)))
    assert await bench.kinds() == [CaseKind.WRONG_CREDIT]


async def test_booking_5_a_credit_that_went_elsewhere_is_not_booked(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("kept")
    (task,) = await bench.due()
    await bench.do(task)
    bench.library.owes("1", "3")
    await bench.work()
    assert (await the_case(bench, CaseKind.WRONG_CREDIT)).facts["elsewhere"] is True
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED


async def test_booking_5_a_case_that_is_settled_in_the_library_system_ends_by_itself(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("doubled")
    await bench.work()
    assert await bench.kinds() == [CaseKind.BOOKED_TWICE]
    await decide(bench, CaseKind.BOOKED_TWICE, Action.LOOK)
    await bench.work()
    assert await bench.kinds() == [CaseKind.BOOKED_TWICE]
    bench.library.void("9001")
    await decide(bench, CaseKind.BOOKED_TWICE, Action.LOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.cases() == []
    assert [credit.credit_id for credit in await credits_of(bench, payment)] == ["9000"]
    assert await tasks(bench) == set()


async def test_booking_5_a_void_credit_means_that_a_librarian_took_it_back_so_ask(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("kept")
    (task,) = await bench.due()
    await bench.do(task)
    bench.library.void("9000")
    await bench.work()
    assert await bench.kinds() == [CaseKind.CREDIT_VOIDED]
    assert bench.library.writes == 1
    await decide(bench, CaseKind.CREDIT_VOIDED, Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert [(c.n, c.state) for c in await credits_of(bench, payment)] == [
        (0, CreditState.VOIDED),
        (1, CreditState.BOOKED),
    ]


async def test_booking_5_a_credit_under_our_reference_that_nobody_sent_is_booked_twice(bench: Bench) -> None:
    payment = await collected(bench, "3", "4")
    bench.library.owes("1", "2")
    bench.library.faults.append("kept")
    (task,) = await bench.due()
    await bench.do(task)
    (patron, credit) = bench.library.credits[0]
    bench.library.credits.append((patron, replace(credit, credit_id="666", reference=f"{payment.reference}:2")))
    await bench.work()
    assert (await the_case(bench, CaseKind.BOOKED_TWICE)).facts["credits"] == ["666"]
    assert bench.library.writes == 1


async def test_booking_5_two_valid_credits_under_one_reference_are_not_whole(bench: Bench) -> None:
    payment = await collected(bench, "3", "4")
    bench.library.owes("1", "5")
    bench.library.faults.extend(["", "unapplied"])
    await bench.work()
    (patron, first), (_, second) = bench.library.credits
    bench.library.credits = [(patron, first), (patron, replace(first, credit_id="666"))]
    await decide(bench, CaseKind.NOT_APPLIED, Action.LOOK)
    await bench.work()
    assert second.reference == f"{payment.reference}:2"
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED


@pytest.mark.parametrize(
    ("owed", "minor", "exact"), [("2.345", 235, "2.345"), ("2.344", 234, "2.344"), ("0.005", 1, "0.005")]
)
async def test_booking_9_a_fraction_of_a_cent_is_rounded_for_the_till_and_exact_for_the_library_system(
    bench: Bench, owed: str, minor: int, exact: str
) -> None:
    payment = await collected(bench, owed)
    await bench.work()
    assert payment.total.minor == minor
    assert str(bench.library.orders[0].amount) == exact
    assert bench.library.charges["1"].owed == 0
    assert (await bench.payment(payment.id)).collected_minor == minor


async def test_booking_9_amounts_never_come_from_a_report(bench: Bench) -> None:
    await collected(bench, "3")
    payment = await bench.payment("1".zfill(24))
    await bench.report(report(payment.id, "paid", total=302))
    await bench.work()
    assert [str(order.amount) for order in bench.library.orders] == ["3"]


async def _collected_two(bench: Bench) -> Payment:
    bench.library.add_charge("1", "3")
    bench.library.add_charge("2", "4")
    payment = await bench.start(charges=(Chosen("1"), Chosen("2")))
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    return payment


async def _lost_then(bench: Bench, change) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - a small lambda
    await collected(bench, "3")
    bench.library.faults.append("kept")
    (task,) = await bench.due()
    await bench.do(task)
    bench.library.credits = [(patron, change(credit)) for patron, credit in bench.library.credits]
    await bench.work()
