# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the program together: the only place that finds adapters and knows them by name."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tillbridge.product_file import read_product_map
from tillbridge.secret import read_secret
from tillbridge.service.library_port import LibrarySystem
from tillbridge.service.ports import Branch, Limits, World
from tillbridge.service.register_port import Register
from tillbridge.service.runner import Runner
from tillbridge.service.sealing import keep_sealing
from tillbridge.settings import SettingsFile
from tillbridge.store.sqlite import SqliteStore
from tillbridge.surroundings import Surroundings

REGISTERS = "tillbridge.registers"
LIBRARIES = "tillbridge.libraries"
LIBRARY_NAME = "library"


class SystemClock:
    """Tell the time by the wall clock of the start and what has passed since, by a clock that nobody sets.

    A wall clock may be set while the bridge runs. Forward, it would end leases and declare requests to the library
    system over that are still under way, so that another process repeats them; back, it would make leases last for
    hours. A machine that sleeps sleeps for others too: where there is a clock that counts this, it is the one.
    """

    def __init__(self) -> None:
        self._start = time.time() - _passed()

    def now(self) -> float:
        """Return the seconds since 1970 in UTC, as the wall clock of the start would have them."""
        return self._start + _passed()


def _passed() -> float:
    boot_time: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


class RandomIds:
    """Make ids from the system's source of randomness."""

    def payment_id(self) -> str:
        """Return 24 hexadecimal digits: 96 random bits, in the form that tills are known to take (dossier 2.3)."""
        return secrets.token_hex(12).upper()


class Bell:
    """Wake whoever waits; nobody may be waiting yet."""

    def __init__(self) -> None:
        self.runner: Runner | None = None

    def changed(self) -> None:
        """Wake the runner."""
        if self.runner is not None:
            self.runner.wake()


@dataclass(frozen=True, slots=True)
class Bridge:
    """Hold a bridge that is put together: its world, its key, and which servers speak which protocol."""

    world: World
    api_key: str = field(repr=False)
    servers: Mapping[str, tuple[str, ...]]
    """Kind of register server (entry point) → the names of those that are configured."""


@contextlib.asynccontextmanager
async def opened(file: SettingsFile, limits: Limits | None = None) -> AsyncIterator[Bridge]:
    """Open the store and the adapters, run the outbox, and close everything again; raise SettingsError.

    `limits` replaces the settings' own, for those who cannot wait so long.
    """
    settings = file.settings
    api_key = read_secret(f"{file.path}, [bridge] api_key", file.folder, *_key_source(file))
    products = read_product_map(file.folder / settings.bridge.product_map)
    async with contextlib.AsyncExitStack() as stack:
        registers = {name: _register(file, name) for name in settings.register_server}
        for register in registers.values():
            stack.push_async_callback(register.close)
        library = _library(file)
        stack.push_async_callback(library.close)
        store = SqliteStore(file.folder / settings.bridge.database)
        stack.callback(store.close)
        bell = Bell()
        world = World(
            store=store,
            clock=SystemClock(),
            ids=RandomIds(),
            notifier=bell,
            library_name=LIBRARY_NAME,
            library=library,
            registers=registers,
            branches={name: Branch(b.register_server, b.registers) for name, b in settings.branch.items()},
            products=products,
            limits=limits or Limits(**settings.limits.model_dump()),
        )
        await stack.enter_async_context(_running(world, bell))
        yield Bridge(world, api_key, _by_kind(settings.register_server))


@contextlib.asynccontextmanager
async def _running(world: World, bell: Bell) -> AsyncIterator[None]:
    # The store's lock says that no other process lives: whatever was leased belongs to a dead one.
    await world.store.write(lambda tx: tx.expire_leases())
    await world.store.write(lambda tx: keep_sealing(tx, world.clock.now()))
    runner = Runner(world, f"bridge-{secrets.token_hex(8)}")
    bell.runner = runner
    running = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        bell.runner = None
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _key_source(file: SettingsFile) -> tuple[Any, str | None]:
    bridge = file.settings.bridge
    if bridge.api_key_file is None and bridge.api_key_variable is None:
        what = "there is no key for the programs that may start payments"
        raise file.error(("bridge",), what, "Name api_key_file or api_key_variable")
    return bridge.api_key_file, bridge.api_key_variable


def _register(file: SettingsFile, name: str) -> Register:
    place = ("register_server", name)
    module, table = _adapter(file, REGISTERS, place, file.settings.register_server[name])
    register: Register = module.connect(file.validated(module.Settings, table, place), _surroundings(file, name))
    return register


def _library(file: SettingsFile) -> LibrarySystem:
    module, table = _adapter(file, LIBRARIES, ("library",), file.settings.library)
    settings = file.validated(module.Settings, table, ("library",))
    library: LibrarySystem = module.connect(settings, _surroundings(file, LIBRARY_NAME))
    return library


def _adapter(
    file: SettingsFile, group: str, place: tuple[str, ...], table: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    kinds: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=group)}
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        what = f"{'.'.join((*place, 'kind'))} is {kind!r}"
        raise file.error((*place, "kind"), what, f"Installed kinds are: {', '.join(sorted(kinds)) or 'none'}")
    return kinds[kind].load(), {key: value for key, value in table.items() if key != "kind"}


def _surroundings(file: SettingsFile, name: str) -> Surroundings:
    return Surroundings(name, file.folder, file.settings.bridge.public_address.rstrip("/"))


def _by_kind(servers: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    kinds = {str(table["kind"]) for table in servers.values()}
    return {kind: tuple(name for name, table in servers.items() if table["kind"] == kind) for kind in kinds}
