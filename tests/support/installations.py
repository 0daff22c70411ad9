# SPDX-License-Identifier: GPL-3.0-or-later
"""Installations to be checked, made of fakes and of a store that really stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from support.fake_checks import FakeOwnServer
from support.worlds import PRODUCTS, Bench
from tillbridge.errors import SettingsError
from tillbridge.product_file import parse_product_map
from tillbridge.service.installation import Installation
from tillbridge.service.store_port import Transaction

T = TypeVar("T")


@dataclass(frozen=True)
class BenchReader:
    """Read a bench's store as a check does."""

    bench: Bench

    async def is_there(self) -> bool:
        return True

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self.bench.store.read(work)


@dataclass(frozen=True)
class NoStore:
    """A database that is not there yet, or that cannot be read."""

    wrong: SettingsError | None = None

    async def is_there(self) -> bool:
        if self.wrong is not None:
            raise self.wrong
        return False

    async def read(self, work: Callable[[Transaction], T]) -> T:
        raise self.wrong or SettingsError("bridge.db", "there is none", "Start the bridge")


def installation_of(bench: Bench, **changes: Any) -> Installation:
    """Make an installation of a bench: all is well but for the changes."""
    parts: dict[str, Any] = {
        "clock": bench.clock,
        "ids": bench.world.ids,
        "library": bench.library,
        "registers": bench.world.registers,
        "branches": bench.world.branches,
        "bridge": FakeOwnServer(),
        "parse": parse_product_map,
        "map_text": PRODUCTS,
        "stored": BenchReader(bench),
    }
    return Installation(**(parts | changes))
