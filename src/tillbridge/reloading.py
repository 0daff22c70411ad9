# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the product map's file again while the bridge runs; a bad one changes nothing."""

from __future__ import annotations

import asyncio

import structlog

from tillbridge.composition import product_map_text, take_up_product_map
from tillbridge.errors import SettingsError
from tillbridge.service.ports import World
from tillbridge.settings import SettingsFile

_NOT_TAKEN_UP = "the product map is not taken up; the one that counted goes on counting"
_log = structlog.get_logger()


async def reload_when_told(world: World, file: SettingsFile, told: asyncio.Event) -> None:
    """Read it again whenever the event is set, until cancelled."""
    while True:
        await told.wait()
        told.clear()
        try:
            await reload(world, file)
        except SettingsError as error:
            _log.error(_NOT_TAKEN_UP, why=str(error))
        except Exception:  # noqa: BLE001 - logged; the bridge goes on
            _log.exception(_NOT_TAKEN_UP)


async def reload(world: World, file: SettingsFile) -> None:
    """Take up the file that the settings name where it has changed, and say in the log what came of it."""
    text = product_map_text(file)
    if text is None:
        _log.info("the settings name no file with a product map: nothing to read again")
        return
    taken_up = await take_up_product_map(world, text)
    if taken_up is None:
        _log.info("the product map's file has not changed since it was last taken up", counts=world.products.version)
        return
    _log.info("the product map is taken up", version=taken_up.version)
    world.notifier.changed()
