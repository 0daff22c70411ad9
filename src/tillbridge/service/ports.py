# SPDX-License-Identifier: GPL-3.0-or-later
"""The small ports, and the world that every use case works in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tillbridge.service.alarm_port import Alarms
from tillbridge.service.library_port import LibrarySystem
from tillbridge.service.products import Products
from tillbridge.service.register_port import Register
from tillbridge.service.store_port import Store


class Clock(Protocol):
    """Tell the time; the simulator owns one of its own."""

    def now(self) -> float:
        """Return the seconds since 1970 in UTC."""
        ...


class Ids(Protocol):
    """Make ids."""

    def payment_id(self) -> str:
        """Return a random id that nobody can guess and no restored backup will ever make again."""
        ...


class Notifier(Protocol):
    """Be told that something was stored."""

    def changed(self) -> None:
        """Wake whoever waits for work or for news."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Hold every time limit, in seconds."""

    reach_s: float = 60.0
    """How long a till that cannot be reached is tried before the payment is cancelled, with nothing sent."""
    reach_again_s: float = 3.0
    at_register_s: float = 600.0
    """How long a report is waited for where no request is held."""
    ask_s: float = 600.0
    """How long an unknown outcome may last before it becomes an open case."""
    surely_ended_s: float = 600.0
    """How long after its last byte a write to the library system may still be running somewhere."""
    late_s: float = 120.0
    """How long a collected payment may stay unbooked before it stands on the list."""
    remind_s: float = 180.0
    """How long the till may have a payment before the clerk is reminded of it."""
    fresh_s: float = 5.0
    """How old the reading of the charges may be when the message goes to the till."""
    booking_again_s: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0)
    patron_busy_s: float = 1.0
    look_again_s: float = 3600.0
    """How often the library system is asked about a case that a person settles there."""
    rounding_minor: int = 2
    """How far cash rounding may move the collected sum, in cents."""
    lease_s: float = 60.0
    renew_s: float = 15.0
    patience_s: float = 10.0
    """How long a transaction may stand still (its process is paused, say) before the database ends it, and how long
    others wait for its locks: shorter than a lease, or they lose their own ones while they wait."""
    send_margin_s: float = 15.0
    """What must be left of the lease when the first byte goes to the till; longer than any connection takes to make."""
    write_margin_s: float = 5.0
    """What must be left of the lease beyond the longest time that a write to the library system may take."""
    write_hang_s: float = 2.0
    """How far beyond its own limit an adapter's write is waited for: less than the margin above."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Name a branch's register server and its registers (number → name); no registers listed means any number.

    `name` is what people call the branch. `library_registers` are the library system's own ids of registers (number →
    id): what is paid at such a register is counted there in its books.
    """

    register_server: str
    registers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    library_registers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class World:
    """Hold everything that the use cases need; made in one place, `composition`."""

    store: Store
    clock: Clock
    ids: Ids
    notifier: Notifier
    library_name: str
    library: LibrarySystem
    registers: Mapping[str, Register]
    branches: Mapping[str, Branch]
    products: Products
    limits: Limits = Limits()
    alarms: Alarms = field(default_factory=Alarms)
