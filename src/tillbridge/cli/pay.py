# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``tillbridge pay``: start a payment at a running bridge and tell how it goes."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from tillbridge.bridge_client import BridgeClient, Json, Refusal, Unreachable
from tillbridge.domain.money import cents_of
from tillbridge.errors import SettingsError
from tillbridge.secret import read_secret
from tillbridge.settings import read_settings

DECLINED, NOT_PAID, NEEDS_A_PERSON = 2, 1, 3


def pay(
    card: Annotated[str, typer.Option(help="The patron's card number")],
    branch: Annotated[str, typer.Option(help="The branch, as in the settings")],
    register: Annotated[str, typer.Option(help="The number of the register")],
    clerk: Annotated[str, typer.Option(help="Who asks")],
    sum_: Annotated[
        str | None, typer.Option("--sum", help="A partial sum, such as 5.00; without it everything")
    ] = None,
    charge: Annotated[list[str] | None, typer.Option(help="The id of a charge; without any all charges")] = None,
    note: Annotated[str, typer.Option(help="A note for the payment")] = "",
    settings: Annotated[Path, typer.Option(help="The bridge's settings file (TOML)")] = Path("tillbridge.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the payment as one JSON document")] = False,
) -> None:
    """Send charges to a register and wait until they are paid and booked.

    Exit status: 0 booked · 1 not paid · 2 declined, nothing was sent · 3 a person must look.
    """
    order: Json = {"card_number": card, "branch": branch, "register": register, "clerk": clerk, "note": note}
    try:
        if sum_ is not None:
            order["sum_minor"] = cents_of(re.sub(",", ".", sum_))
        if charge:
            order["charges"] = [{"charge_id": each} for each in charge]
        payment = asyncio.run(_pay(_client(settings), order, quiet=as_json))
    except (Unreachable, KeyboardInterrupt) as lost:
        typer.echo(f"tillbridge pay: {str(lost) or 'you have stopped waiting'}", err=True)
        typer.echo(
            "The payment may be at the till. Do not take the money again: look at the till, and at the bridge. "
            "Asked again for the same charges, it shows this payment.",
            err=True,
        )
        raise typer.Exit(NEEDS_A_PERSON) from lost
    except (SettingsError, Refusal, ValueError) as error:
        typer.echo(f"tillbridge pay: {error}", err=True)
        raise typer.Exit(DECLINED) from error
    for remark in _remarks(payment):
        typer.echo(f"  {remark}", err=as_json)
    if as_json:
        typer.echo(json.dumps(payment, ensure_ascii=False, indent=2))
    raise typer.Exit(_status(payment))


async def _pay(client: BridgeClient, order: Json, *, quiet: bool) -> Json:
    async with client:
        payment = await client.start(order)
        told = 0
        async for seen in client.follow(str(payment["id"])):
            payment = seen
            if not quiet:
                told = _tell(seen, told)
        return payment


def _tell(payment: Json, told: int) -> int:
    history = payment["history"]
    assert isinstance(history, list)  # noqa: S101 - the bridge's own form
    if told == 0:
        amount = Decimal(int(str(payment["total_minor"]))) / 100
        typer.echo(f"Take {amount:.2f} {payment['currency']} at register {payment['register']}. ({payment['id']})")
    for event in history[told:]:
        typer.echo(f"  {event['words']}")
    return len(history)


def _remarks(payment: Json) -> list[str]:
    remarks = payment["after_booking"]
    assert isinstance(remarks, list)  # noqa: S101 - the bridge's own form
    return remarks


def _status(payment: Json) -> int:
    if payment["collection"] == "paid" and payment["booking"] == "booked":
        return 0
    if payment["collection"] in ("cancelled", "refused"):
        return NOT_PAID
    return NEEDS_A_PERSON


def _client(settings: Path) -> BridgeClient:
    file = read_settings(settings)
    bridge = file.settings.bridge
    with file.placing():
        key = read_secret(("bridge", "api_key"), file.folder, bridge.api_key_file, bridge.api_key_variable)
    return BridgeClient(f"http://{bridge.host}:{bridge.port}", key)
