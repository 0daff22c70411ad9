# SPDX-License-Identifier: GPL-3.0-or-later
"""The example adapter of the guide is short, found by its entry points like any other, and passes the kit."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tillbridge.cli import app

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/paperless_till"

NOT_HELD = {
    "cancelled_at_the_till_is_cancelled",
    "tells_when_it_is_at_the_register",
    "a_failing_notice_does_no_harm",
    "a_standing_notice_does_no_harm",
    "giving_up_hangs_up",
    "giving_one_up_leaves_the_others",
    "closing_ends_what_is_held",
}
NOT_IN_ITS_PROTOCOL = {
    "fault_not_now",
    "fault_status_as_text",
    "fault_no_receipt",
    "a_status_as_text_counts",
    "no_sum_is_made_up",
    "the_previous_secret_counts",
    "another_branchs_secret_is_forged",
}


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the example as pip would: its modules on the path, its entry points beside them."""
    facts = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    beside = tmp_path / "tillbridge_paperless_till-1.dist-info"
    beside.mkdir()
    (beside / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: {facts['version']}\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {module}\n" for name, module in points.items())
        for group, points in facts["entry-points"].items()
    ]
    (beside / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(EXAMPLE))


@pytest.mark.usefixtures("_installed")
def test_the_example_passes_the_kit_and_skips_only_what_it_does_not_have() -> None:
    shown = CliRunner().invoke(app, ["conformance", "register", "paperless", "--json"])
    document = json.loads(shown.stdout)
    checks = document["setups"][0]["checks"]
    assert [(check["check"], check["why"]) for check in checks if check["verdict"] == "failed"] == []
    assert {check["check"] for check in checks if check["verdict"] == "skipped"} == NOT_HELD | NOT_IN_ITS_PROTOCOL
    assert shown.exit_code == 0


def test_the_example_has_less_than_two_hundred_lines() -> None:
    assert len((EXAMPLE / "paperless_till.py").read_text(encoding="utf-8").splitlines()) < 200


def test_the_guide_names_the_example_and_its_files() -> None:
    guide = (EXAMPLE.parents[1] / "how-to/add-your-till.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLE.iterdir() if path.is_file() and path.name not in guide] == []
