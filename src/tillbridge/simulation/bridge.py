# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of the bridge: the real service, runner, feed and adapters on one shared database."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Collection
from contextvars import Context
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError

from tillbridge.composition import Bell, begin
from tillbridge.errors import Declined
from tillbridge.libraries.koha.access import Access, Basic, Tokens
from tillbridge.libraries.koha.settings import Settings as KohaSettings
from tillbridge.product_file import parse_product_map
from tillbridge.registers.ceepos.client import Limits as CeeposLimits
from tillbridge.registers.ceepos.client import Target
from tillbridge.registers.ceepos.hashes import RequestOrder, version_of
from tillbridge.registers.ceepos.judge import Terms
from tillbridge.registers.ceepos.places import Place, Places
from tillbridge.registers.ceepos.request import Form
from tillbridge.service.administration_port import ProductMapVersion
from tillbridge.service.alarm_port import Alarms
from tillbridge.service.alarming import keep_alarming
from tillbridge.service.feed import Feed
from tillbridge.service.ports import Branch, Limits, World
from tillbridge.service.products import Products
from tillbridge.service.runner import Runner
from tillbridge.simulation.alarms import CHANNEL, Mail, People
from tillbridge.simulation.database import Database, SimulatedStore
from tillbridge.simulation.library_link import Hands, VirtualTransport
from tillbridge.simulation.library_side import CLIENT, SECRET, LibrarySide
from tillbridge.simulation.loop import Life, VirtualLoop
from tillbridge.simulation.points import Points
from tillbridge.simulation.saying import GOOD
from tillbridge.simulation.script import Setup
from tillbridge.simulation.telling import Telling
from tillbridge.simulation.till_link import VirtualClient
from tillbridge.simulation.till_side import OFFICES, SOURCE, TillSide
from tillbridge.simulation.wires import Wires
from tillbridge.simulation.worlds import Questions, WatchedLibrary, WatchedTill

T = TypeVar("T")

PRODUCTS = "Default:\n  Default: 1000\n  LOST: 2000\n"
BRANCHES = {"CPL": Branch("city", OFFICES, "Pääkirjasto"), "MPL": Branch("city", {"11": "Kassa 2"}, "Lähikirjasto")}
CONNECT_S, ANSWER_S, HELD_S, KOHA_ANSWER_S = 3.0, 15.0, 510.0, 30.0
POLL_S = 300.0
"""The net beneath the wake-ups is wide, or the most of a simulation would be looking in vain."""
OVERSLEPT_S = 1500.0
"""How long a process sleeps that sleeps too long: until another one has waited for the end, and booked again."""
JUST_S = 60.0
"""How long a process may go on by what it read before it stood still."""
LONGEST_CALL_S = 60.0
"""How long a browser waits for the bridge."""


class GoneError(Exception):
    """Say that the bridge did not answer: there is none, or its process died or slept."""


@dataclass(eq=False)
class Process:
    """Be one process of the bridge, which may die at every gate, or sleep there."""

    number: int
    fleet: Fleet
    life: Life
    owner: str
    dies_in: int | None = None
    sleeps_in: int | None = None
    sleep_s: float = 0.0
    naps: int = 0
    """How often it has stood still."""
    woke_at: float = -JUST_S
    at_work: bool = False
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    world: World | None = None

    @property
    def alive(self) -> bool:
        """Tell whether it has not died."""
        return self.life.alive

    @property
    def outages(self) -> int:
        """Return how often the database has failed so far."""
        return self.fleet.database.outages

    @property
    def just_woke(self) -> bool:
        """Tell whether it stood still a moment ago."""
        return self.fleet.loop.time() - self.woke_at < JUST_S

    async def gate(self, where: str) -> None:
        """Stand between two steps: this is where processes die and sleep."""
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in <= 0:
                await self.die(f"at {where}")
        if self.sleeps_in is not None:
            self.sleeps_in -= 1
            if self.sleeps_in <= 0:
                self.sleeps_in = None
                self.fleet.pause(self, self.sleep_s, where)
        await asyncio.sleep(0)

    async def first_byte(self, payment_id: str | None) -> None:
        """Stand between the last look at the lease and the first byte of a credit, or of what Koha knows by its key."""
        if self.fleet.oversleeps:
            self.fleet.oversleeps -= 1
            if payment_id is not None:
                self.fleet.library.overslept.add(payment_id)
            self.fleet.pause(self, OVERSLEPT_S, "the first byte of a credit", beyond=True)
        await self.gate("the first byte of a credit")

    async def point(self, where: str) -> None:
        """Stand where a campaign may want the process to die."""
        if self.points.reach(where):
            await self.die(f"at a point: {where}")

    @property
    def points(self) -> Points:
        """Return where processes may die."""
        return self.fleet.points

    def dies_within(self) -> bool:
        """Tell whether the process dies in the middle of this transaction."""
        return self.dies_in == 1 and self.fleet.draws.random() < 0.5  # noqa: PLR2004 - the one or the other

    async def die(self, where: str) -> None:
        """End here and now."""
        self.fleet.kill(self, where)
        await asyncio.Event().wait()

    async def begin(self) -> None:
        """Start as production does: the clock, the world, the runner and the feed."""
        fleet = self.fleet
        store, bell = SimulatedStore(fleet.database, self), Bell()
        self.world = World(
            store=store,
            clock=await begin(store, fleet.loop.time),
            ids=fleet,
            notifier=bell,
            library_name="library",
            library=fleet.koha(self),
            registers={"city": fleet.ceepos(self)},
            branches=BRANCHES,
            products=_products(),
            limits=fleet.limits,
            alarms=Alarms("https://bridge.example", {CHANNEL: Mail(fleet.people, self)}),
        )
        world = self.world
        await store.write(lambda tx: keep_alarming(tx, world.clock.now()))
        runner = Runner(self.world, self.owner, None if store.alone else fleet, POLL_S)
        feed = Feed(store, POLL_S)
        self.wakers = [runner.wake, feed.wake]
        bell.hearers += self.wakers
        bell.ring = lambda: fleet.ring(self)
        await feed.begin()
        fleet.loop.start(runner.run(), self.life)
        fleet.loop.start(feed.run(), self.life)
        fleet.rouse()
        self.at_work = True
        fleet.telling.say(f"process {self.number} is at work")

    async def call(self, work: Callable[[World], Awaitable[T]], limit_s: float, what: str) -> T:
        """Let the process do a use case for somebody outside; raise GoneError where no answer comes."""
        if self.world is None:
            raise GoneError
        running = self.fleet.loop.start(self._answered(work, self.world, what), self.life)
        dying = asyncio.ensure_future(self.dead.wait())
        try:
            await asyncio.wait((running, dying), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            dying.cancel()
        if not running.done():
            raise GoneError
        if self.points.reach(f"{what}: the answer is out"):
            self.fleet.kill(self, f"right after it has answered {what}")
        return running.result()

    async def _answered(self, work: Callable[[World], Awaitable[T]], world: World, what: str) -> T:
        await self.point(f"{what}: it is here")
        try:
            result = await work(world)
        except Declined:
            await self._answer(what)
            raise
        await self._answer(what)
        return result

    async def _answer(self, what: str) -> None:
        await self.point(f"{what}: before the answer")
        await self.point(f"{what}: half of the answer is out")


class Fleet:
    """Keep the processes: start, kill, pause and find them; make their adapters and their ids."""

    def __init__(
        self,
        setup: Setup,
        loop: VirtualLoop,
        database: Database,
        wires: Wires,
        till: TillSide,
        library: LibrarySide,
        people: People,
        telling: Telling,
        draws: Random,
    ) -> None:
        self.setup, self.loop, self.database, self.wires = setup, loop, database, wires
        self.till, self.library, self.people, self.telling, self.draws = till, library, people, telling, draws
        self.questions = Questions()
        self.limits = Limits(renew_s=30.0)
        self.processes: dict[int, Process] = {}
        self.oversleeps = 0
        """How many of the next credits meet a process that sleeps for too long right before their first byte."""
        self.awake_since = 0.0
        """Since when there has always been a process that does its work."""
        self.points = Points()
        self.starts = 0

    # --- ids, and who is dead: ports of the service ---

    def payment_id(self) -> str:
        """Return an id from the seed."""
        return f"{self.draws.getrandbits(96):024X}"

    async def gone(self, owners: Collection[str]) -> frozenset[str]:
        """Return which processes are dead."""
        await asyncio.sleep(0)
        return frozenset(owners) - {process.owner for process in self.processes.values() if process.life.alive}

    # --- processes ---

    async def start(self, number: int) -> None:
        """Start a process, unless it lives."""
        old = self.processes.get(number)
        if old is not None and old.life.alive:
            return
        self.starts += 1
        process = Process(number, self, Life(f"process {number}"), f"bridge-{number}-{self.starts}")
        self.processes[number] = process
        starting = self.loop.start(self._begin(process), process.life)
        dying = asyncio.ensure_future(process.dead.wait())
        await asyncio.wait((starting, dying), return_when=asyncio.FIRST_COMPLETED)
        dying.cancel()

    async def _begin(self, process: Process) -> None:
        for _ in range(500):
            try:
                await process.begin()
            except OperationalError:
                await asyncio.sleep(5)  # as systemd starts it again
            else:
                return

    def kill(self, process: Process, where: str) -> None:
        """End a process; whoever looks after it starts it again some seconds later."""
        if not process.life.alive:
            return
        self.telling.fault(13, f"process {process.number} dies {where}")
        self.loop.kill(process.life)
        process.dead.set()
        again_s = 2.0 + 20.0 * self.draws.random()
        self.loop.call_later(again_s, lambda: self.loop.start(self.start(process.number)), context=Context())

    def pause(self, process: Process, seconds: float, where: str, *, beyond: bool = False) -> None:
        """Let a process stand still for some time, and then go on as if none had passed.

        Right before a credit goes out it is for no longer than the bridge can stand, unless it is `beyond` that.
        """
        if process.life.paused or not process.life.alive:
            return
        if self.library.writing and not beyond:
            # What remains, as the documents say: who sleeps between the look at the lease and the first byte.
            seconds = min(seconds, 300.0)
        self.telling.say(f"process {process.number} sleeps for {seconds:.0f} s at {where}")
        process.life.paused = True
        process.naps += 1
        leased = self.database.leased_until(process.owner)
        self.loop.call_later(seconds, lambda: self._wake(process, leased), context=Context())

    def _wake(self, process: Process, leased_until: float) -> None:
        if not process.life.alive:
            return
        say = f"process {process.number} wakes"
        if leased_until and process.world is not None and process.world.clock.now() > leased_until:
            self.telling.fault(14, f"{say}, and its lease is over")
        else:
            self.telling.say(say)
        process.woke_at = self.loop.time()
        self.rouse()
        self.loop.resume(process.life)

    @property
    def asleep(self) -> bool:
        """Tell whether a process that lives stands still."""
        return any(process.life.alive and process.life.paused for process in self.processes.values())

    @property
    def awake(self) -> bool:
        """Tell whether there is a process that does its work."""
        return any(each.at_work and each.life.alive and not each.life.paused for each in self.processes.values())

    def rouse(self) -> None:
        """Note that a process is about to do its work."""
        if not self.awake:
            self.awake_since = self.loop.time()

    def ring(self, of: Process) -> None:
        """Let the other processes look, as NOTIFY does."""
        for process in self.processes.values():
            if process is not of and process.life.alive and process.world is not None:
                for wake in process.wakers:
                    self.loop.call_later(0.01, wake, context=Context())

    def any(self, pick: float) -> Process:
        """Return the process that a request from outside comes to; raise GoneError where there is none."""
        there = [each for each in self.processes.values() if each.life.alive and each.world is not None]
        if not there:
            raise GoneError
        return there[int(pick * len(there))]

    async def call(
        self, work: Callable[[World], Awaitable[T]], limit_s: float = LONGEST_CALL_S, what: str = "a request"
    ) -> T:
        """Let some process do a use case."""
        return await self.any(self.draws.random()).call(work, limit_s, what)

    # --- adapters ---

    def ceepos(self, process: Process) -> WatchedTill:
        """Make the real adapter, with a client that goes over the virtual network."""
        setup = self.setup
        address = "https://bridge.example/api/v1/pos/cpu/{invoicenumber}/report"
        form = Form(setup.version, 1 if setup.mode == 1 else 2, address, setup.names_payer)
        client = VirtualClient(self.till, self.wires, self.telling, process.gate, process.point)
        limits = CeeposLimits(CONNECT_S, ANSWER_S if setup.mode == 1 else HELD_S)
        watched = WatchedTill(form, GivenPlaces(setup), limits, client)
        watched.questions, watched.process = self.questions, process
        return watched

    def koha(self, process: Process) -> WatchedLibrary:
        """Make the real adapter, with a transport that goes over the virtual network."""
        hands = Hands(process.gate, process.first_byte, process.point)
        transport = VirtualTransport(self.library, self.wires, (CONNECT_S, KOHA_ANSWER_S), hands)
        access: Access = Tokens(transport, CLIENT, SECRET) if self.setup.oauth else Basic(CLIENT, SECRET)
        watched = WatchedLibrary(_KOHA, transport, access, _TLS)
        watched.questions = self.questions
        return watched


class GivenPlaces(Places):
    """Be the places of a register server without a settings file."""

    def __init__(self, setup: Setup) -> None:
        tls = _TLS if setup.tls else None
        terms = Terms(SOURCE, version_of(setup.version), GOOD)
        self._default = Place(Target("https://till.example/maksu.html", tls), RequestOrder.SORTED, terms)
        self._own: dict[str, Any] = {}


_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_KOHA = KohaSettings(address="https://koha.example", user=CLIENT, password_variable="-", payment_type="CEEPOS")  # noqa: S106


def _products() -> Products:
    products = Products(parse_product_map)
    products.count(ProductMapVersion(1, 0.0, "simulation", "file", PRODUCTS))
    return products
