# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from decimal import Decimal
from typing import get_args

import pytest

from tillbridge.simulation.announcing import HARMS, STEPS, step_in_words
from tillbridge.simulation.drawing import DEEDS, draw
from tillbridge.simulation.play import play
from tillbridge.simulation.script import Step
from tillbridge.simulation.wires import Harm
from tillbridge.simulation.wording import facts_in_words, plain


def test_there_are_words_for_every_kind_of_step_and_for_every_harm() -> None:
    assert set(STEPS) == set(DEEDS)
    assert set(HARMS) == set(get_args(Harm))


@pytest.mark.parametrize("do", sorted(DEEDS))
@pytest.mark.parametrize("pick", [0.0, 0.5, 0.9999])
def test_every_step_is_said_in_words_without_its_pick(do: str, pick: float) -> None:
    said = step_in_words(Step(1.0, do, 3, pick), None, 100, 0)
    assert not re.search(r"[_{}\[\]']|0\.|^$| $", said.replace("Koha's", "Koha"))


def test_facts_are_names_and_values() -> None:
    facts = {"total_minor": 1520, "lines": [["8", 240, "2.4"], ["10", 1280, "12.8"]], "charges": ["8", "10"]}
    assert facts_in_words(facts) == "total 15.20, lines 8 240 2.4; 10 1280 12.8, charges 8 10"
    others: dict[str, object] = {
        "second_look": True,
        "receipt": None,
        "after_s": 0.07142857,
        "not_booked": {"8": "0.2"},
        "credits": [],
        "heard": "till_paid",
    }
    assert (
        facts_in_words(others)
        == "second look yes, receipt none, after s 0.071, not booked 8 0.2, credits none, heard till paid"
    )


@pytest.mark.parametrize("seed", [3, 7, 10, 71, 213])
def test_a_trace_holds_nothing_of_the_language_it_is_written_in(seed: int) -> None:
    for line in play(draw(seed)).trace.splitlines():
        assert not re.search(r"\{'|\['|\[[0-9]|\b(None|True|False)\b|[a-z]_[a-z]", line), line


@pytest.mark.parametrize(
    ("amount", "shown"), [("2.345000", "2.345"), ("0.000000", "0.00"), ("12", "12.00"), ("-0.005", "-0.005")]
)
def test_a_sum_is_told_with_its_cents_and_with_what_is_behind_them(amount: str, shown: str) -> None:
    assert plain(Decimal(amount)) == shown
