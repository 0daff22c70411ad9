# SPDX-License-Identifier: GPL-3.0-or-later
"""Booking where the library system compares the charges itself and knows what it has by a key."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from support.fakes import report
from support.keyed import EVERYTHING, KeyedLibrary
from support.steps import at_register, begun, collected, credits_of, decide, locks, paused, the_case
from support.worlds import Bench
from tillbridge.domain.lifecycle import Booking
from tillbridge.service.library_port import Abilities, CreditOrder, Effect
from tillbridge.service.resolving import Action
from tillbridge.service.starting import StartRequest, start_payment
from tillbridge.service.store_port import CaseKind, CreditState

PLAIN = Abilities()


async def booking(bench: Bench, payment_id: str) -> Booking:
    return (await bench.payment(payment_id)).booking


async def test_the_good_case_from_a_hand_over_is_one_write_and_no_reading(able: Bench, library: KeyedLibrary) -> None:
    charges = [library.add_charge("1", "3"), library.add_charge("2", "4.333"), library.add_charge("3", "9")]
    request = StartRequest("CPL", "10", "anna", patron_id="5", library_staff_id="17", library_register_id="2")
    payment = await start_payment(able.world, request, known=library.patrons["5"], charges=charges[:2])
    await able.work()
    await able.report(report(payment.id, "paid"))
    await able.work()
    assert await booking(able, payment.id) is Booking.BOOKED
    assert (library.reads, library.writes) == (0, 1)
    (order,) = library.orders
    assert order.shares == {"1": Decimal(3), "2": Decimal("4.333")}
    assert (order.keyed, order.staff_id, order.register_id) == (True, "17", "2")
    assert library.charges["3"].owed == 9
    (credit,) = await credits_of(able, payment)
    assert (credit.state, credit.keyed) == (CreditState.BOOKED, True)


async def test_a_partial_sum_says_how_much_each_charge_gets(able: Bench, library: KeyedLibrary) -> None:
    await collected(able, "3", "4", sum_minor=500)
    await able.work()
    assert library.orders[0].shares == {"1": Decimal(3), "2": Decimal(2)}


@pytest.mark.parametrize("fault", ["kept", "error_kept", "raises"])
async def test_what_was_booked_though_the_answer_was_lost_is_found_at_once(
    able: Bench, library: KeyedLibrary, fault: str
) -> None:
    payment = await collected(able, "3", "4")
    library.faults.append(fault)
    before = library.reads
    await able.work()
    assert await booking(able, payment.id) is Booking.BOOKED
    # A credit that names its own charges is enough to know.
    assert (library.reads - before, library.writes) == (1, 1)


@pytest.mark.parametrize("fault", ["lost", "error", "late"])
async def test_a_miss_lets_it_be_sent_again_at_once_under_the_same_key(
    able: Bench, library: KeyedLibrary, fault: str
) -> None:
    payment = await collected(able, "3")
    library.faults.append(fault)
    await able.work()
    assert await booking(able, payment.id) is Booking.DUE
    await able.wait_and_work(5)
    assert await booking(able, payment.id) is Booking.BOOKED
    assert [order.reference for order in library.orders] == [payment.reference] * 2
    assert library.orders[0].shares == library.orders[1].shares
    library.land()
    assert len(library.credit(payment.reference)) == 1
    assert await able.cases() == []


@pytest.mark.parametrize(("first", "then"), [(EVERYTHING, PLAIN), (PLAIN, EVERYTHING)], ids=["gone", "come"])
async def test_a_miss_alone_repeats_nothing_where_the_plugin_has_come_or_gone_meanwhile(
    able: Bench, library: KeyedLibrary, first: Abilities, then: Abilities
) -> None:
    library.abilities = first
    payment = await collected(able, "3")
    library.faults.append("late")
    (book,) = await able.due()
    await able.do(book)
    library.abilities = then
    await able.work()
    assert await booking(able, payment.id) is Booking.UNKNOWN
    await able.wait_and_work(599)
    assert (await booking(able, payment.id), library.writes) == (Booking.UNKNOWN, 1)
    await able.wait_and_work(1)
    await able.wait_and_work(600)
    assert await booking(able, payment.id) is Booking.BOOKED
    assert await able.cases() == []


async def test_the_history_says_what_was_sent_and_that_it_was_sent_again(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3", "4")
    library.faults.append("lost")
    await able.work()
    await able.wait_and_work(5)
    history = await able.store.read(lambda tx: tx.history(payment.id))
    credits_, to = [[["1", "2"], "7"]], "booking"
    assert [event.facts for event, _ in history if event.kind == "booking_start"] == [
        {"credits": credits_, "to": to},
        {"credits": credits_, "to": to, "again": True},
    ]


async def test_what_lands_before_it_is_sent_again_is_answered_with_what_was_recorded(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await collected(able, "3")
    library.faults.append("late")
    await able.work()
    library.land()
    await able.wait_and_work(5)
    assert await booking(able, payment.id) is Booking.BOOKED
    assert len(library.credit(payment.reference)) == 1


async def test_the_patrons_other_payments_may_go_first_meanwhile(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3")
    library.faults.append("lost")
    await able.work()
    assert await booking(able, payment.id) is Booking.DUE
    assert await locks(able) == {}


async def test_a_crash_while_it_was_booked_is_looked_up_and_sent_again(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3")
    reached, _ = paused(library, "record")
    working = await begun(able, "dead", reached)
    able.clock.advance(able.world.limits.lease_s + 1)
    library.known.clear()
    library.credits.clear()
    library.owes("1", "3")
    await able.work()
    await able.wait_and_work(5)
    working.cancel()
    assert await booking(able, payment.id) is Booking.BOOKED
    assert len(library.credit(payment.reference)) == 1


CHANGES = [
    ({"1": "1"}, {"1": Decimal(1), "2": Decimal(4)}, CaseKind.SURPLUS),
    ({"1": "0"}, {"2": Decimal(4)}, CaseKind.SURPLUS),
    ({"1": "0", "2": "0"}, {}, CaseKind.SURPLUS),
    ({"1": "8"}, {"1": Decimal(3), "2": Decimal(4)}, None),
]


@pytest.mark.parametrize(("owed", "paid", "kind"), CHANGES)
async def test_charges_that_changed_are_planned_anew_at_once_and_nothing_spills_over(
    able: Bench, library: KeyedLibrary, owed: dict[str, str], paid: dict[str, Decimal], kind: CaseKind | None
) -> None:
    library.add_charge("9", "50")
    payment = await at_register(able, "3", "4", sum_minor=700)
    for charge_id, now in owed.items():
        library.owes(charge_id, now)
    reads = library.reads
    await able.report(report(payment.id, "paid"))
    await able.work()
    assert {charge: share for _, charge, share in library.paid_to} == paid
    assert await able.kinds() == ([kind] if kind else [])
    assert library.charges["9"].owed == 50
    assert library.reads == reads


async def test_charges_that_go_on_changing_are_left_alone_for_a_while(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3", "4")
    record = library.record

    async def shrinking(order: object) -> object:
        for charge in ("1", "2"):
            library.owes(charge, str(max(library.charges[charge].owed - Decimal("0.5"), Decimal(0))))
        return await record(order)  # type: ignore[arg-type]

    library.record = shrinking  # type: ignore[method-assign, assignment]
    await able.work()
    assert await booking(able, payment.id) is Booking.DUE
    assert library.writes == 4
    library.record = record  # type: ignore[method-assign]
    await able.wait_and_work(5)
    assert {charge: share for _, charge, share in library.paid_to} == {"1": Decimal(1), "2": Decimal(2)}
    assert await able.kinds() == [CaseKind.SURPLUS]


async def test_a_payment_that_was_taken_back_is_not_planned_anew(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3", "4")
    library.owes("1", "1")
    reached, go_on = paused(library, "record")
    working = await begun(able, "one", reached)
    await able.report(report(payment.id, "cancelled"))
    go_on.set()
    await working
    assert library.writes == 1
    assert await booking(able, payment.id) is Booking.REVERSAL_DUE


async def test_an_earlier_request_that_may_still_run_is_waited_for_before_anything_else_is_planned(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await collected(able, "3", "4")
    library.faults.append("late")
    await able.work()
    library.owes("1", "1")
    while able.clock.now() < payment.created_at + 590:
        await able.wait_and_work(5)
        assert await booking(able, payment.id) is Booking.DUE
        assert {order.reference for order in library.orders} == {payment.reference}
    for _ in range(3):
        await able.wait_and_work(600)
    assert [order.reference for order in library.orders[-2:]] == [f"{payment.reference}:{n}" for n in (1, 2)]
    assert await able.kinds() == [CaseKind.SURPLUS]


async def test_a_refusal_of_what_is_sent_again_proves_nothing_of_the_first_request(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await collected(able, "3")
    library.faults.extend(["late", "refused"])
    await able.work()
    await able.wait_and_work(5)
    assert (await the_case(able, CaseKind.REFUSED_BY_LIBRARY)).facts == {"why": "400"}
    assert [credit.state for credit in await credits_of(able, payment)] == [CreditState.SENT]
    library.land()
    await decide(able, CaseKind.REFUSED_BY_LIBRARY, Action.BOOK)
    await able.work()
    assert await booking(able, payment.id) is Booking.BOOKED
    assert len(library.credit(payment.reference)) == 1


def stored_under(library: KeyedLibrary, reference: str, shares: dict[str, Decimal]) -> None:
    """Let the library system know a reference with a content that nobody will ask for."""
    order = CreditOrder("5", "CPL", tuple(shares), sum(shares.values(), Decimal(0)), reference, reference)
    library.known[reference] = ("another content", library._store_exactly(order, shares))


async def test_another_content_under_the_key_is_looked_up(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3")
    stored_under(library, payment.reference, {"1": Decimal(3)})
    await able.work()
    assert await booking(able, payment.id) is Booking.BOOKED
    assert library.writes == 1


async def test_a_credit_on_other_charges_than_its_own_is_a_case(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3", "4", sum_minor=300)
    stored_under(library, payment.reference, {"2": Decimal(3)})
    await able.work()
    assert await able.kinds() == [CaseKind.WRONG_CREDIT]


async def test_a_credit_that_a_librarian_took_back_before_it_is_sent_again_is_asked_about(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await collected(able, "3")
    library.faults.append("late")
    await able.work()
    library.land()
    library.void("9000")
    await able.wait_and_work(5)
    assert await able.kinds() == [CaseKind.CREDIT_VOIDED]
    await decide(able, CaseKind.CREDIT_VOIDED, Action.BOOK)
    await able.work()
    assert [credit.state for credit in await credits_of(able, payment)] == [CreditState.VOIDED, CreditState.BOOKED]
    assert library.orders[-1].reference == f"{payment.reference}:1"


async def test_what_is_lost_of_several_is_sent_again_and_the_rest_goes_on(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3", "4", "5")
    library.owes("1", "1")
    library.faults.extend(["", "", "lost"])
    await able.work()
    await able.wait_and_work(5)
    assert [order.reference.rpartition(":")[2] for order in library.orders[1:]] == ["1", "2", "2"]
    assert library.orders[-1].charge_ids == ("2", "3")
    assert await able.kinds() == [CaseKind.SURPLUS]
    assert {charge: share for _, charge, share in library.paid_to} == {"1": 1, "2": 4, "3": 5}
    assert (await able.payment(payment.id)).booking is Booking.BLOCKED


@pytest.mark.parametrize("fault", ["lost", "kept"])
async def test_a_booking_in_doubt_is_settled_right_after_the_plugin_was_switched_off(
    able: Bench, library: KeyedLibrary, fault: str
) -> None:
    payment = await collected(able, "3", "4", sum_minor=500)
    library.faults.append(fault)
    library.away = "away"
    await able.work()
    assert await booking(able, payment.id) is Booking.UNKNOWN
    library.away, library.abilities = None, PLAIN
    await able.wait_and_work(5)
    for _ in range(6):
        await able.wait_and_work(300)
    assert await booking(able, payment.id) is Booking.BOOKED
    assert len(library.credit(payment.reference)) == 1
    assert library.writes == (2 if fault == "lost" else 1)
    assert await able.cases() == []


async def test_without_its_key_a_credit_in_doubt_is_not_sent_again_before_it_has_surely_ended(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await collected(able, "3")
    library.faults.append("late")
    await able.work()
    library.abilities = PLAIN
    while able.clock.now() < payment.created_at + 595:
        await able.wait_and_work(5)
        assert library.writes == 1
    library.land()
    await able.wait_and_work(10)
    await able.wait_and_work(600)
    assert await booking(able, payment.id) is Booking.BOOKED
    assert len(library.credit(payment.reference)) == 1


@pytest.mark.parametrize("fault", ["lost", "kept", "late"])
async def test_a_booking_in_doubt_is_settled_right_after_the_plugin_has_come(
    able: Bench, library: KeyedLibrary, fault: str
) -> None:
    library.abilities = PLAIN
    payment = await collected(able, "3")
    library.faults.append(fault)
    await able.work()
    library.abilities = EVERYTHING
    for _ in range(6):
        await able.wait_and_work(60)
    assert library.writes == 1
    library.land()
    for _ in range(6):
        await able.wait_and_work(300)
    assert await booking(able, payment.id) is Booking.BOOKED
    assert len(library.credit(payment.reference)) == 1
    assert await able.cases() == []


async def test_nothing_is_sent_where_the_plugin_goes_between_the_asking_and_the_sending(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await collected(able, "3")
    learn = library.learn

    async def learned() -> Abilities:
        abilities = await learn()
        library.abilities = PLAIN
        return abilities

    library.learn = learned  # type: ignore[method-assign]
    await able.work()
    assert await booking(able, payment.id) is Booking.DUE
    assert library.credits == []
    library.learn = learn  # type: ignore[method-assign]
    await able.wait_and_work(5)
    assert await booking(able, payment.id) is Booking.BOOKED
    (credit,) = await credits_of(able, payment)
    assert not credit.keyed


async def test_an_adapter_that_fails_to_say_what_it_can_do_is_taken_for_a_plain_one(
    able: Bench, library: KeyedLibrary
) -> None:
    payment = await collected(able, "3")
    library.cannot_learn = True
    await able.work()
    assert await booking(able, payment.id) is Booking.BOOKED
    assert library.reads > 0
    assert [order.keyed for order in library.orders] == [False]


TOLD = [
    (frozenset({Effect.RENEWED, Effect.RECEIPT_SENT}), ("restricted", "receipt_sent", "renewed")),
    (frozenset[Effect](), ("restricted",)),
    (None, ("restricted", "may_renew")),
]


@pytest.mark.parametrize(("effects", "remarks"), TOLD)
async def test_what_the_library_system_tells_takes_the_place_of_what_was_guessed(
    able: Bench, library: KeyedLibrary, effects: frozenset[Effect] | None, remarks: tuple[str, ...]
) -> None:
    library.patrons["5"] = replace(library.patrons["5"], restricted=True)
    library.charges["1"] = replace(library.add_charge("1", "3"), effect=Effect.MAY_RENEW)
    library.effects = effects
    payment = await able.start()
    await able.work()
    await able.report(report(payment.id, "paid"))
    await able.work()
    assert (await able.payment(payment.id)).remarks == remarks


async def test_a_gone_patron_is_told_by_the_first_write(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3")
    library.add_patron("6", "C2")
    library.merge("5", "6")
    await able.work()
    assert await able.kinds() == [CaseKind.PATRON_GONE]
    await decide(able, CaseKind.PATRON_GONE, Action.OTHER_PATRON, patron="6")
    await able.work()
    assert await booking(able, payment.id) is Booking.BOOKED


async def test_after_a_restored_backup_the_key_finds_what_was_recorded(able: Bench, library: KeyedLibrary) -> None:
    payment = await collected(able, "3")
    await library.record(
        CreditOrder("5", "CPL", ("1",), Decimal(3), payment.reference, payment.reference, {"1": Decimal(3)})
    )
    await able.work()
    assert await booking(able, payment.id) is Booking.BOOKED
    assert len(library.credit(payment.reference)) == 1
