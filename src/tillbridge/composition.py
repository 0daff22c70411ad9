# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the program together: the only place that finds adapters and knows them by name."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tillbridge.alarms import channels
from tillbridge.errors import SettingsError
from tillbridge.operation.checks import Checks, StoreAtWork
from tillbridge.operation.measuring import measured_channel, measured_library, measured_register
from tillbridge.operation.metrics import Metrics
from tillbridge.operation.operation import Operation, operation_of
from tillbridge.operation.readiness import LIBRARY, REGISTER_SERVER
from tillbridge.operation.witness import Witness
from tillbridge.own_server import OwnServer
from tillbridge.product_file import parse_product_map, product_map_file
from tillbridge.secret import read_secret
from tillbridge.service.administration_port import ProductMapVersion
from tillbridge.service.alarm_port import Alarms
from tillbridge.service.alarming import keep_alarming
from tillbridge.service.feed import Feed
from tillbridge.service.installation import Installation
from tillbridge.service.keys import KeyRing
from tillbridge.service.library_pages import LibraryPages
from tillbridge.service.library_port import LibrarySystem
from tillbridge.service.passwords import Passwords
from tillbridge.service.people import Door
from tillbridge.service.ports import Branch, Limits, World
from tillbridge.service.products import KeepingUp, Products, take_up
from tillbridge.service.register_port import Register
from tillbridge.service.runner import Runner
from tillbridge.service.sealing import keep_sealing
from tillbridge.service.store_port import OpenStore, Transaction
from tillbridge.settings import DeskSettings, Settings, SettingsFile
from tillbridge.store.opening import Database, open_store
from tillbridge.store.opening import database_of as read_database
from tillbridge.store.postgres import PostgresStore
from tillbridge.store.reading import StoreForReading
from tillbridge.store.wakeups import PostgresWakeups
from tillbridge.surroundings import Surroundings

REGISTERS = "tillbridge.registers"
LIBRARIES = "tillbridge.libraries"
LIBRARY_NAME = "library"


def _passed() -> float:
    boot_time: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


class SystemClock:
    """Tell the time by a clock of the start and what has passed since, by a clock that nobody sets.

    A wall clock may be set while the bridge runs. Forward, it would end leases and declare requests to the library
    system over that are still under way, so that another process repeats them; back, it would make leases last for
    hours. A machine that sleeps sleeps for others too: where there is a clock that counts this, it is the one.
    """

    def __init__(self, start: float | None = None, passed: Callable[[], float] | None = None) -> None:
        """Start at this instant: the one that all processes on a database go by, or this machine's own.

        `passed` counts seconds and is never set; None is this machine's own.
        """
        self._passed = passed or _passed
        self._start = (time.time() if start is None else start) - self._passed()

    def now(self) -> float:
        """Return the seconds since 1970 in UTC, as the clock of the start would have them."""
        return self._start + self._passed()


class RandomIds:
    """Make ids from the system's source of randomness."""

    def payment_id(self) -> str:
        """Return 24 hexadecimal digits: 96 random bits, in the form that tills are known to take (dossier 2.3)."""
        return secrets.token_hex(12).upper()


class Bell:
    """Wake whoever waits in this process, and let the other ones look."""

    def __init__(self) -> None:
        self.hearers: list[Callable[[], None]] = []
        self.ring: Callable[[], None] | None = None

    def changed(self) -> None:
        """Wake everybody: this process has stored something."""
        self.heard()
        if self.ring is not None:
            self.ring()

    def heard(self) -> None:
        """Wake those in this process: another one has stored something."""
        for hearer in self.hearers:
            hearer()


@dataclass(frozen=True, slots=True)
class Bridge:
    """Hold a bridge that is put together: its world, its news, its keys, what watches it, and its pages' door."""

    world: World
    feed: Feed
    keys: KeyRing
    servers: Mapping[str, tuple[str, ...]]
    """Kind of register server (entry point) → the names of those that are configured."""
    operation: Operation
    door: Door
    desk: DeskSettings
    public_address: str
    checks: Checks
    map_file: str | None
    """The product map's file as the settings name it."""
    pages: LibraryPages | None = None
    """How the library system's own pages lead here, where they do."""


@contextlib.asynccontextmanager
async def opened(file: SettingsFile, limits: Limits | None = None) -> AsyncIterator[Bridge]:
    """Open the store and the adapters, run the outbox, and close everything again; raise SettingsError.

    `limits` replaces the settings' own, for those who cannot wait so long.
    """
    settings = file.settings
    limits = limits or Limits(**settings.limits.model_dump())
    own_key = own_key_of(file)
    map_text = product_map_text(file)
    alarms = alarms_of(file)
    async with contextlib.AsyncExitStack() as stack:
        registers = _registers(file, stack)
        library, pages = _library(file)
        stack.push_async_callback(library.close)
        store, metrics = _store(file, limits.patience_s), Metrics()
        stack.callback(store.close)
        store.committed = Witness(metrics)
        bell = Bell()
        world = World(
            store=store,
            clock=await begin(store),
            ids=RandomIds(),
            notifier=bell,
            library_name=LIBRARY_NAME,
            library=measured_library(library, LIBRARY, metrics),
            registers=_measured(registers, metrics),
            branches=_branches(settings),
            products=Products(parse_product_map),
            limits=limits,
            alarms=_measured_alarms(alarms, metrics),
        )
        await _go_on_alarming(world)
        if map_text is None:
            await world.products.refresh(store)
        else:
            await take_up_product_map(world, map_text)
        feed = await stack.enter_async_context(_running(world, store, bell))
        operation = operation_of(world, feed, metrics)
        stack.push_async_callback(operation.readiness.close)
        keys = KeyRing(store, world.clock, own_key)
        door = _door(world, settings.desk, stack)
        servers = _by_kind(settings.register_server)
        checks = Checks(lambda: _at_work(world, file), world.clock)
        stack.push_async_callback(checks.close)
        public, map_file = _public_address(file), settings.bridge.product_map
        map_name = None if map_file is None else str(map_file)
        yield Bridge(world, feed, keys, servers, operation, door, settings.desk, public, checks, map_name, pages)


def _door(world: World, desk: DeskSettings, stack: contextlib.AsyncExitStack) -> Door:
    passwords = Passwords()
    stack.callback(passwords.close)
    return Door(world.store, world.clock, passwords, desk.session_h * 3600)


@contextlib.asynccontextmanager
async def installed(file: SettingsFile, debit_types: Iterable[str] = ()) -> AsyncIterator[Installation]:
    """Put the parts together for looking at them: nothing runs, and the store is only read. Raise SettingsError."""
    async with contextlib.AsyncExitStack() as stack:
        registers = _registers(file, stack)
        library, _ = _library(file)
        stack.push_async_callback(library.close)
        stored = StoreForReading(database_of(file))
        stack.callback(stored.close)
        yield Installation(
            clock=SystemClock(),
            ids=RandomIds(),
            library=library,
            registers=registers,
            branches=_branches(file.settings),
            bridge=_own_server(file),
            parse=parse_product_map,
            map_text=_map_text_or_error(file),
            stored=stored,
            debit_types=frozenset(debit_types),
        )


def _at_work(world: World, file: SettingsFile) -> Installation:
    """Put the parts of a bridge at work together for looking at them."""
    return Installation(
        clock=world.clock,
        ids=world.ids,
        library=world.library,
        registers=world.registers,
        branches=world.branches,
        bridge=_own_server(file),
        parse=parse_product_map,
        map_text=_map_text_or_error(file),
        stored=StoreAtWork(world.store),
    )


def _own_server(file: SettingsFile) -> OwnServer:
    return OwnServer(_public_address(file), file.settings.bridge.host, file.settings.bridge.port)


def _map_text_or_error(file: SettingsFile) -> str | SettingsError | None:
    try:
        return product_map_text(file)
    except SettingsError as error:
        return error


async def begin(store: OpenStore, passed: Callable[[], float] | None = None) -> SystemClock:
    """Start this process's clock, and put right what a step of the clock has put wrong.

    Never before what was stored last, so that nothing due waits for a time that is over. Where no other process can
    live, what was leased belongs to a dead one. What was sent to the library system was sent no later than now:
    how long ago is not known when the clock, this machine's or the database's, has been set meanwhile.
    """

    def work(tx: Transaction) -> SystemClock:
        newest = tx.newest_event_at()
        # Started at once: what follows may wait for another process, and the clock would be late by that for ever.
        clock = SystemClock(max(store.time(), newest), passed)
        start = clock.now()
        if store.alone:
            tx.expire_leases()
        tx.take_for_just_sent(start)
        keep_sealing(tx, start)
        return clock

    return await store.write(work)


async def _go_on_alarming(world: World) -> None:
    if world.alarms.channels:
        await world.store.write(lambda tx: keep_alarming(tx, world.clock.now()))


async def take_up_product_map(world: World, text: str) -> ProductMapVersion | None:
    """Keep the file's text, read and found right, where it has changed, and let count what is stored then."""
    taken_up = await world.store.write(lambda tx: take_up(tx, world.clock.now(), text, "settings file"))
    await world.products.refresh(world.store)
    return taken_up


@contextlib.asynccontextmanager
async def _running(world: World, store: OpenStore, bell: Bell) -> AsyncIterator[Feed]:
    owner = f"bridge-{secrets.token_hex(8)}"
    others = PostgresWakeups(store.url, owner, bell.heard) if isinstance(store, PostgresStore) else None
    runner, feed, keeper = Runner(world, owner, others), Feed(store), KeepingUp(world)
    bell.hearers += [runner.wake, feed.wake, keeper.wake]
    bell.ring = others.ring if others else None
    await feed.begin()
    asked_once = world.library.learn()
    work = [runner.run(), feed.run(), keeper.run(), asked_once, *([others.run()] if others else [])]
    running = [asyncio.create_task(each) for each in work]
    try:
        yield feed
    finally:
        bell.hearers.clear()
        bell.ring = None
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def own_key_of(file: SettingsFile) -> str | None:
    """Read the secret of the key that the settings name for commands on this machine, if they name one."""
    bridge = file.settings.bridge
    if bridge.api_key_file is None and bridge.api_key_variable is None:
        return None
    with file.placing():
        return read_secret(("bridge", "api_key"), file.folder, bridge.api_key_file, bridge.api_key_variable)


def alarms_of(file: SettingsFile) -> Alarms:
    """Make the channels of alarms that the settings name; raise SettingsError."""
    with file.placing(("alarm",)):
        return Alarms(_public_address(file), channels(file.settings.alarm, file.folder))


def database_of(file: SettingsFile) -> Database:
    """Return the database that the settings name; raise SettingsError."""
    bridge = file.settings.bridge
    places = (bridge.database_password_file, bridge.database_password_variable)
    with file.placing():
        setting = ("bridge", "database_password")
        password = read_secret(setting, file.folder, *places) if any(places) else None
        return read_database(bridge.database, file.folder, password)


def product_map_text(file: SettingsFile) -> str | None:
    """Return the text of the product map beside the settings, read and checked; None where none is named."""
    if file.settings.bridge.product_map is None:
        return None
    path = file.folder / file.settings.bridge.product_map
    with file.placing():
        text = product_map_file(path)
    parse_product_map(text, str(path))
    return text


def _measured(registers: Mapping[str, Register], metrics: Metrics) -> dict[str, Register]:
    return {name: measured_register(each, f"{REGISTER_SERVER}.{name}", metrics) for name, each in registers.items()}


def _measured_alarms(alarms: Alarms, metrics: Metrics) -> Alarms:
    measured = {name: measured_channel(each, f"alarm.{name}", metrics) for name, each in alarms.channels.items()}
    return replace(alarms, channels=measured)


def _store(file: SettingsFile, patience_s: float) -> OpenStore:
    database = database_of(file)
    with file.placing(("bridge", "database")):
        return open_store(database, patience_s)


def _branches(settings: Settings) -> dict[str, Branch]:
    return {
        code: Branch(branch.register_server, branch.registers, branch.name or code, branch.library_registers)
        for code, branch in settings.branch.items()
    }


def _registers(file: SettingsFile, stack: contextlib.AsyncExitStack) -> dict[str, Register]:
    registers = {name: _register(file, name) for name in file.settings.register_server}
    for register in registers.values():
        stack.push_async_callback(register.close)
    return registers


def _register(file: SettingsFile, name: str) -> Register:
    place = ("register_server", name)
    module, table = _adapter(file, REGISTERS, place, file.settings.register_server[name])
    settings = file.validated(module.Settings, table, place)
    with file.placing():
        register: Register = module.connect(settings, _surroundings(file, name, _users_of(file, name)))
    return register


def _library(file: SettingsFile) -> tuple[LibrarySystem, LibraryPages | None]:
    module, table = _adapter(file, LIBRARIES, ("library",), file.settings.library)
    settings = file.validated(module.Settings, table, ("library",))
    surroundings = _surroundings(file, LIBRARY_NAME, tuple(file.settings.branch))
    with file.placing():
        pages: LibraryPages | None = module.pages(settings, surroundings) if hasattr(module, "pages") else None
        library: LibrarySystem = module.connect(settings, surroundings)
    return library, pages


def _adapter(
    file: SettingsFile, group: str, place: tuple[str, ...], table: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    kinds: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group)}
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        what = f"{'.'.join((*place, 'kind'))} is {kind!r}"
        raise file.error((*place, "kind"), what, f"Installed kinds are: {', '.join(sorted(kinds)) or 'none'}")
    return kinds[kind].load(), {key: value for key, value in table.items() if key != "kind"}


def _surroundings(file: SettingsFile, name: str, branches: tuple[str, ...]) -> Surroundings:
    return Surroundings(name, file.folder, _public_address(file), branches)


def _users_of(file: SettingsFile, server: str) -> tuple[str, ...]:
    return tuple(code for code, branch in file.settings.branch.items() if branch.register_server == server)


def _public_address(file: SettingsFile) -> str:
    return file.settings.bridge.public_address.rstrip("/")


def _by_kind(servers: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    kinds = {str(table["kind"]) for table in servers.values()}
    return {kind: tuple(name for name, table in servers.items() if table["kind"] == kind) for kind in kinds}
