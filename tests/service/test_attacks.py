# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways in which money was lost or doubled by somebody who tried; each is closed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from support.fakes import report
from support.steps import at_register, begun, claims, collected, decide, held, paused, rows, tasks, the_case, unknown
from support.worlds import Bench
from tillbridge.domain.lifecycle import PAID_CLERK, PAID_TILL, REVERSED_CLERK, Booking, Collection
from tillbridge.errors import Declined
from tillbridge.service.library_port import BookingAnswer, Charge, Credit, CreditOrder, NoSuchPatron, Unavailable
from tillbridge.service.register_port import NeverSent, Paid
from tillbridge.service.resolving import Action, Word, resolve_payment, stop_waiting
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.starting import ByHand, Chosen, StartRequest, record_by_hand
from tillbridge.service.store_port import CaseKind, CreditState, StoredCredit, TaskKind
from tillbridge.service.weighing import Wrong, weigh_answer
from tillbridge.store import tables as t


async def test_what_is_collected_twice_cannot_be_collected_a_third_time(bench: Bench) -> None:
    first = await unknown(bench, "5", "7")
    await resolve_payment(bench.world, first.id, Word(Action.NOT_PAID, "anna", "the till shows nothing"))
    second = await bench.start(charges=(Chosen("1"),))
    await bench.work()
    await bench.report(report(first.id, "paid"))
    assert await bench.kinds() == [CaseKind.COLLECTED_TWICE]
    assert await claims(bench) == {"1": second.id, "2": first.id}
    await bench.report(report(second.id, "cancelled"))
    for charge in ("1", "2"):
        with pytest.raises(Declined, match="being paid already") as declined:
            await bench.start(charges=(Chosen(charge),))
        assert declined.value.facts == {"payment": first.id}
    await decide(bench, CaseKind.COLLECTED_TWICE, Action.BOOK)
    assert set((await claims(bench)).values()) == {first.id}
    await bench.work()
    assert (await bench.payment(first.id)).booking is Booking.BOOKED
    assert await claims(bench) == {}


async def test_the_other_payment_is_shown_what_it_collides_with(bench: Bench) -> None:
    first = await unknown(bench, "5")
    await resolve_payment(bench.world, first.id, Word(Action.NOT_PAID, "anna", "the till shows nothing"))
    second = await bench.start()
    await bench.report(report(first.id, "paid"))
    named = await bench.store.read(lambda tx: tx.cases_naming(second.id))
    assert [(case.kind, case.payment_id) for case in named] == [(CaseKind.COLLECTED_TWICE, first.id)]


async def test_one_receipt_taken_by_hand_books_one_payment(bench: Bench) -> None:
    bench.library.add_charge("1", "10")
    request = StartRequest("CPL", "10", "anna", card_number="C1", sum_minor=500)
    word = ByHand("4711", "sari", "the bridge was down")
    first = await record_by_hand(bench.world, request, word)
    await bench.work()
    with pytest.raises(Declined, match="another payment already") as declined:
        await record_by_hand(bench.world, request, word)
    assert declined.value.facts == {"payment": first.id}
    assert bench.library.charges["1"].owed == 5


async def test_one_receipt_resolves_one_unknown_payment(bench: Bench) -> None:
    first = await unknown(bench, "5")
    bench.library.add_patron("6", "C6")
    bench.library.add_charge("9", "5", patron_id="6")
    second = await bench.start(card_number="C6")
    await bench.work()
    await bench.report(report(first.id, "paid", receipt="4711"))
    await wish_to_cancel(bench.world, second.id, "anna")
    await stop_waiting(bench.world, second.id, "anna")
    with pytest.raises(Declined, match="another payment already"):
        await resolve_payment(bench.world, second.id, Word(Action.PAID, "anna", "seen", "4711"))
    assert (await bench.payment(second.id)).collection is Collection.UNKNOWN


async def test_collected_and_not_booked_stands_on_the_list_after_two_minutes(bench: Bench) -> None:
    payment = await collected(bench, "5")
    bench.library.away = "no connection"
    await bench.work()
    await bench.wait_and_work(119)
    assert await bench.kinds() == []
    await bench.wait_and_work(1)
    assert await bench.kinds() == [CaseKind.NOT_BOOKED]
    bench.library.away = None
    await decide(bench, CaseKind.NOT_BOOKED, Action.LOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.kinds() == []
    assert await tasks(bench) == set()
    (closed,) = await bench.store.read(lambda tx: tx.cases_of(payment.id))
    assert (closed.closed_by, closed.resolution) == ("library", "confirmed")


async def test_a_booking_that_is_in_time_leaves_no_watch_behind(bench: Bench) -> None:
    await collected(bench, "5")
    assert TaskKind.WATCH in {kind for _, kind in await tasks(bench)}
    await bench.work()
    assert await tasks(bench) == set()


def pay_in_koha_before_the_write(bench: Bench, charge_id: str) -> None:
    """Let somebody pay a charge with Koha's own button between the bridge's read and its write."""
    record = bench.library.record

    async def too_late(order: CreditOrder) -> BookingAnswer:
        bench.library.owes(charge_id, "0")
        return await record(order)

    bench.library.record = too_late  # type: ignore[method-assign]


@pytest.mark.parametrize("fault", ["", "kept"])
async def test_a_credit_that_spills_over_to_another_charge_is_not_taken_for_booked(bench: Bench, fault: str) -> None:
    bench.library.add_charge("1", "5")
    bench.library.add_charge("2", "5")
    payment = await bench.start(charges=(Chosen("1"),))
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    if fault:
        bench.library.faults.append(fault)
    pay_in_koha_before_the_write(bench, "1")
    await bench.work()
    assert bench.library.charges["2"].owed == 0
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    assert (await the_case(bench, CaseKind.WRONG_CREDIT)).facts["elsewhere"] is True


async def test_a_credit_that_cannot_be_checked_is_checked_again_soon(bench: Bench) -> None:
    bench.library.add_charge("1", "5")
    bench.library.add_charge("2", "5")
    payment = await bench.start(charges=(Chosen("1"),))
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    record = bench.library.record

    async def then_away(order: CreditOrder) -> BookingAnswer:
        answer = await record(order)
        bench.library.away = "no connection"
        return answer

    bench.library.record = then_away  # type: ignore[method-assign]
    await bench.work()
    assert await bench.kinds() == [CaseKind.WRONG_CREDIT]
    # Soon, and not at once: it has not been looked at yet.
    assert [row.attempt for row in await rows(bench, t.task) if row.kind == TaskKind.LOOK_UP] == [0]
    bench.library.away = None
    await bench.wait_and_work(5)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.kinds() == []
    assert bench.library.writes == 1


async def test_after_a_restored_backup_nothing_is_booked_a_second_time(bench: Bench) -> None:
    payment = await collected(bench, "10", sum_minor=500)
    order = CreditOrder("5", "CPL", ("1",), Decimal(5), payment.reference, f"before the restore {payment.reference}")
    await bench.library.record(order)
    await bench.work()
    assert bench.library.writes == 1
    assert bench.library.charges["1"].owed == 5
    assert await bench.kinds() == [CaseKind.BOOKED_TWICE]


async def test_the_till_s_first_paid_after_a_clerk_s_back_and_forth_is_heard(bench: Bench) -> None:
    payment = await unknown(bench, "5")
    await resolve_payment(bench.world, payment.id, Word(Action.PAID, "anna", "the receipt is there", "4711"))
    await bench.report(report(payment.id, "cancelled"))
    await decide(bench, CaseKind.CONTRADICTION, Action.NOT_PAID)
    assert (await bench.payment(payment.id)).standing == REVERSED_CLERK
    await bench.report(report(payment.id, "paid", receipt="4711"))
    assert CaseKind.CONTRADICTION in await bench.kinds()


async def test_refused_after_a_clerk_s_paid_is_a_contradiction(bench: Bench) -> None:
    payment = await unknown(bench, "5")
    await resolve_payment(bench.world, payment.id, Word(Action.PAID, "anna", "the receipt is there", "4711"))
    await bench.report(report(payment.id, "refused"))
    assert (await bench.payment(payment.id)).standing == PAID_CLERK
    assert await bench.kinds() == [CaseKind.CONTRADICTION]


async def test_two_reports_with_different_receipts_are_a_contradiction(bench: Bench) -> None:
    payment = await collected(bench, "5")
    await bench.report(report(payment.id, "paid", receipt="4712"))
    await bench.work()
    done = await bench.payment(payment.id)
    assert (done.receipt_number, done.booking) == ("4711", Booking.BOOKED)
    assert await bench.kinds() == [CaseKind.CONTRADICTION]


async def test_an_answer_and_a_report_may_number_differently(bench: Bench) -> None:
    bench.library.add_charge("1", "5")
    bench.till.steps.append(Paid("A1"))
    payment = await bench.start()
    await bench.work()
    await bench.report(report(payment.id, "paid", receipt="R1"))
    assert await bench.kinds() == []


async def test_an_adapter_that_falls_over_while_reading_is_tried_again(bench: Bench) -> None:
    payment = await collected(bench, "5")
    read = bench.library.open_charges

    async def falls_over(_patron_id: str) -> tuple[Charge, ...] | NoSuchPatron | Unavailable:
        bench.library.open_charges = read  # type: ignore[method-assign]
        raise RuntimeError("a fault of the adapter")

    bench.library.open_charges = falls_over  # type: ignore[method-assign,assignment]
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.DUE
    await bench.wait_and_work(5)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


@pytest.mark.parametrize(("owed", "sent"), [("5", 2), ("4", 1), ("0", 1)])
async def test_a_message_that_waited_is_sent_only_for_charges_that_are_as_they_were(
    bench: Bench, owed: str, sent: int
) -> None:
    bench.library.add_charge("1", "5")
    bench.till.steps.append(NeverSent("connection refused"))
    payment = await bench.start()
    await bench.work()
    bench.library.owes("1", owed)
    await bench.wait_and_work(6)
    assert len(bench.till.orders) == sent
    if sent == 1:
        stands = await bench.payment(payment.id)
        assert stands.collection is Collection.CANCELLED
        assert await claims(bench) == {}
        (event, _) = (await bench.store.read(lambda tx: tx.history(payment.id)))[-1]
        why = {"via": "library", "why": "the charges have changed meanwhile", "to": str(stands.standing)}
        assert (event.kind, event.actor, event.facts) == ("given_up", "bridge", why)


async def test_a_payment_that_is_cancelled_while_its_charges_are_read_again_stays_cancelled(bench: Bench) -> None:
    bench.library.add_charge("1", "5")
    bench.till.steps.append(NeverSent("connection refused"))
    payment = await bench.start()
    await bench.work()
    bench.clock.advance(6)
    bench.library.owes("1", "4")
    reached, go_on = paused(bench.library, "open_charges")
    working = await begun(bench, "bench", reached)
    await wish_to_cancel(bench.world, payment.id, "anna")
    go_on.set()
    await working
    assert (await bench.events(payment.id)).count("given_up") == 1
    assert len(bench.till.orders) == 1


async def test_a_proof_that_nothing_was_sent_comes_too_late_for_a_reported_payment(bench: Bench) -> None:
    bench.library.add_charge("1", "5")
    waiting, until = asyncio.Event(), asyncio.Event()
    bench.till.steps.append(held(NeverSent("connection refused"), until, waiting))
    payment = await bench.start()
    (task,) = await bench.due()
    sending = asyncio.create_task(bench.do(task))
    await waiting.wait()
    await bench.report(report(payment.id, "paid"))
    until.set()
    await sending
    assert (await bench.payment(payment.id)).standing == PAID_TILL
    assert await tasks(bench) == {(payment.id, TaskKind.BOOK), (payment.id, TaskKind.WATCH)}


ASKED = StoredCredit(0, ("1",), Decimal(5), {"1": Decimal(5)}, CreditState.SENT)


@pytest.mark.parametrize(
    ("credit", "kind"),
    [
        (Credit("9", "tillbridge:OTHER", Decimal(5), Decimal(0), void=False), CaseKind.WRONG_CREDIT),
        (Credit("", "", Decimal(0), Decimal(0), void=False), CaseKind.WRONG_CREDIT),
        (Credit("9", "tillbridge:A", Decimal(5), Decimal(0), void=True), CaseKind.WRONG_CREDIT),
        (Credit("9", "tillbridge:A", Decimal(4), Decimal(0), void=False), CaseKind.WRONG_CREDIT),
        (Credit("9", "tillbridge:A", Decimal(5), Decimal(1), void=False), CaseKind.NOT_APPLIED),
    ],
)
def test_an_answer_that_is_not_our_credit_is_never_taken_for_booked(credit: Credit, kind: CaseKind) -> None:
    weighed = weigh_answer("tillbridge:A", ASKED, credit, None)
    assert isinstance(weighed, Wrong)
    assert weighed.kind is kind


async def test_a_message_that_waited_waits_on_while_the_charges_cannot_be_read(bench: Bench) -> None:
    bench.library.add_charge("1", "5")
    bench.till.steps.append(NeverSent("connection refused"))
    await bench.start()
    await bench.work()
    bench.library.away = "no connection"
    await bench.wait_and_work(6)
    assert len(bench.till.orders) == 1
    bench.library.away = None
    await bench.wait_and_work(3)
    assert len(bench.till.orders) == 2


async def test_what_the_till_takes_back_between_two_credits_stops_the_rest(bench: Bench) -> None:
    payment = await collected(bench, "5", "7")
    bench.library.owes("2", "8")
    record = bench.library.record

    async def taken_back(order: CreditOrder) -> BookingAnswer:
        answer = await record(order)
        await bench.report(report(payment.id, "cancelled"))
        return answer

    bench.library.record = taken_back  # type: ignore[method-assign]
    await bench.work()
    assert bench.library.writes == 1
    assert (await bench.payment(payment.id)).booking is Booking.REVERSAL_DUE
    assert await bench.kinds() == [CaseKind.VOID_BY_HAND]


async def test_an_answer_that_was_heard_is_stored_before_the_work_is_cut_off(bench: Bench) -> None:
    bench.library.add_charge("1", "5")
    waiting, until = asyncio.Event(), asyncio.Event()
    bench.till.steps.append(held(Paid("A1"), until, waiting))
    payment = await bench.start()
    (task,) = await bench.due()
    sending = asyncio.create_task(bench.do(task))
    await waiting.wait()
    write, reached = bench.store.write, asyncio.Event()

    async def slow(work):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - it stands in for a generic one
        reached.set()
        await asyncio.sleep(0)
        return await write(work)

    bench.store.write = slow  # type: ignore[method-assign]
    until.set()
    await reached.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert (await bench.payment(payment.id)).standing == PAID_TILL


async def test_a_reference_typed_into_a_receipt_number_is_not_taken_for_one(bench: Bench) -> None:
    payment = await unknown(bench, "5")
    typed = "tillbridge:00000000000000000000000F"
    await resolve_payment(bench.world, payment.id, Word(Action.PAID, "anna", "seen", typed))
    await bench.work()
    [order] = bench.library.orders
    assert order.note.count("tillbridge:") == 1
    assert order.note.endswith(f" {payment.reference}")


async def test_a_rounded_fraction_and_cash_rounding_are_named(bench: Bench) -> None:
    payment = await at_register(bench, "0.333")
    await bench.report(report(payment.id, "paid", total=35))
    done = await bench.payment(payment.id)
    assert (done.total.minor, done.rounding_minor, done.library_rounding) == (33, 2, Decimal("0.003"))
    assert replace(done, collected_minor=None).rounding_minor == 0
