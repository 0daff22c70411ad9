# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``tillbridge branch``: switch payments at the register on and off."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tillbridge.cli.telling import ByOption, SettingsOption, columns, known_branch, moment, plain, told
from tillbridge.composition import database_of
from tillbridge.product_file import parse_product_map
from tillbridge.service.administration_port import BranchSwitch, ProductMapVersion
from tillbridge.service.products import Products, stored
from tillbridge.service.store_port import Transaction
from tillbridge.settings import read_settings
from tillbridge.store.commanding import changing, reading

REASON_LIMIT = 500

branch = typer.Typer(no_args_is_help=True, help="List the branches, and switch them on and off.")

CodeArgument = Annotated[str, typer.Argument(metavar="CODE", help="The branch's code, as in the settings")]
ReasonOption = Annotated[str, typer.Option(help="Why, for whoever reads it later")]


@branch.command("list")
def show(settings: SettingsOption = Path("tillbridge.toml")) -> None:
    """List the branches of the settings with whether they are on, and who switched them last."""
    with told("branch list"):
        file = read_settings(settings)
        products = _products(*reading(database_of(file), stored))
    rows = [_row(products, code) for code in file.settings.branch]
    for line in columns(("BRANCH", "PAYMENTS", "SWITCHED", "REASON"), *rows):
        typer.echo(line)


@branch.command()
def on(
    code: CodeArgument, by: ByOption, reason: ReasonOption = "", settings: SettingsOption = Path("tillbridge.toml")
) -> None:
    """Switch payments at the register on; a running bridge takes it up within seconds."""
    with told("branch on"):
        products = _switch(settings, code, by, reason, on=True)
    typer.echo(f"Branch {code} is switched on.")
    if not products.is_on(code):
        typer.echo("The product map has it off, or no codes for it: payments are on when it has them.", err=True)


@branch.command()
def off(
    code: CodeArgument, by: ByOption, reason: ReasonOption = "", settings: SettingsOption = Path("tillbridge.toml")
) -> None:
    """Switch payments at the register off; payments that are under way go on."""
    with told("branch off"):
        _switch(settings, code, by, reason, on=False)
    typer.echo(f"Branch {code} is switched off. Payments that are under way go on.")


def _switch(settings: Path, code: str, by: str, reason: str, *, on: bool) -> Products:
    file = read_settings(settings)
    known, who = known_branch(file, code), plain("--by", by)
    why = plain("--reason", reason, REASON_LIMIT) if reason else ""

    def work(tx: Transaction, now: float) -> Products:
        tx.switch_branch(BranchSwitch(known, now, who, on, why))
        return _products(*stored(tx))

    return changing(database_of(file), work)


def _products(version: ProductMapVersion | None, switches: Sequence[BranchSwitch]) -> Products:
    products = Products(parse_product_map)
    products.take(version, switches)
    return products


def _row(products: Products, code: str) -> tuple[str, ...]:
    switch = products.switch_of(code)
    switched = "-" if switch is None else f"{'on' if switch.on else 'off'} {moment(switch.at)} by {switch.by}"
    return code, "on" if products.is_on(code) else "off", switched, (switch.reason if switch else "") or "-"
