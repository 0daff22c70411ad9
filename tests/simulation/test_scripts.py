# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that have shown something once are played for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from tillbridge.errors import SettingsError
from tillbridge.simulation.drawing import draw
from tillbridge.simulation.play import play
from tillbridge.simulation.script import read_script, write_script

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.json"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_what_was_mended_stays_mended(path: Path) -> None:
    script = read_script(path)
    assert script.why
    assert play(script).broken is None


def test_there_are_scripts() -> None:
    assert SCRIPTS


def test_a_script_that_was_written_plays_as_before(tmp_path: Path) -> None:
    script = draw(5)
    write_script(script, tmp_path / "five.json")
    assert read_script(tmp_path / "five.json") == script


@pytest.mark.parametrize("text", ["", "[]", '{"seed": 1}', '{"seed": 1, "why": "", "setup": {}, "steps": [{"is": 1}]}'])
def test_what_is_no_script_is_refused_with_the_way_to_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "none.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="--keep"):
        read_script(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "it lacks seed, why, setup, steps"),
        ("{", "it is no JSON"),
        ("3", "it holds no JSON object"),
        ('{"seed": 1, "why": "", "setup": {"patrons": []}, "steps": [{"at": 1, "do": "pay", "pick": 2}]}', "a number"),
    ],
)
def test_what_is_no_script_is_told_in_plain_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "none.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        read_script(path)
    assert said in str(refused.value)
    assert "'" not in str(refused.value)


def test_a_script_that_is_not_there_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        read_script(tmp_path / "none.json")
