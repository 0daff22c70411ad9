# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from docs.conftest import Machine

STEPS = ["ruff check", "ruff format", "mypy ", "prove --norc", "coverage run", "coverage combine", "coverage report"]


def steps(calls: list[str]) -> list[str]:
    return [step for call in calls for step in STEPS if call.startswith(step)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "tillbridge demo \n"),
        (["ONCE=1"], "tillbridge demo --once\n"),
        (["ONCE=0"], "tillbridge demo \n"),
        (["ONCE=1", "ARGS=--json"], "tillbridge demo --once --json\n"),
        (["ARGS=--port 8080 --quiet"], "tillbridge demo --port 8080 --quiet\n"),
    ],
)
def test_demo_prints_nothing_but_what_the_program_prints(machine: Machine, arguments: list[str], expected: str) -> None:
    shown = machine.make("demo", *arguments)
    assert (shown.returncode, shown.stdout.replace(" \n", "\n")) == (0, expected.replace(" \n", "\n"))


def test_demo_fails_when_the_program_fails(machine: Machine) -> None:
    machine.has("fails-tillbridge-demo")
    assert machine.make("demo").returncode != 0


def test_test_checks_style_types_tests_and_coverage_and_says_that_all_is_good(machine: Machine) -> None:
    shown = machine.make("test")
    assert shown.returncode == 0
    assert steps(machine.calls()) == STEPS
    assert shown.stdout.splitlines()[-1] == "All good: style, types, tests and coverage."


def test_test_shares_the_tests_among_processes_and_wants_full_coverage(machine: Machine) -> None:
    machine.make("test")
    calls = machine.calls()
    assert "coverage run -m pytest -n 3 --dist loadgroup" in calls
    report = next(call for call in calls if call.startswith("coverage report"))
    assert "--include=src/tillbridge/domain/*,src/tillbridge/service/*" in report
    assert "--fail-under=100" in report


@pytest.mark.parametrize("broken", STEPS)
def test_test_stops_at_the_first_thing_that_fails(machine: Machine, broken: str) -> None:
    machine.has("fails-" + broken.replace(" ", "-"))
    shown = machine.make("test")
    assert shown.returncode != 0
    assert "All good" not in shown.stdout
    assert steps(machine.calls()) == STEPS[: STEPS.index(broken) + 1]


def test_test_forgets_the_coverage_of_an_earlier_run(machine: Machine) -> None:
    stale = machine.checkout / ".coverage.killed"
    stale.touch()
    machine.make("test")
    assert not stale.exists()


def test_lint_checks_style_and_types_alone(machine: Machine) -> None:
    assert machine.make("lint").returncode == 0
    assert steps(machine.calls()) == STEPS[:3]


def test_clean_removes_what_was_built_and_leaves_the_rest(machine: Machine) -> None:
    before = sorted(machine.checkout.rglob("*"))
    machine.set_up()
    for made in (".coverage.1", ".mypy_cache/x", "dist/x", "src/tillbridge/__pycache__/x"):
        path = machine.checkout / made
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert machine.make("clean").returncode == 0
    assert sorted(machine.checkout.rglob("*")) == before


def test_make_alone_lists_every_command(machine: Machine) -> None:
    shown = machine.make()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (machine.checkout / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[1] for line in shown.stdout.splitlines()] == phony.split()
    assert machine.calls() == []


def test_the_continuous_integration_runs_make_test_from_any_folder(machine: Machine, repository: Path) -> None:
    (machine.checkout / ".ci").mkdir()
    runner = shutil.copy(repository / ".ci/run", machine.checkout / ".ci/run")
    shown = machine.run(str(runner), cwd=machine.world)
    assert shown.returncode == 0
    assert steps(machine.calls()) == STEPS
