# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a report reaches the bridge: seen through what the bridge stores, with no case left behind."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from support.fake_checks import FakeOwnServer
from support.fakes import FakeTill, report
from support.installations import NoStore, installation_of
from support.worlds import Bench
from tillbridge.errors import SettingsError
from tillbridge.service import checking_reports
from tillbridge.service.checking_port import Answered, TrialReport
from tillbridge.service.checking_reports import (
    MARK,
    Trial,
    await_report,
    look_at_bridge,
    post_report,
    trials_of,
)
from tillbridge.service.findings import Check, Level
from tillbridge.service.ports import Branch
from tillbridge.service.store_port import CaseKind

LONG_S = 60.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and give up at once on what was posted from here."""
    monkeypatch.setattr(checking_reports, "LOOK_S", 0.01)
    monkeypatch.setattr(checking_reports, "OWN_S", 0.0)


def trial_of(bench: Bench) -> Trial:
    (trial,) = trials_of(installation_of(bench), None)
    return trial


def test_each_register_server_is_tried_once_as_its_first_branch(bench: Bench) -> None:
    branches = {"CPL": Branch("city"), "MPL": Branch("city"), "XPL": Branch("village")}
    registers = {"city": bench.till, "village": FakeTill()}
    trials = trials_of(installation_of(bench, branches=branches, registers=registers), None)
    assert [(trial.register_server, trial.branch) for trial in trials] == [("city", "CPL"), ("village", "XPL")]


def test_a_branch_that_is_named_is_the_one_that_is_tried(bench: Bench) -> None:
    branches = {"CPL": Branch("city"), "MPL": Branch("city")}
    (trial,) = trials_of(installation_of(bench, branches=branches), "MPL")
    assert json.loads(trial.report.body)["branch"] == "MPL"
    assert trial.about == "city (branch MPL)"


def test_the_id_is_fresh_and_none_that_a_payment_could_have(bench: Bench) -> None:
    first, second = trial_of(bench), trial_of(bench)
    assert first.payment_id != second.payment_id
    assert first.payment_id.startswith(MARK)
    assert not set(MARK) <= set("0123456789ABCDEF")
    assert json.loads(first.report.body)["id"] == first.payment_id


async def test_a_report_that_arrives_while_it_is_waited_for_is_seen(bench: Bench) -> None:
    installation, trial = installation_of(bench), trial_of(bench)
    waiting = asyncio.create_task(await_report(installation.stored, trial, LONG_S))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    assert (await bench.report(trial.report.body)).status == 404
    found = await waiting
    assert (found.check, found.level) == (Check.OUTSIDE_REPORT, Level.OK)
    assert found.facts["payment_id"] == trial.payment_id
    assert found.facts["verdict"] == "unknown id: Cancelled"
    assert await bench.cases() == []


@pytest.mark.parametrize("says", ["refused", "odd"])
async def test_any_rightly_signed_report_proves_the_way(bench: Bench, says: str) -> None:
    trial = trial_of(bench)
    await bench.report(report(trial.payment_id, says))
    found = await await_report(installation_of(bench).stored, trial, 0.0)
    assert found.level is Level.OK
    assert await bench.cases() == []


async def test_a_report_that_says_paid_opens_its_case_and_the_check_names_it(bench: Bench) -> None:
    """Whoever signs for money is believed, whatever the id looks like."""
    trial = trial_of(bench)
    await bench.report(report(trial.payment_id, "paid"))
    found = await await_report(installation_of(bench).stored, trial, LONG_S)
    (case,) = await bench.cases()
    assert case.kind is CaseKind.PAID_FOR_UNKNOWN_ID
    assert (found.level, found.facts["cases"]) == (Level.WARNING, [case.id])
    assert found.facts["payment_id"] == trial.payment_id
    assert f"case {case.id}" in found.words


async def test_a_wrongly_signed_report_is_told_from_one_that_never_came(bench: Bench) -> None:
    trial = trial_of(bench)
    await bench.report(report(trial.payment_id, "forged"))
    found = await await_report(installation_of(bench).stored, trial, 0.05)
    assert (found.level, found.words) == (Level.FAULT, "A report arrived, and its signature is wrong.")
    assert "secret" in found.remedy
    assert found.facts["payment_id"] == trial.payment_id


async def test_a_right_report_after_a_wrong_one_counts(bench: Bench) -> None:
    trial = trial_of(bench)
    await bench.report(trial.report.body)
    await bench.report(report(trial.payment_id, "forged"))
    assert (await await_report(installation_of(bench).stored, trial, 0.0)).level is Level.OK


async def test_a_report_at_the_address_of_another_payment_is_told(bench: Bench) -> None:
    trial = trial_of(bench)
    await bench.report(trial.report.body, address_id="another")
    found = await await_report(installation_of(bench).stored, trial, 0.0)
    assert found.level is Level.FAULT
    assert "the id in the address is another" in found.words
    assert found.facts["payment_id"] == trial.payment_id


async def test_reports_about_other_payments_are_none_of_this_one(bench: Bench) -> None:
    await bench.report(report("CHECK-ANOTHER", "cancelled"))
    found = await await_report(installation_of(bench).stored, trial_of(bench), 0.0)
    assert (found.level, found.words) == (Level.FAULT, "No report arrived within 0 s.")
    assert "https://bridge.example/CHECK-" in found.remedy


async def test_without_a_database_no_report_can_be_seen(bench: Bench) -> None:
    for stored in (NoStore(), NoStore(SettingsError("bridge.db", "it cannot be read", "Look at its rights"))):
        found = await await_report(stored, trial_of(bench), LONG_S)
        assert (found.check, found.level) == (Check.OUTSIDE_REPORT, Level.FAULT)
        assert found.words.startswith("bridge.db: ")


async def test_a_report_of_our_own_goes_out_and_comes_in(bench: Bench) -> None:
    async def to_the_bridge(posted: TrialReport) -> Answered:
        return Answered((await bench.report(posted.body)).status)

    bench.till.checks.post_to = to_the_bridge
    found = await post_report(installation_of(bench), trial_of(bench))
    assert (found.check, found.level) == (Check.OWN_REPORT, Level.OK)
    assert await bench.cases() == []


async def test_something_else_that_answers_at_our_address_is_a_fault(bench: Bench) -> None:
    async def elsewhere(posted: TrialReport) -> Answered:
        del posted
        return Answered(404)

    bench.till.checks.post_to = elsewhere
    found = await post_report(installation_of(bench), trial_of(bench))
    assert (found.check, found.level, found.facts) == (Check.OWN_REPORT, Level.FAULT, {"status": 404})


async def test_an_address_that_does_not_answer_from_here_proves_nothing(bench: Bench) -> None:
    found = await post_report(installation_of(bench), trial_of(bench))
    assert (found.check, found.level) == (Check.OWN_REPORT, Level.NOT_CHECKABLE)
    assert "it is away" in found.words
    assert found.remedy


@pytest.mark.parametrize(("runs", "level"), [(True, Level.OK), (False, Level.WARNING)])
async def test_a_bridge_that_does_not_run_here_is_warned_of(bench: Bench, runs: bool, level: Level) -> None:
    installation = replace(installation_of(bench), bridge=FakeOwnServer(runs=runs))
    assert (await look_at_bridge(installation)).level is level
