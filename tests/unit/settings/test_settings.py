# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong settings files: each is told with its file, its line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tillbridge.errors import SettingsError
from tillbridge.settings import read_settings

GOOD = """\
# The bridge of a city.
[bridge]
public_address = "https://bridge.example.fi/till"
api_key_variable = "BRIDGE_KEY"

[library]
kind = "koha"

[register_server.city]
kind = "ceepos"

[branch.CPL]
register_server = "city"
registers = { 10 = "Kassa 1", 11 = "Kassa 2" }

[branch."C.P"]
register_server = "city"

[limits]
reach_s = 30
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "bridge.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_file_is_read_and_what_it_does_not_say_keeps_its_start_value(tmp_path: Path) -> None:
    file = read_settings(written(tmp_path, GOOD))
    bridge, limits = file.settings.bridge, file.settings.limits
    assert file.folder == tmp_path
    assert (bridge.host, bridge.port, bridge.database) == ("127.0.0.1", 8470, "tillbridge.db")
    assert (limits.reach_s, limits.at_register_s, limits.ask_s, limits.surely_ended_s) == (30, 600, 600, 600)
    assert limits.remind_s == 180
    assert file.settings.branch["CPL"].registers == {"10": "Kassa 1", "11": "Kassa 2"}
    assert file.settings.branch["C.P"].registers == {}
    assert file.settings.register_server == {"city": {"kind": "ceepos"}}


ADDRESS = 'public_address = "https://bridge.example.fi/till"'
WRONG: dict[str, tuple[str, str, str, str]] = {
    "an unknown key": ("reach_s = 30", "reach = 30", "line 20", "limits.reach is not a setting. Remove it"),
    "an unknown table": ("[limits]", "[limit]", "line 19", "limit is not a setting. Remove it"),
    "an unknown key of a branch": ("registers = {", "tills = {", "line 14", "branch.CPL.tills is not a setting"),
    "an unknown table in the bridge": ("[library]", "[bridge.tls]", "line 6", "bridge.tls is not a setting"),
    "no public address": (ADDRESS, "", "line 2", "bridge.public_address is missing. Add it"),
    "no library": ('[library]\nkind = "koha"\n', "", "line 1", "library is missing. Add it"),
    "no register server of a branch": (
        '[branch.CPL]\nregister_server = "city"',
        "[branch.CPL]",
        "line 12",
        "branch.CPL.register_server is missing",
    ),
    "an unknown register server": (
        '[branch.CPL]\nregister_server = "city"',
        '[branch.CPL]\nregister_server = "town"',
        "line 13",
        "there is no register server town. Known are: city",
    ),
    "an unknown register server of a quoted branch": (
        '[branch."C.P"]\nregister_server = "city"',
        '[branch."C.P"]\n  "register_server"="town"',
        "line 17",
        "there is no register server town",
    ),
    "a register's name that is none": ('10 = "Kassa 1"', "10 = 1", "line 14", "branch.CPL.registers.10: "),
    "a port that is text": (ADDRESS, f'{ADDRESS}\nport = "8470"', "line 4", "bridge.port: "),
    "a port beyond all ports": (ADDRESS, f"{ADDRESS}\nport = 65536", "line 4", "less than or equal to 65535"),
    "a time that is a yes": ("reach_s = 30", "reach_s = true", "line 20", "limits.reach_s: "),
    "a time that is text": ("reach_s = 30", 'reach_s = "30"', "line 20", "limits.reach_s: "),
    "a time that is none": ("reach_s = 30", "reach_s = nan", "line 20", "limits.reach_s: "),
    "a time without end": ("reach_s = 30", "reach_s = inf", "line 20", "limits.reach_s: "),
    "no time at all": ("reach_s = 30", "reach_s = 0", "line 20", "greater than 0"),
    "a write that ends too soon": ("reach_s = 30", "surely_ended_s = 599", "line 20", "greater than or equal to 600"),
    "a dotted key": ("[limits]\nreach_s = 30", "[limits]\nreach_s.x = 30", "line 20", "limits.reach_s: "),
    "a table of tables": ("[library]", "[[library]]", "line 6", "library: "),
}


@pytest.mark.parametrize(("good", "bad", "line", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_told_with_file_line_and_remedy(
    tmp_path: Path, good: str, bad: str, line: str, told: str
) -> None:
    assert good in GOOD
    path = written(tmp_path, GOOD.replace(good, bad))
    with pytest.raises(SettingsError) as error:
        read_settings(path)
    assert error.value.where == f"{path}, {line}"
    assert told in f"{error.value.what}. {error.value.remedy}"
    assert error.value.remedy


@pytest.mark.parametrize(
    "address",
    [
        *("", "bridge.example.fi", "ftp://bridge.example.fi", "https://", "https:///x", "https:bridge.example.fi"),
        *("https://a:b@bridge.example.fi", "https://bridge.example.fi?x=1", "https://bridge.example.fi/#x"),
        *("https://bridge.example.fi/a b", " https://bridge.example.fi", "https://bridge.example.fi\\n"),
        *("https://bridge.example.fi/a;b", "https://bridge.example.fi;b"),
        *("javascript:alert(1)//https://x", "https://bridge.example.fi/\\u0000", "https://bridge\\u202e.fi"),
    ],
)
def test_an_address_that_tills_could_not_reach_is_refused(tmp_path: Path, address: str) -> None:
    path = written(tmp_path, GOOD.replace("https://bridge.example.fi/till", address))
    with pytest.raises(SettingsError, match=r"line 3: bridge\.public_address: give an address such as https://"):
        read_settings(path)


@pytest.mark.parametrize("address", ["http://10.0.0.5:8470", "https://[2001:db8::1]/", "https://kirjasto.fi/~silta"])
def test_other_addresses_are_taken(tmp_path: Path, address: str) -> None:
    path = written(tmp_path, GOOD.replace("https://bridge.example.fi/till", address))
    assert read_settings(path).settings.bridge.public_address == address


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("[limits]", "[limits"), "line 19"),
        (GOOD.replace("[limits]", "[bridge]"), "line 19"),
        (GOOD.replace("reach_s = 30", "reach_s = 30\nreach_s = 31"), "line 21"),
        (GOOD.replace("reach_s = 30", "reach_s ="), "line 20"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError, match="this is not valid TOML") as error:
        read_settings(path)
    assert error.value.where == str(path)
    assert told in error.value.what
    assert error.value.remedy == "Mend the line that is named"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes('name = "Mäkelä"'.encode("latin-1"))
    for path in (tmp_path, latin):
        with pytest.raises(SettingsError, match="the file cannot be read") as error:
            read_settings(path)
        assert (error.value.where, error.value.remedy) == (str(path), "Check its path, rights and that it is UTF-8")


def test_a_file_that_is_not_there_is_named_with_how_to_name_another(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.toml"
    with pytest.raises(SettingsError, match="there is no such file") as error:
        read_settings(path)
    assert (error.value.where, error.value.remedy) == (str(path), "Name the settings file with --settings")


def test_nothing_is_not_a_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="line 1: bridge is missing"):
        read_settings(written(tmp_path, ""))
