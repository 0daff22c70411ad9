# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that dies right after its n-th step: a transaction, an order to the till, a credit to the library system.

To die right before a step is to die after the one before it; and what was only read leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from support.rules import check
from support.worlds import Bench
from tillbridge.service.store_port import Transaction

T = TypeVar("T")

CALLS = ("send", "record")


class Crash(BaseException):
    """End everything that the process was doing, as no `except Exception` can hinder."""


@dataclass
class Fuse:
    """Count steps and crash at the n-th, once."""

    left: int

    @property
    def burnt(self) -> bool:
        """Tell whether the crash has been."""
        return self.left < 0

    def step(self) -> None:
        """Take a step."""
        if self.left >= 0:
            self.left -= 1
            if self.left < 0:
                raise Crash


class Around:
    """Wrap a port so that the fuse burns after each step; all else goes through."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._fused(found) if name in CALLS else found

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run a transaction."""
        return await self._fused(self._inner.write)(work)  # type: ignore[no-any-return]

    def _fused(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def fused(*arguments: Any) -> Any:
            result = await call(*arguments)
            self._fuse.step()
            return result

        return fused


def with_fuse(bench: Bench, fuse: Fuse) -> Bench:
    """Return the same bench, in a process that dies when the fuse is burnt."""
    world = replace(
        bench.world,
        store=Around(bench.store, fuse),
        library=Around(bench.library, fuse),
        registers={"city": Around(bench.till, fuse)},
    )
    return replace(bench, world=world)


async def survive(bench: Bench, step: Callable[[], Awaitable[object]]) -> None:
    """Do a step; where the process dies in it, start a new one and let the outside world try again."""
    for _ in range(3):
        try:
            await step()
        except Crash:
            await check(bench)
            await bench.store.write(lambda tx: tx.expire_leases())
        else:
            return
    raise AssertionError("it dies for ever")
