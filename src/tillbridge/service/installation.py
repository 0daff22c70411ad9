# SPDX-License-Identifier: GPL-3.0-or-later
"""What is checked before the first customer: adapters, settings and what is stored, none of them at work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tillbridge.errors import SettingsError
from tillbridge.service.checking_port import OwnServer, StoredReader
from tillbridge.service.library_port import LibrarySystem
from tillbridge.service.ports import Branch, Clock, Ids
from tillbridge.service.products import Parse
from tillbridge.service.register_port import Register


@dataclass(frozen=True, slots=True)
class Installation:
    """Hold a bridge's parts. Made in one place, `composition`.

    `map_text` is the product map's file as it is now, or what is wrong with it; None where the settings name none.
    """

    clock: Clock
    ids: Ids
    library: LibrarySystem
    registers: Mapping[str, Register]
    branches: Mapping[str, Branch]
    bridge: OwnServer
    parse: Parse
    map_text: str | SettingsError | None
    stored: StoredReader
    debit_types: frozenset[str] = field(default_factory=frozenset)
    """What the person who asks says that the library charges for."""
