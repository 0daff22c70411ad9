# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand runs of the whole bridge, each with faults of its own, and every rule looked at after every change."""

from __future__ import annotations

import pytest

from tillbridge.simulation.campaign import run_all

SEEDS = range(1000)
JOBS = 2


@pytest.mark.timeout(1200)
def test_every_rule_holds_and_every_fault_state_and_transition_is_reached() -> None:
    tally = run_all(SEEDS, JOBS)
    assert tally.broken == {}
    assert tally.missing() == []
