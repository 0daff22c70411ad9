# SPDX-License-Identifier: GPL-3.0-or-later
"""``tillbridge user`` makes, lists, changes and withdraws accounts, and never shows a password."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.people import PASSWORD
from tillbridge.service.passwords import Passwords
from tillbridge.service.people_port import DeedKind, Person, Role

if TYPE_CHECKING:
    from services.cli.conftest import Desk

MAIJA = ("maija", "--name", "Maija Virtanen", "--role", "administrator", "--by", "the installer")
VILLE = ("ville", "--name", "Ville Niemi", "--role", "clerk", "--branch", "CPL", "--by", "maija")
STDIN = "--password-stdin"


def people(desk: Desk) -> list[Person]:
    return list(desk.stored(lambda tx: tx.people()))


def journal(desk: Desk) -> list[tuple[str, DeedKind, object]]:
    deeds = desk.stored(lambda tx: tx.deeds(None, 100))
    return [(deed.person_id, deed.kind, deed.facts["person"]) for _, deed in reversed(deeds)]


def opens(password: str, person: Person) -> bool:
    return Passwords(memory_kib=8, rounds=1)._is_right(person.password_hash, password)


def test_an_account_is_made_with_a_password_from_standard_input(desk: Desk) -> None:
    made = desk.did("user", "add", *VILLE, "--language", "sv", STDIN, typed=f"{PASSWORD}\nmore\n")
    (ville,) = people(desk)
    assert made.out == "Ville Niemi can sign in as ville: clerk. Branches: CPL.\n"
    assert (ville.id, ville.name, ville.language) == ("ville", "Ville Niemi", "sv")
    assert (ville.roles, ville.branches, ville.created_by) == (frozenset({Role.CLERK}), frozenset({"CPL"}), "maija")
    assert opens(PASSWORD, ville)
    assert not Passwords().outdated(ville.password_hash)
    assert journal(desk) == [("maija", DeedKind.PERSON_ADDED, "ville")]


def test_an_account_is_made_with_a_password_from_a_file(desk: Desk) -> None:
    (desk.folder / "first").write_text(f"{PASSWORD}\n")
    made = desk.did("user", "add", *MAIJA, "--role", "clerk", "--password-file", str(desk.folder / "first"))
    (maija,) = people(desk)
    assert made.out == "Maija Virtanen can sign in as maija: clerk administrator. Branches: all.\n"
    assert (maija.roles, maija.branches, maija.language) == (frozenset({Role.ADMINISTRATOR, Role.CLERK}), None, None)
    assert opens(PASSWORD, maija)


def test_the_list_says_who_added_and_withdrew_whom_and_shows_no_hash(desk: Desk) -> None:
    for who in (VILLE, MAIJA):
        desk.did("user", "add", *who, STDIN, typed=PASSWORD)
    assert desk.did("user", "withdraw", "ville", "--by", "maija").out == "The account ville is withdrawn.\n"
    head, one, two = desk.did("user", "list").lines
    now = r"\d{4}-\d\d-\d\d \d\d:\d\dZ"
    assert re.split(r"  +", head) == ["ID", "NAME", "ROLES", "BRANCHES", "LANGUAGE", "ADDED", "WITHDRAWN"]
    assert re.fullmatch(rf"maija  Maija Virtanen  administrator  all +- +{now} by the installer  -", one)
    assert re.fullmatch(rf"ville  Ville Niemi +clerk +CPL +- +{now} by maija +{now} by maija", two)


def test_what_is_not_given_is_left_as_it_was(desk: Desk) -> None:
    desk.did("user", "add", *VILLE, STDIN, typed=PASSWORD)
    changed = desk.did("user", "change", "ville", "--role", "clerk", "--role", "supervisor", "--by", "maija")
    assert changed.out == "ville is Ville Niemi: clerk supervisor. Branches: CPL.\n"
    desk.did("user", "change", "ville", "--branch", "MPL", "--language", "en", "--by", "maija")
    desk.did("user", "change", "Ville", "--name", "Ville Virtanen", "--by", "sari")
    (ville,) = people(desk)
    assert (ville.name, ville.roles) == ("Ville Virtanen", frozenset({Role.CLERK, Role.SUPERVISOR}))
    assert (ville.branches, ville.language) == (frozenset({"MPL"}), "en")
    desk.did("user", "change", "ville", "--all-branches", "--by", "maija")
    assert people(desk)[0].branches is None
    assert [who for who, kind, _ in journal(desk) if kind == DeedKind.PERSON_CHANGED] == [
        "maija",
        "maija",
        "sari",
        "maija",
    ]


def test_a_new_password_takes_the_place_of_the_one_before(desk: Desk) -> None:
    desk.did("user", "add", *VILLE, STDIN, typed=PASSWORD)
    changed = desk.did("user", "password", "ville", "--by", "maija", STDIN, typed="uusi pitkä salasana\r\n")
    assert changed.out == "ville has a new password, and is signed out everywhere.\n"
    (ville,) = people(desk)
    assert (opens("uusi pitkä salasana", ville), opens(PASSWORD, ville)) == (True, False)
    assert journal(desk)[-1] == ("maija", DeedKind.PASSWORD_CHANGED, "ville")


def test_a_withdrawn_account_has_no_password_any_more(desk: Desk) -> None:
    desk.did("user", "add", *VILLE, STDIN, typed=PASSWORD)
    desk.did("user", "withdraw", "ville", "--by", "maija")
    (ville,) = people(desk)
    assert (ville.password_hash, ville.withdrawn_by) == ("", "maija")


REFUSED: dict[str, tuple[list[str], str | bytes | None, str]] = {
    "no role": (["add", "x", "--name", "X", "--by", "maija"], PASSWORD, "--role"),
    "an unknown role": (["add", "x", "--name", "X", "--role", "chief", "--by", "maija"], PASSWORD, "chief"),
    "nobody who does it": (["add", "x", "--name", "X", "--role", "clerk"], PASSWORD, "--by"),
    "an unknown branch": (["add", *VILLE, "--branch", "XPL", STDIN], PASSWORD, "branch XPL: there is no such branch"),
    "an odd id": (["add", "Väinö", *VILLE[1:], STDIN], PASSWORD, "user add: A sign-in name has 1 to 80"),
    "an unknown language": (["add", *VILLE, "--language", "de", STDIN], PASSWORD, "The pages speak: fi, sv, en"),
    "a taken id": (["add", *MAIJA, STDIN], PASSWORD, "There is an account maija already."),
    "a weak password": (["add", *VILLE, STDIN], "salasana123", "one of those that are tried first"),
    "an empty password": (["add", *VILLE, STDIN], "", "A password has 10 to 200 characters"),
    "a password that is no text": (["add", *VILLE, STDIN], b"\xff\xfe\xff\n", "--password-stdin: this is no text"),
    "no terminal": (["add", *VILLE], "", "there is no terminal to ask for it at. Give --password-file"),
    "no file": (["add", *VILLE, "--password-file", "/nowhere/x"], None, "--password-file: the secret file /nowhere/x"),
    "two passwords": (["add", *VILLE, STDIN, "--password-file", "x"], PASSWORD, "it does not go with --password-file"),
    "all and one": (["change", "maija", "--branch", "CPL", "--all-branches", "--by", "x"], None, "does not go with"),
    "a change of nobody": (["change", "ville", "--name", "V", "--by", "maija"], None, "There is no valid account"),
    "an empty name": (["change", "maija", "--name", "", "--by", "maija"], None, "A name has 1 to 80 characters"),
    "a password of nobody": (["password", "ville", "--by", "maija", STDIN], PASSWORD, "There is no valid account"),
    "the withdrawal of nobody": (["withdraw", "ville", "--by", "maija"], None, "There is no valid account"),
    "the last administrator": (["withdraw", "maija", "--by", "ville"], None, "This is the last administrator."),
    "the last one's role": (
        ["change", "maija", "--role", "clerk", "--by", "ville"],
        None,
        "This is the last administrator. Make somebody else one first.",
    ),
}


@pytest.mark.parametrize(("arguments", "typed", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    desk: Desk, arguments: list[str], typed: str | bytes | None, why: str
) -> None:
    desk.did("user", "add", *MAIJA, STDIN, typed=PASSWORD)
    before = people(desk)
    refused = desk.run("user", *arguments, typed=typed)
    assert (refused.status, refused.out) == (2, "")
    assert why in refused.err
    assert people(desk) == before


def at_a_terminal(desk: Desk, answers: list[str], *arguments: str) -> tuple[int, str]:
    """Run a command whose standard input is a terminal, and type an answer at each question."""
    mine, its = pty.openpty()
    command = [sys.executable, "-c", "from tillbridge.cli import app; app()", *arguments]
    command += ["--settings", str(desk.settings)]
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True) as process:
        os.close(its)
        shown = ""
        for answer in answers:
            asked = shown.count(": ")
            while shown.count(": ") == asked:
                shown += os.read(mine, 1024).decode()
            os.write(mine, f"{answer}\n".encode())
        shown += _rest(mine)
    os.close(mine)
    return process.returncode, shown


def _rest(terminal: int) -> str:
    shown = b""
    try:
        while more := os.read(terminal, 1024):
            shown += more
    except OSError:  # how Linux says that nobody is at the other end any more
        pass
    return shown.decode()


@pytest.mark.parametrize("desk", ["sqlite"], indirect=True)
def test_at_a_terminal_the_password_is_asked_for_twice_and_not_shown(desk: Desk) -> None:
    status, shown = at_a_terminal(desk, [PASSWORD, PASSWORD], "user", "add", *VILLE)
    assert status == 0, shown
    assert re.search(r"Password: .*The same again: .*Ville Niemi can sign in as ville", shown, re.DOTALL)
    assert PASSWORD not in shown
    assert opens(PASSWORD, people(desk)[0])


@pytest.mark.parametrize("desk", ["sqlite"], indirect=True)
def test_two_passwords_that_differ_are_asked_for_again(desk: Desk) -> None:
    status, shown = at_a_terminal(desk, [PASSWORD, "something else", PASSWORD, PASSWORD], "user", "add", *VILLE)
    assert status == 0, shown
    assert "do not match" in shown
    assert opens(PASSWORD, people(desk)[0])


def test_the_page_about_accounts_has_every_role() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/how-to/accounts.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [str(role) for role in Role]
