# SPDX-License-Identifier: GPL-3.0-or-later
"""A command loads what it needs itself, so that a small one answers at once."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from tillbridge.cli import app, loading

LISTING = """
import sys
from tillbridge.cli import app, loading
app(sys.argv[1:], standalone_mode=False)
print("loaded:", *sys.modules)
"""
HEAVY = {
    "alembic",
    "fastapi",
    "fpdf",
    "sqlalchemy",
    "tillbridge.composition",
    "tillbridge.simulation",
    "tillbridge.web",
}


def loaded_by(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", LISTING, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(ran.stdout.rpartition("loaded:")[2].split())


@pytest.mark.parametrize("arguments", [["pay", "--help"], ["till", "--help"], ["ceepos", "--help"]])
def test_what_is_no_bridge_loads_nothing_of_one(arguments: list[str]) -> None:
    assert loaded_by(*arguments) & HEAVY == set()


def test_what_asks_the_database_alone_loads_no_pages() -> None:
    assert loaded_by("key", "list", "--help") & {"fastapi", "fpdf", "tillbridge.web"} == set()


def test_a_bridge_loads_what_sets_a_receipt_when_somebody_wants_one() -> None:
    loaded = loaded_by("serve", "--help")
    assert "tillbridge.web.desk.receipts" in loaded
    assert "fpdf" not in loaded


def test_a_bridge_loads_what_changes_tables_when_there_are_some_to_change(tmp_path: Path) -> None:
    opened = "import sys; from tillbridge.store.sqlite import SqliteStore; SqliteStore(sys.argv[1]).close(); "
    command = [sys.executable, "-c", opened + "print('alembic' in sys.modules)", str(tmp_path / "bridge.db")]
    ran = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert ran == ["True\n", "False\n"]


def test_a_slip_of_the_pen_in_a_name_is_answered_with_names_that_there_are() -> None:
    ran = CliRunner().invoke(app, ["serv"])
    assert ran.exit_code == 2
    assert "Did you mean 'serve'" in ran.output


def test_an_adapter_takes_none_of_our_names(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = [EntryPoint(name, "no.such:thing", loading.ADAPTER_COMMANDS) for name in ("serve", "theirs")]
    monkeypatch.setattr(loading, "entry_points", lambda **_: theirs)
    commands = typer.main.get_group(app).commands
    assert (commands["serve"].name, list(commands)[-1]) == ("serve", "theirs")


@pytest.mark.parametrize(
    ("module", "why"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("import os; os.environ['NOT_SET_ANYWHERE']", "KeyError: 'NOT_SET_ANYWHERE'"),
    ],
)
def test_an_adapter_that_cannot_be_loaded_says_why_and_harms_no_other_command(
    monkeypatch: pytest.MonkeyPatch, importable: Path, module: str, why: str
) -> None:
    (importable / "broken_till.py").write_text(module, encoding="utf-8")
    theirs = EntryPoint("theirs", "broken_till:app", loading.ADAPTER_COMMANDS)
    monkeypatch.setattr(loading, "entry_points", lambda **_: [theirs])
    ran = CliRunner().invoke(app, ["theirs", "hash", "--settings", "x"])
    assert ran.exit_code == 2
    assert ran.stderr.startswith(f"tillbridge theirs: broken_till:app cannot be loaded: {why}.")
    helped = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    assert helped.exit_code == 0
    assert "Out of order: broken_till:app cannot be loaded" in helped.output
    assert "Run the bridge until it is told to stop." in helped.output


def test_the_help_lists_every_command_with_what_it_is_for() -> None:
    ran = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"})
    names = typer.main.get_group(app).commands
    assert {"serve", "demo-library", "key", "ceepos"} <= names.keys()
    for name, command in names.items():
        first_line = (command.help or "?").splitlines()[0]
        assert re.search(rf"^│ {name} +{re.escape(first_line)}", ran.output, re.MULTILINE)
