# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages whose statements and races matter are tried on both engines, the others on SQLite: the store has own tests."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
ON_BOTH = {
    "test_attacks",
    "test_cases",
    "test_charges",
    "test_hand_over",
    "test_payments",
    "test_second_looks",
    "test_waiting",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out on PostgreSQL what says nothing about it."""
    left_out = [item for item in items if _is_of_one_engine(item) and "[postgres" in item.name]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _is_of_one_engine(item: pytest.Item) -> bool:
    return item.path.parent == HERE and item.path.stem not in ON_BOTH
