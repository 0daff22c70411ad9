# SPDX-License-Identifier: GPL-3.0-or-later
"""A real bridge in a folder for one check: the store, the use cases and a clock that the kit moves."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tillbridge.composition import RandomIds
from tillbridge.domain.history import first_break
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.product_file import parse_product_map
from tillbridge.service.administration_port import ProductMapVersion
from tillbridge.service.lease import Lease
from tillbridge.service.library_port import LibrarySystem
from tillbridge.service.ports import Branch, World
from tillbridge.service.products import Products
from tillbridge.service.register_port import Register
from tillbridge.service.reporting import Reply, take_report
from tillbridge.service.runner import LANES, handlers
from tillbridge.service.starting import Chosen, StartRequest, start_payment
from tillbridge.service.store_port import Case, StoredCredit, Task, Transaction
from tillbridge.store.sqlite import SqliteStore

SERVER = "kit"
_MOST_ROUNDS = 50
_PRODUCTS = "Default:\n  Default: 1000\n"


class StandingClock:
    """Stand still until the kit lets time pass."""

    def __init__(self) -> None:
        self.time = time.time()

    def now(self) -> float:
        """Return the seconds since 1970."""
        return self.time


class _Quiet:
    def changed(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Engine:
    """Hold a bridge's world, and do its tasks when the kit says so."""

    world: World
    clock: StandingClock
    register: str

    async def start(self, patron_id: str, charge_ids: Sequence[str], sum_minor: int | None = None) -> Payment:
        """Store the intent to collect these charges of a patron."""
        chosen = tuple(Chosen(charge_id) for charge_id in charge_ids)
        (branch,) = self.world.branches
        request = StartRequest(branch, self.register, "kit", patron_id=patron_id, charges=chosen, sum_minor=sum_minor)
        return await start_payment(self.world, request)

    async def declined(self, patron_id: str, charge_ids: Sequence[str]) -> str:
        """Try to collect these charges, and return the code of the *no*, or nothing where there is none."""
        try:
            await self.start(patron_id, charge_ids)
        except Declined as no:
            return no.code
        return ""

    async def report(self, raw: bytes, payment_id: str) -> Reply:
        """Let the register server post a report for a payment."""
        return await take_report(self.world, (SERVER,), raw, payment_id)

    async def payment(self, payment_id: str) -> Payment:
        """Read a payment."""
        found = await self.world.store.read(lambda tx: tx.payment(payment_id))
        assert found is not None  # noqa: S101 - payments are never deleted
        return found

    async def cases(self) -> Sequence[Case]:
        """Read the open cases."""
        return await self.world.store.read(lambda tx: tx.open_cases())

    async def credits(self, payment_id: str) -> Sequence[StoredCredit]:
        """Read what was stored of a payment's booking."""
        return await self.world.store.read(lambda tx: tx.credits(payment_id))

    async def events(self, payment_id: str) -> list[str]:
        """Read the kinds of a payment's events, in order."""
        history = await self.world.store.read(lambda tx: tx.history(payment_id))
        assert first_break(history) is None  # noqa: S101 - the kit's bridge is not tampered with
        return [event.kind for event, _ in history]

    async def pending(self) -> bool:
        """Tell whether anything waits to be done, now or later."""
        kinds = [kind for lane in LANES for kind in lane.kinds]
        return await self.world.store.read(lambda tx: tx.next_due(kinds)) is not None

    async def work(self, *, after_s: float = 0.0) -> None:
        """Let time pass, then do what is due until nothing is due any more."""
        self.clock.time += after_s
        for _ in range(_MOST_ROUNDS):
            tasks = await self.world.store.write(self._claim)
            if not tasks:
                return
            for task in tasks:
                await handlers(self.world)[task.kind](task, Lease(task.lease_until))
        raise TimeoutError

    def _claim(self, tx: Transaction) -> tuple[Task, ...]:
        kinds, now = [kind for lane in LANES for kind in lane.kinds], self.clock.now()
        return tx.claim_tasks("kit", kinds, now, now + 3600, 100)


@contextlib.asynccontextmanager
async def engine_with(
    register: Register, library: LibrarySystem, branch: str, register_number: str
) -> AsyncIterator[Engine]:
    """Put a bridge together in a folder of its own, and throw it away at the end."""
    with tempfile.TemporaryDirectory(prefix="tillbridge-kit-") as folder:
        store = SqliteStore(Path(folder) / "kit.db")
        try:
            clock = StandingClock()
            yield Engine(_world(store, clock, register, library, {branch: Branch(SERVER)}), clock, register_number)
        finally:
            store.close()


def _world(
    store: SqliteStore,
    clock: StandingClock,
    register: Register,
    library: LibrarySystem,
    branches: Mapping[str, Branch],
) -> World:
    products = Products(parse_product_map)
    products.count(ProductMapVersion(1, 0.0, "kit", "file", _PRODUCTS))
    return World(
        store=store,
        clock=clock,
        ids=RandomIds(),
        notifier=_Quiet(),
        library_name="library",
        library=library,
        registers={SERVER: register},
        branches=branches,
        products=products,
    )
