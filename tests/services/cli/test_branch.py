# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge branch`` lists branches and switches them, with who, when and why."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.cli.conftest import Desk

NOW = r"\d{4}-\d\d-\d\d \d\d:\d\dZ"


def load(desk: Desk, text: str) -> None:
    (desk.folder / "map.yaml").write_text(text)
    desk.did("products", "load", str(desk.folder / "map.yaml"), "--by", "sari")


def test_branches_are_listed_with_whether_they_are_on_and_who_switched_them(desk: Desk) -> None:
    load(desk, "Default: {Default: 1}\n")
    assert [line.split() for line in desk.did("branch", "list").lines] == [
        ["BRANCH", "PAYMENTS", "SWITCHED", "REASON"],
        ["CPL", "on", "-", "-"],
        ["MPL", "on", "-", "-"],
    ]
    off = desk.did("branch", "off", "CPL", "--by", "sari", "--reason", "the till is mended")
    assert off.out == "Branch CPL is switched off. Payments that are under way go on.\n"
    desk.did("branch", "on", "MPL", "--by", "otto")
    _, cpl, mpl = desk.did("branch", "list").lines
    assert re.fullmatch(rf"CPL +off +off {NOW} by sari  the till is mended", cpl)
    assert re.match(rf"MPL +on +on {NOW} by otto +-", mpl)


def test_a_branch_is_switched_on_again(desk: Desk) -> None:
    load(desk, "Default: {Default: 1}\n")
    for word in ("off", "on"):
        said = desk.did("branch", word, "CPL", "--by", "sari")
    assert (said.out, said.err) == ("Branch CPL is switched on.\n", "")
    (switch,) = desk.stored(lambda tx: tx.branch_switches())
    assert (switch.branch, switch.on, switch.by, switch.reason) == ("CPL", True, "sari", "")


def test_a_branch_that_the_product_map_has_off_is_told(desk: Desk) -> None:
    load(desk, "Default: {Default: 1}\nMPL: off\n")
    said = desk.did("branch", "on", "MPL", "--by", "sari")
    assert said.out == "Branch MPL is switched on.\n"
    assert "The product map has it off" in said.err
    assert desk.did("branch", "list").lines[2].split()[:3] == ["MPL", "off", "on"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["off", "XPL", "--by", "sari"], "branch XPL: there is no such branch in"),
        (["off", "CPL"], "--by"),
        (["off", "CPL", "--by", ""], "--by: this is no text"),
        (["on", "CPL", "--by", "sari", "--reason", "x" * 501], "--reason: this is no text"),
    ],
)
def test_a_wrong_switch_changes_nothing(desk: Desk, arguments: list[str], why: str) -> None:
    refused = desk.run("branch", *arguments)
    assert (refused.status, refused.out) == (2, "")
    assert why in refused.err
    assert desk.stored(lambda tx: tx.branch_switches()) == ()
