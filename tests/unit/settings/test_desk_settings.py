# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the pages for people."""

from __future__ import annotations

from pathlib import Path

import pytest

from tillbridge.errors import SettingsError
from tillbridge.service.people_port import LANGUAGES
from tillbridge.settings import DeskSettings, read_settings

BEFORE = """\
[bridge]
public_address = "https://bridge.example.fi"
[library]
kind = "koha"
[register_server.city]
kind = "ceepos"
[branch.CPL]
register_server = "city"
"""


def desk_of(folder: Path, text: str) -> DeskSettings:
    path = folder / "bridge.toml"
    path.write_text(f"{BEFORE}{text}", encoding="utf-8")
    return read_settings(path).settings.desk


def test_without_the_table_the_pages_speak_every_language_and_a_session_lasts_a_day_s_work(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, "")
    assert (desk.session_h, desk.second_look, desk.languages) == (12.0, False, LANGUAGES)


def test_what_is_said_counts_and_languages_keep_their_order(tmp_path: Path) -> None:
    desk = desk_of(tmp_path, '[desk]\nsession_h = 0.5\nsecond_look = true\nlanguages = ["sv", "fi"]\n')
    assert (desk.session_h, desk.second_look, desk.languages) == (0.5, True, ("sv", "fi"))
    assert desk_of(tmp_path, "[desk]\nsession_h = 24\n").session_h == 24


def test_supervisors_may_ask_for_money_to_be_given_back_unless_other_roles_are_named(tmp_path: Path) -> None:
    assert desk_of(tmp_path, "").refund_roles == ("supervisor",)
    assert desk_of(tmp_path, '[desk]\nrefund_roles = ["clerk", "supervisor"]\n').refund_roles == ("clerk", "supervisor")
    assert desk_of(tmp_path, "[desk]\nrefund_roles = []\n").refund_roles == ()


WRONG = {
    "a session without time": ("session_h = 0", "greater than 0"),
    "a session of more than a day": ("session_h = 24.5", "less than or equal to 24"),
    "a session of no number": ("session_h = nan", "desk.session_h: "),
    "a session that is text": ('session_h = "12"', "desk.session_h: "),
    "a second look that is a number": ("second_look = 1", "desk.second_look: "),
    "no language": ("languages = []", "desk.languages: "),
    "an unknown language": ('languages = ["fi", "de"]', "'fi', 'sv' or 'en'"),
    "a language twice": ('languages = ["fi", "sv", "fi"]', "name each of them once"),
    "an unknown role": ('refund_roles = ["boss"]', "desk.refund_roles"),
    "a role twice": ('refund_roles = ["clerk", "clerk"]', "name each of them once"),
    "a slip of the pen": ("session_s = 12", "desk.session_s is not a setting"),
}


@pytest.mark.parametrize(("line", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_of_the_desk_is_told_with_its_line(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        desk_of(tmp_path, f"[desk]\n{line}\n")
    assert told in error.value.what
    assert error.value.where.endswith("line 10")
