# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand runs of the whole bridge, each with faults of its own, and every rule looked at after every change."""

from __future__ import annotations

import pytest

from tillbridge.simulation.campaign import Tally

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("simulation")]


def test_every_rule_holds_in_every_seed(tally: Tally) -> None:
    assert tally.broken == {}


def test_every_fault_every_state_and_every_transition_is_reached(tally: Tally) -> None:
    assert tally.missing() == []
