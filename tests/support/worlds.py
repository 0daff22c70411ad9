# SPDX-License-Identifier: GPL-3.0-or-later
"""A world to test the use cases in: the real store on a real file, fakes outside, and time that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from support.fakes import CountingIds, FakeClock, FakeLibrary, FakeTill
from support.quick import quick_store
from support.stores import AnyStore, quick_postgres_store
from tillbridge.domain.history import first_break
from tillbridge.domain.payment import Payment
from tillbridge.product_file import parse_product_map
from tillbridge.service.administration_port import ProductMapVersion
from tillbridge.service.lease import Lease
from tillbridge.service.ports import Branch, World
from tillbridge.service.products import Products
from tillbridge.service.reporting import Reply, take_report
from tillbridge.service.runner import LANES, handlers
from tillbridge.service.starting import StartRequest, start_payment
from tillbridge.service.store_port import Case, CaseKind, Task, Transaction
from tillbridge.simulation.store import InlineStore

PRODUCTS = "Default:\n  Default: 1000\n  LOST: 2000\n'OFF': off\n"


class Quiet:
    """A notifier that nobody listens to."""

    def changed(self) -> None:
        return None


@dataclass
class Bench:
    """Hold a world with its fakes, and do its tasks one by one, as a runner would."""

    world: World
    store: AnyStore | InlineStore
    clock: FakeClock
    till: FakeTill
    library: FakeLibrary

    async def start(self, **changes: object) -> Payment:
        """Start a payment at register 10 of branch CPL for the patron with card C1."""
        request = {"branch": "CPL", "register": "10", "clerk": "anna", "card_number": "C1"} | changes
        return await start_payment(self.world, StartRequest(**request))  # type: ignore[arg-type]

    async def report(self, raw: bytes, address_id: str | None = None) -> Reply:
        """Let the register server post a report."""
        return await take_report(self.world, ("city",), raw, address_id)

    async def payment(self, payment_id: str) -> Payment:
        """Read a payment."""
        found = await self.store.read(lambda tx: tx.payment(payment_id))
        assert found is not None
        return found

    async def cases(self) -> list[Case]:
        """Read the open cases."""
        return list(await self.store.read(lambda tx: tx.open_cases()))

    async def kinds(self) -> list[CaseKind]:
        """Read the kinds of the open cases."""
        return [case.kind for case in await self.cases()]

    async def events(self, payment_id: str) -> list[str]:
        """Read the kinds of a payment's events; the chain must verify."""
        history = await self.store.read(lambda tx: tx.history(payment_id))
        assert first_break(history) is None
        return [event.kind for event, _ in history]

    async def due(self, *, owner: str = "bench") -> list[Task]:
        """Claim what is due now."""
        kinds = [kind for lane in LANES for kind in lane.kinds]

        def claim(tx: Transaction) -> tuple[Task, ...]:
            now = self.clock.now()
            return tx.claim_tasks(owner, kinds, now, now + self.world.limits.lease_s, 100)

        return list(await self.store.write(claim))

    async def do(self, task: Task) -> None:
        """Do one task."""
        await handlers(self.world)[task.kind](task, Lease(task.lease_until))

    async def work(self, rounds: int = 20) -> None:
        """Do what is due until nothing is due any more; time stands still."""
        for _ in range(rounds):
            tasks = await self.due()
            if not tasks:
                return
            for task in tasks:
                await self.do(task)
        raise AssertionError("there is no end to the work")

    async def wait_and_work(self, seconds: float) -> None:
        """Let time pass, then do what is due."""
        self.clock.advance(seconds)
        await self.work()


def products_of(text: str) -> Products:
    """Make products that count without having been stored."""
    products = Products(parse_product_map)
    products.count(ProductMapVersion(1, 0.0, "test", "file", text))
    return products


@contextmanager
def open_bench(folder: Path, server: URL | None = None, library: FakeLibrary | None = None) -> Iterator[Bench]:
    """Make a world on a database in this folder, or on one of this PostgreSQL server."""
    opened = quick_store(folder / "bridge.db") if server is None else quick_postgres_store(server)
    with opened as store:
        yield make_bench(store, library)


def make_bench(store: AnyStore | InlineStore, library: FakeLibrary | None = None) -> Bench:
    """Make a world on a store, with a library system of the least abilities unless another one is given."""
    clock, till, library = FakeClock(), FakeTill(), library or FakeLibrary()
    library.add_patron()
    world = World(
        store=store,
        clock=clock,
        ids=CountingIds(),
        notifier=Quiet(),
        library_name="library",
        library=library,
        registers={"city": till},
        branches={"CPL": Branch("city", {"10": "Kassa 1", "11": "Kassa 2"}, "Pääkirjasto"), "OFF": Branch("city")},
        products=products_of(PRODUCTS),
    )
    return Bench(world, store, clock, till, library)
