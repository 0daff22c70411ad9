# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge key`` makes, lists and withdraws keys, and shows a key once."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from tillbridge.service.administration_port import ApiKey, Scope
from tillbridge.service.keys import hash_of

if TYPE_CHECKING:
    from services.cli.conftest import Desk


def keys(desk: Desk) -> tuple[ApiKey, ...]:
    return desk.stored(lambda tx: tx.api_keys())


def test_a_key_is_printed_once_and_only_its_hash_is_kept(desk: Desk) -> None:
    before = time.time()
    made = desk.did("key", "add", "the desk", "--scope", "read", "--scope", "pay", "--by", "sari")
    token = made.out.removesuffix("\n")
    (kept,) = keys(desk)
    assert re.fullmatch(r"tb_[\w-]{43}", token)
    assert kept.hash == hash_of(token)
    assert (kept.name, sorted(kept.scopes), kept.branches) == ("the desk", [Scope.PAY, Scope.READ], None)
    assert kept.created_by == "sari"
    assert before - 5 <= kept.created_at <= time.time() + 5
    assert f"Key {kept.id} for the desk may: read pay. Branches: all." in made.err
    assert token not in made.err + desk.did("key", "list").out + repr(keys(desk))


def test_a_key_may_be_for_some_branches(desk: Desk) -> None:
    desk.did("key", "add", "one", "--scope", "pay", "--branch", "MPL", "--branch", "CPL", "--by", "sari")
    assert [sorted(each.branches or ()) for each in keys(desk)] == [["CPL", "MPL"]]


def test_the_list_says_who_made_and_withdrew_which_key(desk: Desk) -> None:
    desk.did("key", "add", "the desk", "--scope", "pay", "--branch", "CPL", "--by", "sari")
    desk.did("key", "add", "the monitor", "--scope", "metrics", "--scope", "read", "--by", "otto")
    first, second = keys(desk)
    assert desk.did("key", "withdraw", first.id, "--by", "the night watch").out == f"Key {first.id} is withdrawn.\n"
    head, one, two = desk.did("key", "list").lines
    now = r"\d{4}-\d\d-\d\d \d\d:\d\dZ"
    assert re.split(r"  +", head) == ["ID", "NAME", "SCOPES", "BRANCHES", "MADE", "WITHDRAWN"]
    assert re.fullmatch(rf"{first.id}  the desk +pay +CPL +{now} by sari  {now} by the night watch", one)
    assert re.fullmatch(rf"{second.id}  the monitor +read metrics +all +{now} by otto  -", two)


def test_a_key_is_withdrawn_once_and_for_good(desk: Desk) -> None:
    desk.did("key", "add", "the desk", "--scope", "pay", "--by", "sari")
    (made,) = keys(desk)
    desk.did("key", "withdraw", made.id, "--by", "sari")
    again = desk.run("key", "withdraw", made.id, "--by", "otto")
    assert (again.status, again.out) == (2, "")
    assert f"key {made.id}: there is no valid key with this id. See tillbridge key list" in again.err
    assert [each.withdrawn_by for each in keys(desk)] == ["sari"]


WRONG: dict[str, tuple[list[str], str]] = {
    "no scope": (["desk", "--by", "sari"], "--scope"),
    "an unknown scope": (["desk", "--scope", "all", "--by", "sari"], "all"),
    "nobody": (["desk", "--scope", "pay"], "--by"),
    "an empty name": ([" ", "--scope", "pay", "--by", "sari"], "NAME: this is no text that can be kept"),
    "a long name": (["x" * 81, "--scope", "pay", "--by", "sari"], "Give 1 to 80 characters on one line"),
    "an odd name": (["a\nb", "--scope", "pay", "--by", "sari"], "NAME: this is no text"),
    "bytes that are no text": (["a\udcff", "--scope", "pay", "--by", "sari"], "NAME: this is no text"),
    "a long by": (["desk", "--scope", "pay", "--by", "x" * 201], "--by: this is no text"),
    "an unknown branch": (
        ["desk", "--scope", "pay", "--branch", "XPL", "--by", "sari"],
        "branch XPL: there is no such branch",
    ),
}


@pytest.mark.parametrize(("arguments", "why"), WRONG.values(), ids=WRONG)
def test_a_wrong_key_is_not_made(desk: Desk, arguments: list[str], why: str) -> None:
    refused = desk.run("key", "add", *arguments)
    assert (refused.status, refused.out) == (2, "")
    assert why in refused.err
    assert keys(desk) == ()
