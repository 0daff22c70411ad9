# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tillbridge.cli import app, simulate
from tillbridge.registers.ceepos.adapter import Ceepos
from tillbridge.service.register_port import NeverSent, NoOutcome
from tillbridge.simulation.drawing import draw
from tillbridge.simulation.play import play
from tillbridge.simulation.reaching import TABLES
from tillbridge.simulation.script import Script, Step, read_script, write_script

pytestmark = pytest.mark.timeout(300)


def test_a_range_of_seeds_is_summed_up(tmp_path: Path) -> None:
    written = tmp_path / "seeds.json"
    result = CliRunner().invoke(app, ["simulate", "--seeds", "0..3", "--json", str(written)])
    assert result.exit_code == 0, result.output
    assert "4 seeds" in result.output
    assert "Transitions taken" in result.output
    assert "Never reached" not in result.output  # four seeds are not enough, and do not fail for it
    assert "from 500 seeds on" in result.output
    assert result.output.splitlines()[-1].startswith("4 seeds, ")
    assert result.output.endswith(" simulated hours: all rules held.\n")
    document = json.loads(written.read_text())
    assert (document["seeds"], document["broken"]) == ([0, 3], {})
    assert f"{document['payments']} payments" in result.output
    assert document["tables"]["Transitions taken"]["created + send"] > 0


def test_what_was_never_reached_is_told_by_table_where_it_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "ENOUGH", 1)
    result = CliRunner().invoke(app, ["simulate", "--seeds", "0..0"])
    assert result.exit_code == 1
    told = [line for line in result.output.splitlines() if line.startswith("Never reached")]
    assert 0 < len(told) <= len(TABLES)
    assert told[0].startswith("Never reached (Faults that hit): ")
    verdict = result.output.splitlines()[-1]
    assert re.fullmatch(r"1 seed, .*: all rules held, and [0-9]+ of what is to be reached never was\.", verdict)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--seed", "1", "--seeds", "0..1"],
        ["--seeds", "9..1"],
        ["--seeds", "all"],
        ["--seed", "abc"],
        ["--seed", "-1"],
        ["--seed", "1.5"],
        ["--seed", ""],
        ["--seeds", "0..1", "--trace"],
        ["--seeds", "0..1", "--keep", "x.json", "--json", "./x.json"],
        ["--seed", "1", "--json", "x.json"],
        ["--seed", "1", "--jobs", "1"],
        ["--script", "x.json", "--jobs", "2"],
        ["--script", "no-such-file.json"],
    ],
)
def test_what_cannot_be_run_is_refused_in_one_plain_line(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["simulate", *arguments])
    assert result.exit_code == 2
    assert result.output.startswith("tillbridge simulate: ")
    assert result.output.count("\n") == 1
    assert "Errno" not in result.output


def test_a_script_with_a_step_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    write_script(Script(1, steps=(Step(1.0, "fly"),)), path)
    result = CliRunner().invoke(app, ["simulate", "--script", str(path)])
    assert result.exit_code == 2
    assert "nobody knows the steps fly" in result.output


def test_where_all_rules_hold_it_is_said_that_nothing_is_kept(tmp_path: Path) -> None:
    for which in (["--seed", "0"], ["--seeds", "0..0"]):
        result = CliRunner().invoke(app, ["simulate", *which, "--keep", str(tmp_path / "kept.json")])
        assert result.exit_code == 0
        assert "Nothing to keep: all rules held." in result.output


@pytest.mark.parametrize("option", ["--json", "--keep"])
def test_a_file_that_cannot_be_written_is_refused_before_anything_runs(option: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", "--seeds", "0..0", option, str(tmp_path / "none" / "x.json")])
    assert result.exit_code == 2
    assert result.output.startswith("tillbridge simulate: ")
    assert "cannot be written" in result.output
    assert result.output.count("\n") == 1


def test_trying_whether_a_file_can_be_written_leaves_everything_as_it_was(tmp_path: Path) -> None:
    there, new = tmp_path / "there.json", tmp_path / "new.json"
    there.write_text("kept", encoding="utf-8")
    for path in (there, new):
        assert CliRunner().invoke(app, ["simulate", "--seeds", "0..0", "--keep", str(path)]).exit_code == 0
    assert there.read_text(encoding="utf-8") == "kept"
    assert not new.exists()


def test_what_cannot_be_written_after_all_leaves_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    result = CliRunner().invoke(app, ["simulate", "--seeds", "0..0", "--json", str(tmp_path / "x.json")])
    assert result.exit_code == 2
    assert "1 seed, " in result.output
    assert "No space left on device" in result.output
    assert "Traceback" not in result.output


def test_a_failing_seed_prints_and_keeps_the_shortest_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send = Ceepos.send

    async def careless(self: Ceepos, order: object, at_register: object) -> object:
        answer = await send(self, order, at_register)  # type: ignore[arg-type]
        return NeverSent(answer.why) if isinstance(answer, NoOutcome) else answer

    monkeypatch.setattr(Ceepos, "send", careless)
    kept = tmp_path / "kept.json"
    seed = next(seed for seed in range(100) if play(draw(seed)).broken is not None)
    result = CliRunner().invoke(app, ["simulate", "--seed", str(seed), "--keep", str(kept)])
    assert result.exit_code == 1
    assert "breaks a rule" in result.output
    assert read_script(kept).why
    assert CliRunner().invoke(app, ["simulate", "--script", str(kept)]).exit_code == 1
    monkeypatch.undo()
    assert CliRunner().invoke(app, ["simulate", "--script", str(kept)]).exit_code == 0


def test_every_difference_is_told_with_its_payment_its_sum_and_its_cause() -> None:
    outcome = play(draw(3))
    (difference,) = outcome.sums.differences
    result = CliRunner().invoke(app, ["simulate", "--seed", "3"])
    assert "Till less library, rounding left aside: -0.67, of which every part has a cause." in result.output
    why = "a person was mistaken about what the till has"
    assert f"  {difference.payment_id}: the till has 0.67 less than the bridge: {why}." in result.output
    assert (
        f"sari is mistaken, and says that {difference.payment_id} is paid: the till has nothing of it" in outcome.trace
    )


@pytest.mark.parametrize("seed", [0, 3, 57, 59])
def test_the_differences_add_up_to_what_has_a_name(seed: int) -> None:
    sums = play(draw(seed)).sums
    assert sum((each.more for each in sums.differences), Decimal(0)) == sums.named
    assert all(each.why for each in sums.differences)
