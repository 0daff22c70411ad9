# SPDX-License-Identifier: GPL-3.0-or-later
"""Both kits pass for the adapters that come with the bridge, in every way to set them up."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.conftest import failures, results_of, skipped
from tillbridge.conformance import ceepos, koha, library, register
from tillbridge.conformance.kit import Durable, run_checks
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

BEYOND_THE_LEAST = {
    "each_charge_gets_just_its_share",
    "more_than_is_owed_is_refused_whole",
    "a_charge_that_is_paid_is_refused",
    "the_same_again_is_answered_and_not_recorded",
    "the_same_at_once_is_recorded_once",
    "other_content_under_a_reference_is_refused",
    "a_lost_answer_asked_again_is_recorded_once",
    "it_is_recorded_in_the_clerks_name",
    "a_credit_is_taken_back_once",
    "what_a_librarian_took_back_is_told",
    "what_was_never_booked_is_not_taken_back",
    "a_lost_reversal_asked_again_is_told",
    "a_part_is_given_back_once",
    "all_is_given_back_in_parts_and_no_more",
    "more_than_was_booked_is_not_given_back",
    "another_refund_under_a_reference_is_refused",
    "a_lost_refund_asked_again_is_given_back_once",
    "nothing_is_given_back_of_what_was_taken_back",
    "nothing_is_given_back_of_what_was_never_booked",
}
OF_PLAIN_REST = {
    "another_patrons_credit_is_not_found",
    "both_of_a_double_are_found",
    "an_unapplied_credit_is_found_unapplied",
    "recording_error_unapplied",
    "recording_unapplied",
    "a_deadlock_of_two_credits_is_told",
    "an_unapplied_credit_is_on_the_list",
}
SKIPPED_OF_KOHA = {
    "OAuth2": BEYOND_THE_LEAST,
    "Basic": {*BEYOND_THE_LEAST, "recording_logged_out"},
    "OAuth2, with the plugin": OF_PLAIN_REST,
}

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("setup", ceepos.SETUPS)
async def test_ceepos_passes_and_skips_only_what_its_mode_does_not_have(setup: str, tmp_path: Path) -> None:
    results = await results_of(ceepos.SETUPS[setup], ceepos_adapter, tmp_path, register.CHECKS)
    assert failures(results) == []
    mode, _, interface = setup.partition(", ")
    assert skipped(results) == SKIPPED[mode] | OF_SUMS[interface]


@pytest.mark.parametrize("setup", koha.SETUPS)
async def test_koha_passes_and_records_by_the_way_that_is_there_alone(setup: str, tmp_path: Path) -> None:
    async with koha.SETUPS[setup](koha_adapter, tmp_path) as peer:
        assert isinstance(peer, koha.KohaPeer)
        results = [result async for result in run_checks(library.CHECKS, peer)]
        asked = peer.library.log.counts
    assert failures(results) == []
    assert skipped(results) == SKIPPED_OF_KOHA[setup]
    by_rest, by_plugin = asked["POST credits"] > 0, asked["POST plugin_bookings"] > 0
    assert (by_rest, by_plugin) == ((False, True) if "plugin" in setup else (True, False))


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
