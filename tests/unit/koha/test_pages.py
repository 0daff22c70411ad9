# SPDX-License-Identifier: GPL-3.0-or-later
"""What a settings file may say about Koha's own pages, and what it is told when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tillbridge.errors import WrongSetting
from tillbridge.libraries.koha import Settings, pages
from tillbridge.service.library_pages import LibraryPages
from tillbridge.surroundings import Surroundings

SECRET = "0123456789abcdef" * 4
BASE: dict[str, Any] = {
    "address": "https://koha.example.fi",
    "client_id": "0123",
    "client_secret_variable": "KOHA_SECRET",
    "payment_type": "CEEPOS",
}


def made(folder: Path, **said: Any) -> LibraryPages | None:
    surroundings = Surroundings("library", folder, "https://bridge.example.fi", ("CPL", "MPL"))
    return pages(Settings.model_validate(BASE | said), surroundings)


def test_without_an_address_no_page_leads_here(tmp_path: Path) -> None:
    assert made(tmp_path) is None


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://koha-staff.example.fi", "https://koha-staff.example.fi"),
        ("https://Koha-Staff.Example.fi/", "https://koha-staff.example.fi"),
        ("https://koha.example.fi:443", "https://koha.example.fi"),
        ("https://koha.example.fi:8443/", "https://koha.example.fi:8443"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("http://[::1]:8081", "http://[::1]:8081"),
    ],
)
def test_the_address_is_kept_as_browsers_write_an_origin(tmp_path: Path, address: str, origin: str) -> None:
    made_ = made(tmp_path, staff_address=address)
    assert made_ is not None
    assert made_.address == origin
    assert made_.account_of("51") == f"{origin}/cgi-bin/koha/members/boraccount.pl?borrowernumber=51"


def test_the_secrets_are_read_the_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new").write_text(SECRET + "\n")
    monkeypatch.setenv("OLD", SECRET[::-1])
    said = {"hand_over_secret_file": "new", "previous_hand_over_secret_variable": "OLD"}
    made_ = made(tmp_path, staff_address="https://koha.example.fi", **said, hide_confirm=["MPL"], branches={"K": "CPL"})
    assert made_ is not None
    assert made_.secrets == (SECRET.encode(), SECRET[::-1].encode())
    assert (made_.hides_confirm, made_.branch("K")) == (frozenset({"MPL"}), "CPL")


@pytest.mark.parametrize("secret", ["short", SECRET.upper(), SECRET + "0", f" {SECRET}", "g" * 64])
def test_a_secret_that_is_none_of_the_plugins_is_told(tmp_path: Path, secret: str) -> None:
    (tmp_path / "new").write_text(secret)
    with pytest.raises(WrongSetting, match="64 digits") as wrong:
        made(tmp_path, staff_address="https://koha.example.fi", hand_over_secret_file="new")
    assert wrong.value.place == ("library", "hand_over_secret_file")
    assert secret not in str(wrong.value)


@pytest.mark.parametrize("said", [{"hide_confirm": ["XYZ"]}, {"branches": {"K": "XYZ"}}], ids=str)
def test_a_branch_that_is_not_in_the_settings_is_told(tmp_path: Path, said: dict[str, Any]) -> None:
    with pytest.raises(WrongSetting, match="there is no branch XYZ in the settings"):
        made(tmp_path, staff_address="https://koha.example.fi", **said)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a path": ({"staff_address": "https://koha.example.fi/intranet"}, "without a path"),
    "clear text": ({"staff_address": "http://koha.example.fi"}, "use https"),
    "a port that is none": ({"staff_address": "https://koha.example.fi:http"}, "no number of a port"),
    "a secret without an address": ({"hand_over_secret_file": "x"}, "staff_address"),
    "a hidden button without an address": ({"hide_confirm": ["CPL"]}, "staff_address"),
    "branches without an address": ({"branches": {"K": "CPL"}}, "staff_address"),
    "only an old secret": (
        {"staff_address": "https://koha.example.fi", "previous_hand_over_secret_file": "x"},
        "goes with hand_over_secret",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_told(tmp_path: Path, case: str) -> None:
    said, words = WRONG[case]
    with pytest.raises(ValidationError, match=words):
        made(tmp_path, **said)
