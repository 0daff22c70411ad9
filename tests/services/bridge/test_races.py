# SPDX-License-Identifier: GPL-3.0-or-later
"""Two bridges race for real, some rounds of each race: `bench/races.py` runs a thousand."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from sqlalchemy import URL

from support.races import RACES, REPORTS, Round, judge_clicks, judge_statuses, run
from support.racing import course
from support.stores import quick_postgres

ROUNDS = {name: 30 if "reports at once" in name else 10 for name in RACES}
SEED = int(os.environ.get("TILLBRIDGE_TEST_SEED", "1"))
"""Another seed makes another order of who comes when."""

SHOWN = (409, {"code": "claimed", "payment": "A1"})
WON = (201, {"id": "A1"})


@pytest.mark.timeout(900)
async def test_whoever_is_first_at_two_bridges_the_money_is_booked_once(tmp_path: Path, postgres_server: URL) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a seed that can be had again, no secret
    with quick_postgres(postgres_server) as database:
        async with course(tmp_path, database, chance) as made:
            done = [await run(name, made, rounds) for name, rounds in ROUNDS.items()]
    assert {each.race: each.broken for each in done if each.violations} == {}
    assert {each.race: sum(each.outcomes.values()) for each in done} == ROUNDS


def test_two_clerks_of_whom_one_wins_and_the_other_is_shown_it_break_no_rule() -> None:
    this = Round()
    assert judge_clicks(this, [SHOWN, WON]) == 1
    judge_statuses(this, [200] * REPORTS)
    assert this.violations == []


@pytest.mark.parametrize(
    "answers",
    [[WON, WON], [SHOWN, SHOWN], [WON, (503, {})], [WON, (409, {"code": "claimed", "payment": "B2"})]],
    ids=["both win", "nobody wins", "no answer", "another payment is shown"],
)
def test_any_other_answers_to_two_clerks_are_found_out(answers: list[tuple[int, dict[str, str]]]) -> None:
    this = Round()
    judge_clicks(this, answers)
    assert this.violations


def test_a_single_report_that_is_not_taken_is_found_out() -> None:
    this = Round()
    judge_statuses(this, [200] * (REPORTS - 1) + [503])
    assert this.violations
