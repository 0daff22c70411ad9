# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge till``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from tillbridge.errors import SettingsError
from tillbridge.secret import read_secret_file
from tillbridge.simulators.till.autopilot import Autopilot, Habit
from tillbridge.simulators.till.server import Tls, serve
from tillbridge.simulators.till.settings import ApiVersion, TillSettings
from tillbridge.simulators.till.wire import Order


def till(
    *,
    secret_file: Annotated[Path, typer.Option(help="File with the secret of the account")],
    source: Annotated[str, typer.Option(help="Name of the account that payments come from")] = "KOHA",
    office: Annotated[list[str] | None, typer.Option(help='A till: its number and name, 10="Kassa 1"')] = None,
    host: Annotated[str, typer.Option(help="Address to listen at")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 finds a free one")] = 0,
    order: Annotated[Order, typer.Option(help="Order of the values in the hash of a request")] = "sorted",
    api_version: Annotated[ApiVersion, typer.Option(help="What answers and reports look like")] = "2.0",
    product: Annotated[list[str] | None, typer.Option(help="A known product code; none given: all")] = None,
    check_hash: Annotated[bool, typer.Option(help="Refuse requests with a wrong hash")] = True,
    certificate: Annotated[Path | None, typer.Option(help="Certificate chain of the server (PEM)")] = None,
    key: Annotated[Path | None, typer.Option(help="Its key (PEM)")] = None,
    client_ca: Annotated[Path | None, typer.Option(help="Demand client certificates of this CA (PEM)")] = None,
    report_ca: Annotated[Path | None, typer.Option(help="CA that https report addresses are of (PEM)")] = None,
    report_retries: Annotated[int, typer.Option(min=0, max=100, help="Repetitions of a failed report")] = 0,
    auto: Annotated[Habit, typer.Option(help="Let the till act by itself")] = "off",
    auto_after: Annotated[float, typer.Option(min=0, help="Seconds that it takes to act")] = 1.0,
    state: Annotated[Path | None, typer.Option(help="File that keeps the payments for the next time")] = None,
) -> None:
    """Run a simulated Ceepos register server with a till page, until it is interrupted."""
    try:
        settings = TillSettings(
            source=source,
            secret=read_secret_file(("--secret-file",), secret_file),
            offices=_offices(office or ["10=Kassa 1"]),
            order=order,
            api_version=api_version,
            products=frozenset(product) if product else None,
            check_hash=check_hash,
            report_retries=report_retries,
            report_ca=report_ca,
            autopilot=Autopilot(auto, auto_after),
            state=state,
        )
        uvloop.run(serve(settings, host, port, _tls(certificate, key, client_ca), _say))
    except (SettingsError, ValueError, OSError) as error:
        typer.echo(f"tillbridge till: {error}", err=True)
        raise typer.Exit(2) from error


def _say(address: str) -> None:
    typer.echo(f"tillbridge till listens on {address}")
    typer.get_text_stream("stdout").flush()


def _offices(texts: list[str]) -> dict[str, str]:
    """Read ``10=Kassa 1``; a number alone is its own name."""
    pairs = (text.partition("=") for text in texts)
    offices = {number.strip(): name.strip() or number.strip() for number, _, name in pairs}
    if "" in offices:
        raise ValueError('an office is written 10="Kassa 1"')
    return offices


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        raise ValueError("https needs both --certificate and --key")
    return Tls(certificate, key, client_ca)
