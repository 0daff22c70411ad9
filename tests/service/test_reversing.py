# SPDX-License-Identifier: GPL-3.0-or-later
"""Booking rule 8 where the library system can be told to: what was booked is taken back by itself."""

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
from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.domain.payment import Payment
from tillbridge.service.library_port import Abilities, MaybeRecorded, NotRecorded
from tillbridge.service.resolving import Action
from tillbridge.service.starting import Chosen
from tillbridge.service.store_port import CaseKind, CreditState, TaskKind

PLAIN = Abilities()
GONE_FOR_NOW = NotRecorded("connection refused", again=True)


async def booked(bench: Bench, *owed: str, **request: object) -> Payment:
    """Let a payment be booked whole."""
    payment = await collected(bench, *owed, **request)
    await bench.work()
    stored = await bench.payment(payment.id)
    assert stored.booking is Booking.BOOKED
    return stored


async def taken_back(bench: Bench, payment: Payment) -> None:
    """Let the till take the money back."""
    await bench.report(report(payment.id, "cancelled"), payment.id)


async def due_while_away(bench: Bench, library: KeyedLibrary) -> Payment:
    """Let a reversal be due, and tried once, while the library system is away."""
    payment = await booked(bench, "3")
    await taken_back(bench, payment)
    library.away = "away"
    await bench.work()
    return payment


async def need_reversed(bench: Bench, library: KeyedLibrary, payment: Payment) -> None:
    """Need everything taken back, once, and nothing left to do."""
    stored = await bench.payment(payment.id)
    assert (stored.collection, stored.booking) == (Collection.REVERSED, Booking.REVERSED)
    assert not [credit for _, credit in library.credits if not credit.void]
    assert await bench.cases() == []
    assert await locks(bench) == {}
    assert not {kind for _, kind in await tasks(bench)} & {TaskKind.REVERSE, TaskKind.LOOK_UP, TaskKind.BOOK}


async def test_what_was_booked_is_taken_back_by_itself(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3", "4", library_staff_id="17", library_register_id="2")
    await taken_back(able, payment)
    assert (await able.payment(payment.id)).booking is Booking.REVERSAL_DUE
    await able.work()
    await need_reversed(able, library, payment)
    (order,) = library.reversals
    assert (order.booking, order.reference) == (payment.reference, f"{payment.reference}:reversal")
    assert (order.staff_id, order.register_id, order.branch) == ("17", "2", "CPL")
    assert [library.charges[charge].owed for charge in ("1", "2")] == [3, 4]
    assert [credit.state for credit in await credits_of(able, payment)] == [CreditState.VOIDED]
    events = await able.events(payment.id)
    assert events[-3:] == ["booking_returned_booked", "booking_reversal_started", "booking_reversal_seen"]


async def test_reversing_is_stored_before_anything_is_sent(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    seen: list[Booking] = []
    reverse = library.reverse

    async def looking(order: object) -> object:
        seen.append((await able.payment(payment.id)).booking)
        return await reverse(order)  # type: ignore[arg-type]

    library.reverse = looking  # type: ignore[method-assign, assignment]
    await able.work()
    assert seen == [Booking.REVERSING]


async def test_every_credit_of_a_payment_is_taken_back_under_a_reference_of_its_own(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await collected(able, "3", "4")
    library.owes("1", "5")
    library.owes("2", "4")
    library.faults.append("refused")
    await able.work()
    await decide(able, CaseKind.REFUSED_BY_LIBRARY, Action.BOOK)
    await able.work()
    assert len(library.credits) == 2
    await taken_back(able, payment)
    await able.work()
    await need_reversed(able, library, payment)
    assert [order.reference for order in library.reversals] == [f"{payment.reference}:{n}:reversal" for n in (1, 2)]


UNCLEAR = [TIMED_OUT, OWN_ERROR, "kept", "raises", GONE_FOR_NOW]


@pytest.mark.parametrize("fault", UNCLEAR, ids=str)
async def test_an_unclear_answer_is_asked_about_again_and_done_once(
    able: Bench, library: KeyedLibrary, fault: str | NotRecorded | MaybeRecorded
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    library.taking_faults.append(fault)
    await able.work()
    assert (await able.payment(payment.id)).booking is Booking.REVERSAL_DUE
    assert await able.cases() == []
    await able.wait_and_work(5)
    await need_reversed(able, library, payment)
    assert library.charges["1"].owed == 3


async def test_a_library_system_that_is_away_for_long_is_on_the_list_until_it_is_done(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await due_while_away(able, library)
    assert await able.cases() == []
    for _ in range(5):
        await able.wait_and_work(60)
    assert (await the_case(able, CaseKind.VOID_BY_HAND)).facts == {"reference": payment.reference, "why": "away"}
    assert await tasks(able) == {(payment.id, TaskKind.REVERSE)}  # which looks by itself: nobody else has to
    library.away = None
    await able.wait_and_work(600)
    await need_reversed(able, library, payment)


async def test_a_reversal_is_on_the_list_only_once_it_is_later_than_it_may_be(
    able: Bench, library: KeyedLibrary
) -> None:
    await due_while_away(able, library)
    for waited_s in (0, 5, able.world.limits.late_s - 5):
        await able.wait_and_work(waited_s)
        assert await able.cases() == []
    await able.wait_and_work(120)
    assert await able.kinds() == [CaseKind.VOID_BY_HAND]


async def test_a_reversal_that_stays_unclear_for_long_is_on_the_list_too(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    library.taking_faults.extend([TIMED_OUT] * 4)
    for pause_s in (0, 5, 30):
        await able.wait_and_work(pause_s)
        assert await able.cases() == []
    await able.wait_and_work(120)
    assert (await the_case(able, CaseKind.VOID_BY_HAND)).facts["why"] == TIMED_OUT.why


async def test_the_pauses_between_the_tries_of_a_reversal_grow_to_the_longest_one_and_stay_there(
    able: Bench, library: KeyedLibrary
) -> None:
    await due_while_away(able, library)
    assert able.world.limits.booking_again_s == (5, 30, 120, 600)
    for pause_s in (5, 30, 120, 600, 600, 600):
        before = library.reads
        await able.wait_and_work(pause_s - 1)
        assert library.reads == before
        await able.wait_and_work(1)
        assert library.reads == before + 1


REFUSED = NotRecorded("money of it has been given back", again=False)


async def test_a_clear_refusal_asks_for_a_void_by_hand_which_is_then_seen(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    library.taking_faults.extend([REFUSED, REFUSED])
    await able.work()
    assert (await the_case(able, CaseKind.VOID_BY_HAND)).facts["why"] == REFUSED.why
    await able.wait_and_work(3600)
    assert len(library.reversals) == 2
    library.void("9000")
    await able.wait_and_work(3600)
    await need_reversed(able, library, payment)
    assert len(library.reversals) == 2


async def test_what_a_librarian_took_back_before_is_only_seen(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    library.void("9000")
    await taken_back(able, payment)
    await able.work()
    await need_reversed(able, library, payment)
    assert library.reversals == []


async def test_a_credit_that_is_taken_back_between_the_look_and_the_asking_ends_well(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    reached, go_on = paused(library, "credits_of")
    working = await begun(able, "one", reached)
    library.void("9000")
    go_on.set()
    await working
    await need_reversed(able, library, payment)


async def test_two_credits_with_one_reference_are_for_a_person(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    library.credits.append(
        ("5", library.credits[0][1].__class__("9999", payment.reference, Decimal(3), Decimal(0), False))
    )
    await taken_back(able, payment)
    await able.work()
    assert await able.kinds() == [CaseKind.VOID_BY_HAND]
    assert library.reversals == []


async def test_a_booked_credit_that_is_not_there_any_more_is_for_a_person(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    library.credits.clear()
    await taken_back(able, payment)
    await able.work()
    assert (await the_case(able, CaseKind.VOID_BY_HAND)).facts["why"] == "a credit that was booked is not there"
    assert (await able.payment(payment.id)).booking is Booking.REVERSAL_DUE


async def test_what_may_still_arrive_is_waited_for_and_taken_back(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3")
    library.faults.append("late")
    await able.work()
    assert (await able.payment(payment.id)).booking is Booking.DUE
    await taken_back(able, payment)
    await able.work()
    assert (await able.payment(payment.id)).booking is Booking.REVERSAL_DUE
    library.land()
    await able.wait_and_work(600)
    await need_reversed(able, library, payment)


async def test_what_never_arrived_is_reversed_once_it_has_surely_ended(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3")
    library.faults.append("lost")
    await able.work()
    await taken_back(able, payment)
    await able.wait_and_work(60)
    assert (await able.payment(payment.id)).booking is Booking.REVERSAL_DUE
    await able.wait_and_work(600)
    await need_reversed(able, library, payment)
    assert library.reversals == []


async def test_a_booking_that_is_not_there_when_it_is_asked_for_is_looked_for_again(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    library.taking_faults.append(NotRecorded("404", again=False, absent=True))
    await able.work()
    assert await able.cases() == []
    await able.wait_and_work(5)
    await need_reversed(able, library, payment)


async def test_a_crash_while_it_was_taken_back_is_found_and_goes_on(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    reached, _ = paused(library, "reverse")
    working = await begun(able, "dead", reached)
    assert (await able.payment(payment.id)).booking is Booking.REVERSING
    able.clock.advance(able.world.limits.lease_s + 1)
    await able.work()
    working.cancel()
    await need_reversed(able, library, payment)
    assert "booking_reversal_unclear" in await able.events(payment.id)


async def test_a_process_that_slept_past_its_lease_does_no_harm_when_it_goes_on(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    reached, go_on = paused(library, "credits_of")
    working = await begun(able, "slow", reached)
    able.clock.advance(able.world.limits.lease_s + 1)
    await able.work()
    go_on.set()
    await working
    await need_reversed(able, library, payment)


async def test_a_process_that_slept_before_it_began_leaves_the_patron_to_the_others(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    (task,) = await able.due(owner="slow")
    able.clock.advance(able.world.limits.lease_s + 1)
    library.abilities = PLAIN
    await able.work()
    assert await able.kinds() == [CaseKind.VOID_BY_HAND]
    library.abilities = EVERYTHING
    await able.do(task)
    assert (library.reversals, await locks(able)) == ([], {})


async def test_a_process_that_slept_while_it_looked_takes_no_look_from_the_case_that_was_opened(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    reached, go_on = paused(library, "credits_of")
    working = await begun(able, "slow", reached)
    able.clock.advance(able.world.limits.lease_s + 1)
    library.abilities = PLAIN
    await able.work()
    follows = await tasks(able)
    assert (payment.id, TaskKind.LOOK_UP) in follows
    go_on.set()
    await working
    assert (await tasks(able), library.reversals) == (follows, [])
    assert await able.kinds() == [CaseKind.VOID_BY_HAND]


async def test_a_library_system_that_never_answers_is_given_up_and_asked_again(
    able: Bench, library: KeyedLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    with monkeypatch.context() as silent:
        silent.setattr(library, "write_limit_s", 0.01 - able.world.limits.write_hang_s)
        silent.setattr(library, "reverse", lambda _: asyncio.Event().wait())
        limits = limits_of_waiting(silent)
        await able.work()
    assert pytest.approx(0.01) in limits
    (event, _) = (await able.store.read(lambda tx: tx.history(payment.id)))[-1]
    assert (event.kind, event.facts["why"]) == ("booking_reversal_unclear", "the adapter failed: TimeoutError")
    await able.wait_and_work(5)
    await need_reversed(able, library, payment)


@pytest.mark.parametrize("left_s", [20, 30.5])
async def test_nothing_is_asked_where_the_lease_is_nearly_over(
    able: Bench, library: KeyedLibrary, left_s: float
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    reached, go_on = paused(library, "credits_of")
    working = await begun(able, "slow", reached)
    able.clock.advance(able.world.limits.lease_s - left_s)
    go_on.set()
    await working
    assert library.reversals == []
    assert (await able.payment(payment.id)).booking is Booking.REVERSAL_DUE
    await able.wait_and_work(5)
    await need_reversed(able, library, payment)


async def test_the_second_credit_waits_where_the_lease_is_nearly_over(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked_in_two(able)
    await taken_back(able, payment)
    reached, go_on = paused(library, "reverse")
    working = await begun(able, "slow", reached)
    able.clock.advance(able.world.limits.lease_s - 20)
    go_on.set()
    await working
    assert (len(library.reversals), (await able.payment(payment.id)).booking) == (1, Booking.REVERSAL_DUE)
    await able.wait_and_work(5)
    await need_reversed(able, library, payment)


async def test_a_patron_whose_other_payment_is_being_booked_is_waited_for(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    library.add_charge("2", "4")
    other = await able.start(charges=(Chosen("2"),))
    await taken_back(able, payment)
    await able.store.write(lambda tx: tx.lock_patron(other))
    claimed = {(task.payment_id, task.kind): task for task in await able.due()}
    await able.do(claimed[payment.id, TaskKind.REVERSE])
    assert library.reversals == []
    await able.work()
    assert library.reversals == []  # nor is it tried again at once
    await able.store.write(lambda tx: tx.unlock_patron(other, able.clock.now()))
    await able.wait_and_work(1)
    assert (await able.payment(payment.id)).booking is Booking.REVERSED


async def test_a_library_system_that_has_lost_the_ability_asks_for_a_void_by_hand(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    library.abilities = PLAIN
    await able.work()
    assert (await the_case(able, CaseKind.VOID_BY_HAND)).facts["why"] == "the library system cannot be told to"
    library.void("9000")
    await able.wait_and_work(3600)
    await need_reversed(able, library, payment)


async def test_a_library_system_that_gains_the_ability_is_told_to_at_the_next_look(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    library.abilities = PLAIN
    await taken_back(able, payment)
    assert await able.kinds() == [CaseKind.VOID_BY_HAND]
    library.abilities = EVERYTHING
    await decide(able, CaseKind.VOID_BY_HAND, Action.LOOK)
    await able.work()
    await need_reversed(able, library, payment)


async def test_an_adapter_that_fails_to_say_what_it_can_do_leaves_it_to_a_person(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    library.cannot_learn = True
    await able.work()
    assert await able.kinds() == [CaseKind.VOID_BY_HAND]


async def test_a_person_may_settle_it_while_it_is_waited_for(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    library.taking_faults.append(REFUSED)
    await able.work()
    await decide(able, CaseKind.VOID_BY_HAND, Action.SETTLED)
    assert (await able.payment(payment.id)).booking is Booking.REVERSED
    assert not {kind for _, kind in await tasks(able)} & {TaskKind.REVERSE, TaskKind.LOOK_UP}


async def test_what_was_settled_while_it_was_looked_for_is_left_alone(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    library.abilities = PLAIN
    await taken_back(able, payment)
    library.abilities = EVERYTHING
    await decide(able, CaseKind.VOID_BY_HAND, Action.LOOK)
    (look_up,) = [task for task in await able.due() if task.kind is TaskKind.LOOK_UP]
    await able.do(look_up)
    reached, go_on = paused(library, "credits_of")
    working = await begun(able, "one", reached)
    await decide(able, CaseKind.VOID_BY_HAND, Action.SETTLED)
    go_on.set()
    await working
    assert library.reversals == []
    assert (await able.payment(payment.id)).booking is Booking.REVERSED
    await able.work()


async def test_an_adapter_that_fails_while_it_looks_is_asked_again(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    credits_of_ = library.credits_of

    async def failing(*_: str) -> object:
        library.credits_of = credits_of_  # type: ignore[method-assign]
        raise RuntimeError("the adapter fell over")

    library.credits_of = failing  # type: ignore[method-assign, assignment]
    await able.work()
    await able.wait_and_work(5)
    await need_reversed(able, library, payment)


async def test_a_patron_that_is_gone_is_asked_for_again_and_listed(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    await taken_back(able, payment)
    library.patrons.clear()
    await able.work()
    for _ in range(5):
        await able.wait_and_work(60)
    assert await able.kinds() == [CaseKind.VOID_BY_HAND]
    library.add_patron()
    await able.wait_and_work(600)
    await need_reversed(able, library, payment)


async def test_a_task_that_finds_nothing_to_take_back_is_done(able: Bench, library: KeyedLibrary) -> None:
    payment = await booked(able, "3")
    now = able.world.clock.now()
    await able.world.store.write(lambda tx: tx.add_task(payment.id, TaskKind.REVERSE, now))
    await able.work()
    assert library.reversals == []
    assert TaskKind.REVERSE not in {kind for _, kind in await tasks(able)}
    assert (await able.payment(payment.id)).booking is Booking.BOOKED


async def test_a_second_credit_of_a_number_that_was_booked_is_looked_for_once_the_first_was_taken_back(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await booked(able, "3")
    [credit] = await credits_of(able, payment)
    late = replace(credit, sent_at=able.clock.now(), ended=False)
    await able.store.write(lambda tx: tx.put_credit(payment.id, late))
    await taken_back(able, payment)
    await able.work()
    assert (await able.payment(payment.id)).booking is Booking.REVERSED
    assert await tasks(able) == {(payment.id, TaskKind.LOOK_UP)}
    patron_id, first = library.credits[-1]
    library.credits.append((patron_id, replace(first, credit_id="9100", void=False)))
    await able.wait_and_work(599)
    assert await able.cases() == []
    await able.wait_and_work(1)
    assert (await the_case(able, CaseKind.VOID_BY_HAND)).facts["credits"] == ["9100"]
