# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUN = {
    "day": "2026-11-30",
    "commit": "abc1234",
    "machine": "2 processors",
    "lasted": "70 minutes",
    "command": "make it",
}
SEEDS = {
    "seeds": [1, 1000],
    "payments": 2500,
    "simulated_s": 7_200_000,
    "broken": {},
    "tables": {"Faults that hit": {"1 request lost": 77}},
}


def written(repository: Path, folder: Path, *results: tuple[str, Any], passed: bool = True) -> str:
    for name, result in results:
        (folder / f"{name}.json").write_text(json.dumps({"run": RUN | {"passed": passed}, "results": result}))
    command = "import sys; sys.path.insert(0, 'bench'); import reliability; from pathlib import Path; "
    shown = subprocess.run(
        [sys.executable, "-c", f"{command}print(reliability.page(Path(sys.argv[1])), end='')", str(folder)],
        cwd=repository,
        check=True,
        capture_output=True,
        text=True,
    )
    return shown.stdout


def test_the_page_is_what_the_last_results_make(repository: Path) -> None:
    kept = (repository / "RELIABILITY.md").read_text(encoding="utf-8")
    assert kept == written(repository, repository / "bench/results")


SOAK = """
import sys
from pathlib import Path
sys.path.insert(0, "bench")
import soak
print(soak.run("races", [sys.executable, "-c", sys.argv[2]], Path(sys.argv[1])))
"""
LEAVES_RESULTS = "import sys; from pathlib import Path; Path(sys.argv[2]).write_text('[1]'); sys.exit({status})"


@pytest.mark.parametrize(
    ("program", "passed", "results"),
    [
        (LEAVES_RESULTS.format(status=0), True, [1]),
        (LEAVES_RESULTS.format(status=1), False, [1]),
        ("1 / 0", False, None),
    ],
    ids=["passed", "failed", "failed before there was anything"],
)
def test_a_run_takes_the_place_of_an_earlier_one_whether_it_passed_or_not(
    repository: Path, tmp_path: Path, program: str, passed: bool, results: object
) -> None:
    (tmp_path / "races.json").write_text(json.dumps({"run": RUN | {"passed": True}, "results": ["earlier"]}))
    command = [sys.executable, "-c", SOAK, str(tmp_path), program]
    ran = subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True)
    kept = json.loads((tmp_path / "races.json").read_text())
    assert ran.stdout.splitlines()[-1] == str(passed)
    assert (kept["run"]["passed"], kept["results"]) == (passed, results)


def test_what_was_not_run_is_not_claimed(repository: Path, tmp_path: Path) -> None:
    page = written(repository, tmp_path)
    assert "Not run yet" in page
    assert "| payments |" not in page


def test_results_stand_with_the_day_and_the_version_that_they_are_of(repository: Path, tmp_path: Path) -> None:
    page = written(repository, tmp_path, ("simulate", SEEDS))
    assert "2026-11-30, version abc1234, 2 processors, 70 minutes. Again: `make it`." in page
    assert "has failed" not in page
    assert "| payments | 2,500 |" in page
    assert "| 1 request lost | 77 |" in page


def test_a_run_that_has_failed_says_so(repository: Path, tmp_path: Path) -> None:
    page = written(repository, tmp_path, ("simulate", SEEDS | {"broken": {"7": "booked twice"}}), passed=False)
    assert "**This run has failed.** 2026-11-30" in page
    assert "| seeds that break a rule | 1 |" in page


def test_a_run_that_has_left_nothing_claims_nothing(repository: Path, tmp_path: Path) -> None:
    page = written(repository, tmp_path, ("races", None), passed=False)
    assert "**This run has failed.** 2026-11-30" in page
    assert "It left no results." in page


@pytest.mark.parametrize("found", [True, False])
def test_a_bug_that_was_not_found_is_not_counted(repository: Path, tmp_path: Path, found: bool) -> None:
    page = written(
        repository, tmp_path, ("canary", [{"bug": "b", "rule": "r", "seeds": 3, "limit": 200, "found": found}])
    )
    assert f"{int(found)} of 1 were found." in page


def test_changes_that_were_not_found_are_told_module_by_module(repository: Path, tmp_path: Path) -> None:
    counts = {"mutants": 4, "found_by_types": 1, "found_by_tests": 2, "not_found": 1}
    page = written(repository, tmp_path, ("mutants", counts | {"score": "75.0 %", "modules": {"domain.money": counts}}))
    assert "| not found | 1 |" in page
    assert "| score | 75.0 % |" in page
    assert "| domain.money | 4 | 1 | 2 | 1 |" in page
