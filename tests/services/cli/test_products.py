# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge products`` shows and changes the product map; a bad one never replaces a good one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.cli.conftest import Desk

FIRST = "# ours\nDefault: {Default: 9000, LOST: 2000}\nCPL: {OVERDUE: 1001}\nMPL: off\n"
SECOND = "Default: {Default: 9001, LOST: 2000}\nCPL: {OVERDUE: 1001, RENT: 3000}\n"


def load(desk: Desk, text: str, *more: str) -> list[str]:
    return desk.did("products", "load", written(desk, text), "--by", "sari", *more).lines


def written(desk: Desk, text: str) -> str:
    path = desk.folder / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def counts(desk: Desk) -> str | None:
    version = desk.stored(lambda tx: tx.product_map())
    return None if version is None else version.text


def test_a_file_is_loaded_and_what_changes_is_shown(desk: Desk) -> None:
    assert load(desk, FIRST) == [
        "added    CPL OVERDUE: 1001",
        "added    Default Default: 9000",
        "added    Default LOST: 2000",
        "added    MPL: off",
        "Version 1 counts from now on.",
    ]
    assert load(desk, SECOND) == [
        "added    CPL RENT: 3000",
        "changed  Default Default: 9000 → 9001",
        "removed  MPL: off",
        "Version 2 counts from now on.",
    ]
    assert counts(desk) == SECOND


def test_a_dry_run_shows_what_would_change_and_changes_nothing(desk: Desk) -> None:
    load(desk, FIRST)
    assert load(desk, SECOND, "--dry-run") == [
        "added    CPL RENT: 3000",
        "changed  Default Default: 9000 → 9001",
        "removed  MPL: off",
        "This was a dry run: nothing was changed.",
    ]
    assert counts(desk) == FIRST


def test_the_same_text_makes_no_new_version_and_another_spelling_does(desk: Desk) -> None:
    load(desk, FIRST)
    assert load(desk, FIRST) == ["Version 1 is the same: nothing was changed."]
    assert load(desk, FIRST.removeprefix("# ours\n")) == ["No code changes.", "Version 2 counts from now on."]


def test_what_is_shown_can_be_loaded_again(desk: Desk) -> None:
    load(desk, FIRST)
    load(desk, SECOND)
    first, now = desk.did("products", "show", "--version", "1"), desk.did("products", "show")
    assert (first.out, now.out) == (FIRST, SECOND)
    assert re.fullmatch(r"Version 1, \S+ \S+Z by sari \(command\)\n", first.err)


def test_versions_are_listed_with_who_and_when_and_where_from(desk: Desk) -> None:
    load(desk, FIRST)
    load(desk, SECOND)
    head, newest, oldest = desk.did("products", "versions").lines
    assert head.split() == ["VERSION", "SINCE", "BY", "FROM"]
    assert re.fullmatch(r"2 +\d{4}-\d\d-\d\d \d\d:\d\dZ  sari  command", newest)
    assert oldest.startswith("1 ")


def test_going_back_makes_the_earlier_text_the_newest_version(desk: Desk) -> None:
    load(desk, FIRST)
    load(desk, SECOND)
    said = desk.did("products", "back", "1", "--by", "otto")
    assert said.lines[-1] == "Version 3 counts from now on."
    assert "changed  Default Default: 9001 → 9000" in said.lines
    assert counts(desk) == FIRST
    newest = desk.stored(lambda tx: tx.product_map())
    assert newest is not None
    assert (newest.version, newest.by, newest.origin) == (3, "otto", "command")


WRONG: dict[str, tuple[str, str]] = {
    "no YAML": ("CPL: [", "this is not valid YAML"),
    "a code that is none": ("Default: {Default: 1}\nCPL:\n  LOST: 'a;b'\n", "map.yaml, line 3: 'a;b' is no product"),
    "nothing": ("", "a mapping is expected here"),
}


@pytest.mark.parametrize(("text", "why"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["load", "dry run"])
def test_a_bad_file_never_replaces_a_good_one(desk: Desk, text: str, why: str, more: list[str]) -> None:
    load(desk, FIRST)
    refused = desk.run("products", "load", written(desk, text), "--by", "sari", *more)
    assert (refused.status, refused.out) == (2, "")
    assert why in refused.err
    assert counts(desk) == FIRST


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["show"], "product map: there is no such version"),
        (["show", "--version", "7"], "product map 7: there is no such version"),
        (["show", "--version", "0"], "--version"),
        (["back", "7", "--by", "sari"], "product map 7: there is no such version. See tillbridge products versions"),
        (["back", "7"], "--by"),
        (["load", "nowhere.yaml", "--by", "sari"], "FILE: the product map nowhere.yaml cannot be read"),
        (["load", "nowhere.yaml"], "--by"),
    ],
)
def test_what_is_not_there_is_told(desk: Desk, arguments: list[str], why: str) -> None:
    refused = desk.run("products", *arguments)
    assert (refused.status, refused.out) == (2, "")
    assert why in refused.err
    assert counts(desk) is None
