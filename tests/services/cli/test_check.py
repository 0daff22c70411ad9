# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge check`` beside a real bridge, a demo library and a simulated till; it changes nothing at any of them."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import sqlite3
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL
from typer.testing import CliRunner, Result

from support.scenes import Scene, open_scene
from tillbridge import composition
from tillbridge.cli import app
from tillbridge.demo.stage import set_scenery
from tillbridge.listening import listening_socket
from tillbridge.settings import read_settings
from tillbridge.web.app import make_app
from tillbridge.web.serving import serving

WIDE = {"COLUMNS": "400"}


def run(settings: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["check", "--settings", str(settings), *options], env=WIDE)


@dataclass(frozen=True)
class Checked:
    """Hold what a check said as JSON, and its exit status."""

    status: int
    document: Any

    def of(self, check: str, about: str = "") -> Any:
        """Return the one finding of this check (about this)."""
        (found,) = (f for f in self.document["findings"] if f["check"] == check and about in f["about"])
        return found


async def checked(settings: Path, *options: str) -> Checked:
    """Check as a script does, while the servers of the test go on in this thread."""
    result = await asyncio.to_thread(run, settings, "--json", *options)
    return Checked(result.exit_code, json.loads(result.stdout))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path) as made:
        yield made


def change(settings: Path, old: str, new: str) -> None:
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))


async def test_all_is_well_with_what_is_set_up_right(scene: Scene) -> None:
    found = await checked(scene.stage.settings)
    assert found.status == 0
    assert found.document["status"] == "ok"
    levels = {finding["level"] for finding in found.document["findings"]}
    assert levels == {"ok", "not_checkable"}
    open_ones = [f["check"] for f in found.document["findings"] if f["level"] == "not_checkable"]
    assert open_ones == ["debit_types"]
    assert set(found.document["findings"][0]) == {"check", "about", "level", "words", "remedy", "facts"}


def stored(folder: Path) -> list[str]:
    """Return everything that the bridge's database holds."""
    with closing(sqlite3.connect(f"file:{folder / 'tillbridge.db'}?mode=ro", uri=True)) as database:
        return list(database.iterdump())


async def test_nothing_changes_at_the_library_the_till_or_the_bridge(scene: Scene) -> None:
    await scene.library("DELETE", "/control/requests")
    folder = scene.stage.settings.parent
    before = (await scene.library("GET", "/control/ledger"), stored(folder), sorted(folder.iterdir()))
    await checked(scene.stage.settings)
    after = (await scene.library("GET", "/control/ledger"), stored(folder), sorted(folder.iterdir()))
    assert after == before
    asked = (await scene.library("GET", "/control/requests"))["counts"]
    assert {kind for kind in asked if not kind.startswith("GET ")} == {"POST token"}
    assert sum(asked.values()) <= 8
    assert await scene.till("GET", "/api/payments") == []
    assert await scene.till("GET", "/api/messages") == []


async def test_people_get_a_table_with_remedies_and_a_sum(scene: Scene) -> None:
    change(scene.stage.settings, 'payment_type = "CEEPOS"', 'payment_type = "[bold]KASSA"')
    result = await asyncio.to_thread(run, scene.stage.settings)
    assert result.exit_code == 1
    assert re.search(
        r"^warning +library +It does not list the payment type \[bold\]KASSA\.", result.output, re.MULTILINE
    )
    assert re.search(r"^ +payment_type +→ Add \[bold\]KASSA to its payment types", result.output, re.MULTILINE)
    assert re.search(r"^ok: \d+ · warnings: 1 · faults: 0 · not checkable: 1$", result.output, re.MULTILINE)


async def test_a_payment_type_that_the_library_does_not_list_is_a_warning(scene: Scene) -> None:
    change(scene.stage.settings, 'payment_type = "CEEPOS"', 'payment_type = "KASSA"')
    found = await checked(scene.stage.settings)
    assert (found.status, found.document["status"]) == (1, "warning")
    assert found.of("payment_type")["facts"]["used"] == "KASSA"


async def test_debit_types_that_are_named_are_looked_up(scene: Scene) -> None:
    products = scene.stage.settings.parent / "products.yaml"
    change(products, "  Default: 9000\n", "")
    found = await checked(scene.stage.settings, "--debit-type", "OWN", "--debit-type", "LOST")
    assert (found.status, found.of("debit_types")["level"]) == (2, "ok")
    assert "OWN cannot be paid at the till" in found.of("product_codes", "CPL")["words"]
    assert found.of("product_map")["level"] == "warning"  # the bridge has not taken the changed file up


async def test_a_debit_type_that_was_seen_on_a_charge_is_looked_up(scene: Scene) -> None:
    card, _ = await scene.patron("5.00", debit_type="SEEN")
    await scene.start(card)
    assert "SEEN" in (await checked(scene.stage.settings)).of("product_codes", "CPL")["facts"]["codes"]


async def test_a_product_map_that_cannot_be_read_is_a_fault_with_its_line(scene: Scene) -> None:
    change(scene.stage.settings.parent / "products.yaml", "  LOST: 2000\n", "  OVERDUE: 2000\n")
    found = await checked(scene.stage.settings)
    assert found.status == 2
    assert "line 4" in found.of("product_map")["about"]
    assert found.of("product_codes", "CPL")["level"] == "ok"


async def test_a_branch_that_koha_does_not_have_is_a_fault(scene: Scene) -> None:
    change(scene.stage.settings, "[branch.MPL]", "[branch.XPL]")
    found = await checked(scene.stage.settings)
    assert (found.status, found.of("library_branches", "XPL")["level"]) == (2, "fault")


async def test_a_library_that_lets_nobody_in_is_a_fault_and_the_rest_cannot_be_checked(scene: Scene) -> None:
    (scene.stage.settings.parent / "secrets" / "koha").write_text("another")
    found = await checked(scene.stage.settings)
    assert (found.status, found.of("library_answers")["level"]) == (2, "fault")
    assert "does not accept client_id and its secret" in found.of("library_answers")["words"]
    for check in ("library_rights", "library_interface", "library_branches", "payment_type"):
        assert found.of(check)["level"] == "not_checkable"
    assert found.of("clock", "library")["level"] == "not_checkable"


async def test_a_till_that_is_away_is_a_fault(scene: Scene) -> None:
    with listening_socket("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    change(scene.stage.settings, scene.stage.till, f"http://127.0.0.1:{port}")
    found = await checked(scene.stage.settings)
    assert (found.status, found.of("register_answers")["level"]) == (2, "fault")
    assert "refuses the connection" in found.of("register_answers")["words"]


@asynccontextmanager
async def scenery(folder: Path, **till: Any) -> AsyncIterator[Path]:
    """Set up everything but the bridge."""
    with listening_socket("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    async with set_scenery(folder, port, **till) as made:
        yield made.settings


async def test_before_the_first_start_there_is_no_database_and_none_is_made(tmp_path: Path) -> None:
    async with scenery(tmp_path) as settings:
        found = await checked(settings)
    assert (found.status, found.of("database")["level"]) == (0, "ok")
    assert not (tmp_path / "tillbridge.db").exists()
    assert "as soon as the bridge is started" in found.of("product_map")["words"]


RIGHTS = [
    (["account"], "updatecharges", "fault"),
    (["account", "patron"], "updatecharges", "not_checkable"),
    (["account", "patron"], "borrowers", "fault"),
    (["payment_types", "libraries"], "borrowers", "ok"),
]


@pytest.mark.parametrize(("forbidden", "right", "level"), RIGHTS)
async def test_each_right_that_is_missing_is_named(scene: Scene, forbidden: list[str], right: str, level: str) -> None:
    for route in forbidden:
        await scene.library("POST", "/control/faults", {"kind": "forbidden", "route": route, "next": "all"})
    assert (await checked(scene.stage.settings)).of("library_rights", right)["level"] == level


async def test_lists_that_the_account_may_not_read_are_no_fault(scene: Scene) -> None:
    for route in ("payment_types", "libraries"):
        await scene.library("POST", "/control/faults", {"kind": "forbidden", "route": route, "next": "all"})
    found = await checked(scene.stage.settings)
    assert found.status == 0
    for check in ("payment_type", "library_branches"):
        assert (found.of(check)["level"], "catalogue" in found.of(check)["remedy"]) == ("not_checkable", True)


@pytest.mark.parametrize(("ahead_s", "status", "level"), [(0, 0, "ok"), (60, 1, "warning"), (3600, 2, "fault")])
async def test_a_clock_that_is_off_is_told_against_both_servers(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, ahead_s: float, status: int, level: str
) -> None:
    class Ahead(composition.SystemClock):
        def now(self) -> float:
            return super().now() + ahead_s

    monkeypatch.setattr(composition, "SystemClock", Ahead)
    found = await checked(scene.stage.settings)
    assert found.status == status
    for server in ("library", "demo"):
        assert found.of("clock", server)["level"] == level


async def test_a_report_of_our_own_goes_round_and_leaves_no_case(scene: Scene) -> None:
    found = await checked(scene.stage.settings, "--send-report")
    assert (found.status, found.of("bridge_runs")["level"], found.of("own_report")["level"]) == (0, "ok", "ok")
    assert found.of("own_report")["about"] == "demo (branch CPL)"
    assert (await scene.call("GET", "/api/v1/open-cases"))[1]["cases"] == []


async def test_a_report_of_our_own_can_be_signed_as_another_branch(scene: Scene) -> None:
    found = await checked(scene.stage.settings, "--send-report", "--branch", "MPL")
    assert found.of("own_report")["about"] == "demo (branch MPL)"


async def test_a_secret_that_the_bridge_does_not_know_is_told(scene: Scene) -> None:
    """The bridge was started before the file was changed."""
    (scene.stage.settings.parent / "secrets" / "ceepos").write_text("a newer one")
    found = await checked(scene.stage.settings, "--send-report")
    assert (found.status, found.of("own_report")["level"]) == (2, "fault")
    assert "signature is wrong" in found.of("own_report")["words"]


async def test_something_else_at_the_public_address_is_told(scene: Scene) -> None:
    change(scene.stage.settings, f'public_address = "{scene.stage.address}"', f'public_address = "{scene.stage.till}"')
    found = await checked(scene.stage.settings, "--send-report")
    assert (found.status, found.of("own_report")["facts"]) == (2, {"status": 404})


async def test_a_public_address_that_leads_nowhere_from_here_proves_nothing(tmp_path: Path) -> None:
    async with scenery(tmp_path) as settings:
        found = await checked(settings, "--send-report")
    assert (found.status, found.of("bridge_runs")["level"]) == (1, "warning")
    assert found.of("own_report")["level"] == "not_checkable"


PROGRAM = Path(sys.executable).with_name("tillbridge")


@asynccontextmanager
async def waiting(settings: Path, *options: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """Start a check that waits for a report, and yield it with its directions as soon as it has given them."""
    command = [str(PROGRAM), "check", "--settings", str(settings), "--json", "--await-report", "60", *options]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        assert process.stderr is not None
        directions: list[str] = []
        while not (directions and "--data" in directions[-1]):
            directions.append((await process.stderr.readuntil()).decode())
        yield process, directions
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def outcome_of(process: asyncio.subprocess.Process) -> Checked:
    out, _ = await process.communicate()
    return Checked(process.returncode or 0, json.loads(out))


async def test_a_report_by_the_till_is_awaited_and_seen(scene: Scene) -> None:
    async with waiting(scene.stage.settings) as (process, directions):
        payment_id = re.findall(r"payment (CHECK-[0-9A-F]+)", "".join(directions))[0]
        address = f"{scene.stage.address}/api/v1/pos/cpu/{payment_id}/report"
        assert address in "".join(directions)
        posted = await scene.till("POST", "/api/trial-report", {"id": payment_id, "address": address})
        assert posted["http_status"] == 404
        found = await outcome_of(process)
    assert (found.status, found.of("outside_report")["level"]) == (0, "ok")
    assert found.of("outside_report")["facts"]["payment_id"] == payment_id
    assert (await scene.call("GET", "/api/v1/open-cases"))[1]["cases"] == []


async def test_the_directions_can_be_followed_word_for_word(scene: Scene) -> None:
    async with waiting(scene.stage.settings) as (process, directions):
        start = next(n for n, line in enumerate(directions) if "curl" in line)
        words = shlex.split("".join(directions[start:]))
        headers = dict([words[words.index("-H") + 1].split(": ")])
        data = words[words.index("--data") + 1].encode()
        async with scene.http.post(words[2], data=data, headers=headers) as answer:
            assert (answer.status, await answer.json()) == (404, {"error": "no payment has this id"})
        found = await outcome_of(process)
    assert (found.status, found.of("outside_report")["level"]) == (0, "ok")


async def test_a_report_that_says_paid_is_warned_of_with_its_case(scene: Scene) -> None:
    async with waiting(scene.stage.settings) as (process, directions):
        payment_id = re.findall(r"payment (CHECK-[0-9A-F]+)", "".join(directions))[0]
        assert await scene.report(payment_id, 1) == 404
        found = await outcome_of(process)
    (case,) = (await scene.call("GET", "/api/v1/open-cases"))[1]["cases"]
    assert (found.status, found.of("outside_report")["facts"]["cases"]) == (1, [case["id"]])


async def test_a_report_that_never_comes_is_a_fault(scene: Scene) -> None:
    found = await checked(scene.stage.settings, "--await-report", "0")
    assert (found.status, found.of("outside_report")["level"]) == (2, "fault")


def test_settings_that_cannot_be_read_leave_nothing_to_check(tmp_path: Path) -> None:
    result = run(tmp_path / "none.toml", "--json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "there is no such file" in result.stderr


async def test_a_branch_that_there_is_not_leaves_nothing_to_check(tmp_path: Path) -> None:
    async with scenery(tmp_path) as settings:
        result = await asyncio.to_thread(run, settings, "--send-report", "--branch", "XX")
    assert result.exit_code == 3
    assert "there is no branch XX in the settings" in result.stderr


async def test_on_postgresql_it_is_the_same(tmp_path: Path, postgres: URL) -> None:
    async with scenery(tmp_path) as settings:
        address = postgres.set(drivername="postgresql").render_as_string(hide_password=False)
        change(settings, 'database = "tillbridge.db"', f'database = "{address}"')
        before = await checked(settings)
        assert (before.status, "no database yet" in before.of("database")["words"]) == (0, True)
        file = read_settings(settings)
        listener = listening_socket("127.0.0.1", file.settings.bridge.port)
        async with composition.opened(file) as bridge, serving(make_app(bridge), listener):
            found = await checked(settings, "--send-report")
    assert (found.status, found.of("database")["words"], found.of("own_report")["level"]) == (
        0,
        "It can be read.",
        "ok",
    )
