# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge that is broken on purpose is found out, quickly, and by the rule that is there for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from simulation import canary
from simulation.canary import first_found, guilty
from simulation.planted import BUGS
from simulation.planted.bug import Bug
from tillbridge.simulation.play import play
from tillbridge.simulation.shrinking import kind_of, shrunk

pytestmark = pytest.mark.timeout(300)

app = typer.Typer()
app.command()(canary.main)

HARMLESS = Bug("it is nothing", lambda _: None, "a rule", 1)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bridge_that_is_broken_on_purpose_is_found_out(bug: Bug) -> None:
    _, outcome = first_found(bug)
    assert outcome is not None


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.script is not None], ids=lambda bug: bug.name)
def test_the_healthy_bridge_breaks_no_rule_where_a_broken_one_does(bug: Bug) -> None:
    assert bug.script is not None
    assert play(bug.script).broken is None


def test_every_fault_of_the_perl_plugin_that_a_simulation_can_reach_is_planted() -> None:
    assert {bug.row for bug in BUGS if bug.row is not None} == {1, 3, 4, 5, 6, 7, 8, 11}


def test_bugs_have_names_of_their_own() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)


def test_a_failing_script_is_made_shorter_and_still_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    bug = named("a lost answer is taken for a message that was never sent")
    _, failing = first_found(bug)
    assert failing is not None
    bug.plant(monkeypatch)
    short = shrunk(failing)
    assert kind_of(short) == kind_of(failing)
    assert len(short.script.steps) < len(failing.script.steps)
    assert play(short.script).trace == short.trace
    monkeypatch.undo()
    assert play(short.script).broken is None


# --- the command ---


def test_the_canary_tells_which_rule_has_found_a_bug_and_after_how_many_seeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bug = named("no charge is claimed")
    monkeypatch.setattr(canary, "HEALTHY_SEEDS", range(1))
    written = tmp_path / "canary.json"
    result = CliRunner().invoke(app, ["--only", bug.name, "--json", str(written)])
    assert result.exit_code == 0, result.output
    [told] = json.loads(written.read_text(encoding="utf-8"))
    assert (told["bug"], told["row"], told["limit"], told["found"]) == (bug.name, bug.row, bug.limit, True)
    assert bug.rule in told["rule"]
    assert 1 <= told["seeds"] <= bug.limit


def test_a_bug_that_is_not_found_fails_the_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "BUGS", (HARMLESS,))
    monkeypatch.setattr(canary, "HEALTHY_SEEDS", range(0))
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert "NOT FOUND" in result.output


def test_a_bug_that_another_rule_finds_by_chance_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    bug = named("no charge is claimed")
    assert first_found(Bug(bug.name, bug.plant, "another rule", 1)) == (1, None)


def test_a_healthy_bridge_that_breaks_a_rule_fails_the_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "BUGS", (named("no charge is claimed"),))
    monkeypatch.setattr(canary, "HEALTHY_SEEDS", range(1))
    named("the claim of a charge is never released").plant(monkeypatch)
    assert guilty(())
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 1
    assert "the healthy bridge breaks a rule" in result.output


def test_a_name_that_no_bug_has_is_refused() -> None:
    assert CliRunner().invoke(app, ["--only", "no such bug"]).exit_code == 2


def named(name: str) -> Bug:
    return next(bug for bug in BUGS if bug.name == name)
