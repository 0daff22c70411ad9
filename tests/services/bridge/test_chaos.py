# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything happens to an installation of which every part is a process of its own; bench/chaos.py is the long form.

Each mishap comes at a moment that the payments' progress names, and is over only when it has hit, so that it hits a run
on any machine: customers come until all of them have.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from support.mishaps import Mishap, mishaps
from support.rig import Engine, open_rig
from support.turmoil import Outcome, Turmoil

SEED = int(os.environ.get("TILLBRIDGE_TEST_SEED", "1"))
"""Another seed makes another storm."""

PAYMENTS = 60
CLERKS = 24
CUSTOMER_S: dict[Engine, float] = {"sqlite": 3.0, "postgresql": 8.0}
"""How long the slowest customer takes: with two bridges longer than a lease, so that a sleeper leaves held requests."""

COPIES = 2
"""How often each bridge is given each report."""

PATIENCE_S = 540.0
"""How long the slowest machine may need; what is longer hangs."""

OFTEN = {"killed": 2}
"""How often a mishap of this group happens, where not once."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_whatever_happens_each_cent_that_the_till_has_taken_is_booked_once(
    tmp_path: Path, engine: Engine
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - a seed that can be had again, no secret
    deck = [mishap for mishap in mishaps(engine) for _ in range(OFTEN.get(mishap.group, 1))]
    async with open_rig(tmp_path, engine, chance, customer_s=CUSTOMER_S[engine], copies=COPIES) as rig:
        rig.desk.glance_s = 2.0
        turmoil = Turmoil(rig, chance, PAYMENTS, CLERKS)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await turmoil.blow(deck)
                outcome = await turmoil.rest()
        except TimeoutError:
            pytest.fail(f"it does not come to an end: {turmoil.where_it_stands()}")
    assert outcome.compared.differences == []
    _was_hit(turmoil, outcome, deck)


def _was_hit(turmoil: Turmoil, outcome: Outcome, deck: list[Mishap]) -> None:
    """Check that there was a storm, with both ends of a payment, and that much of it was settled by itself."""
    assert turmoil.happened.total() == len(deck)
    assert {name for group, name in turmoil.happened} == {mishap.name for mishap in deck}
    assert {"lost", "booking_unclear", "booking_absent", "till_cancelled"} <= outcome.events.keys()
    assert {"clerk_paid", "clerk_cancelled"} & outcome.events.keys(), "reports that were lost are answered by people"
    assert outcome.events["till_paid"] > outcome.events["clerk_paid"]
    assert {"paid", "cancelled"} <= {payment["collection"] for payment in outcome.payments}
    assert turmoil.rig.reports.statuses[200] > len(outcome.payments)
