# SPDX-License-Identifier: GPL-3.0-or-later
"""Which branches may pay at the register, and as which product a charge is sold: kept in the store, with who and when.

The product map that counts is the newest version in the store. The file beside the settings is taken up when it has
changed since it was last taken up; a bad one never replaces a good one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from tillbridge.domain.product_map import BranchOff, ProductMap
from tillbridge.service.administration_port import BranchSwitch, ProductMapVersion
from tillbridge.service.store_port import Store, Transaction

if TYPE_CHECKING:
    from tillbridge.service.ports import World

FILE, COMMAND, PAGE = "file", "command", "page"
"""Where a version of the product map came from."""

LOOK_S = 5.0
"""The net beneath the wake-ups."""
BREATH_S = 0.5
"""How long news is gathered: payments ring the same bell, and change nothing here."""

_log = structlog.get_logger()

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

    def in_map(self, branch: str) -> bool:
        """Tell whether the product map has a branch on, whatever its switch says."""
        return self._map.is_on(branch)

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

    def count(self, version: ProductMapVersion) -> None:
        """Let this version count; raise SettingsError where its text cannot be read, and leave all as it was."""
        self._map, self._version = self._parse(version.text, f"product map {version.version}"), version

    async def refresh(self, store: Store) -> None:
        """Read what counts; raise SettingsError where the stored text cannot be read, and leave all as it was."""
        self.take(*await store.read(stored))

    def take(self, version: ProductMapVersion | None, switches: Sequence[BranchSwitch]) -> None:
        """Let what is stored count; raise SettingsError where the text cannot be read, and leave all as it was."""
        if version is not None and version != self._version:
            self.count(version)
        self._switches = {switch.branch: switch for switch in switches}


def stored(tx: Transaction) -> tuple[ProductMapVersion | None, tuple[BranchSwitch, ...]]:
    """Read what counts: the newest product map, and the newest switch of every branch."""
    return tx.product_map(), tx.branch_switches()


class KeepingUp:
    """Let what counts follow what is stored, whichever process has stored it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._bell = asyncio.Event()

    def wake(self) -> None:
        """Look soon."""
        self._bell.set()

    async def run(self) -> None:
        """Look after every piece of news, and now and then, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._bell.wait()
            self._bell.clear()
            try:
                await self._world.products.refresh(self._world.store)
            except Exception:  # noqa: BLE001 - logged; what counted goes on counting
                _log.exception("the product map and the switches cannot be read anew")
            await asyncio.sleep(BREATH_S)


async def switch_branch(world: World, branch: str, by: str, reason: str, *, on: bool) -> None:
    """Switch payments at the register on or off for a branch; payments that are under way go on."""
    switch = BranchSwitch(branch, world.clock.now(), by, on, reason)
    await world.store.write(lambda tx: tx.switch_branch(switch))
    await let_count(world)


async def change_product_map(world: World, text: str, by: str, origin: str) -> ProductMapVersion:
    """Make this text, which was read and found right, the product map that counts."""
    now = world.clock.now()
    version = await world.store.write(lambda tx: tx.add_product_map(now, by, origin, text))
    await let_count(world)
    return version


async def let_count(world: World) -> None:
    """Let what was stored count here at once, and wake the other processes."""
    await world.products.refresh(world.store)
    world.notifier.changed()


def take_up(tx: Transaction, at: float, text: str, by: str) -> ProductMapVersion | None:
    """Make the file's text the newest version where the file has changed since it was last taken up."""
    last = tx.product_map_from(FILE)
    if last is not None and last.text == text:
        return None
    return tx.add_product_map(at, by, FILE, text)
