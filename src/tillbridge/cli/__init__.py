# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge``."""

from __future__ import annotations

import typer

from tillbridge import __version__
from tillbridge.cli.loading import Commands

app = typer.Typer(
    name="tillbridge",
    cls=Commands,
    help="Connect a library system with cash registers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    """Connect a library system with cash registers."""
    if version:
        typer.echo(f"tillbridge {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
