# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``tillbridge key``: keys of the programs that call the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tillbridge.cli.telling import ByOption, SettingsOption, columns, known_branch, moment, plain, told
from tillbridge.composition import database_of
from tillbridge.errors import SettingsError
from tillbridge.service.administration_port import ApiKey, Scope
from tillbridge.service.keys import new_key
from tillbridge.service.store_port import Transaction
from tillbridge.settings import read_settings
from tillbridge.store.commanding import changing, reading

NAME_LIMIT = 80

key = typer.Typer(no_args_is_help=True, help="Make, list and withdraw the keys of programs that call the API.")


@key.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for, such as the program that shows it")],
    scope: Annotated[list[Scope], typer.Option(help="What it allows; may be given several times")],
    by: ByOption,
    branch: Annotated[
        list[str] | None, typer.Option(help="A branch that it is for; may be given several times. Without: all")
    ] = None,
    settings: SettingsOption = Path("tillbridge.toml"),
) -> None:
    """Make a key and print it. It is shown this once: the bridge keeps only what recognises it."""
    with told("key add"):
        file = read_settings(settings)
        branches = None if not branch else [known_branch(file, each) for each in branch]
        who, what = plain("--by", by), plain("NAME", name, NAME_LIMIT)

        def work(tx: Transaction, now: float) -> tuple[str, ApiKey]:
            token, made = new_key(what, scope, branches, now, who)
            tx.add_api_key(made)
            return token, made

        token, made = changing(database_of(file), work)
    typer.echo(f"Key {made.id} for {made.name} may: {_scopes(made)}. Branches: {_branches(made)}.", err=True)
    typer.echo("It is shown this once. Keep it where only the program can read it:", err=True)
    typer.echo(token)


@key.command("list")
def show(settings: SettingsOption = Path("tillbridge.toml")) -> None:
    """List the keys, withdrawn ones too, oldest first. The keys themselves are not kept."""
    with told("key list"):
        keys = reading(database_of(read_settings(settings)), lambda tx: tx.api_keys())
    head = ("ID", "NAME", "SCOPES", "BRANCHES", "MADE", "WITHDRAWN")
    for line in columns(head, *(_row(each) for each in keys)):
        typer.echo(line)


@key.command()
def withdraw(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `key list` shows it")],
    by: ByOption,
    settings: SettingsOption = Path("tillbridge.toml"),
) -> None:
    """Withdraw a key for good; a running bridge refuses it within a second."""
    with told("key withdraw"):
        file, who = read_settings(settings), plain("--by", by)
        if not changing(database_of(file), lambda tx, now: tx.withdraw_api_key(key_id, now, who)):
            raise SettingsError(f"key {key_id}", "there is no valid key with this id", "See tillbridge key list")
    typer.echo(f"Key {key_id} is withdrawn.")


def _row(each: ApiKey) -> tuple[str, ...]:
    made = f"{moment(each.created_at)} by {each.created_by}"
    gone = "-" if each.withdrawn_at is None else f"{moment(each.withdrawn_at)} by {each.withdrawn_by}"
    return each.id, each.name, _scopes(each), _branches(each), made, gone


def _scopes(each: ApiKey) -> str:
    return " ".join(scope for scope in Scope if scope in each.scopes)


def _branches(each: ApiKey) -> str:
    return "all" if each.branches is None else " ".join(sorted(each.branches))
