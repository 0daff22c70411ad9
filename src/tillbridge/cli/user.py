# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``tillbridge user``: accounts of the people who use the pages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tillbridge.cli.asking import PasswordFileOption, PasswordStdinOption, asked_password
from tillbridge.cli.telling import ByOption, SettingsOption, columns, known_branch, moment, plain, told
from tillbridge.composition import database_of
from tillbridge.errors import SettingsError
from tillbridge.service import staff
from tillbridge.service.passwords import Passwords, checked_password
from tillbridge.service.people_port import Person, Role
from tillbridge.service.staff import PersonForm, checked, form_of, valid_person
from tillbridge.service.store_port import Transaction
from tillbridge.settings import SettingsFile, read_settings
from tillbridge.store.commanding import changing, reading

user = typer.Typer(no_args_is_help=True, help="Look after the accounts of the people who use the pages.")

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The sign-in name")]
RoleOption = typer.Option(help="What the person is; may be given several times")
BranchOption = typer.Option(help="A branch that the person works with; may be given several times")
LanguageOption = Annotated[str | None, typer.Option(help="The language of the pages: fi, sv or en")]


@user.command()
def add(
    person_id: IdArgument,
    name: Annotated[str, typer.Option(help="The name that others are shown")],
    role: Annotated[list[Role], RoleOption],
    by: ByOption,
    branch: Annotated[list[str] | None, BranchOption] = None,
    language: LanguageOption = None,
    password_file: PasswordFileOption = None,
    password_stdin: PasswordStdinOption = False,
    settings: SettingsOption = Path("tillbridge.toml"),
) -> None:
    """Give a person an account. The password is asked for twice, unless a file or standard input has it."""
    with told("user add"):
        file, who = read_settings(settings), plain("--by", by)
        form = checked(PersonForm(person_id, name, role, _known_branches(file, branch), language))
        made = _hashed(asked_password(password_file, stdin=password_stdin), form.id, form.name)
        person = changing(database_of(file), lambda tx, now: staff.add_person(tx, now, who, form, made))
    typer.echo(f"{person.name} can sign in as {person.id}: {_roles(person)}. Branches: {_branches(person)}.")


@user.command("list")
def show(settings: SettingsOption = Path("tillbridge.toml")) -> None:
    """List the accounts, withdrawn ones too, by sign-in name."""
    with told("user list"):
        people = reading(database_of(read_settings(settings)), lambda tx: tx.people())
    head = ("ID", "NAME", "ROLES", "BRANCHES", "LANGUAGE", "ADDED", "WITHDRAWN")
    for line in columns(head, *(_row(each) for each in people)):
        typer.echo(line)


@user.command()
def change(
    person_id: IdArgument,
    by: ByOption,
    name: Annotated[str | None, typer.Option(help="The new name that others are shown")] = None,
    role: Annotated[list[Role] | None, RoleOption] = None,
    branch: Annotated[list[str] | None, BranchOption] = None,
    all_branches: Annotated[bool, typer.Option("--all-branches", help="Let the person work with all branches")] = False,
    language: LanguageOption = None,
    settings: SettingsOption = Path("tillbridge.toml"),
) -> None:
    """Change what is said here, and leave the rest; the roles and branches that are given replace those before."""
    with told("user change"):
        file, who = read_settings(settings), plain("--by", by)
        branches = _known_branches(file, branch)
        if branches and all_branches:
            raise SettingsError("--all-branches", "it does not go with --branch", "Give one of the two")
        said = {"name": name, "roles": role or None, "branches": branches, "language": language}
        changes: dict[str, Any] = {field: value for field, value in said.items() if value is not None}
        if all_branches:
            changes["branches"] = None

        def work(tx: Transaction, now: float) -> Person:
            form = replace(form_of(valid_person(tx, person_id)), **changes)
            return staff.change_person(tx, now, who, form)

        person = changing(database_of(file), work)
    typer.echo(f"{person.id} is {person.name}: {_roles(person)}. Branches: {_branches(person)}.")


@user.command()
def password(
    person_id: IdArgument,
    by: ByOption,
    password_file: PasswordFileOption = None,
    password_stdin: PasswordStdinOption = False,
    settings: SettingsOption = Path("tillbridge.toml"),
) -> None:
    """Give a person a new password, and end the person's sessions."""
    with told("user password"):
        database, who = database_of(read_settings(settings)), plain("--by", by)
        person = reading(database, lambda tx: valid_person(tx, person_id))
        made = _hashed(asked_password(password_file, stdin=password_stdin), person.id, person.name)
        changing(database, lambda tx, now: staff.set_password(tx, now, who, person.id, made))
    typer.echo(f"{person.id} has a new password, and is signed out everywhere.")


@user.command()
def withdraw(person_id: IdArgument, by: ByOption, settings: SettingsOption = Path("tillbridge.toml")) -> None:
    """Withdraw an account for good; a running bridge refuses it within a second."""
    with told("user withdraw"):
        database, who = database_of(read_settings(settings)), plain("--by", by)
        person = changing(database, lambda tx, now: staff.withdraw_person(tx, now, who, person_id))
    typer.echo(f"The account {person.id} is withdrawn.")


def _known_branches(file: SettingsFile, codes: list[str] | None) -> list[str] | None:
    return [known_branch(file, code) for code in codes] if codes else None


def _hashed(password: str, person_id: str, name: str) -> str:
    checked_password(password, person_id, name)
    return Passwords().hash_now(password)


def _row(each: Person) -> tuple[str, ...]:
    added = f"{moment(each.created_at)} by {each.created_by}"
    gone = "-" if each.withdrawn_at is None else f"{moment(each.withdrawn_at)} by {each.withdrawn_by}"
    return each.id, each.name, _roles(each), _branches(each), each.language or "-", added, gone


def _roles(each: Person) -> str:
    return " ".join(role for role in Role if role in each.roles)


def _branches(each: Person) -> str:
    return "all" if each.branches is None else " ".join(sorted(each.branches))
