# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guide for operators says is so: metrics, routes and commands are there, and a backup can be restored."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from support.payments import make_payment
from tillbridge.cli import app
from tillbridge.domain.lifecycle import Collection
from tillbridge.service.store_port import CaseKind, Transaction
from tillbridge.store.opening import Database
from tillbridge.store.sqlite import SqliteStore
from tillbridge.store.verifying import verify_database

COMMAND = re.compile(r"tillbridge ((?:serve|check|key add|verify-history)[^`\n>]*)")


@pytest.fixture(scope="module")
def guide(repository: Path) -> str:
    return (repository / "docs/how-to/operate.md").read_text(encoding="utf-8")


def test_every_metric_that_it_names_is_there(repository: Path, guide: str) -> None:
    page = (repository / "docs/reference/metrics.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `(\w+)` \| (?:gauge|counter|histogram)", page, re.MULTILINE))
    named = {name.removesuffix("_bucket") for name in re.findall(r"\b(?:tillbridge|process)_\w+", guide)}
    assert named <= known
    assert len(named) > 5


@pytest.mark.parametrize(("label", "where"), [("answer", "metrics.md"), ("method", "metrics.md")])
def test_every_label_that_an_alarm_looks_for_is_there(repository: Path, guide: str, label: str, where: str) -> None:
    page = (repository / "docs/reference" / where).read_text(encoding="utf-8")
    values = [value for found in re.findall(rf'{label}(?:=~?|!=)"([^"]+)"', guide) for value in found.split(r"\|")]
    assert values
    assert [value for value in values if f"`{value}`" not in page] == []


def test_the_web_server_lets_the_reports_through_and_holds_no_stream_back(repository: Path, guide: str) -> None:
    api = (repository / "docs/reference/api.md").read_text(encoding="utf-8")
    paths = re.findall(r"^\| `\w+ (/\S+)` \|", api, re.MULTILINE)
    reports, streams = (re.compile(each) for each in re.findall(r"location ~ (\S+) \{", guide))
    assert {path for path in paths if reports.search(path)} == {path for path in paths if path.endswith("/report")}
    assert {path for path in paths if streams.search(path)} == {path for path in paths if path.endswith("/events")}


def test_the_port_is_the_one_that_the_bridge_takes(repository: Path, guide: str) -> None:
    settings = (repository / "docs/reference/settings.md").read_text(encoding="utf-8")
    (port,) = re.findall(r"^\| `port` \| `(\d+)`", settings, re.MULTILINE)
    assert set(re.findall(r"127\.0\.0\.1:(\d+)", guide)) == {port}


def test_every_command_can_be_given_like_this(guide: str) -> None:
    group = typer.main.get_command(app)
    for line in COMMAND.findall(guide):
        words = line.split()
        options = [word for word in words if word.startswith("--")]
        name = words[:2] if words[0] == "key" else words[:1]
        shown = CliRunner().invoke(app, [*name, "--help"], env={"COLUMNS": "200"}).output
        assert [option for option in options if option not in shown] == []
    assert {"serve", "verify-history"} <= set(group.commands)  # type: ignore[attr-defined]


def test_the_states_and_cases_that_it_names_are_there(guide: str) -> None:
    table = guide[guide.index("## Restore it") : guide.index("## Upgrade it")]
    states = set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    assert states <= {*Collection, "booked"}
    assert CaseKind.PAID_FOR_UNKNOWN_ID in table


async def test_a_copy_that_is_made_while_the_bridge_runs_is_whole(tmp_path: Path, guide: str) -> None:
    (how,) = re.findall(r'^sqlite3 \S+ "(\.backup) ', guide, re.MULTILINE)
    original, copy = tmp_path / "tillbridge.db", tmp_path / "copy.db"
    store = SqliteStore(original)

    def work(tx: Transaction) -> None:
        tx.add_payment(make_payment("A1"), None)
        tx.append_event("A1", 1.0, "bridge", "created", {})

    await store.write(work)
    _back_up(original, how, copy)
    store.close()
    found = verify_database(Database(path=copy))
    assert (found.events, found.breaks) == (1, ())
    again = SqliteStore(copy)
    assert await again.read(lambda tx: tx.payment("A1")) is not None
    again.close()


def _back_up(original: Path, how: str, copy: Path) -> None:
    """Copy as the guide says; where the program is not installed, by the same function of SQLite's."""
    program = shutil.which("sqlite3")
    if program is not None:
        subprocess.run([program, str(original), f"{how} '{copy}'"], check=True)
        return
    with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
