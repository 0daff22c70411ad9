# SPDX-License-Identifier: GPL-3.0-or-later
"""Say who may use the demo library and how it is set up at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

EVERY_RIGHT = frozenset({"catalogue", "borrowers:edit_borrowers", "updatecharges:remaining_permissions"})
"""The smallest rights that do the whole job of a bridge (dossier 1.1)."""


@dataclass(frozen=True, slots=True)
class StaffAccount:
    """Describe one account of the REST interface; each belongs to a staff patron.

    A right is ``module`` or ``module:subpermission``. Without a password there is no Basic authentication.
    """

    client_id: str
    client_secret: str = field(repr=False)
    userid: str = "tillbridge"
    password: str | None = field(default=None, repr=False)
    patron_id: int = 1
    permissions: frozenset[str] = EVERY_RIGHT


DEMO_CLIENT_ID = "tillbridge"
DEMO_CLIENT_SECRET = "demo-library"  # noqa: S105 - a documented example that opens invented patrons only


@dataclass(frozen=True, slots=True)
class DemoLibrarySettings:
    """Set the demo library up; `token_s` is a token's life in seconds, `body_limit` in bytes.

    After every `restart_after` requests (0: never) all wait for `restart_s` seconds, as when a worker is replaced.
    `plugin` tells whether the plugin is there at the start. A credit takes `credit_s` seconds before it is recorded
    (measured: up to 325 ms). With a `state` file the ledger outlives the process.
    """

    accounts: tuple[StaffAccount, ...] = (StaffAccount(DEMO_CLIENT_ID, DEMO_CLIENT_SECRET),)
    token_s: float = 3600
    use_cash_registers: bool = True
    require_payment_type: bool = False
    seeded: bool = True
    body_limit: int = 1_000_000
    restart_after: int = 0
    restart_s: float = 6
    plugin: bool = False
    credit_s: float = 0
    state: Path | None = None
