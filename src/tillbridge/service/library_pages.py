# SPDX-License-Identifier: GPL-3.0-or-later
"""How a library system's own pages and the bridge lead to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class LibraryPages:
    """Hold where the library system's own pages are, and what they may do here.

    `secrets` sign hand-overs, the newest first. `account` is the path of a patron's account, with ``{patron}`` for the
    patron's id.
    """

    address: str
    """The origin of the pages, as browsers write it: ``https://koha-staff.example.fi``."""
    account: str
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    branches: Mapping[str, str] = field(default_factory=dict)
    """The library system's code of a branch → the one here, where they differ."""
    hides_confirm: frozenset[str] = frozenset()
    """The branches here at which the library system's own button shall not be shown."""

    def branch(self, code: str) -> str:
        """Return what a branch of the library system is called here."""
        return self.branches.get(code, code)

    def account_of(self, patron_id: str) -> str:
        """Return the address of a patron's account."""
        return self.address + self.account.format(patron=quote(patron_id, safe=""))
