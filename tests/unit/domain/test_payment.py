# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tillbridge.domain.lifecycle import (
    AT_REGISTER,
    CANCELLED_TILL,
    CREATED,
    PAID_TILL,
    REVERSED_TILL,
    UNKNOWN,
    Booking,
    Collection,
    Done,
    Heard,
    NotInTheTable,
    Reaction,
    Standing,
)
from tillbridge.domain.money import Money
from tillbridge.domain.payment import Line, Payment, without_references


def line(charge_id: str = "1", amount_minor: int = 300, owed: str = "3") -> Line:
    return Line(charge_id, "OVERDUE", "Maksu", "1000", amount_minor, Decimal(owed))


def payment(*lines: Line) -> Payment:
    return Payment(
        id="A1",
        library="library",
        patron_id="5",
        branch="CPL",
        register_server="city",
        register="10",
        clerk="anna",
        note="",
        currency="EUR",
        lines=lines or (line(),),
        created_at=0.0,
    )


@pytest.mark.parametrize(("amount_minor", "owed"), [(0, "3"), (-1, "3"), (301, "3"), (1, "0"), (1, "0.004"), (1, "-1")])
def test_a_line_takes_from_one_cent_to_all_that_is_owed(amount_minor: int, owed: str) -> None:
    with pytest.raises(ValueError, match="a line takes from 1 cent"):
        line(amount_minor=amount_minor, owed=owed)


@pytest.mark.parametrize(
    ("amount_minor", "owed", "exact"),
    [(300, "3", "3"), (334, "3.335", "3.335"), (333, "3.335", "3.33"), (333, "3.334999", "3.334999"), (1, "3", "0.01")],
)
def test_the_library_system_gets_its_exact_decimal_where_all_is_paid(amount_minor: int, owed: str, exact: str) -> None:
    assert line(amount_minor=amount_minor, owed=owed).exact == Decimal(exact)


def test_a_payment_has_lines() -> None:
    with pytest.raises(ValueError, match="at least one line"):
        replace(payment(), lines=())


def test_a_payment_takes_each_charge_once() -> None:
    with pytest.raises(ValueError, match="each charge once"):
        payment(line("1"), line("2"), line("1", 1))


def test_a_payment_knows_its_total_and_its_reference() -> None:
    whole = payment(line("1", 300, "3"), line("2", 200, "4"))
    assert (whole.total, whole.reference) == (Money(500, "EUR"), "tillbridge:A1")


def test_a_new_payment_is_created_and_has_nothing_to_book() -> None:
    fresh = payment()
    assert (fresh.standing, fresh.booking, fresh.collection) == (CREATED, Booking.NONE, Collection.CREATED)


def test_what_is_heard_changes_the_standing_alone() -> None:
    before = replace(payment(), standing=AT_REGISTER)
    after = before.after(Heard.TILL_PAID)
    assert after == replace(before, standing=PAID_TILL)


def test_a_fact_without_a_change_gives_its_reaction() -> None:
    assert replace(payment(), standing=PAID_TILL).after(Heard.TILL_PAID) is Reaction.DUPLICATE


def test_a_booking_advances_by_the_table_alone() -> None:
    assert payment().booked_on(Done.MONEY_TAKEN).booking is Booking.DUE
    with pytest.raises(NotInTheTable):
        payment().booked_on(Done.CONFIRMED)


@pytest.mark.parametrize(
    ("standing", "booking", "undecided", "holds"),
    [
        (CREATED, Booking.NONE, True, True),
        (AT_REGISTER, Booking.NONE, True, True),
        (UNKNOWN, Booking.NONE, True, True),
        (CANCELLED_TILL, Booking.NONE, False, False),
        (PAID_TILL, Booking.DUE, False, True),
        (PAID_TILL, Booking.BOOKING, False, True),
        (PAID_TILL, Booking.UNKNOWN, False, True),
        (PAID_TILL, Booking.BLOCKED, False, True),
        (PAID_TILL, Booking.BOOKED, False, False),
        (REVERSED_TILL, Booking.REVERSAL_DUE, False, False),
        (REVERSED_TILL, Booking.NONE, False, False),
    ],
)
def test_claims_are_held_until_it_came_to_nothing_or_is_booked(
    standing: Standing, booking: Booking, undecided: bool, holds: bool
) -> None:
    there = replace(payment(), standing=standing, booking=booking)
    assert (there.undecided, there.holds_claims) == (undecided, holds)


@pytest.mark.parametrize("typed", ["as tillbridge:A1 says", "tilltillbridge:bridge:A1", "tillbridge:tillbridge:A1"])
def test_nothing_that_a_person_types_reads_like_a_reference(typed: str) -> None:
    assert not [word for word in without_references(typed).split() if word.startswith("tillbridge:")]
