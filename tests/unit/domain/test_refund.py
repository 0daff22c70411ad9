# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbridge.domain.lifecycle import NotInTheTable, RefundState, RefundStep
from tillbridge.domain.money import Money
from tillbridge.domain.refund import Left, Refund, RefundLine, left_of, refund_lines


def line(charge_id: str = "1", amount_minor: int = 300, exact: str = "3", credit_n: int = 0) -> RefundLine:
    return RefundLine(charge_id, amount_minor, Decimal(exact), credit_n)


def refund(*lines: RefundLine, n: int = 1, state: RefundState = RefundState.ASKED) -> Refund:
    return Refund(
        payment_id="A1",
        n=n,
        lines=lines or (line(),),
        currency="EUR",
        owed_again=False,
        branch="CPL",
        register_server="city",
        register="10",
        asked_by="sari",
        asked_at=1000.0,
        reason="charged in error",
        state=state,
    )


@pytest.mark.parametrize(("minor", "exact"), [(0, "1"), (-1, "1"), (1, "0"), (1, "-1")])
def test_something_is_given_back_of_each_charge(minor: int, exact: str) -> None:
    with pytest.raises(ValueError, match="more than nothing"):
        line(amount_minor=minor, exact=exact)


@pytest.mark.parametrize("lines", [(), (line(), line())])
def test_a_refund_names_each_charge_once_and_one_at_least(lines: tuple[RefundLine, ...]) -> None:
    with pytest.raises(ValueError, match="once"):
        replace(refund(), lines=lines)


def test_the_total_is_the_sum_of_the_lines() -> None:
    assert refund(line(), line("2", 125, "1.25")).total == Money(425, "EUR")


@pytest.mark.parametrize("state", RefundState)
def test_a_refund_counts_unless_nothing_was_given_back_by_it(state: RefundState) -> None:
    each = refund(state=state)
    assert each.counts == (state not in (RefundState.WITHDRAWN, RefundState.TAKEN_BACK))
    assert each.open == (state in ("asked", "due", "recording", "unknown", "blocked"))


def test_a_refund_goes_on_by_the_table_alone() -> None:
    assert refund().after(RefundStep.GIVEN_BACK).state is RefundState.DUE
    with pytest.raises(NotInTheTable):
        refund().after(RefundStep.CONFIRMED)


BOOKED = {"1": (Decimal(3), 0), "2": (Decimal("4.335"), 2)}


def test_what_is_left_is_what_was_booked_less_what_was_given_back() -> None:
    earlier = [refund(line("1", 100, "1")), refund(line("2", 433, "4.33"), n=2, state=RefundState.WITHDRAWN)]
    assert left_of(BOOKED, earlier) == {"1": Left(200, Decimal(2), 0), "2": Left(434, Decimal("4.335"), 2)}


def test_nothing_is_left_of_a_charge_that_was_given_back_whole() -> None:
    assert left_of(BOOKED, [refund(line("1", 300, "3"))]).keys() == {"2"}


@pytest.mark.parametrize(("minor", "exact"), [(434, "4.335"), (433, "4.33"), (1, "0.01")])
def test_the_last_cent_brings_the_fraction_of_a_cent_with_it(minor: int, exact: str) -> None:
    (made,) = refund_lines(left_of(BOOKED, []), [("2", minor)])
    assert made == RefundLine("2", minor, Decimal(exact), 2)


@pytest.mark.parametrize("wanted", [[("1", 301)], [("9", 1)], [("2", 1), ("1", 301)]])
def test_no_more_is_given_back_of_a_charge_than_is_left(wanted: Sequence[tuple[str, int]]) -> None:
    with pytest.raises(ValueError, match="cents are not left of charge"):
        refund_lines(left_of(BOOKED, []), wanted)


@given(
    st.decimals("0.005", "99.999999", places=6),
    st.lists(st.integers(1, 3000), max_size=6),
)
def test_refunds_of_a_charge_never_give_back_more_than_was_booked_and_all_of_it_in_the_end(
    booked: Decimal, wishes: list[int]
) -> None:
    earlier: list[Refund] = []
    while left := left_of({"1": (booked, 0)}, earlier):
        wish = min(wishes.pop() if wishes else 10_000, left["1"].amount_minor)
        earlier.append(refund(*refund_lines(left, [("1", wish)]), n=len(earlier) + 1))
    given_back = sum((each.lines[0].exact for each in earlier), Decimal(0))
    assert given_back == booked
    assert all(each.lines[0].exact > 0 for each in earlier)
