# SPDX-License-Identifier: GPL-3.0-or-later
"""Set the stage: three servers on free ports, with settings as an administrator would write them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tillbridge.bridge_client import BridgeClient
from tillbridge.composition import Bridge, opened
from tillbridge.demo.setup import HOST, OFFICES, PRODUCTS, SOURCE, USUAL, Setup, settings_text
from tillbridge.listening import listening_socket
from tillbridge.service.ports import Limits
from tillbridge.settings import read_settings
from tillbridge.simulators.library.app import build_app
from tillbridge.simulators.library.serving import serving as serving_library
from tillbridge.simulators.library.settings import DemoLibrarySettings, StaffAccount
from tillbridge.simulators.till.autopilot import Autopilot
from tillbridge.simulators.till.server import running
from tillbridge.simulators.till.settings import TillSettings
from tillbridge.web.app import make_app
from tillbridge.web.serving import serving


@dataclass(frozen=True, slots=True)
class Stage:
    """Hold the addresses of what runs, the settings file, a way to call the bridge, and the bridge itself."""

    address: str
    library: str
    till: str
    settings: Path
    client: BridgeClient
    bridge: Bridge


@dataclass(frozen=True, slots=True)
class Scenery:
    """Hold what stands around a bridge: library and register server, with settings that name them."""

    port: int
    library: str
    till: str
    settings: Path
    api_key: str = field(repr=False)

    @property
    def address(self) -> str:
        """Return where the bridge answers."""
        return f"http://{HOST}:{self.port}"


@contextlib.asynccontextmanager
async def set_scenery(folder: Path, port: int, setup: Setup = USUAL, **till: Any) -> AsyncIterator[Scenery]:
    """Start the demo library and the register server, and write settings for a bridge on `port`.

    `till` changes the register server's settings (simulators.till.TillSettings).
    """
    keys = make_secrets(folder)
    account = StaffAccount("tillbridge", keys["koha"], password=keys["koha"])
    told = {"api_version": setup.api_version, "order": setup.order} | till
    till_settings = TillSettings(SOURCE, keys["ceepos"], OFFICES, **told)
    library_app = build_app(DemoLibrarySettings(accounts=(account,), plugin=setup.plugin))
    tls = setup.https.server if setup.https else None
    async with serving_library(library_app) as library, running(till_settings, tls=tls) as register_server:
        settings = write_settings(folder, port, setup, library, register_server.protocol_address)
        yield Scenery(port, library, register_server.address, settings, keys["api-key"])


@contextlib.asynccontextmanager
async def set_stage(
    folder: Path, autopilot: Autopilot | None = None, limits: Limits | None = None, setup: Setup = USUAL
) -> AsyncIterator[Stage]:
    """Start the demo library, the register server and the bridge, and stop them when the block ends."""
    async with contextlib.AsyncExitStack() as stack:
        listener = listening_socket(HOST, 0)
        port = listener.getsockname()[1]
        scenery = await stack.enter_async_context(set_scenery(folder, port, setup, autopilot=autopilot or Autopilot()))
        bridge = await stack.enter_async_context(opened(read_settings(scenery.settings), limits))
        await stack.enter_async_context(serving(make_app(bridge), listener))
        client = await stack.enter_async_context(BridgeClient(scenery.address, scenery.api_key))
        yield Stage(scenery.address, scenery.library, scenery.till, scenery.settings, client, bridge)


def make_secrets(folder: Path) -> dict[str, str]:
    """Make the secrets that the settings name, each in its file, and return them by the files' names."""
    return {name: _secret(folder, name) for name in ("ceepos", "koha", "api-key")}


def write_settings(folder: Path, port: int, setup: Setup, library: str, register_server: str) -> Path:
    """Write settings and product map of a bridge on `port`; `library` and `register_server` are addresses."""
    (folder / "products.yaml").write_text(PRODUCTS, encoding="utf-8")
    settings = folder / "tillbridge.toml"
    settings.write_text(settings_text(setup, port, library, register_server), encoding="utf-8")
    return settings


def _secret(folder: Path, name: str) -> str:
    path = folder / "secrets" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    secret = secrets.token_urlsafe(24)
    path.write_text(f"{secret}\n", encoding="utf-8")
    return secret
