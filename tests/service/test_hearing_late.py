# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from support.fakes import report
from support.steps import (
    at_register,
    claims,
    collected,
    credits_of,
    decide,
    locks,
    tasks,
    the_case,
    unknown,
    verdicts,
)
from support.worlds import Bench
from tillbridge.domain.lifecycle import (
    CANCELLED_CLERK,
    CANCELLED_TILL,
    NEVER_COLLECTED,
    PAID_CLERK,
    PAID_TILL,
    REFUSED,
    REVERSED_CLERK,
    REVERSED_TILL,
    Booking,
    Collection,
    Standing,
)
from tillbridge.errors import Declined
from tillbridge.service.register_port import (
    Answer,
    NeverSent,
    Order,
)
from tillbridge.service.resolving import Action, Word, resolve_payment
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.starting import ByHand, StartRequest, record_by_hand
from tillbridge.service.store_port import CaseKind, CreditState


async def test_hearing_6_paid_after_a_time_out_is_paid(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    await wish_to_cancel(bench.world, payment.id, "anna")
    assert (await bench.payment(payment.id)).standing == NEVER_COLLECTED
    await bench.report(report(payment.id, "paid"))
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_hearing_6_paid_after_a_clerks_no_is_paid(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await resolve_payment(bench.world, payment.id, Word(Action.NOT_PAID, "anna", "I saw it"))
    assert (await bench.payment(payment.id)).standing == CANCELLED_CLERK
    await bench.report(report(payment.id, "paid"))
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_hearing_6_paid_after_the_tills_own_cancelled_is_a_case_and_books_nothing(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "cancelled"))
    assert (await bench.report(report(payment.id, "paid"))).status == 200
    await bench.work()
    stands = await bench.payment(payment.id)
    assert (stands.standing, stands.booking) == (CANCELLED_TILL, Booking.NONE)
    assert await bench.kinds() == [CaseKind.CONTRADICTION]
    assert bench.library.writes == 0
    await decide(bench, CaseKind.CONTRADICTION, Action.PAID, receipt="4711")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.cases() == []


async def test_hearing_7_cancelled_after_paid_is_reversed_where_the_till_said_both(bench: Bench) -> None:
    payment = await collected(bench, "3")
    await bench.report(report(payment.id, "cancelled"))
    stands = await bench.payment(payment.id)
    assert (stands.standing, stands.booking) == (REVERSED_TILL, Booking.NONE)
    assert await tasks(bench) == set()
    await bench.report(report(payment.id, "cancelled"))
    assert (await bench.events(payment.id))[-1] == "duplicate"


@pytest.mark.parametrize(("action", "standing"), [(Action.NOT_PAID, REVERSED_CLERK), (Action.SETTLED, PAID_CLERK)])
async def test_hearing_7_cancelled_after_a_clerks_paid_is_a_case(
    bench: Bench, action: Action, standing: Standing
) -> None:
    payment = await unknown(bench, "3")
    await resolve_payment(bench.world, payment.id, Word(Action.PAID, "anna", "seen", "4711"))
    await bench.work()
    await bench.report(report(payment.id, "cancelled"))
    assert (await bench.payment(payment.id)).standing == PAID_CLERK
    assert await bench.kinds() == [CaseKind.CONTRADICTION]
    await decide(bench, CaseKind.CONTRADICTION, action)
    stands = await bench.payment(payment.id)
    assert stands.standing == standing
    assert stands.booking is (Booking.REVERSAL_DUE if action is Action.NOT_PAID else Booking.BOOKED)
    await bench.report(report(payment.id, "cancelled"))
    again = await bench.payment(payment.id)
    assert again.standing == (REVERSED_TILL if action is Action.NOT_PAID else PAID_CLERK)
    assert again.booking is stands.booking


@pytest.mark.parametrize(
    ("receipt", "kinds", "event"),
    [
        ("4711", [], "duplicate"),
        ("4712", ["contradiction"], "contradiction"),
        (None, ["contradiction"], "contradiction"),
    ],
)
async def test_hearing_7_after_reversed_a_paid_with_another_receipt_or_none_is_a_case(
    bench: Bench, receipt: str | None, kinds: list[str], event: str
) -> None:
    payment = await collected(bench, "3")
    await bench.report(report(payment.id, "cancelled"))
    await bench.report(report(payment.id, "paid", receipt=receipt))
    assert [str(kind) for kind in await bench.kinds()] == kinds
    assert (await bench.events(payment.id))[-1] == event
    assert (await bench.payment(payment.id)).standing == REVERSED_TILL


async def test_hearing_7_what_a_person_settled_by_hand_is_a_case_again_when_the_till_takes_the_money_back(
    bench: Bench,
) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("refused")
    await bench.work()
    await decide(bench, CaseKind.REFUSED_BY_LIBRARY, Action.SETTLED)
    assert (await bench.payment(payment.id)).booking is Booking.NONE
    await bench.report(report(payment.id, "cancelled"))
    assert (await bench.payment(payment.id)).standing == REVERSED_TILL
    assert await bench.kinds() == [CaseKind.VOID_BY_HAND]
    await decide(bench, CaseKind.VOID_BY_HAND, Action.LOOK)
    await bench.work()
    await decide(bench, CaseKind.VOID_BY_HAND, Action.SETTLED)
    assert await bench.cases() == []


async def test_hearing_8_99_is_refused_and_frees_the_charges_and_a_later_paid_counts(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "refused"))
    assert (await bench.payment(payment.id)).standing == REFUSED
    assert (await bench.store.read(lambda tx: tx.history(payment.id)))[-1][0].facts["why"] == "99"
    assert await claims(bench) == {}
    await bench.report(report(payment.id, "refused"))
    await bench.report(report(payment.id, "paid"))
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


@pytest.mark.parametrize("decided", [False, True])
async def test_hearing_8_an_odd_status_changes_nothing_and_is_a_case_only_while_undecided(
    bench: Bench, decided: bool
) -> None:
    payment = await at_register(bench, "3")
    if decided:
        await bench.report(report(payment.id, "paid"))
    before = await bench.payment(payment.id)
    assert (await bench.report(report(payment.id, "odd"))).status == 200
    assert await bench.payment(payment.id) == before
    assert await bench.kinds() == ([] if decided else [CaseKind.ODD_STATUS])
    assert (await verdicts(bench, payment))[-1] == "NoOutcome: status 97"


async def test_hearing_8_the_case_of_an_odd_status_ends_with_the_outcome(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "odd"))
    with pytest.raises(Declined, match="cannot be resolved"):
        await decide(bench, CaseKind.ODD_STATUS, Action.PAID, receipt="1")
    await bench.report(report(payment.id, "cancelled"))
    assert await bench.cases() == []


async def test_hearing_8_paid_without_a_receipt_number_is_paid(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "paid", receipt=None))
    await bench.work()
    done = await bench.payment(payment.id)
    assert (done.standing, done.receipt_number, done.booking) == (PAID_TILL, None, Booking.BOOKED)
    assert "receipt" not in bench.library.orders[0].note


async def test_hearing_10_to_cancel_before_anything_was_sent_happens_at_once(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()
    await wish_to_cancel(bench.world, payment.id, "anna")
    await bench.work()
    assert (await bench.payment(payment.id)).standing == NEVER_COLLECTED
    assert (await bench.store.read(lambda tx: tx.payer(payment.id))) is None
    assert bench.till.orders == []
    assert await claims(bench) == {}


async def test_hearing_10_to_cancel_later_is_a_wish_and_changes_nothing_until_the_till_answers(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await wish_to_cancel(bench.world, payment.id, "anna")
    stands = await bench.payment(payment.id)
    assert (stands.collection, stands.cancel_wished) == (Collection.AT_REGISTER, True)
    assert await claims(bench) == {"1": payment.id}
    await bench.report(report(payment.id, "paid"))
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_hearing_10_a_wish_counts_where_it_turns_out_that_nothing_was_sent(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    payment = await bench.start()

    async def wished(_: Order, __: Callable[[], Awaitable[None]]) -> Answer:
        await wish_to_cancel(bench.world, payment.id, "anna")
        return NeverSent("connection refused")

    bench.till.steps.append(wished)
    await bench.work()
    assert (await bench.payment(payment.id)).standing == NEVER_COLLECTED
    assert len(bench.till.orders) == 1


@pytest.mark.parametrize(("payment_id", "code"), [("F" * 24, "no_such_payment"), (None, "decided")])
async def test_hearing_10_what_is_decided_or_unknown_to_us_cannot_be_cancelled(
    bench: Bench, payment_id: str | None, code: str
) -> None:
    payment = await collected(bench, "3")
    with pytest.raises(Declined) as no:
        await wish_to_cancel(bench.world, payment_id or payment.id, "anna")
    assert no.value.code == code
    assert no.value.facts == ({"payment": payment.id} if code == "decided" else {})


async def test_hearing_11_the_clerks_word_is_stored_with_name_time_and_reason(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await bench.wait_and_work(600)
    case = await the_case(bench, CaseKind.UNKNOWN_OUTCOME)
    await decide(bench, CaseKind.UNKNOWN_OUTCOME, Action.PAID, receipt=" 4711 ")
    stands = await bench.payment(payment.id)
    assert (stands.standing, stands.receipt_number) == (PAID_CLERK, "4711")
    closed = await bench.store.read(lambda tx: tx.case(case.id))
    assert closed is not None
    assert (closed.closed_by, closed.closed_at, closed.resolution) == ("sari", bench.clock.now(), "paid: I have looked")
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    word = next(event for event, _ in history if event.kind == "clerk_paid")
    assert (word.actor, word.at, word.facts["why"]) == ("sari", bench.clock.now(), "I have looked")


async def test_hearing_11_a_later_report_confirms_and_corrects_the_receipt_number(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await resolve_payment(bench.world, payment.id, Word(Action.PAID, "anna", "seen", "1"))
    await bench.work()
    await bench.report(report(payment.id, "paid", receipt="4711"))
    await bench.work()
    done = await bench.payment(payment.id)
    assert (done.standing, done.receipt_number, done.booking) == (PAID_TILL, "4711", Booking.BOOKED)
    assert bench.library.writes == 1
    assert await bench.cases() == []


async def test_hearing_12_a_payment_taken_by_hand_is_booked_like_any_other(bench: Bench) -> None:
    bench.library.add_charge("1", "3")
    request = StartRequest("CPL", "10", "anna", card_number="C1")
    payment = await record_by_hand(bench.world, request, ByHand(" 4711 ", "sari", "the bridge was down"))
    await bench.work()
    done = await bench.payment(payment.id)
    assert (done.standing, done.receipt_number, done.booking) == (PAID_CLERK, "4711", Booking.BOOKED)
    assert done.collected_minor == 300
    history = await bench.store.read(lambda tx: [event for event, _ in tx.history(payment.id)])
    assert (history[0].facts["receipt"], history[0].facts["why"]) == ("4711", "the bridge was down")
    assert bench.till.orders == []
    assert [credit.state for credit in await credits_of(bench, payment)] == [CreditState.BOOKED]
    assert await locks(bench) == {}


async def test_hearing_12_its_charges_are_claimed_like_any_other(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    request = StartRequest("CPL", "10", "anna", card_number="C1")
    with pytest.raises(Declined) as no:
        await record_by_hand(bench.world, request, ByHand("4711", "sari", "the bridge was down"))
    assert (no.value.code, no.value.facts) == ("claimed", {"payment": payment.id})
