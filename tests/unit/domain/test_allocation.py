# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbridge.domain.allocation import CreditPlan, PlannedCredit, allocate, plan_credits
from tillbridge.domain.money import rounded
from tillbridge.domain.payment import Line

OWED = st.lists(st.integers(0, 10_000), min_size=1, max_size=12).filter(lambda owed: sum(owed) > 0)
EXACT = st.integers(5_000, 90_000_000).map(lambda units: Decimal(units).scaleb(-6))


def line(charge_id: str, amount_minor: int, owed: str | Decimal) -> Line:
    return Line(charge_id, "OVERDUE", "Maksu", "1000", amount_minor, Decimal(owed))


@st.composite
def lines(draw: st.DrawFn) -> tuple[Line, ...]:
    made = []
    for n in range(draw(st.integers(1, 6))):
        owed = draw(EXACT)
        made.append(line(str(n), draw(st.integers(1, rounded(owed))), owed))
    return tuple(made)


@st.composite
def booking_days(draw: st.DrawFn) -> tuple[tuple[Line, ...], dict[str, Decimal]]:
    """Lines, and what their charges owe by the time of the booking: as before, other, negative, or gone."""
    intended = draw(lines())
    now = {each.charge_id: draw(st.just(each.owed) | EXACT | st.just(Decimal(-1))) for each in intended}
    gone = draw(st.sets(st.sampled_from([*now])))
    return intended, {charge: owed for charge, owed in now.items() if charge not in gone}


@given(OWED, st.data())
def test_a_sum_is_spread_whole_in_order_and_never_over_what_is_owed(owed: list[int], data: st.DataObject) -> None:
    wanted = data.draw(st.integers(1, sum(owed)))
    shares = allocate(wanted, owed)
    assert sum(shares) == wanted
    assert all(0 <= share <= each for share, each in zip(shares, owed, strict=True))
    unfilled = [n for n, (share, each) in enumerate(zip(shares, owed, strict=True)) if share < each]
    assert not unfilled or not any(shares[unfilled[0] + 1 :])


def test_five_euros_over_three_four_and_six_are_three_and_two() -> None:
    assert allocate(500, [300, 400, 600]) == (300, 200, 0)


@pytest.mark.parametrize(("wanted", "owed"), [(0, [1]), (-1, [1]), (2, [1]), (1, []), (1, [0, 0])])
def test_a_sum_that_cannot_be_spread_is_refused(wanted: int, owed: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot be spread"):
        allocate(wanted, owed)


@given(booking_days())
def test_no_plan_gives_more_than_was_intended_or_than_is_owed(day: tuple[tuple[Line, ...], dict[str, Decimal]]) -> None:
    intended, owed_now = day
    exact = {each.charge_id: each.exact for each in intended}
    plan = plan_credits(intended, owed_now)
    for credit in plan.credits:
        assert 0 < credit.amount <= sum(exact[charge] for charge in credit.charge_ids)
        assert credit.amount <= sum(owed_now[charge] for charge in credit.charge_ids)
    charges = [charge for credit in plan.credits for charge in credit.charge_ids]
    assert len(charges) == len(set(charges))


@given(booking_days())
def test_planned_credits_and_surplus_are_what_was_intended(day: tuple[tuple[Line, ...], dict[str, Decimal]]) -> None:
    intended, owed_now = day
    plan = plan_credits(intended, owed_now)
    assert sum(credit.amount for credit in plan.credits) + plan.surplus == sum(each.exact for each in intended)
    assert plan.surplus >= 0


@given(booking_days())
def test_one_credit_for_all_is_planned_exactly_when_nothing_has_changed(
    day: tuple[tuple[Line, ...], dict[str, Decimal]],
) -> None:
    intended, owed_now = day
    unchanged = owed_now == {each.charge_id: each.owed for each in intended}
    ids = tuple(each.charge_id for each in intended)
    whole = PlannedCredit(ids, sum((each.exact for each in intended), Decimal(0)))
    if unchanged:
        assert plan_credits(intended, owed_now) == CreditPlan((whole,), Decimal(0))
    else:
        assert all(len(credit.charge_ids) == 1 for credit in plan_credits(intended, owed_now).credits)


def single(charge_id: str, amount: str) -> PlannedCredit:
    return PlannedCredit((charge_id,), Decimal(amount))


@pytest.mark.parametrize(
    ("owed_now", "planned", "surplus"),
    [
        ({"1": "3", "2": "4"}, [PlannedCredit(("1", "2"), Decimal(5))], "0"),
        ({"1": "3.000", "2": "4.00"}, [PlannedCredit(("1", "2"), Decimal(5))], "0"),
        ({"1": "3", "2": "4", "3": "6"}, [PlannedCredit(("1", "2"), Decimal(5))], "0"),
        ({"1": "3", "2": "4.50"}, [single("1", "3"), single("2", "2")], "0"),
        ({"1": "3", "2": "1.20"}, [single("1", "3"), single("2", "1.20")], "0.80"),
        ({"1": "3"}, [single("1", "3")], "2"),
        ({"2": "4"}, [single("2", "2")], "3"),
        ({"1": "-1", "2": "0"}, [], "5"),
        ({}, [], "5"),
    ],
)
def test_what_has_changed_is_booked_line_by_line_and_the_rest_is_surplus(
    owed_now: dict[str, str], planned: list[PlannedCredit], surplus: str
) -> None:
    intended = (line("1", 300, "3"), line("2", 200, "4"))
    plan = plan_credits(intended, {charge: Decimal(owed) for charge, owed in owed_now.items()})
    assert plan == CreditPlan(tuple(planned), Decimal(surplus))


def test_a_charge_that_is_paid_in_full_gets_its_exact_decimal() -> None:
    intended = (line("1", 334, "3.335"), line("2", 100, "1.001"))
    plan = plan_credits(intended, {"1": Decimal("3.335"), "2": Decimal("1.001")})
    assert plan.credits == (PlannedCredit(("1", "2"), Decimal("4.336")),)


def test_no_lines_are_no_credit() -> None:
    assert plan_credits((), {"1": Decimal(3)}) == CreditPlan((), Decimal(0))
