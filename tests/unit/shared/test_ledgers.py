# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of the three ledgers finds what it is there to find."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from support.ledgers import Books, compare, valid_credits

Case = dict[str, Any]


def _case() -> Case:
    """Make the books of two payments, one paid and one cancelled, that agree."""
    lines = [
        {
            "account_line_id": 1,
            "side": "debit",
            "status": None,
            "note": "",
            "amount": "2.50",
            "amount_outstanding": "0",
        },
        {"account_line_id": 2, "side": "debit", "status": None, "note": "", "amount": "3", "amount_outstanding": "3"},
        {
            "account_line_id": 3,
            "side": "credit",
            "status": None,
            "note": "receipt K1 tillbridge:A1",
            "amount": "-2.50",
            "amount_outstanding": "0.00",
        },
    ]
    paid = {"id": "A1", "collection": "paid", "booking": "booked", "collected_minor": 250, "total_minor": 250}
    cancelled = {"id": "B2", "collection": "cancelled", "booking": "none", "collected_minor": None, "total_minor": 300}
    return {
        "paid": paid | {"open_cases": [], "lines": [{"charge_id": "1"}]},
        "cancelled": cancelled | {"open_cases": [], "lines": [{"charge_id": "2"}]},
        "A1": {"id": "A1", "state": "paid", "sent_count": 1, "total_minor": 250},
        "B2": {"id": "B2", "state": "cancelled", "sent_count": 1, "total_minor": 300},
        "lines": lines,
        "till": 250,
        "library": 250,
    }


def _differences(case: Case) -> list[str]:
    books = Books(
        payments=[case["paid"], case["cancelled"]],
        at_till={name: case[name] for name in ("A1", "B2") if case[name] is not None},
        till={"collected_minor": case["till"]},
        library={"payments_minor": case["library"]},
        lines={str(line["account_line_id"]): line for line in case["lines"]},
        credits=valid_credits(case["lines"]),
    )
    return compare(books).differences


def _twice(case: Case) -> None:
    case["lines"].append(case["lines"][2] | {"account_line_id": 4})


def _stranger(case: Case) -> None:
    case["lines"].append(case["lines"][2] | {"account_line_id": 4, "note": "tillbridge:C3"})


def test_books_that_agree_have_no_differences() -> None:
    assert _differences(_case()) == []


def test_what_was_taken_back_everywhere_agrees() -> None:
    case = _case()
    case["paid"] |= {"collection": "reversed", "booking": "reversed"}
    case["A1"]["state"], case["lines"][2]["status"] = "taken_back", "VOID"
    case["lines"][0]["amount_outstanding"] = "2.50"
    case["till"] = case["library"] = 0
    assert _differences(case) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda case: case["A1"].update(state="cancelled"), "A1: it is paid, and at the till cancelled"),
        (lambda case: case.update(A1=None), "A1: it is paid, and at the till not there"),
        (lambda case: case["B2"].update(state="paid"), "B2: it is cancelled, and at the till paid"),
        (lambda case: case["B2"].update(state="waiting"), "B2: it is cancelled, and at the till waiting"),
        (lambda case: case["A1"].update(sent_count=2), "A1: it came to the till 2 times"),
        (lambda case: case["A1"].update(total_minor=251), "A1: 250 is collected, and the till took 251"),
        (lambda case: case["lines"].pop(), "A1: it is paid and booked, and the library has 0 credits"),
        (_twice, "A1: it is paid and booked, and the library has 2 credits"),
        (lambda case: case["lines"][2].update(amount="-2.49"), "A1: 250 was to be booked, and the library has 2.49"),
        (lambda case: case["lines"][2].update(amount_outstanding="-1"), "A1: a credit is not wholly applied"),
        (
            lambda case: case["lines"][2].update(status="VOID"),
            "A1: it is paid and booked, and the library has 0 credits",
        ),
        (lambda case: case["lines"][0].update(amount_outstanding="1"), "A1: of charge 1 1 is owed, not 0"),
        (lambda case: case["lines"][1].update(amount_outstanding="0"), "B2: of charge 2 0 is owed, not 3"),
        (lambda case: case["paid"].update(open_cases=[{"kind": "surplus"}]), "A1: a case is open: ['surplus']"),
        (_stranger, "the library has a credit of a payment that nobody started: C3"),
        (lambda case: case.update(till=251), "the sums differ: till 251, bridge 250, library 250"),
        (lambda case: case.update(library=249), "the sums differ: till 250, bridge 250, library 249"),
    ],
)
def test_every_difference_is_told(change: Callable[[Case], object], told: str) -> None:
    case = deepcopy(_case())
    change(case)
    assert told in _differences(case)
