# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tillbridge.cli import app
from tillbridge.cli.simulate import plain
from tillbridge.registers.ceepos.adapter import Ceepos
from tillbridge.service.register_port import NeverSent, NoOutcome
from tillbridge.simulation.drawing import draw
from tillbridge.simulation.play import play
from tillbridge.simulation.script import read_script

pytestmark = pytest.mark.timeout(300)


def test_a_range_of_seeds_is_summed_up(tmp_path: Path) -> None:
    written = tmp_path / "seeds.json"
    result = CliRunner().invoke(app, ["simulate", "--seeds", "0..3", "--json", str(written)])
    assert result.exit_code == 0, result.output
    assert "4 seeds" in result.output
    assert "Transitions taken" in result.output
    assert "Never reached" in result.output  # four seeds are not enough, and do not fail for it
    document = json.loads(written.read_text())
    assert (document["seeds"], document["broken"]) == ([0, 3], {})
    assert f"{document['payments']} payments" in result.output
    assert document["tables"]["Transitions taken"]["created + send"] > 0


@pytest.mark.parametrize("arguments", [[], ["--seed", "1", "--seeds", "0..1"], ["--seeds", "9..1"], ["--seeds", "all"]])
def test_what_cannot_be_run_is_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["simulate", *arguments])
    assert result.exit_code == 2
    assert "tillbridge simulate:" in result.output


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
    assert "1 seeds" in result.output
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


@pytest.mark.parametrize(
    ("amount", "shown"), [("2.345000", "2.345"), ("0.000000", "0.00"), ("12", "12.00"), ("-0.005", "-0.005")]
)
def test_a_sum_is_told_with_its_cents_and_with_what_is_behind_them(amount: str, shown: str) -> None:
    assert plain(Decimal(amount)) == shown
