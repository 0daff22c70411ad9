# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge``."""

from __future__ import annotations

from importlib.metadata import entry_points

import typer

from tillbridge import __version__
from tillbridge.cli.alarm import alarm
from tillbridge.cli.branch import branch
from tillbridge.cli.check import check
from tillbridge.cli.conformance import app as conformance
from tillbridge.cli.demo import demo
from tillbridge.cli.key import key
from tillbridge.cli.pay import pay
from tillbridge.cli.products import products
from tillbridge.cli.serve import serve
from tillbridge.cli.simulate import simulate
from tillbridge.cli.user import user
from tillbridge.cli.verify_history import verify_history
from tillbridge.simulators.library.cli import demo_library
from tillbridge.simulators.till.cli import till

ADAPTER_COMMANDS = "tillbridge.commands"
"""Entry points by which an adapter brings commands of its own."""

app = typer.Typer(
    name="tillbridge",
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


app.command()(serve)
app.command()(check)
app.command()(pay)
app.command()(demo)
app.command("verify-history")(verify_history)
app.command()(simulate)
app.add_typer(alarm, name="alarm")
app.add_typer(branch, name="branch")
app.add_typer(conformance, name="conformance")
app.add_typer(key, name="key")
app.add_typer(products, name="products")
app.add_typer(user, name="user")
app.command()(till)
app.command("demo-library")(demo_library)
for point in entry_points(group=ADAPTER_COMMANDS):
    app.add_typer(point.load(), name=point.name)
