# SPDX-License-Identifier: GPL-3.0-or-later
"""Weigh what the library system has against what was asked: found is not booked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from support.payments import make_payment
from tillbridge.service.library_port import Credit
from tillbridge.service.store_port import CaseKind, CreditState, StoredCredit
from tillbridge.service.weighing import Missing, Weighed, Whole, Wrong, reference_of, weigh, weigh_all, weigh_answer

THREE, FOUR = Decimal(3), Decimal(4)
ASKED = StoredCredit(0, ("1",), THREE, {"1": THREE}, CreditState.SENT)


def credit(number: str, *, reference: str = "tillbridge:A", void: bool = False) -> Credit:
    return Credit(number, reference, THREE, Decimal(0), void)


@pytest.mark.parametrize(
    ("found", "weighed"),
    [
        ([], Missing()),
        ([credit("1", reference="tillbridge:B")], Missing()),
        ([credit("1")], Whole("1")),
        ([credit("1", void=True), credit("2")], Whole("2")),
        ([credit("1", void=True)], Wrong(CaseKind.CREDIT_VOIDED, {"credits": ["1"], "n": 0})),
        ([credit("1"), credit("2")], Wrong(CaseKind.BOOKED_TWICE, {"credits": ["1", "2"]})),
    ],
    ids=["none", "another's", "one", "a void one beside it", "a void one", "two"],
)
def test_a_credit_is_whole_where_it_is_there_once_and_not_void(found: list[Credit], weighed: Weighed) -> None:
    assert weigh("tillbridge:A", ASKED, found, {}) == weighed


def test_an_answer_about_another_credit_is_a_case_that_says_of_how_much() -> None:
    weighed = weigh_answer("tillbridge:A", ASKED, credit("9", reference="tillbridge:B"), None)
    assert weighed == Wrong(CaseKind.WRONG_CREDIT, {"credit": "9", "amount": "3"})


def test_a_credit_is_weighed_against_the_charges_as_they_were_before_the_later_ones() -> None:
    """3 of the 5 of one charge, then the 4 of another: both are where they belong."""
    payment = make_payment("A")
    first = StoredCredit(0, ("1",), THREE, {"1": Decimal(5), "2": FOUR}, CreditState.SENT)
    second = StoredCredit(1, ("2",), FOUR, {"1": Decimal(2), "2": FOUR}, CreditState.SENT)
    found = [
        Credit("9", reference_of(payment, 0), THREE, Decimal(0), void=False),
        Credit("10", reference_of(payment, 1), FOUR, Decimal(0), void=False),
    ]
    weighed = weigh_all(payment, [first, second], found, {"1": Decimal(2)})
    assert weighed == [(first, Whole("9")), (second, Whole("10"))]
    assert isinstance(weigh_all(payment, [first, second], found, {"1": Decimal(5)})[0][1], Wrong)
