# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from support.fakes import report
from support.payments import make_payment
from support.rules import check
from support.steps import at_register, collected, credits_of, decide, tasks, the_case, unknown
from support.worlds import Bench
from tillbridge.domain.lifecycle import (
    CANCELLED_CLERK,
    CANCELLED_TILL,
    PAID_CLERK,
    PAID_TILL,
    UNKNOWN,
    Booking,
    Standing,
)
from tillbridge.errors import Declined
from tillbridge.service.resolving import (
    ACTIONS,
    Action,
    Matter,
    Word,
    fitting,
    resolve_case,
    resolve_payment,
    stop_waiting,
)
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import Case, CaseKind, CreditState, TaskKind


def word(action: Action, **more: str) -> Word:
    return Word(action, more.get("person", "sari"), more.get("reason", "I looked"), more.get("receipt"))


def test_resolving_has_an_answer_for_every_kind_of_case() -> None:
    assert set(ACTIONS) == set(CaseKind)
    assert all(ACTIONS.values())


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (word(Action.PAID, receipt="1", reason=" "), "reason_missing"),
        (word(Action.PAID, receipt="1", person=""), "reason_missing"),
        (word(Action.PAID), "receipt_missing"),
        (word(Action.PAID, receipt="  "), "receipt_missing"),
        (word(Action.BOOK), "wrong_action"),
        (word(Action.SETTLED), "wrong_action"),
    ],
)
async def test_resolving_an_unknown_payment_needs_a_whole_word(bench: Bench, said: Word, code: str) -> None:
    payment = await unknown(bench, "3")
    with pytest.raises(Declined) as no:
        await resolve_payment(bench.world, payment.id, said)
    assert no.value.code == code
    assert (await bench.payment(payment.id)).standing == UNKNOWN


async def test_resolving_a_payment_that_is_not_in_doubt_is_declined(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    for payment_id, code in ((payment.id, "not_unknown"), ("F" * 24, "no_such_payment")):
        with pytest.raises(Declined) as no:
            await resolve_payment(bench.world, payment_id, word(Action.NOT_PAID))
        assert no.value.code == code


async def test_resolving_not_paid_frees_the_charges_for_the_next(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await bench.wait_and_work(600)
    await decide(bench, CaseKind.UNKNOWN_OUTCOME, Action.NOT_PAID)
    assert (await bench.payment(payment.id)).standing == CANCELLED_CLERK
    assert await bench.cases() == []
    assert (await bench.start()).id != payment.id


async def test_resolving_stop_waiting_makes_the_outcome_unknown_only_at_the_register(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await stop_waiting(bench.world, payment.id, "anna")
    assert (await bench.payment(payment.id)).standing == UNKNOWN
    assert await tasks(bench) == {(payment.id, TaskKind.ASK)}
    with pytest.raises(Declined) as no:
        await stop_waiting(bench.world, payment.id, "anna")
    assert no.value.code == "not_at_register"


async def test_resolving_a_case_that_is_closed_or_was_never_there_is_declined(bench: Bench) -> None:
    await bench.report(report("F" * 24, "paid"))
    case = await the_case(bench, CaseKind.PAID_FOR_UNKNOWN_ID)
    await resolve_case(bench.world, case.id, word(Action.SETTLED))
    for case_id in (case.id, 999):
        with pytest.raises(Declined) as no:
            await resolve_case(bench.world, case_id, word(Action.SETTLED))
        assert no.value.code == "no_such_case"
    with pytest.raises(Declined) as no:
        await resolve_case(bench.world, case.id, word(Action.SETTLED, reason=""))
    assert no.value.code == "reason_missing"


@pytest.mark.parametrize("action", list(Action))
async def test_resolving_takes_only_what_fits_the_case(bench: Bench, action: Action) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("refused")
    await bench.work()
    before = await bench.payment(payment.id)
    if action in ACTIONS[CaseKind.REFUSED_BY_LIBRARY]:
        await decide(bench, CaseKind.REFUSED_BY_LIBRARY, action)
        assert await bench.cases() == []
        return
    with pytest.raises(Declined) as no:
        await decide(bench, CaseKind.REFUSED_BY_LIBRARY, action)
    assert no.value.code == "wrong_action"
    assert await bench.payment(payment.id) == before


async def test_resolving_one_case_leaves_the_others_of_the_payment_open(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("unapplied")
    await bench.work()
    await bench.report(report(payment.id, "paid", total=100))
    await decide(bench, CaseKind.SUM_DIFFERS, Action.SETTLED)
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    assert await bench.kinds() == [CaseKind.NOT_APPLIED]
    await decide(bench, CaseKind.NOT_APPLIED, Action.SETTLED)
    assert (await bench.payment(payment.id)).booking is Booking.NONE
    assert await tasks(bench) == set()  # nobody looks after it any more
    await check(bench)


async def test_resolving_a_case_goes_on_though_something_else_is_on_the_list(bench: Bench) -> None:
    """Neither another payment's case, nor one of its own that keeps nothing from being booked, is waited for."""
    other = await collected(bench, "3")
    await bench.report(report(other.id, "paid", total=100))
    bench.library.add_charge("2", "4")
    payment = await bench.start(charges=(Chosen("2"),))
    await bench.work()
    bench.library.faults.append("refused")
    await bench.report(report(payment.id, "paid", receipt="4711"))
    await bench.work()
    await bench.report(report(payment.id, "paid", receipt="4712"))
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS, CaseKind.REFUSED_BY_LIBRARY, CaseKind.CONTRADICTION]
    await decide(bench, CaseKind.REFUSED_BY_LIBRARY, Action.BOOK)
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_resolving_by_a_look_is_kept_with_its_case(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.faults.append("unapplied")
    await bench.work()
    await decide(bench, CaseKind.NOT_APPLIED, Action.LOOK)
    (event,) = [event for event, _ in await bench.store.read(lambda tx: tx.history(payment.id)) if event.kind == "look"]
    assert event.facts["case"] == "not_applied"


async def test_resolving_another_patron_is_kept_where_another_case_is_still_open(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.add_patron("6", "C6")
    bench.library.merge("5", "6")
    await bench.work()
    await bench.report(report(payment.id, "paid", total=100))
    await decide(bench, CaseKind.PATRON_GONE, Action.OTHER_PATRON, patron="6")
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]
    settled = await bench.store.read(lambda tx: [event.facts for event, _ in tx.history(payment.id)][-1])
    assert (settled["case"], settled["patron"]) == (CaseKind.PATRON_GONE, "6")
    await decide(bench, CaseKind.SUM_DIFFERS, Action.BOOK)
    await bench.work()
    stands = await bench.payment(payment.id)
    assert (stands.booking, stands.patron_id) == (Booking.BOOKED, "6")


async def test_resolving_an_odd_status_by_a_word_for_an_unknown_payment(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await bench.report(report(payment.id, "odd"))
    await decide(bench, CaseKind.ODD_STATUS, Action.PAID, receipt="4711")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert await bench.cases() == []


async def test_resolving_a_contradiction_as_settled_changes_no_state(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    await bench.report(report(payment.id, "cancelled"))
    await bench.report(report(payment.id, "paid"))
    await decide(bench, CaseKind.CONTRADICTION, Action.SETTLED)
    assert (await bench.payment(payment.id)).standing == CANCELLED_TILL
    assert (await bench.events(payment.id))[-1] == "settled"


async def test_resolving_a_contradiction_in_a_way_that_the_table_has_not_is_declined(bench: Bench) -> None:
    payment = await collected(bench, "3")
    await bench.report(report(payment.id, "cancelled"))
    await bench.report(report(payment.id, "paid", receipt="9"))
    for action in (Action.PAID, Action.NOT_PAID):
        with pytest.raises(Declined) as no:
            await decide(bench, CaseKind.CONTRADICTION, action, receipt="9")
        assert no.value.code == "wrong_action"
    assert await bench.kinds() == [CaseKind.CONTRADICTION]


async def test_resolving_credits_void_one_after_the_other_are_asked_about_one_after_the_other(bench: Bench) -> None:
    payment = await collected(bench, "3")
    for n in range(2):
        bench.library.faults.append("kept")
        (task,) = [task for task in await bench.due() if task.kind is TaskKind.BOOK]
        await bench.do(task)
        bench.library.void(str(9000 + n))
        await bench.work()
        assert await bench.kinds() == [CaseKind.CREDIT_VOIDED]
        await decide(bench, CaseKind.CREDIT_VOIDED, Action.BOOK)
    await bench.work()
    states = [(credit.n, credit.state) for credit in await credits_of(bench, payment)]
    assert states == [(0, CreditState.VOIDED), (1, CreditState.VOIDED), (2, CreditState.BOOKED)]
    await bench.wait_and_work(3600)
    assert await tasks(bench) == set()


@pytest.mark.parametrize(
    ("collection", "booking", "kind", "fit"),
    [
        (PAID_TILL, Booking.BLOCKED, CaseKind.SUM_DIFFERS, {Action.BOOK, Action.SETTLED}),
        (PAID_TILL, Booking.BOOKED, CaseKind.SUM_DIFFERS, {Action.SETTLED}),
        (PAID_TILL, Booking.BOOKED, CaseKind.CONTRADICTION, {Action.SETTLED}),
        (CANCELLED_TILL, Booking.NONE, CaseKind.CONTRADICTION, {Action.PAID, Action.SETTLED}),
        (PAID_CLERK, Booking.BOOKED, CaseKind.CONTRADICTION, {Action.NOT_PAID, Action.SETTLED}),
        (PAID_TILL, Booking.DUE, CaseKind.PATRON_GONE, {Action.SETTLED}),
        (UNKNOWN, Booking.NONE, None, {Action.PAID, Action.NOT_PAID}),
        (None, None, CaseKind.PAID_FOR_UNKNOWN_ID, {Action.SETTLED}),
    ],
)
def test_resolving_offers_what_can_be_decided_as_the_payment_stands(
    collection: Standing | None, booking: Booking | None, kind: CaseKind | None, fit: set[Action]
) -> None:
    payment = make_payment(standing=collection, booking=booking) if collection else None
    case = Case(1, kind, payment.id if payment else None, 1.0, {}) if kind else None
    assert set(fitting(Matter(case, payment))) == fit
