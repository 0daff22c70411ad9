# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ``tillbridge products``: the product map and its versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tillbridge.cli.telling import ByOption, SettingsOption, columns, moment, plain, told
from tillbridge.composition import database_of
from tillbridge.domain.product_map import Difference, ProductMap, differences
from tillbridge.errors import SettingsError
from tillbridge.product_file import parse_product_map, product_map_file
from tillbridge.service.administration_port import ProductMapVersion
from tillbridge.service.products import COMMAND
from tillbridge.service.store_port import Transaction
from tillbridge.settings import read_settings
from tillbridge.store.commanding import changing, reading

VERSIONS = 100

products = typer.Typer(no_args_is_help=True, help="See and change the product map, and go back to an earlier one.")

VersionArgument = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The number of the version")]


@products.command()
def show(
    version: Annotated[int | None, typer.Option(min=1, help="Which one; without it the one that counts")] = None,
    settings: SettingsOption = Path("tillbridge.toml"),
) -> None:
    """Print a version of the product map as it was given; what it is goes to stderr."""
    with told("products show"):
        found = reading(database_of(read_settings(settings)), lambda tx: _version(tx, version))
    typer.echo(f"Version {found.version}, {moment(found.at)} by {found.by} ({found.origin})", err=True)
    typer.echo(found.text, nl=not found.text.endswith("\n"))


@products.command()
def versions(settings: SettingsOption = Path("tillbridge.toml")) -> None:
    """List the newest versions, newest first: the first one counts."""
    with told("products versions"):
        found = reading(database_of(read_settings(settings)), lambda tx: tx.product_map_versions(VERSIONS))
    rows = [(str(each.version), moment(each.at), each.by, each.origin) for each in found]
    for line in columns(("VERSION", "SINCE", "BY", "FROM"), *rows):
        typer.echo(line)


@products.command()
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file with the product map (YAML)")],
    by: ByOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change")] = False,
    settings: SettingsOption = Path("tillbridge.toml"),
) -> None:
    """Make a file the product map that counts, and show what changes; a bad file changes nothing."""
    with told("products load"):
        text, who = product_map_file(file, ("FILE",)), plain("--by", by)
        new = parse_product_map(text, str(file))
        database = database_of(read_settings(settings))
        if dry_run:
            lines = reading(database, lambda tx: _changes(tx, new))
        else:
            lines = changing(database, lambda tx, now: _load(tx, now, who, text, new))
    for line in lines:
        typer.echo(line)
    if dry_run:
        typer.echo("This was a dry run: nothing was changed.")


@products.command()
def back(version: VersionArgument, by: ByOption, settings: SettingsOption = Path("tillbridge.toml")) -> None:
    """Make an earlier version count again, as a new version, and show what changes."""
    with told("products back"):
        who = plain("--by", by)
        lines = changing(database_of(read_settings(settings)), lambda tx, now: _back(tx, now, who, version))
    for line in lines:
        typer.echo(line)


def _back(tx: Transaction, now: float, who: str, version: int) -> list[str]:
    text = _version(tx, version).text
    return _load(tx, now, who, text, parse_product_map(text, f"product map {version}"))


def _load(tx: Transaction, now: float, who: str, text: str, new: ProductMap) -> list[str]:
    current = tx.product_map()
    if current is not None and current.text == text:
        return [f"Version {current.version} is the same: nothing was changed."]
    lines = _changes(tx, new)
    return [*lines, f"Version {tx.add_product_map(now, who, COMMAND, text).version} counts from now on."]


def _changes(tx: Transaction, new: ProductMap) -> list[str]:
    current = tx.product_map()
    old = ProductMap({}) if current is None else parse_product_map(current.text, f"product map {current.version}")
    return list(_told(differences(old, new)))


def _told(found: tuple[Difference, ...]) -> Iterator[str]:
    if not found:
        yield "No code changes."
        return
    for each in found:
        entry = f"{each.branch} {each.debit_type}".strip()
        match each.before, each.after:
            case None, after:
                yield f"added    {entry}: {after}"
            case before, None:
                yield f"removed  {entry}: {before}"
            case before, after:
                yield f"changed  {entry}: {before} → {after}"


def _version(tx: Transaction, version: int | None) -> ProductMapVersion:
    found = tx.product_map(version)
    if found is None:
        which = "product map" if version is None else f"product map {version}"
        raise SettingsError(which, "there is no such version", "See tillbridge products versions")
    return found
