# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands: what they print, how they end, and how careful they are with a real library system."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Shown

from tillbridge.cli import app
from tillbridge.conformance import ceepos, library, register
from tillbridge.conformance.kit import Check, Failed, Skipped, Verdict, checks_of, run_checks
from tillbridge.simulators.library import DemoLibrarySettings, build_app, serving
from tillbridge.simulators.library.facts import ChargeOrder, PatronOrder, Side
from tillbridge.simulators.library.library import DemoLibrary


def run(*words: str, **more: Any) -> Shown:
    return CliRunner().invoke(app, ["conformance", *words], **more)


async def goes_well(peer: Nobody) -> None:
    """All is well."""


async def goes_wrong(peer: Nobody) -> None:
    """Nothing is well."""
    raise Failed("[bold]it says so[/bold]")


async def cannot_go(peer: Nobody) -> None:
    """This cannot be."""
    raise Skipped("there is no such thing")


async def falls_over(peer: Nobody) -> None:
    """This falls over."""
    raise LookupError("the adapter fell over")


async def never_ends(peer: Nobody) -> None:
    """This never ends."""
    await asyncio.Event().wait()


class Nobody:
    def connect(self) -> None:
        return None

    async def fresh(self) -> None:
        return None


ALL = checks_of("trying", goes_well, goes_wrong, cannot_go, falls_over, never_ends)


async def test_whatever_a_check_does_the_kit_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tillbridge.conformance.kit.LONGEST_CHECK_S", 0.05)
    results = [(each.verdict, each.why) async for each in run_checks(ALL, Nobody())]
    assert results == [
        (Verdict.OK, ""),
        (Verdict.FAILED, "[bold]it says so[/bold]"),
        (Verdict.SKIPPED, "there is no such thing"),
        (Verdict.FAILED, "LookupError was raised: the adapter fell over"),
        (Verdict.FAILED, "it has not come to an end within 0.05 s"),
    ]


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a kit of a few checks in place of the whole one."""

    @asynccontextmanager
    async def nobody(_: Any, __: Path) -> AsyncIterator[Nobody]:
        yield Nobody()

    monkeypatch.setattr(ceepos, "SETUPS", {"one way": nobody, "another way": nobody})
    small: tuple[Check[Nobody], ...] = ALL[:3]
    monkeypatch.setattr(register, "CHECKS", small)


@pytest.mark.usefixtures("_small")
def test_people_are_shown_a_table_with_capability_words_and_reasons() -> None:
    shown = run("register", "ceepos")
    assert shown.exit_code == 1
    for told in ("one way", "another way", "trying", "goes_wrong", "Nothing is well.", "[bold]it says so[/bold]"):
        assert told in shown.stdout
    assert shown.stdout.count("3 checks · ok: 1 · failed: 1 · skipped: 1") == 2


@pytest.mark.usefixtures("_small")
def test_no_line_is_wrapped_where_the_output_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    async def goes_wrong_at_length(peer: Nobody) -> None:
        """Nothing is well."""
        raise Failed("word " * 50 + "end")

    long_name = "a_name_of_a_check_that_is_longer_than_what_fits_beside_its_capability"
    goes_wrong_at_length.__name__ = long_name
    monkeypatch.setattr(register, "CHECKS", checks_of("trying", goes_wrong_at_length))
    shown = run("register", "ceepos", env={"COLUMNS": "80"})
    assert f"FAILED   trying                      {long_name}\n" in shown.stdout
    assert "→ " + "word " * 50 + "end\n" in shown.stdout


@pytest.mark.usefixtures("_small")
def test_what_failed_is_told_once_more_at_the_end() -> None:
    assert run("register", "ceepos").stdout.splitlines()[-4:-2] == [
        "FAILED: one way: goes_wrong: [bold]it says so[/bold]",
        "FAILED: another way: goes_wrong: [bold]it says so[/bold]",
    ]


@pytest.mark.usefixtures("_small")
def test_what_every_check_would_tell_is_told_once_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_: Nobody) -> None:
        raise ValueError("no_such_key\n  Extra inputs are not permitted")

    monkeypatch.setattr(Nobody, "connect", connect)
    shown = run("register", "ceepos")
    assert (shown.exit_code, shown.stdout, len(shown.stderr.splitlines())) == (2, "", 1)
    assert "one way: the adapter cannot be connected to its peer: ValueError: no_such_key Extra" in shown.stderr


MISTAKES = {
    "broken_till: this module cannot be loaded: SyntaxError: ": ("def connect(:", "SETUPS = {}"),
    "No module named 'no_such_module'": ("import no_such_module", "SETUPS = {}"),
    "broken_till: this module has no Settings.": ("connect = None", "SETUPS = {}"),
    "broken_till: this module has no connect.": ("Settings = None", "SETUPS = {}"),
    "broken_peer: this module cannot be loaded: ZeroDivisionError: ": ("Settings = connect = None", "1 / 0"),
    "broken_peer: this module has no SETUPS.": ("Settings = connect = None", ""),
}
"""What is told, and the sources of the adapter and of its peer."""


@pytest.mark.parametrize(("told", "sources"), MISTAKES.items(), ids=MISTAKES)
def test_a_mistake_of_an_adapters_author_is_one_plain_line(
    told: str, sources: tuple[str, str], importable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, source in zip(("broken_till.py", "broken_peer.py"), sources, strict=True):
        (importable / name).write_text(source, encoding="utf-8")
    modules = {"tillbridge.registers": "broken_till", "tillbridge.register_peers": "broken_peer"}
    monkeypatch.setattr(
        "tillbridge.conformance.finding.entry_points", lambda group: [EntryPoint("broken", modules[group], group)]
    )
    shown = run("register", "broken")
    assert (shown.exit_code, len(shown.stderr.splitlines()), told in shown.stderr) == (2, 1, True)


def test_the_help_names_the_table_of_the_settings_file() -> None:
    assert "[library] names" in run("library", "--help", env={"COLUMNS": "200"}).stdout


@pytest.mark.usefixtures("_small")
def test_scripts_are_given_one_document() -> None:
    shown = run("register", "ceepos", "--json", "--setup", "one way")
    document = json.loads(shown.stdout)
    assert (document["kit"], document["adapter"], document["passed"], shown.exit_code) == (
        "register",
        "ceepos",
        False,
        1,
    )
    [setup] = document["setups"]
    assert [(check["check"], check["verdict"], check["why"]) for check in setup["checks"]] == [
        ("goes_well", "ok", None),
        ("goes_wrong", "failed", "[bold]it says so[/bold]"),
        ("cannot_go", "skipped", "there is no such thing"),
    ]


@pytest.mark.usefixtures("_small")
def test_without_a_failure_the_status_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "CHECKS", (ALL[0], ALL[2]))
    assert run("register", "ceepos").exit_code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["register", "nobody"], "no adapter of this name is installed"),
        (["library", "nobody"], "no adapter of this name is installed"),
        (["register", "ceepos", "--setup", "mode 3"], "there is no 'mode 3'"),
        (["library", "koha", "--settings", "x.toml"], "--card"),
        (["library", "koha", "--card", "1", "--yes"], "--card, --yes: this is for a real library system"),
        (["library", "koha", "--branch", "CPL"], "Give --settings"),
        (["library", "koha", "--settings", "nowhere.toml", "--card", "1", "--yes"], "there is no such file"),
    ],
)
def test_what_cannot_be_tried_is_told_with_status_2(words: list[str], told: str) -> None:
    shown = run(*words)
    assert (shown.exit_code, told in shown.stderr) == (2, True)


class Koha:
    """A demo library in a thread of its own: the command runs a loop itself."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ready, self.stop = folder, threading.Event(), threading.Event()
        self.address = ""
        self.library: DemoLibrary

    def serve(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        application = build_app(DemoLibrarySettings())
        self.library = application.state.library
        async with serving(application) as self.address:
            self.ready.set()
            await asyncio.to_thread(self.stop.wait)

    def settings(self, kind: str = "koha", branch: str = "CPL") -> Path:
        """Write settings that name it."""
        (self.folder / "koha").write_text("demo-library", encoding="utf-8")
        path = self.folder / "tillbridge.toml"
        path.write_text(
            f"""
[bridge]
public_address = "http://127.0.0.1:1"
[library]
kind = "{kind}"
address = "{self.address}"
client_id = "tillbridge"
client_secret_file = "koha"
payment_type = "CEEPOS"
[register_server.city]
kind = "ceepos"
[branch.{branch}]
register_server = "city"
""",
            encoding="utf-8",
        )
        return path

    def patron(self, card: str, owed: str = "") -> int:
        patron_id = self.library.book.add_patron(PatronOrder(card, "Testinen", "Tea")).patron_id
        if owed:
            self.library.book.charge(patron_id, ChargeOrder(Decimal(owed), "OVERDUE"))
        return patron_id


@pytest.fixture
def koha(tmp_path: Path) -> Iterator[Koha]:
    made = Koha(tmp_path)
    thread = threading.Thread(target=made.serve)
    thread.start()
    assert made.ready.wait(20)
    yield made
    made.stop.set()
    thread.join()


def live(koha: Koha, *words: str, kind: str = "koha", **more: Any) -> Shown:
    return run("library", "koha", "--settings", str(koha.settings(kind)), "--card", "KitTest1", *words, **more)


def test_a_real_library_is_tried_with_the_kits_own_charges_and_nothing_stays_owed(koha: Koha) -> None:
    patron_id = koha.patron("KitTest1")
    others = {line.line_id: line for line in koha.library.book.lines.values()}
    shown = live(koha, "--yes", "--json")
    document = json.loads(shown.stdout)
    checks = document["setups"][0]["checks"]
    assert [(check["check"], check["why"]) for check in checks if check["verdict"] == "failed"] == []
    assert sum(check["verdict"] == "ok" for check in checks) >= 30
    assert shown.exit_code == 0
    book = koha.library.book
    assert {number: line for number, line in book.lines.items() if line.patron_id != patron_id} == others
    made = {str(line.line_id): line for line in book.all_lines_of(patron_id)}
    assert set(made) == {*document["made"]["charges made"], *document["made"]["credits made"]}
    assert book.open_lines(patron_id, Side.DEBIT) == book.open_lines(patron_id, Side.CREDIT) == []
    assert max(line.amount for line in made.values()) <= 10


def test_a_real_library_with_the_plugin_is_tried_through_it_and_only_the_kits_own_is_undone(koha: Koha) -> None:
    patron_id, book = koha.patron("KitTest1"), koha.library.book
    koha.library.plugin.installed = True
    others = {line.line_id: line for line in book.lines.values()}
    document = json.loads(live(koha, "--yes", "--json").stdout)
    verdicts = {check["check"]: check["verdict"] for check in document["setups"][0]["checks"]}
    assert [(c["check"], c["why"]) for c in document["setups"][0]["checks"] if c["verdict"] == "failed"] == []
    for name in (
        "the_same_again_is_answered_and_not_recorded",
        "a_credit_is_taken_back_once",
        "a_part_is_given_back_once",
    ):
        assert verdicts[name] == "ok"
    assert koha.library.log.counts["POST credits"] == 0
    assert {number: line for number, line in book.lines.items() if line.patron_id != patron_id} == others
    made, undone = document["made"], document["made"]["voids and payouts made"]
    mine = {str(line.line_id): line for line in book.all_lines_of(patron_id)}
    assert set(mine) == {*made["charges made"], *made["credits made"], *undone}
    assert {mine[number].type for number in undone} == {"VOID", "PAYOUT"}
    assert book.open_lines(patron_id, Side.DEBIT) == book.open_lines(patron_id, Side.CREDIT) == []


def test_no_fault_of_the_table_is_laid_to_a_real_library(koha: Koha) -> None:
    koha.patron("KitTest1")
    checks = json.loads(live(koha, "--yes", "--json").stdout)["setups"][0]["checks"]
    of_faults = [check for check in checks if check["capability"].startswith("faults")]
    assert {check["verdict"] for check in of_faults} == {"skipped"}
    assert {check["why"] for check in of_faults} == {"it takes a fault, and nobody lays one to a real library system"}


def test_nothing_is_made_before_somebody_says_yes(koha: Koha) -> None:
    patron_id = koha.patron("KitTest1")
    assert live(koha, input="n\n").exit_code == 1
    assert koha.library.book.all_lines_of(patron_id) == []


def test_a_patron_who_owes_something_is_left_alone(koha: Koha) -> None:
    patron_id = koha.patron("KitTest1", owed="5.00")
    shown = live(koha, "--yes")
    assert (shown.exit_code, "owes something already" in shown.stderr) == (2, True)
    assert len(koha.library.book.all_lines_of(patron_id)) == 1


def test_a_patron_whom_nobody_knows_is_told(koha: Koha) -> None:
    assert live(koha, "--yes").exit_code == 2


def test_another_kind_of_library_in_the_settings_is_told(koha: Koha) -> None:
    shown = live(koha, "--yes", kind="other")
    assert (shown.exit_code, "is no koha" in shown.stderr) == (2, True)


def test_the_library_kit_is_the_one_that_is_run(koha: Koha) -> None:
    koha.patron("KitTest1")
    checks = json.loads(live(koha, "--yes", "--json").stdout)["setups"][0]["checks"]
    assert [check["check"] for check in checks] == [check.name for check in library.CHECKS]
