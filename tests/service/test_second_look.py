# SPDX-License-Identifier: GPL-3.0-or-later
"""A second look: what one person decides waits for another one, and never overrules the till."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from support.fakes import report
from support.rules import check
from support.steps import at_register, claims, collected, decide, rows, tasks, the_case, unknown
from support.worlds import Bench
from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import CANCELLED_CLERK, PAID_CLERK, PAID_TILL, UNKNOWN, Booking, Collection
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.deciding import Awaiting, Decided, agree, decide_case, decide_payment, refuse, withdraw
from tillbridge.service.overtaking import end
from tillbridge.service.resolving import Action, Word, resolve_case, resolve_payment
from tillbridge.service.second_look_port import Ending, SecondLook
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.store_port import CaseKind, Stale, TaskKind, Transaction
from tillbridge.service.telling import tell
from tillbridge.store import tables as t

PAID = Word(Action.PAID, "sari", "the receipt is here", " 4711 ")
NOT_PAID = Word(Action.NOT_PAID, "sari", "the till has cancelled it")


def word(action: Action, patron: str | None = None) -> Word:
    return Word(action, "sari", "I looked", patron_id=patron)


async def wished(bench: Bench, payment: Payment, said: Word = NOT_PAID) -> SecondLook:
    result = await decide_payment(bench.world, payment.id, said, second_look=True)
    assert isinstance(result, Awaiting)
    return result.second_look


async def wished_for(bench: Bench, kind: CaseKind, said: Word) -> SecondLook:
    case = await the_case(bench, kind)
    result = await decide_case(bench.world, case.id, said, second_look=True)
    assert isinstance(result, Awaiting)
    return result.second_look


async def stored(bench: Bench, wish: SecondLook) -> SecondLook:
    found = await bench.store.read(lambda tx: tx.second_look(wish.id))
    assert found is not None
    return found


async def waiting(bench: Bench) -> list[int]:
    return [wish.id for wish in await bench.store.read(lambda tx: tx.open_second_looks())]


async def last_event(bench: Bench, payment: Payment) -> Event:
    return (await bench.store.read(lambda tx: tx.history(payment.id)))[-1][0]


async def refused(bench: Bench, **faults: str) -> Payment:
    """Bring a payment to where the library system has refused its credit."""
    payment = await collected(bench, "3")
    bench.library.faults.append(faults.get("fault", "refused"))
    await bench.work()
    return await bench.payment(payment.id)


async def a_stray(bench: Bench) -> int:
    await bench.report(report("F" * 24, "paid"))
    return (await the_case(bench, CaseKind.PAID_FOR_UNKNOWN_ID)).id


async def test_without_a_second_look_a_decision_is_carried_out_at_once(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    assert await decide_payment(bench.world, payment.id, PAID, second_look=False) == Decided()
    assert (await bench.payment(payment.id)).standing == PAID_CLERK
    case_id = await a_stray(bench)
    assert await decide_case(bench.world, case_id, word(Action.SETTLED), second_look=False) == Decided()
    assert await bench.cases() == []
    assert await rows(bench, t.second_look) == []


async def test_a_decision_about_a_stray_report_overtakes_none_that_waits(bench: Bench) -> None:
    await wished(bench, await unknown(bench, "3"))
    await decide_case(bench.world, await a_stray(bench), word(Action.SETTLED), second_look=False)
    assert len(await waiting(bench)) == 1


async def test_what_the_library_system_settles_overtakes_no_decision_about_another_payment(bench: Bench) -> None:
    first = await collected(bench, "3")
    bench.library.faults.append("unapplied")
    await bench.work()
    case = await the_case(bench, CaseKind.NOT_APPLIED)
    bench.library.add_patron("6", "C6")
    bench.library.add_charge("9", "5", patron_id="6")
    other = await bench.start(card_number="C6")
    await bench.work()
    await bench.report(report(other.id, "paid", receipt="4712"))
    bench.library.faults.append("refused")
    await bench.work()
    await wished_for(bench, CaseKind.REFUSED_BY_LIBRARY, word(Action.SETTLED))
    bench.library.credits = [(p, replace(c, unapplied=c.unapplied * 0)) for p, c in bench.library.credits]
    bench.library.owes("1", "0")
    await bench.wait_and_work(3600)
    assert (await bench.payment(first.id)).booking is Booking.BOOKED
    closed = await bench.store.read(lambda tx: tx.case(case.id))
    assert closed is not None
    assert (closed.closed_by, closed.resolution) == ("library", "confirmed")
    assert len(await waiting(bench)) == 1


async def test_while_a_decision_waits_nothing_changes(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    before = await bench.payment(payment.id), await claims(bench), await tasks(bench)
    wish = await wished(bench, payment)
    assert (await bench.payment(payment.id), await claims(bench), await tasks(bench)) == before
    assert (wish.case_id, wish.payment_id, wish.action, wish.person) == (None, payment.id, "not_paid", "sari")
    event = await last_event(bench, payment)
    assert (event.kind, event.actor) == ("second_look_wished", "sari")
    assert event.facts == {"action": "not_paid", "why": "the till has cancelled it"}
    await check(bench)


async def test_the_history_keeps_case_receipt_and_patron_of_what_waits(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await bench.wait_and_work(600)
    await wished_for(bench, CaseKind.UNKNOWN_OUTCOME, PAID)
    facts = (await last_event(bench, payment)).facts
    assert (facts["case"], facts["receipt"]) == ("unknown_outcome", "4711")
    assert await bench.kinds() == [CaseKind.UNKNOWN_OUTCOME]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (Word(Action.PAID, "sari", " ", "1"), "reason_missing"),
        (Word(Action.PAID, "", "seen", "1"), "reason_missing"),
        (Word(Action.PAID, "sari", "seen"), "receipt_missing"),
        (word(Action.BOOK), "wrong_action"),
        (word(Action.LOOK), "wrong_action"),
    ],
)
async def test_a_word_that_does_not_fit_an_unknown_outcome_does_not_wait(bench: Bench, said: Word, code: str) -> None:
    payment = await unknown(bench, "3")
    with pytest.raises(Declined) as no:
        await decide_payment(bench.world, payment.id, said, second_look=True)
    assert no.value.code == code
    assert await waiting(bench) == []


async def test_a_word_that_does_not_fit_a_case_does_not_wait(bench: Bench) -> None:
    await refused(bench, fault="gone")
    case = await the_case(bench, CaseKind.PATRON_GONE)
    for said, code in ((word(Action.PAID), "wrong_action"), (word(Action.OTHER_PATRON), "patron_missing")):
        with pytest.raises(Declined) as no:
            await decide_case(bench.world, case.id, said, second_look=True)
        assert no.value.code == code
    with pytest.raises(Declined) as no:
        await decide_case(bench.world, 999, word(Action.SETTLED), second_look=True)
    assert no.value.code == "no_such_case"


async def test_a_receipt_that_stands_for_another_payment_does_not_wait(bench: Bench) -> None:
    first = await unknown(bench, "3")
    await resolve_payment(bench.world, first.id, PAID)
    bench.library.add_patron("6", "C6")
    bench.library.add_charge("9", "2", patron_id="6")
    second = await unknown(bench, card_number="C6")
    with pytest.raises(Declined) as no:
        await decide_payment(bench.world, second.id, PAID, second_look=True)
    assert no.value.code == "receipt_used"


async def test_to_look_again_needs_no_second_look_and_ends_none(bench: Bench) -> None:
    await refused(bench, fault="unapplied")
    wish = await wished_for(bench, CaseKind.NOT_APPLIED, word(Action.SETTLED))
    case = await the_case(bench, CaseKind.NOT_APPLIED)
    assert await decide_case(bench.world, case.id, word(Action.LOOK), second_look=True) == Decided()
    await bench.work()
    await agree(bench.world, wish.id, "otto")
    assert await bench.cases() == []


async def test_only_one_decision_of_a_payment_waits_at_a_time(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment)
    await bench.wait_and_work(600)
    case = await the_case(bench, CaseKind.UNKNOWN_OUTCOME)
    with pytest.raises(Declined) as no:
        await decide_case(bench.world, case.id, PAID, second_look=True)
    assert no.value.code == "second_look_waits"
    assert no.value.facts["second_look"] == wish.id
    assert no.value.facts["person"] == "sari"
    assert await waiting(bench) == [wish.id]


async def test_what_another_person_agrees_to_is_done_as_the_first_one_s_word(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment, PAID)
    await agree(bench.world, wish.id, "otto")
    stands = await bench.payment(payment.id)
    assert (stands.standing, stands.receipt_number) == (PAID_CLERK, "4711")
    history = await bench.store.read(lambda tx: tx.history(payment.id))
    (event,) = [event for event, _ in history if event.kind == "clerk_paid"]
    assert (event.actor, event.facts["seconded_by"]) == ("sari", "otto")
    assert tell(event).endswith("(the receipt is here) Receipt 4711. otto agreed.")
    ended = await stored(bench, wish)
    assert (ended.ending, ended.ended_by) == (Ending.AGREED, "otto")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    assert "second_look_agreed" not in await bench.events(payment.id)
    await check(bench)


async def test_not_paid_is_agreed_to_and_the_charges_are_free(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await bench.wait_and_work(600)
    wish = await wished_for(bench, CaseKind.UNKNOWN_OUTCOME, NOT_PAID)
    await agree(bench.world, wish.id, "otto")
    assert (await bench.payment(payment.id)).standing == CANCELLED_CLERK
    assert (await bench.cases(), await claims(bench)) == ([], {})
    assert "second_look_overtaken" not in await bench.events(payment.id)


async def test_another_patron_is_agreed_to(bench: Bench) -> None:
    payment = await collected(bench, "3")
    bench.library.add_patron("6", "C6")
    bench.library.merge("5", "6")
    await bench.work()
    wish = await wished_for(bench, CaseKind.PATRON_GONE, word(Action.OTHER_PATRON, patron="6"))
    assert (await last_event(bench, payment)).facts["patron"] == "6"
    await agree(bench.world, wish.id, "otto")
    assert (await last_event(bench, payment)).facts["seconded_by"] == "otto"
    await bench.work()
    stands = await bench.payment(payment.id)
    assert (stands.booking, stands.patron_id) == (Booking.BOOKED, "6")


async def test_a_case_without_a_payment_is_agreed_to_and_names_both(bench: Bench) -> None:
    case_id = await a_stray(bench)
    wish = await wished_for(bench, CaseKind.PAID_FOR_UNKNOWN_ID, word(Action.SETTLED))
    assert (wish.case_id, wish.payment_id) == (case_id, None)
    with pytest.raises(Declined) as no:
        await decide_case(bench.world, case_id, word(Action.SETTLED), second_look=True)
    assert no.value.code == "second_look_waits"
    await agree(bench.world, wish.id, "otto")
    case = await bench.store.read(lambda tx: tx.case(case_id))
    assert case is not None
    assert (case.closed_by, case.resolution) == ("sari", "settled: I looked (otto agreed)")


@pytest.mark.parametrize("same", ["sari", " Sari "])
async def test_nobody_agrees_to_or_refuses_the_own_decision(bench: Bench, same: str) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment)
    for answer in (agree(bench.world, wish.id, same), refuse(bench.world, wish.id, same, "no")):
        with pytest.raises(Declined) as no:
            await answer
        assert no.value.code == "own_decision"
    assert await waiting(bench) == [wish.id]
    assert (await bench.payment(payment.id)).standing == UNKNOWN


async def test_whoever_answers_says_who_and_who_refuses_says_why(bench: Bench) -> None:
    wish = await wished(bench, await unknown(bench, "3"))
    for answer in (
        agree(bench.world, wish.id, " "),
        agree(bench.world, wish.id, ""),
        refuse(bench.world, wish.id, " ", "no"),
        refuse(bench.world, wish.id, "otto", " "),
    ):
        with pytest.raises(Declined) as no:
            await answer
        assert no.value.code == "reason_missing"
    assert await waiting(bench) == [wish.id]


async def test_what_is_refused_changes_nothing_and_makes_room_for_the_next_decision(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment)
    await refuse(bench.world, wish.id, "otto", "the receipt is in the drawer")
    event = await last_event(bench, payment)
    assert (event.kind, event.actor) == ("second_look_refused", "otto")
    assert event.facts == {"action": "not_paid", "why": "the receipt is in the drawer"}
    ended = await stored(bench, wish)
    assert (ended.ending, ended.ending_reason) == (Ending.REFUSED, "the receipt is in the drawer")
    assert (await bench.payment(payment.id)).standing == UNKNOWN
    await agree(bench.world, (await wished(bench, payment, PAID)).id, "otto")
    assert (await bench.payment(payment.id)).standing == PAID_CLERK


async def test_only_who_has_decided_takes_it_back(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment)
    with pytest.raises(Declined) as no:
        await withdraw(bench.world, wish.id, "otto")
    assert no.value.code == "not_own_decision"
    await withdraw(bench.world, wish.id, "sari")
    event = await last_event(bench, payment)
    assert (event.kind, event.facts) == ("second_look_withdrawn", {"action": "not_paid"})
    assert (await stored(bench, wish)).ending is Ending.WITHDRAWN
    assert (await bench.payment(payment.id)).standing == UNKNOWN


async def test_a_decision_that_waits_no_more_or_never_did_is_not_answered(bench: Bench) -> None:
    wish = await wished(bench, await unknown(bench, "3"))
    await withdraw(bench.world, wish.id, "sari")
    for wish_id in (wish.id, 999):
        for answer in (
            agree(bench.world, wish_id, "otto"),
            refuse(bench.world, wish_id, "otto", "no"),
            withdraw(bench.world, wish_id, "sari"),
        ):
            with pytest.raises(Declined) as no:
                await answer
            assert no.value.code == "no_such_second_look"


async def test_the_till_s_word_ends_what_waits_and_is_never_overruled(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment)
    await bench.report(report(payment.id, "paid"))
    await bench.work()
    assert (await stored(bench, wish)).ending is Ending.OVERTAKEN
    with pytest.raises(Declined) as no:
        await agree(bench.world, wish.id, "otto")
    assert no.value.code == "no_such_second_look"
    stands = await bench.payment(payment.id)
    assert (stands.standing, stands.booking) == (PAID_TILL, Booking.BOOKED)
    assert "second_look_overtaken" in await bench.events(payment.id)
    await check(bench)


async def test_a_decision_of_which_the_till_has_heard_nothing_since_ends_with_the_case_that_it_was_about(
    bench: Bench,
) -> None:
    payment = await unknown(bench, "3")
    await bench.wait_and_work(600)
    wish = await wished_for(bench, CaseKind.UNKNOWN_OUTCOME, NOT_PAID)
    await bench.report(report(payment.id, "paid"))
    assert (await stored(bench, wish)).ending is Ending.OVERTAKEN
    assert (await bench.payment(payment.id)).standing == PAID_TILL
    (closed,) = await bench.store.read(lambda tx: tx.cases_of(payment.id))
    assert (closed.closed_by, closed.resolution) == ("till", "paid by till")


async def test_a_decision_about_a_payment_that_the_till_takes_back_meanwhile_is_overtaken(bench: Bench) -> None:
    """Its case stays open: what the two receipts mean is asked all the same."""
    payment = await collected(bench, "3")
    await bench.report(report(payment.id, "paid", receipt="4712"))
    wish = await wished_for(bench, CaseKind.CONTRADICTION, word(Action.SETTLED))
    await bench.report(report(payment.id, "cancelled"))
    assert (await bench.payment(payment.id)).collection is Collection.REVERSED
    assert await bench.kinds() == [CaseKind.CONTRADICTION]
    assert (await stored(bench, wish)).ending is Ending.OVERTAKEN


async def test_what_the_library_system_answers_ends_what_waits(bench: Bench) -> None:
    payment = await refused(bench, fault="unapplied")
    wish = await wished_for(bench, CaseKind.NOT_APPLIED, word(Action.SETTLED))
    ((patron, credit),) = bench.library.credits
    bench.library.credits = [(patron, replace(credit, unapplied=Decimal(0)))]
    bench.library.owes("1", "0")
    await bench.wait_and_work(3600)
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED
    ended = await stored(bench, wish)
    why = "it was answered before anyone agreed"
    assert (ended.ending, ended.ended_by, ended.ending_reason) == (Ending.OVERTAKEN, "library", why)


async def test_a_decision_is_overtaken_by_anything_that_has_happened_since(bench: Bench) -> None:
    """The till names another sum: the payment stands as it stood, and what was decided was decided without it."""
    payment = await collected(bench, "3")
    await bench.report(report(payment.id, "paid", total=100))
    wish = await wished_for(bench, CaseKind.SUM_DIFFERS, word(Action.BOOK))
    await bench.report(report(payment.id, "paid", total=200))
    assert await waiting(bench) == [wish.id]
    with pytest.raises(Declined) as no:
        await agree(bench.world, wish.id, "otto")
    assert no.value.code == "overtaken"
    ended = await stored(bench, wish)
    assert (ended.ending, ended.ended_by) == (Ending.OVERTAKEN, "otto")
    assert (await last_event(bench, payment)).kind == "second_look_overtaken"
    assert (await bench.payment(payment.id)).booking is Booking.BLOCKED
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]
    await check(bench)


async def test_a_stale_decision_makes_room_for_one_that_knows_more(bench: Bench) -> None:
    payment = await collected(bench, "3")
    await bench.report(report(payment.id, "paid", total=100))
    stale = await wished_for(bench, CaseKind.SUM_DIFFERS, word(Action.BOOK))
    await bench.report(report(payment.id, "paid", total=200))
    fresh = await wished_for(bench, CaseKind.SUM_DIFFERS, word(Action.BOOK))
    assert await waiting(bench) == [fresh.id]
    assert (await stored(bench, stale)).ending is Ending.OVERTAKEN
    await agree(bench.world, fresh.id, "otto")
    await bench.work()
    assert (await bench.payment(payment.id)).booking is Booking.BOOKED


async def test_a_clerk_s_wish_to_cancel_overtakes_no_decision(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment, PAID)
    await wish_to_cancel(bench.world, payment.id, "anna")
    await agree(bench.world, wish.id, "otto")
    assert (await bench.payment(payment.id)).standing == PAID_CLERK


async def test_a_receipt_that_was_used_meanwhile_overtakes_the_decision(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment, PAID)
    bench.library.add_patron("6", "C6")
    bench.library.add_charge("9", "2", patron_id="6")
    other = await unknown(bench, card_number="C6")
    await resolve_payment(bench.world, other.id, PAID)
    with pytest.raises(Declined) as no:
        await agree(bench.world, wish.id, "otto")
    assert no.value.code == "overtaken"
    assert "This receipt stands for another payment already." in no.value.message
    assert (await bench.payment(payment.id)).standing == UNKNOWN


async def test_what_a_program_decides_ends_what_waits(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment)
    await resolve_payment(bench.world, payment.id, PAID)
    assert (await stored(bench, wish)).ending is Ending.OVERTAKEN
    case_id = await a_stray(bench)
    wish = await wished_for(bench, CaseKind.PAID_FOR_UNKNOWN_ID, word(Action.SETTLED))
    await resolve_case(bench.world, case_id, word(Action.SETTLED))
    assert (await stored(bench, wish)).ending is Ending.OVERTAKEN
    assert await waiting(bench) == []


async def test_what_is_decided_about_one_case_ends_what_waits_about_another_of_the_payment(bench: Bench) -> None:
    payment = await refused(bench, fault="unapplied")
    await bench.report(report(payment.id, "paid", total=100))
    wish = await wished_for(bench, CaseKind.SUM_DIFFERS, word(Action.SETTLED))
    await decide(bench, CaseKind.NOT_APPLIED, Action.SETTLED)
    assert (await stored(bench, wish)).ending is Ending.OVERTAKEN
    assert await bench.kinds() == [CaseKind.SUM_DIFFERS]


@pytest.mark.parametrize("stray", [False, True])
async def test_of_two_people_who_agree_at_once_one_does(bench: Bench, stray: bool) -> None:
    if stray:
        await a_stray(bench)
        wish = await wished_for(bench, CaseKind.PAID_FOR_UNKNOWN_ID, word(Action.SETTLED))
    else:
        wish = await wished(bench, await unknown(bench, "3"), PAID)
    people = ("otto", "anna", "aino", "eino")
    answers = await asyncio.gather(*(agree(bench.world, wish.id, who) for who in people), return_exceptions=True)
    nos = [no.code for no in answers if isinstance(no, Declined)]
    assert (answers.count(None), nos) == (1, ["no_such_second_look"] * 3)
    assert (await stored(bench, wish)).ended_by == people[answers.index(None)]
    for payment in await bench.store.read(lambda tx: tx.recent_payments(9)):
        assert (await bench.events(payment.id)).count("clerk_paid") == 1


async def test_of_two_people_who_decide_at_once_one_waits(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    words = (NOT_PAID, Word(Action.PAID, "otto", "seen", "4711"))
    both = (decide_payment(bench.world, payment.id, said, second_look=True) for said in words)
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["Awaiting", "Declined"]
    assert len(await waiting(bench)) == 1


async def test_agreeing_and_refusing_at_once_end_in_one_of_the_two(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment)
    both = (agree(bench.world, wish.id, "otto"), refuse(bench.world, wish.id, "anna", "no"))
    answers = await asyncio.gather(*both, return_exceptions=True)
    ending = [Ending.AGREED, Ending.REFUSED][answers.index(None)]
    assert (await stored(bench, wish)).ending is ending
    expected = CANCELLED_CLERK if ending is Ending.AGREED else UNKNOWN
    assert (await bench.payment(payment.id)).standing == expected


async def test_the_till_and_a_second_person_at_once_end_in_the_till_s_word(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    wish = await wished(bench, payment)
    await asyncio.gather(
        bench.report(report(payment.id, "paid")), agree(bench.world, wish.id, "otto"), return_exceptions=True
    )
    await bench.work()
    stands = await bench.payment(payment.id)
    assert (stands.standing, stands.booking) == (PAID_TILL, Booking.BOOKED)
    await check(bench)


async def test_whoever_is_late_to_end_what_waits_reads_again(bench: Bench) -> None:
    wish = await wished(bench, await unknown(bench, "3"))

    def twice(tx: Transaction) -> None:
        end(tx, wish, 1.0, "otto", Ending.AGREED)
        with pytest.raises(Stale):
            end(tx, wish, 1.0, "anna", Ending.REFUSED, "no")

    await bench.store.write(twice)
    assert (await stored(bench, wish)).ending is Ending.AGREED


async def test_what_waits_holds_up_no_reminder_of_the_unknown_outcome(bench: Bench) -> None:
    payment = await unknown(bench, "3")
    await wished(bench, payment)
    assert (payment.id, TaskKind.ASK) in await tasks(bench)
    await bench.wait_and_work(600)
    assert await bench.kinds() == [CaseKind.UNKNOWN_OUTCOME]


async def test_no_payment_decides_about_another_standing(bench: Bench) -> None:
    payment = await at_register(bench, "3")
    with pytest.raises(Declined) as no:
        await decide_payment(bench.world, payment.id, PAID, second_look=True)
    assert no.value.code == "not_unknown"
