# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import runpy
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from tillbridge.domain.lifecycle import Booking, Collection, Decider, Done, Heard, Reaction, RefundState, RefundStep

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/diagrams"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def test_the_page_about_the_life_of_a_payment_is_what_the_table_says_today(script: dict[str, Any]) -> None:
    assert script["PAGE"].read_text(encoding="utf-8") == script["page"](), "run scripts/diagrams"


@pytest.mark.parametrize(
    ("sentences", "names"),
    [
        ("COLLECTION", Collection),
        ("BOOKING", Booking),
        ("DECIDERS", Decider),
        ("REACTIONS", Reaction),
        ("HEARD", Heard),
        ("DONE", Done),
        ("REFUND", RefundState),
        ("STEPS", RefundStep),
    ],
)
def test_every_word_of_the_table_has_its_sentence(script: dict[str, Any], sentences: str, names: type[StrEnum]) -> None:
    assert set(script[sentences]) == set(names)
