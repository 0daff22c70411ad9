# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tillbridge.domain.product_map import BranchOff, Difference, NoProductCode, ProductMap, differences

FULL = {
    "CPL": {"LOST": "own-lost", "Default": "own-default"},
    "BARE": {"LOST": "bare-lost"},
    "OFF": None,
    "Default": {"OVERDUE": "common-overdue", "Default": "common-default"},
}


@pytest.mark.parametrize(
    ("branch", "debit_type", "code"),
    [
        ("CPL", "LOST", "own-lost"),
        ("CPL", "OVERDUE", "own-default"),
        ("BARE", "LOST", "bare-lost"),
        ("BARE", "OVERDUE", "common-overdue"),
        ("BARE", "RENT", "common-default"),
        ("ELSEWHERE", "OVERDUE", "common-overdue"),
        ("ELSEWHERE", "LOST", "common-default"),
        ("Default", "LOST", "common-default"),
    ],
)
def test_the_nearest_entry_wins(branch: str, debit_type: str, code: str) -> None:
    assert ProductMap(FULL).code(branch, debit_type) == code


@pytest.mark.parametrize(
    ("branches", "branch"),
    [
        (FULL, "OFF"),
        ({"CPL": {"LOST": "1"}, "Default": None}, "ELSEWHERE"),
        ({"CPL": {"LOST": "1"}}, "ELSEWHERE"),
        ({}, "CPL"),
    ],
)
def test_a_branch_without_codes_of_its_own_or_of_default_is_off(
    branches: dict[str, dict[str, str] | None], branch: str
) -> None:
    with pytest.raises(BranchOff, match=branch):
        ProductMap(branches).code(branch, "LOST")


@pytest.mark.parametrize(
    "branches",
    [{"CPL": {"LOST": "1"}}, {"CPL": {"LOST": "1"}, "Default": None}, {"CPL": {"LOST": "1"}, "Default": {"RENT": "2"}}],
)
def test_a_debit_type_that_nothing_covers_has_no_code(branches: dict[str, dict[str, str] | None]) -> None:
    with pytest.raises(NoProductCode, match="OVERDUE in branch CPL"):
        ProductMap(branches).code("CPL", "OVERDUE")


def test_two_maps_differ_in_what_was_added_removed_and_changed() -> None:
    new = {"CPL": {"LOST": "own-lost", "RENT": "9"}, "BARE": None, "OFF": {"LOST": "1"}, "Default": FULL["Default"]}
    assert differences(ProductMap(FULL), ProductMap(new)) == (
        Difference("BARE", "", None, "off"),
        Difference("BARE", "LOST", "bare-lost", None),
        Difference("CPL", "Default", "own-default", None),
        Difference("CPL", "RENT", None, "9"),
        Difference("OFF", "", "off", None),
        Difference("OFF", "LOST", None, "1"),
    )


def test_a_map_does_not_differ_from_itself() -> None:
    assert differences(ProductMap(FULL), ProductMap(dict(reversed(FULL.items())))) == ()


def test_a_changed_code_is_one_difference() -> None:
    changed = differences(ProductMap({"CPL": {"LOST": "1"}}), ProductMap({"CPL": {"LOST": "2"}}))
    assert changed == (Difference("CPL", "LOST", "1", "2"),)
