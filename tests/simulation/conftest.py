# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tillbridge.simulation.campaign import Tally, run_all

SEEDS = range(1000)
JOBS = 2


@pytest.fixture(scope="session")
def tally() -> Tally:
    """All that the seeds of `make test` reach."""
    return run_all(SEEDS, JOBS)
