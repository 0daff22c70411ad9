# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest

from support.fakes import report
from support.steps import at_register, the_case
from support.worlds import Bench
from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import Booking
from tillbridge.service.library_port import Effect
from tillbridge.service.starting import ByHand, StartRequest, record_by_hand
from tillbridge.service.store_port import CaseKind
from tillbridge.service.telling import REMARKS, after_booking, tell

RESTRICTED, RENEWED = REMARKS["restricted"], REMARKS["may_renew"]


def restrict(bench: Bench, *, restricted: bool = True) -> None:
    bench.library.patrons["5"] = replace(bench.library.patrons["5"], restricted=restricted)


@pytest.mark.parametrize(
    ("restricted", "effect", "told"),
    [
        (False, None, []),
        (True, None, [RESTRICTED]),
        (False, Effect.MAY_RENEW, [RENEWED]),
        (True, Effect.MAY_RENEW, [RESTRICTED, RENEWED]),
    ],
)
async def test_booking_10_the_clerk_is_told_of_a_restriction_that_stays_once_it_is_booked(
    bench: Bench, restricted: bool, effect: Effect | None, told: list[str]
) -> None:
    restrict(bench, restricted=restricted)
    charge = bench.library.add_charge("1", "3")
    bench.library.charges["1"] = replace(charge, effect=effect)
    payment = await bench.start()
    await bench.work()
    await bench.report(report(payment.id, "paid"))
    assert after_booking(await bench.payment(payment.id)) == []
    await bench.work()
    done = await bench.payment(payment.id)
    assert (done.booking, after_booking(done)) == (Booking.BOOKED, told)


async def test_booking_10_the_word_outlives_a_restart_and_a_restriction_that_goes_meanwhile(bench: Bench) -> None:
    restrict(bench)
    payment = await at_register(bench, "3")
    restrict(bench, restricted=False)
    stored = await bench.store.read(lambda tx: tx.payment(payment.id))
    assert stored is not None
    assert stored.remarks == ("restricted",)


async def test_booking_10_nothing_is_told_of_a_payment_that_is_not_booked(bench: Bench) -> None:
    restrict(bench)
    payment = await at_register(bench, "3")
    bench.library.faults.append("refused")
    await bench.report(report(payment.id, "paid"))
    await bench.work()
    assert await the_case(bench, CaseKind.REFUSED_BY_LIBRARY)
    assert after_booking(await bench.payment(payment.id)) == []


async def test_booking_10_a_payment_taken_by_hand_tells_it_too(bench: Bench) -> None:
    restrict(bench)
    bench.library.add_charge("1", "3")
    request = StartRequest("CPL", "10", "anna", card_number="C1")
    payment = await record_by_hand(bench.world, request, ByHand("4711", "sari", "the bridge was down"))
    await bench.work()
    assert after_booking(await bench.payment(payment.id)) == [RESTRICTED]


def test_what_a_person_has_settled_is_not_told_as_booked_whole() -> None:
    settled = Event("P", 1, 1.0, "otto", "booking_confirmed", {"action": "settled", "why": "given back"}, "")
    assert tell(settled) == "A person settled it by hand; what is booked of it stays booked. (given back)"


def test_a_message_that_has_only_gone_out_is_not_told_as_being_at_the_till() -> None:
    confirmed = Event("P", 1, 1.0, "library", "booking_confirmed", {"credits": ["7"]}, "")
    assert "by hand" not in tell(confirmed)
    assert "by hand" not in tell(Event("P", 1, 1.0, "sari", "second_look_wished", {"action": "settled"}, ""))
    assert "has gone out" in tell(Event("P", 1, 1.0, "bridge", "reached", {"via": "request"}, ""))
    assert "waits for the customer" in tell(Event("P", 1, 1.0, "till", "reached", {"via": "answer"}, ""))
