# SPDX-License-Identifier: GPL-3.0-or-later
"""Which branches may pay at the register, and as which product a charge is sold: kept in the store, with who and when.

The product map that counts is the newest version in the store. The file beside the settings is taken up when it has
changed since it was last taken up; a bad one never replaces a good one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tillbridge.domain.product_map import BranchOff, ProductMap
from tillbridge.service.administration_port import BranchSwitch, ProductMapVersion
from tillbridge.service.store_port import Store, Transaction

FILE = "file"

Parse = Callable[[str, str], ProductMap]
"""Read a product map from its text; the second text names it in errors. Raises SettingsError."""


class Products:
    """Hold what counts right now; looked up for every payment, read from the store when something has changed."""

    def __init__(self, parse: Parse) -> None:
        self._parse = parse
        self._map = ProductMap({})
        self._version: ProductMapVersion | None = None
        self._switches: Mapping[str, BranchSwitch] = {}

    @property
    def version(self) -> int:
        """Return the number of the product map that counts, or 0 where there is none yet."""
        return self._version.version if self._version else 0

    def code(self, branch: str, debit_type: str) -> str:
        """Return the product code; raise BranchOff or NoProductCode."""
        switch = self._switches.get(branch)
        if switch is not None and not switch.on:
            raise BranchOff(f"payments at the register are switched off for branch {branch}")
        return self._map.code(branch, debit_type)

    def is_on(self, branch: str) -> bool:
        """Tell whether a branch may pay at the register: by its switch and by the product map."""
        switch = self._switches.get(branch)
        return (switch is None or switch.on) and self._map.is_on(branch)

    def switch_of(self, branch: str) -> BranchSwitch | None:
        """Return who switched the branch last, if anybody did."""
        return self._switches.get(branch)

    async def refresh(self, store: Store) -> None:
        """Read what counts; raise SettingsError where the stored text cannot be read, and leave all as it was."""
        version, switches = await store.read(lambda tx: (tx.product_map(), tx.branch_switches()))
        if version is not None and version != self._version:
            self._map, self._version = self._parse(version.text, f"product map {version.version}"), version
        self._switches = {switch.branch: switch for switch in switches}


def take_up(tx: Transaction, at: float, text: str, by: str) -> ProductMapVersion | None:
    """Make the file's text the newest version where the file has changed since it was last taken up."""
    last = tx.product_map_from(FILE)
    if last is not None and last.text == text:
        return None
    return tx.add_product_map(at, by, FILE, text)
