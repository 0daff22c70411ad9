# SPDX-License-Identifier: GPL-3.0-or-later
"""Money goes back at the till first, and is recorded in the library system once; never more than was booked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from support.fakes import OWN_ERROR, TIMED_OUT, report
from support.keyed import EVERYTHING, KeyedLibrary
from support.patience import limits_of_waiting
from support.steps import begun, booked_in_two, collected, credits_of, decide, locks, paused, tasks, the_case
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking, Collection, Heard, RefundState
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund
from tillbridge.errors import Declined
from tillbridge.service.deciding import decide_case
from tillbridge.service.library_port import Abilities, MaybeRecorded, NotRecorded
from tillbridge.service.ports import Branch
from tillbridge.service.refunding import RefundRequest, ask_refund, give_back, refundable, withdraw_refund
from tillbridge.service.resolving import Action, Word, fitting, matter_of_case
from tillbridge.service.starting import Beside, ByHand, Chosen, StartRequest, record_by_hand
from tillbridge.service.store_port import CaseKind, CreditState, Stale, TaskKind, Transaction

PLAIN = Abilities()
NO_REFUNDS = replace(EVERYTHING, refund=False)
JUST_REFUNDS = Abilities(refund=True)
NO_REVERSALS = replace(EVERYTHING, reversal=False)


async def booked(bench: Bench, *owed: str, **request: object) -> Payment:
    """Let a payment be booked whole."""
    payment = await collected(bench, *owed, **request)
    await bench.work()
    stored = await bench.payment(payment.id)
    assert stored.booking is Booking.BOOKED
    return stored


async def booked_too(bench: Bench) -> Payment:
    """Let another payment of the same patron be booked whole, with a receipt of its own."""
    bench.library.add_charge("9", "4")
    payment = await bench.start(charges=(Chosen("9"),))
    await bench.work()
    await bench.report(report(payment.id, "paid", receipt="8888"))
    await bench.work()
    return await bench.payment(payment.id)


async def ask(bench: Bench, payment: Payment, **changes: object) -> Refund:
    """Ask for money of a payment to be given back."""
    request = {"person": "sari", "reason": "charged in error"} | changes
    return await ask_refund(bench.world, payment.id, RefundRequest(**request))  # type: ignore[arg-type]


async def refunds(bench: Bench, payment: Payment) -> tuple[Refund, ...]:
    """Read a payment's refunds."""
    return await bench.store.read(lambda tx: tx.refunds_of(payment.id))


async def state(bench: Bench, payment: Payment) -> RefundState:
    """Read the state of the newest refund."""
    return (await refunds(bench, payment))[-1].state


async def given(bench: Bench, payment: Payment, n: int = 1, receipt: str = "9001") -> Refund:
    """Say that the till has given the money back."""
    return await give_back(bench.world, payment.id, n, "sari", receipt)


async def to_be_told(bench: Bench) -> Payment:
    """Let the money of a payment be given back; the library system is still to be told."""
    payment = await booked(bench, "3")
    await ask(bench, payment)
    await given(bench, payment)
    return payment


async def test_money_is_given_back_at_the_till_and_then_recorded_once(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3", "4.335")
    asked = await ask(able, payment, library_staff_id="17")
    assert (asked.n, asked.state, asked.total.minor) == (1, RefundState.ASKED, 734)
    await able.work()
    assert library.refunds == []
    due = await given(able, payment)
    assert (due.state, due.receipt_number, due.given_back_by) == (RefundState.DUE, "9001", "sari")
    await able.work()
    assert await state(able, payment) is RefundState.RECORDED
    (order,) = library.refunds
    assert (order.booking, order.reference) == (payment.reference, f"{payment.reference}:refund:1")
    assert order.shares == {"1": Decimal(3), "2": Decimal("4.335")}
    assert (order.staff_id, order.branch, order.reason) == ("17", "CPL", "charged in error (receipt 9001)")
    stored = await able.payment(payment.id)
    assert (stored.collection, stored.booking) == (Collection.PAID, Booking.BOOKED)
    events = await able.events(payment.id)
    assert events[-4:] == ["refund_asked", "refund_given_back", "refund_start", "refund_confirmed"]
    assert await able.cases() == []
    assert TaskKind.REFUND not in {kind for _, kind in await tasks(able)}
    assert await locks(able) == {}


async def test_a_reason_that_names_a_payment_is_not_found_as_its_credit(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await ask(able, payment, reason=f"see {payment.reference}")
    await given(able, payment, receipt="tillbridge:A2")
    await able.work()
    (order,) = library.refunds
    assert "tillbridge:" not in order.reason
    assert payment.id in order.reason


async def test_a_part_is_given_back_and_later_the_rest_and_never_more(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3", "4.335")
    await ask(able, payment, amounts=(("2", 100),))
    await given(able, payment)
    await able.work()
    with pytest.raises(Declined) as no:
        await ask(able, payment, amounts=(("2", 335),))
    assert no.value.code == "more_than_left"
    assert no.value.facts == {"left": [{"charge": "1", "amount_minor": 300}, {"charge": "2", "amount_minor": 334}]}
    await ask(able, payment)
    await given(able, payment, 2, "9002")
    await able.work()
    assert library.given_back() == Decimal("7.335")
    with pytest.raises(Declined) as no:
        await ask(able, payment)
    assert no.value.code == "not_refundable"


async def test_recording_is_stored_before_anything_is_sent(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    seen: list[RefundState] = []
    refund = library.refund

    async def looking(order: object) -> object:
        seen.append(await state(able, payment))
        return await refund(order)  # type: ignore[arg-type]

    library.refund = looking  # type: ignore[method-assign, assignment]
    await able.work()
    assert seen == [RefundState.RECORDING]


async def test_a_payment_of_several_credits_is_refunded_from_each_under_a_reference_of_its_own(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await collected(able, "3", "4")
    library.owes("1", "5")
    library.owes("2", "6")
    library.faults.append("refused")
    await able.work()
    await decide(able, CaseKind.REFUSED_BY_LIBRARY, Action.BOOK)
    await able.work()
    await ask(able, payment)
    await given(able, payment)
    library.taking_faults.extend(["", TIMED_OUT])
    await able.work()
    assert await state(able, payment) is RefundState.UNKNOWN
    await able.wait_and_work(5)
    assert await state(able, payment) is RefundState.RECORDED
    parts = [f"{payment.reference}:{n}:refund:1" for n in (1, 2)]
    assert [order.reference for order in library.refunds] == parts * 2
    assert library.given_back() == 7


async def test_money_may_be_given_back_at_another_register(able: Bench, library: KeyedLibrary) -> None:
    branch = Branch("city", {"20": "Kassa"}, "Lähikirjasto", {"20": "5"})
    able.world = replace(able.world, branches={**able.world.branches, "MPL": branch})
    payment = await booked(able, "3")
    refund = await ask(able, payment, branch="MPL", register="20")
    await given(able, payment)
    await able.work()
    assert (refund.branch, refund.register, refund.library_register_id) == ("MPL", "20", "5")
    assert (library.refunds[0].branch, library.refunds[0].register_id) == ("MPL", "5")


async def test_a_receipt_is_asked_for_among_those_of_the_server_where_the_money_was_given_back(able: Bench) -> None:
    """Two register servers number their receipts each for itself."""
    able.world = replace(
        able.world,
        branches={**able.world.branches, "MPL": Branch("country", {"20": "Kassa"})},
        registers={**able.world.registers, "country": able.till},
    )
    other, payment = await booked(able, "3"), await booked_too(able)
    await ask(able, payment, branch="MPL", register="20")
    refund = await given(able, payment, receipt=other.receipt_number or "")
    assert (refund.state, refund.register_server) == (RefundState.DUE, "country")


async def test_what_is_asked_for_stands_in_the_history_line_by_line(able: Bench) -> None:
    payment = await booked(able, "3", "4.335")
    await ask(able, payment)
    facts = await able.store.read(lambda tx: [event.facts for event, _ in tx.history(payment.id)][-1])
    assert facts["lines"] == [["1", 300, "3"], ["2", 434, "4.335"]]
    assert (facts["refund"], facts["total_minor"], facts["why"]) == (1, 734, "charged in error")


NO = [
    ({"reason": " "}, "reason_missing"),
    ({"person": ""}, "reason_missing"),
    ({"branch": "XXX"}, "no_such_branch"),
    ({"register": "99"}, "no_such_register"),
    ({"amounts": ()}, "more_than_left"),
    ({"amounts": (("1", 0),)}, "more_than_left"),
    ({"amounts": (("1", -1),)}, "more_than_left"),
    ({"amounts": (("1", 301),)}, "more_than_left"),
    ({"amounts": (("9", 1),)}, "more_than_left"),
    ({"amounts": (("1", 100), ("1", 100))}, "more_than_left"),
    ({"owed_again": True, "amounts": (("1", 300),)}, "whole_only"),
]


@pytest.mark.parametrize(("changes", "code"), NO, ids=[f"{code}-{n}" for n, (_, code) in enumerate(NO)])
async def test_asking_declines_and_stores_nothing(able: Bench, changes: dict[str, object], code: str) -> None:
    payment = await booked(able, "3", "4")
    with pytest.raises(Declined) as no:
        await ask(able, payment, **changes)
    assert no.value.code == code
    assert await refunds(able, payment) == ()


async def test_nothing_is_given_back_of_what_is_not_there(able: Bench) -> None:
    with pytest.raises(Declined) as no:
        await ask_refund(able.world, "nobody", RefundRequest("sari", "why"))
    assert no.value.code == "no_such_payment"
    payment = await collected(able, "3")
    with pytest.raises(Declined) as no:
        await ask(able, payment)
    assert no.value.code == "not_refundable"


@pytest.mark.parametrize(
    ("abilities", "whole", "code"),
    [(PLAIN, False, "cannot_refund"), (NO_REFUNDS, False, "cannot_refund"), (NO_REVERSALS, True, "cannot_refund")],
)
async def test_what_the_library_system_cannot_do_is_not_asked_for(
    able: Bench, library: KeyedLibrary, abilities: Abilities, whole: bool, code: str
) -> None:
    payment = await booked(able, "3")
    library.abilities = abilities
    with pytest.raises(Declined) as no:
        await ask(able, payment, owed_again=whole)
    assert no.value.code == code


async def test_what_may_be_asked_for_is_told_beforehand(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3", "4")

    async def can() -> tuple[dict[str, int], bool, bool, bool]:
        found = await able.store.read(lambda tx: refundable(tx, library.abilities, payment))
        left = {charge_id: left.amount_minor for charge_id, left in found.left.items()}
        return left, found.whole, found.parts, found.anything

    assert await can() == ({"1": 300, "2": 400}, True, True, True)
    library.abilities = NO_REFUNDS
    assert await can() == ({"1": 300, "2": 400}, True, False, True)
    library.abilities = PLAIN
    assert await can() == ({"1": 300, "2": 400}, False, False, False)
    library.abilities = EVERYTHING
    await ask(able, payment, amounts=(("1", 300),))
    assert await can() == ({}, False, False, False)
    await given(able, payment)
    await able.work()
    assert await can() == ({"2": 400}, False, True, True)


async def test_one_refund_of_a_payment_is_open_at_a_time(able: Bench) -> None:
    payment = await booked(able, "3", "4")
    await ask(able, payment, amounts=(("1", 100),))
    with pytest.raises(Declined) as no:
        await ask(able, payment, amounts=(("2", 100),))
    assert (no.value.code, no.value.facts) == ("refund_waits", {"refund": 1})


async def test_two_who_ask_at_once_are_one_refund(able: Bench) -> None:
    payment = await booked(able, "3")
    answers = await asyncio.gather(*(ask(able, payment) for _ in range(2)), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Declined", "Refund"]
    assert len(await refunds(able, payment)) == 1


async def test_something_more_is_stored_beside_a_refund(able: Bench) -> None:
    payment = await booked(able, "3")
    seen: list[str] = []

    class Noting(Beside):
        def before(self, tx: Transaction) -> None:
            seen.append("before")

        def after(self, tx: Transaction, stored: Payment) -> None:
            seen.append(stored.id)

    await ask_refund(able.world, payment.id, RefundRequest("sari", "why"), Noting())
    assert seen == ["before", payment.id]


# --- at the till ---


@pytest.mark.parametrize(
    ("person", "receipt", "code"), [("", "9001", "reason_missing"), ("sari", " ", "receipt_missing")]
)
async def test_who_says_that_it_was_given_back_has_the_receipt(
    able: Bench, person: str, receipt: str, code: str
) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    with pytest.raises(Declined) as no:
        await give_back(able.world, payment.id, 1, person, receipt)
    assert no.value.code == code
    assert await state(able, payment) is RefundState.ASKED


async def test_a_receipt_stands_for_one_payment_or_one_refund_alone(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3", "4")
    library.add_charge("9", "1")
    other = await able.start(charges=(Chosen("9"),))
    await able.work()
    await able.report(report(other.id, "paid", receipt="8888"))
    await able.work()
    await ask(able, payment, amounts=(("1", 300),))
    with pytest.raises(Declined) as no:
        await given(able, payment, receipt="8888")
    assert (no.value.code, no.value.facts) == ("receipt_used", {"payment": other.id})
    await given(able, payment, receipt="4711")  # a till may use the payment's own number
    await able.work()
    await ask(able, payment)
    with pytest.raises(Declined) as no:
        await given(able, payment, 2, "4711")
    assert (no.value.code, no.value.facts) == ("receipt_used", {"payment": payment.id, "refund": 1})


async def test_a_receipt_of_money_that_was_given_back_is_none_of_a_payment(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    library.add_charge("9", "3")
    request = StartRequest("CPL", "10", "anna", card_number="C1", charges=(Chosen("9"),))
    with pytest.raises(Declined) as no:
        await record_by_hand(able.world, request, ByHand(" 9001", "sari", "the bridge was down"))
    assert (no.value.code, no.value.facts) == ("receipt_used", {"payment": payment.id, "refund": 1})


async def test_nothing_is_decided_twice(able: Bench) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    for again in (given(able, payment), withdraw_refund(able.world, payment.id, 1, "sari", "no")):
        with pytest.raises(Declined) as no:
            await again
        assert (no.value.code, no.value.facts) == ("refund_decided", {"refund": 1})
    with pytest.raises(Declined) as no:
        await given(able, payment, 2)
    assert no.value.code == "no_such_refund"


async def test_a_refund_that_came_to_nothing_at_the_till_leaves_everything_to_be_given_back(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    with pytest.raises(Declined) as no:
        await withdraw_refund(able.world, payment.id, 1, "sari", "")
    assert no.value.code == "reason_missing"
    withdrawn = await withdraw_refund(able.world, payment.id, 1, "sari", "the customer had gone")
    assert withdrawn.state is RefundState.WITHDRAWN
    assert await tasks(able) == set()
    await able.wait_and_work(700)
    assert (library.refunds, await able.cases()) == ([], [])
    assert (await ask(able, payment)).total.minor == 300


async def test_a_refund_that_nobody_decides_is_on_the_list_and_ends_by_what_is_said(able: Bench) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await able.wait_and_work(599)
    assert await able.cases() == []
    await able.wait_and_work(1)
    case = await the_case(able, CaseKind.REFUND_UNDECIDED)
    assert case.facts == {"refund": 1, "total_minor": 300, "register": "10"}
    await given(able, payment)
    assert await able.cases() == []


async def test_a_refund_that_is_decided_leaves_another_payments_on_the_list_with_what_waits_there(able: Bench) -> None:
    first, other = await booked(able, "3"), await booked_too(able)
    await ask(able, first)
    await ask(able, other)
    await able.wait_and_work(600)
    mine, others = sorted(await able.cases(), key=lambda case: case.payment_id != first.id)
    await decide_case(able.world, others.id, Word(Action.NOT_GIVEN_BACK, "sari", "gone"), second_look=True)
    await given(able, first)
    assert await able.cases() == [others]
    assert len(await able.store.read(lambda tx: tx.open_second_looks(other.id))) == 1
    closed = await able.store.read(lambda tx: tx.case(mine.id))
    assert closed is not None
    assert (closed.closed_by, closed.resolution) == ("sari", "due")
    await able.work()
    steps = [event.facts for event, _ in await able.store.read(lambda tx: tx.history(first.id))][-3:]
    assert [(step["refund"], step["to"]) for step in steps] == [(1, "due"), (1, "recording"), (1, "recorded")]


async def test_of_a_payment_that_is_booked_in_part_nothing_can_be_given_back_yet(
    able: Bench, library: KeyedLibrary
) -> None:
    library.abilities = JUST_REFUNDS
    payment = await collected(able, "3", "4")
    library.owes("1", "5")
    library.faults.extend(["", "error"])
    await able.work()
    assert (await able.payment(payment.id)).booking is Booking.DUE
    assert next(credit.state for credit in await credits_of(able, payment)) is CreditState.BOOKED
    with pytest.raises(Declined) as no:
        await ask(able, payment)
    assert no.value.code == "not_refundable"


async def test_the_end_of_a_refund_leaves_the_other_cases_of_its_payment(able: Bench) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await able.wait_and_work(600)
    await able.report(report(payment.id, "paid", receipt="4712"))
    await given(able, payment)
    await able.work()
    assert await state(able, payment) is RefundState.RECORDED
    assert await able.kinds() == [CaseKind.CONTRADICTION]


@pytest.mark.parametrize(
    ("action", "ends"), [(Action.GIVEN_BACK, RefundState.RECORDED), (Action.NOT_GIVEN_BACK, RefundState.WITHDRAWN)]
)
async def test_its_case_can_be_decided_too(able: Bench, action: Action, ends: RefundState) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await able.wait_and_work(600)
    case = await the_case(able, CaseKind.REFUND_UNDECIDED)
    matter = await able.store.read(lambda tx: matter_of_case(tx, case.id))
    assert fitting(matter) == (Action.GIVEN_BACK, Action.NOT_GIVEN_BACK)
    if action is Action.GIVEN_BACK:
        with pytest.raises(Declined) as no:
            await decide(able, CaseKind.REFUND_UNDECIDED, action)
        assert no.value.code == "receipt_missing"
    await decide(able, CaseKind.REFUND_UNDECIDED, action, receipt="9001")
    (event, _) = (await able.store.read(lambda tx: tx.history(payment.id)))[-1]
    assert (event.actor, event.facts["action"], event.facts["why"]) == ("sari", str(action), "I have looked")
    await able.work()
    assert await state(able, payment) is ends
    assert await able.cases() == []


async def test_a_task_that_comes_too_early_waits(able: Bench) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await able.store.write(lambda tx: tx.add_task(payment.id, TaskKind.REFUND, able.clock.now()))
    await able.work()
    assert await able.cases() == []
    await able.wait_and_work(600)
    assert await able.kinds() == [CaseKind.REFUND_UNDECIDED]


# --- in the library system ---

UNCLEAR: list[tuple[str | NotRecorded | MaybeRecorded, RefundState]] = [
    (TIMED_OUT, RefundState.UNKNOWN),
    (OWN_ERROR, RefundState.UNKNOWN),
    ("kept", RefundState.UNKNOWN),
    ("raises", RefundState.UNKNOWN),
    (NotRecorded("connection refused", again=True), RefundState.DUE),
]


@pytest.mark.parametrize(("fault", "meanwhile"), UNCLEAR, ids=str)
async def test_an_unclear_answer_is_asked_about_again_and_recorded_once(
    able: Bench, library: KeyedLibrary, fault: str | NotRecorded | MaybeRecorded, meanwhile: RefundState
) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    library.taking_faults.append(fault)
    await able.work()
    assert await state(able, payment) is meanwhile
    await able.wait_and_work(5)
    assert await state(able, payment) is RefundState.RECORDED
    assert library.given_back() == 3
    assert await able.cases() == []


REFUSED = NotRecorded("so much was not booked", again=False)


@pytest.mark.parametrize(
    ("action", "ends", "back"),
    [(Action.BOOK, RefundState.RECORDED, 3), (Action.SETTLED, RefundState.SETTLED, 0)],
)
async def test_a_refusal_waits_for_a_person(
    able: Bench, library: KeyedLibrary, action: Action, ends: RefundState, back: int
) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    library.taking_faults.append(REFUSED)
    await able.work()
    assert await state(able, payment) is RefundState.BLOCKED
    case = await the_case(able, CaseKind.REFUND_NOT_RECORDED)
    assert case.facts == {"refund": 1, "total_minor": 300, "why": REFUSED.why}
    await able.wait_and_work(3600)
    assert len(library.refunds) == 1
    matter = await able.store.read(lambda tx: matter_of_case(tx, case.id))
    assert fitting(matter) == (Action.BOOK, Action.SETTLED)
    await decide(able, CaseKind.REFUND_NOT_RECORDED, action)
    await able.work()
    assert await state(able, payment) is ends
    assert library.given_back() == back
    assert await able.cases() == []


async def test_a_library_system_that_is_away_for_long_is_on_the_list_until_it_has_it(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await to_be_told(able)
    library.abilities = PLAIN
    await able.work()
    assert (await state(able, payment), await able.cases()) == (RefundState.DUE, [])
    for _ in range(5):
        await able.wait_and_work(60)
    case = await the_case(able, CaseKind.REFUND_NOT_RECORDED)
    assert case.facts["why"] == "the library system cannot be told to"
    matter = await able.store.read(lambda tx: matter_of_case(tx, case.id))
    assert fitting(matter) == (Action.SETTLED,)
    with pytest.raises(Declined) as no:
        await decide(able, CaseKind.REFUND_NOT_RECORDED, Action.BOOK)
    assert no.value.code == "not_blocked"
    library.abilities = EVERYTHING
    await able.wait_and_work(600)
    assert await state(able, payment) is RefundState.RECORDED
    assert await able.cases() == []
    (closed,) = await able.store.read(lambda tx: tx.cases_of(payment.id))
    assert (closed.closed_by, closed.resolution) == ("library", "recorded")


async def test_a_refund_is_on_the_list_only_once_it_is_later_than_it_may_be(able: Bench, library: KeyedLibrary) -> None:
    await to_be_told(able)
    library.abilities = PLAIN
    for waited_s in (0, 5, able.world.limits.late_s - 5):
        await able.wait_and_work(waited_s)
        assert await able.cases() == []
    await able.wait_and_work(120)
    assert await able.kinds() == [CaseKind.REFUND_NOT_RECORDED]


async def test_the_pauses_between_the_tries_of_a_refund_grow_to_the_longest_one_and_stay_there(
    able: Bench, library: KeyedLibrary
) -> None:
    await to_be_told(able)
    library.taking_faults.extend([TIMED_OUT] * 7)
    await able.work()
    assert able.world.limits.booking_again_s == (5, 30, 120, 600)
    for tries, pause_s in enumerate((5, 30, 120, 600, 600, 600), 1):
        await able.wait_and_work(pause_s - 1)
        assert len(library.refunds) == tries
        await able.wait_and_work(1)
        assert len(library.refunds) == tries + 1


async def test_an_adapter_that_fails_to_say_what_it_can_do_is_asked_again(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    library.cannot_learn = True
    await able.work()
    assert library.refunds == []
    library.cannot_learn = False
    await able.wait_and_work(5)
    assert await state(able, payment) is RefundState.RECORDED


async def test_a_crash_while_it_was_recorded_is_found_and_goes_on(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    reached, _ = paused(library, "refund")
    working = await begun(able, "dead", reached)
    assert await state(able, payment) is RefundState.RECORDING
    able.clock.advance(able.world.limits.lease_s + 1)
    await able.work()
    working.cancel()
    assert await state(able, payment) is RefundState.RECORDED
    assert library.given_back() == 3
    assert "refund_unclear" in await able.events(payment.id)


@pytest.mark.parametrize("method", ["learn", "refund"])
async def test_a_process_that_slept_past_its_lease_does_no_harm_when_it_goes_on(
    able: Bench, library: KeyedLibrary, method: str
) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    reached, go_on = paused(library, method)
    working = await begun(able, "slow", reached)
    able.clock.advance(able.world.limits.lease_s + 1)
    await able.work()
    go_on.set()
    await working
    await able.work()
    assert await state(able, payment) is RefundState.RECORDED
    assert library.given_back() == 3
    assert await locks(able) == {}


async def test_a_process_that_slept_leaves_what_another_one_has_still_to_tell(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    reached, go_on = paused(library, "refund")
    working = await begun(able, "slow", reached)
    able.clock.advance(able.world.limits.lease_s + 1)
    library.taking_faults.append(NotRecorded("connection refused", again=True))
    await able.work()
    assert await state(able, payment) is RefundState.DUE
    go_on.set()
    await working
    assert await state(able, payment) is RefundState.DUE
    await able.wait_and_work(5)
    assert await state(able, payment) is RefundState.RECORDED
    assert library.given_back() == 3


async def test_a_library_system_that_never_answers_is_given_up_and_told_again(
    able: Bench, library: KeyedLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    with monkeypatch.context() as silent:
        silent.setattr(library, "write_limit_s", 0.01 - able.world.limits.write_hang_s)
        silent.setattr(library, "refund", lambda _: asyncio.Event().wait())
        limits = limits_of_waiting(silent)
        await able.work()
    assert pytest.approx(0.01) in limits
    assert await state(able, payment) is RefundState.UNKNOWN
    (event, _) = (await able.store.read(lambda tx: tx.history(payment.id)))[-1]
    assert event.facts["why"] == "the adapter failed: TimeoutError"
    await able.wait_and_work(5)
    assert await state(able, payment) is RefundState.RECORDED
    assert library.given_back() == 3


@pytest.mark.parametrize("left_s", [20, 30.5])
async def test_nothing_is_asked_where_the_lease_is_nearly_over(
    able: Bench, library: KeyedLibrary, left_s: float
) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    reached, go_on = paused(library, "learn")
    working = await begun(able, "slow", reached)
    able.clock.advance(able.world.limits.lease_s - left_s)
    go_on.set()
    await working
    await able.work()
    assert library.refunds == []
    await able.wait_and_work(5)
    assert await state(able, payment) is RefundState.RECORDED


async def test_the_second_part_waits_where_the_lease_is_nearly_over(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked_in_two(able)
    await ask(able, payment)
    await given(able, payment)
    reached, go_on = paused(library, "refund")
    working = await begun(able, "slow", reached)
    able.clock.advance(able.world.limits.lease_s - 20)
    go_on.set()
    await working
    assert (len(library.refunds), await state(able, payment)) == (1, RefundState.DUE)
    await able.wait_and_work(5)
    assert await state(able, payment) is RefundState.RECORDED
    assert library.given_back() == 7


async def given_beside_another(able: Bench, library: KeyedLibrary) -> tuple[Payment, Payment]:
    """Let money of a payment be given back while another one of its patron is at the till; return both."""
    payment = await booked(able, "3")
    library.add_charge("2", "4")
    other = await able.start(charges=(Chosen("2"),))
    await able.work()
    await ask(able, payment)
    await given(able, payment)
    return payment, other


async def test_a_patron_whose_payment_is_being_booked_is_waited_for(able: Bench, library: KeyedLibrary) -> None:
    payment, other = await given_beside_another(able, library)
    await able.store.write(lambda tx: tx.lock_patron(other))
    (task,) = await able.due()
    await able.do(task)
    await able.work()
    assert library.refunds == []
    await able.store.write(lambda tx: tx.unlock_patron(other, able.clock.now()))
    await able.wait_and_work(1)
    assert await state(able, payment) is RefundState.RECORDED


async def test_who_waits_for_the_patrons_other_payment_for_too_long_is_put_on_the_list(
    able: Bench, library: KeyedLibrary
) -> None:
    payment, other = await given_beside_another(able, library)
    await able.store.write(lambda tx: tx.lock_patron(other))
    for waited_s, kinds in ((0.0, []), (119.0, []), (2.0, [CaseKind.REFUND_NOT_RECORDED])):
        able.clock.advance(waited_s)
        (task,) = [due for due in await able.due() if due.kind is TaskKind.REFUND]
        await able.do(task)
        assert [kind for kind in await able.kinds() if kind is CaseKind.REFUND_NOT_RECORDED] == kinds
    why = (await the_case(able, CaseKind.REFUND_NOT_RECORDED)).facts["why"]
    assert why == "another payment of the patron is being booked"
    await able.store.write(lambda tx: tx.unlock_patron(other, able.clock.now()))
    await able.wait_and_work(1)
    assert await state(able, payment) is RefundState.RECORDED
    assert CaseKind.REFUND_NOT_RECORDED not in await able.kinds()


async def test_a_patron_who_is_locked_between_the_look_and_the_start_is_waited_for(
    able: Bench, library: KeyedLibrary
) -> None:
    payment, other = await given_beside_another(able, library)
    (task,) = await able.due()
    write, calls = able.store.write, 0

    async def racing(work: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 2:
            await write(lambda tx: tx.unlock_patron(payment, able.clock.now()))
            await write(lambda tx: tx.lock_patron(other))
        return await write(work)  # type: ignore[arg-type]

    able.store.write = racing  # type: ignore[method-assign, assignment]
    await able.do(task)
    able.store.write = write  # type: ignore[method-assign]
    await able.store.write(lambda tx: tx.unlock_patron(other, able.clock.now()))
    await able.work()
    assert library.refunds == []
    await able.wait_and_work(5)
    assert await state(able, payment) is RefundState.RECORDED


# --- the whole payment ---


async def test_a_payment_whose_charges_are_owed_again_is_taken_back_as_a_whole(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3", "4")
    await ask(able, payment, owed_again=True)
    ended = await given(able, payment)
    assert ended.state is RefundState.TAKEN_BACK
    await able.work()
    stored = await able.payment(payment.id)
    assert (str(stored.standing), stored.booking) == ("reversed by clerk", Booking.REVERSED)
    history = await able.store.read(lambda tx: [event for event, _ in tx.history(payment.id)])
    (heard,) = [event.facts for event in history if event.kind == Heard.GIVEN_BACK]
    assert (heard["receipt"], heard["why"]) == ("9001", "charged in error")
    assert [library.charges[charge].owed for charge in ("1", "2")] == [3, 4]
    assert library.refunds == []
    assert await able.cases() == []


async def test_a_whole_payment_is_taken_back_in_the_name_of_who_gave_it_back(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3", library_staff_id="17", library_register_id="2")
    await ask(able, payment, owed_again=True, library_staff_id="23", register="11")
    await given(able, payment)
    await able.work()
    (order,) = library.reversals
    assert (order.staff_id, order.branch, order.reason) == ("23", "CPL", "charged in error (receipt 9001)")
    assert order.register_id != "2"  # that is the register where it was taken


async def test_a_whole_payment_is_not_taken_back_in_the_name_of_a_clerk_who_only_took_it(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3", library_staff_id="17")
    await ask(able, payment, owed_again=True)
    await given(able, payment)
    await able.work()
    (order,) = library.reversals
    assert order.staff_id is None


async def test_what_the_till_takes_back_while_a_refund_waits_is_not_done_by_a_person(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3", library_staff_id="17")
    await ask(able, payment, owed_again=True, library_staff_id="23")
    await able.report(report(payment.id, "cancelled"))
    await able.work()
    (order,) = library.reversals
    assert (order.staff_id, order.reason) == ("17", "the till took the money back")


async def test_the_till_may_report_the_same_afterwards_and_say_once_more_that_it_was_paid(able: Bench) -> None:
    payment = await booked(able, "3")
    await ask(able, payment, owed_again=True)
    await given(able, payment)
    await able.work()
    await able.report(report(payment.id, "paid"))
    assert await able.cases() == []
    await able.report(report(payment.id, "cancelled"))
    assert str((await able.payment(payment.id)).standing) == "reversed by till"
    assert await able.cases() == []


async def test_another_receipt_after_it_was_given_back_is_a_contradiction(able: Bench) -> None:
    payment = await booked(able, "3")
    await ask(able, payment, owed_again=True)
    await given(able, payment)
    await able.report(report(payment.id, "paid", receipt="5555"))
    assert await able.kinds() == [CaseKind.CONTRADICTION]


async def test_a_whole_payment_cannot_be_taken_back_once_a_part_was_given_back(able: Bench) -> None:
    payment = await booked(able, "3", "4")
    await ask(able, payment, amounts=(("1", 100),))
    await given(able, payment)
    await able.work()
    with pytest.raises(Declined) as no:
        await ask(able, payment, owed_again=True)
    assert no.value.code == "cannot_refund"


async def test_the_tills_own_reversal_ends_what_was_only_asked_for(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3", "4")
    await ask(able, payment)
    await able.report(report(payment.id, "cancelled"))
    assert await state(able, payment) is RefundState.TAKEN_BACK
    await able.work()
    assert (await able.payment(payment.id)).booking is Booking.REVERSED
    assert (library.refunds, await able.cases()) == ([], [])


async def test_a_part_that_may_have_been_given_out_beside_the_tills_own_reversal_is_for_a_person(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3", "4")
    await ask(able, payment, amounts=(("1", 100),))
    await able.report(report(payment.id, "cancelled"))
    assert await state(able, payment) is RefundState.TAKEN_BACK
    await able.work()
    assert (await able.payment(payment.id)).booking is Booking.REVERSED
    [case] = await able.cases()
    assert case.kind is CaseKind.CONTRADICTION
    why = "a part of it was to be given back, and may have been"
    assert case.facts == {"why": why, "stood": "reversed by till"}
    assert library.refunds == []


async def test_the_tills_own_reversal_after_money_was_given_back_is_for_a_person(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3", "4")
    await ask(able, payment, amounts=(("1", 100),))
    await given(able, payment)
    await able.work()
    await able.report(report(payment.id, "cancelled"))
    await able.work()
    assert await able.kinds() == [CaseKind.CONTRADICTION, CaseKind.VOID_BY_HAND]
    assert library.given_back() == 1
    assert len(library.credit(payment.reference)) == 1


async def test_a_refund_of_a_credit_that_is_void_is_for_a_person(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    library.void("9000")
    await able.work()
    assert await able.kinds() == [CaseKind.REFUND_NOT_RECORDED]
    assert library.given_back() == 0


# --- second looks, races ---


async def test_a_decision_that_waits_for_a_second_look_is_overtaken_by_what_was_said(able: Bench) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await able.wait_and_work(600)
    case = await the_case(able, CaseKind.REFUND_UNDECIDED)
    await decide_case(able.world, case.id, Word(Action.NOT_GIVEN_BACK, "sari", "gone"), second_look=True)
    await given(able, payment)
    assert await able.store.read(lambda tx: tx.open_second_looks(payment.id)) == ()
    assert "second_look_overtaken" in await able.events(payment.id)


async def test_a_step_that_another_one_was_quicker_with_is_taken_again(able: Bench) -> None:
    payment = await booked(able, "3")
    refund = await ask(able, payment)
    with pytest.raises(Stale):
        await able.store.write(lambda tx: tx.save_refund(refund, RefundState.DUE))


async def test_settling_by_hand_does_not_fit_a_refund_that_is_just_being_recorded(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await ask(able, payment)
    await given(able, payment)
    library.taking_faults.append(TIMED_OUT)
    await able.work()
    able.clock.advance(200)
    library.taking_faults.append(TIMED_OUT)
    await able.work()
    await the_case(able, CaseKind.REFUND_NOT_RECORDED)
    able.clock.advance(100)
    reached, go_on = paused(library, "refund")
    working = await begun(able, "one", reached)
    with pytest.raises(Declined) as no:
        await decide(able, CaseKind.REFUND_NOT_RECORDED, Action.SETTLED)
    assert no.value.code == "not_blocked"
    go_on.set()
    await working
    assert await state(able, payment) is RefundState.RECORDED
