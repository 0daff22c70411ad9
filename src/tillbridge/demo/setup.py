# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the settings of a demo as an administrator would, so that what both ends must know is said once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tillbridge.simulators.till.server import Tls
from tillbridge.simulators.till.settings import ApiVersion
from tillbridge.simulators.till.wire import Order

HOST = "127.0.0.1"
SOURCE = "KOHA"
BRANCH, SMALL_BRANCH = "CPL", "MPL"
BRANCHES = {
    BRANCH: ("Pääkirjasto", {"10": "Kassa 1", "11": "Kassa 2"}),
    SMALL_BRANCH: ("Lähikirjasto", {"20": "Kassa 1", "21": "Kassa 2"}),
}
"""Code → name, and the registers there (number → name)."""

OFFICES = {
    number: f"{branch}, {register}" for branch, registers in BRANCHES.values() for number, register in registers.items()
}
"""The same registers as the register server calls them: it serves both branches."""

PRODUCTS = """\
# branch: debit type: the till's product code
Default:
  OVERDUE: 1000
  LOST: 2000
  NEW_CARD: 3222
  RESERVE: 1100
  COPY: 4100
  Default: 9000
"""


@dataclass(frozen=True, slots=True)
class Https:
    """Name the files (PEM) of a register server on HTTPS: what it shows and demands, what the bridge trusts and shows.

    `client` holds the bridge's certificate and its key.
    """

    server: Tls
    ca: Path
    client: Path


@dataclass(frozen=True, slots=True)
class Setup:
    """Say how the bridge speaks with the register server, and how long it waits for the library system.

    `plugin` tells whether the library system has the bridge's plugin installed from the start.
    """

    mode: Literal[1, 2] = 2
    api_version: ApiVersion = "3.0"
    order: Order = "sorted"
    https: Https | None = None
    library_answer_s: float = 30
    plugin: bool = False
    library_lines: tuple[str, ...] = ()
    """More lines of the section ``[library]``."""


USUAL = Setup()


def settings_text(setup: Setup, port: int, library: str, register_server: str) -> str:
    """Return the bridge's settings file; `library` and `register_server` are addresses."""
    return f"""\
[bridge]
public_address = "http://{HOST}:{port}"
host = "{HOST}"
port = {port}
database = "tillbridge.db"
product_map = "products.yaml"
api_key_file = "secrets/api-key"

[library]
kind = "koha"
address = "{library}"
client_id = "tillbridge"
client_secret_file = "secrets/koha"
payment_type = "CEEPOS"
answer_s = {setup.library_answer_s}
{_lines(setup.library_lines)}
[register_server.demo]
kind = "ceepos"
address = "{register_server}"
source = "{SOURCE}"
secret_file = "secrets/ceepos"
mode = {setup.mode}
api_version = "{setup.api_version}"
order = "{setup.order}"
receipt_description = "borrower"
{_https_lines(setup.https)}
{_branch_lines()}"""


def _branch_lines() -> str:
    return "\n".join(
        f'[branch.{code}]\nregister_server = "demo"\nname = "{name}"\nregisters = {{ {_table(registers)} }}\n'
        for code, (name, registers) in BRANCHES.items()
    )


def _table(registers: Mapping[str, str]) -> str:
    return ", ".join(f'{number} = "{name}"' for number, name in registers.items())


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _https_lines(https: Https | None) -> str:
    return "" if https is None else f'ca_file = "{https.ca}"\nclient_certificate = "{https.client}"\n'
