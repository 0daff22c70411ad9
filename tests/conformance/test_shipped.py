# SPDX-License-Identifier: GPL-3.0-or-later
"""Both kits pass for the adapters that come with the bridge, in every way to set them up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.conftest import failures, results_of, skipped
from tillbridge.conformance import ceepos, koha, library, register
from tillbridge.conformance.kit import Durable
from tillbridge.conformance.library_faults import ROWS as LIBRARY_ROWS
from tillbridge.conformance.library_peer import LibraryFault
from tillbridge.conformance.register_faults import ROWS as REGISTER_ROWS
from tillbridge.conformance.register_peer import Fault
from tillbridge.libraries import koha as koha_adapter
from tillbridge.registers import ceepos as ceepos_adapter

if TYPE_CHECKING:
    from tillbridge.conformance.kit import Check

ONLY_WHERE_NOT_HELD = {
    "answered_at_once_is_at_the_register",
    "says_nothing_of_the_register_where_the_answer_does",
}
ONLY_WHERE_HELD = {
    "cancelled_at_the_till_is_cancelled",
    "tells_when_it_is_at_the_register",
    "a_failing_notice_does_no_harm",
    "a_standing_notice_does_no_harm",
    "giving_up_hangs_up",
    "giving_one_up_leaves_the_others",
    "closing_ends_what_is_held",
}
SKIPPED = {"mode 1": ONLY_WHERE_HELD, "mode 2": ONLY_WHERE_NOT_HELD}
OF_SUMS = {"interface 2.0": {"the_collected_sum_is_told"}, "interface 3.0": {"no_sum_is_made_up"}}

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("setup", ceepos.SETUPS)
async def test_ceepos_passes_and_skips_only_what_its_mode_does_not_have(setup: str, tmp_path: Path) -> None:
    results = await results_of(ceepos.SETUPS[setup], ceepos_adapter, tmp_path, register.CHECKS)
    assert failures(results) == []
    mode, _, interface = setup.partition(", ")
    assert skipped(results) == SKIPPED[mode] | OF_SUMS[interface]


@pytest.mark.parametrize("setup", koha.SETUPS)
async def test_koha_passes(setup: str, tmp_path: Path) -> None:
    results = await results_of(koha.SETUPS[setup], koha_adapter, tmp_path, library.CHECKS)
    assert failures(results) == []
    assert skipped(results) == ({"recording_logged_out"} if setup == "Basic" else set())


def test_the_kits_are_as_large_as_they_say() -> None:
    assert len(register.CHECKS) >= 40
    assert len(library.CHECKS) >= 30


@pytest.mark.parametrize("checks", [register.CHECKS, library.CHECKS], ids=["register", "library"])
def test_every_check_has_a_name_of_its_own_a_capability_and_a_sentence(checks: tuple[Check[object], ...]) -> None:  # type: ignore[type-var]
    assert [name for name, count in Counter(check.name for check in checks).items() if count > 1] == []
    assert [check.name for check in checks if not check.capability or not check.words.endswith(".")] == []


@pytest.mark.parametrize("checks", [register.CHECKS, library.CHECKS], ids=["register", "library"])
def test_each_of_the_ten_durable_checks_has_one_counterpart(checks: tuple[Check[object], ...]) -> None:  # type: ignore[type-var]
    marks = Counter(check.durable for check in checks if check.durable)
    assert marks == dict.fromkeys(Durable, 1)


def test_every_fault_is_a_row_of_the_table_and_of_each_peer() -> None:
    assert [row.fault for row in REGISTER_ROWS] == list(dict.fromkeys(row.fault for row in REGISTER_ROWS))
    assert {row.fault for row in REGISTER_ROWS} == set(Fault) == set(ceepos.FAULTS)
    assert {row.fault for row in LIBRARY_ROWS} | {LibraryFault.DEADLOCK} == set(LibraryFault) == set(koha.FAULTS)


def test_the_core_knows_nothing_of_the_kits() -> None:
    core = [path for part in ("domain", "service") for path in (ROOT / "src/tillbridge" / part).rglob("*.py")]
    assert core
    assert [path.name for path in core if "tillbridge.conformance" in path.read_text(encoding="utf-8")] == []
