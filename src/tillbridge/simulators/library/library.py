# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold everything that a running demo library remembers: in memory, and the ledger in a file where one is named."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tillbridge.simulators.library.auth import Doorkeeper
from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.demo_data import seed_demo
from tillbridge.simulators.library.facts import PatronOrder
from tillbridge.simulators.library.faults import FaultBoard, Restarts
from tillbridge.simulators.library.keeping import Keeper
from tillbridge.simulators.library.pairs import Encounter, Pairs
from tillbridge.simulators.library.plugin import Plugin
from tillbridge.simulators.library.settings import DemoLibrarySettings

_LONGEST_LOG = 10_000


@dataclass(slots=True)
class Entry:
    """Note one request; `status` is None while it runs and 0 where the connection was dropped."""

    at: datetime
    method: str
    path: str
    kind: str
    status: int | None = None


class RequestLog:
    """Remember the last requests, and count all of them by kind."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=_LONGEST_LOG)
        self.counts: Counter[str] = Counter()

    def note(self, method: str, path: str, kind: str) -> Entry:
        """Note a request as it arrives."""
        entry = Entry(datetime.now().astimezone(), method, path, kind)
        self.entries.append(entry)
        self.counts[f"{method} {kind}"] += 1
        return entry

    def clear(self) -> None:
        """Forget every request."""
        self.entries.clear()
        self.counts.clear()


class DemoLibrary:
    """Put ledger, accounts, faults and log together; `clock` counts seconds for tokens and faults."""

    def __init__(
        self, settings: DemoLibrarySettings, book: Book | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.settings = settings
        self.token_s = settings.token_s
        self.doorkeeper = Doorkeeper(settings.accounts, clock)
        self.faults = FaultBoard(clock)
        self.restarts = Restarts(settings.restart_after, settings.restart_s)
        self.log = RequestLog()
        self.pairs = Pairs()
        self.pace: Callable[[], Encounter] | None = None
        """Says of each credit how long it is at work; None lets it take no time, so that no other one can meet it."""
        self.keeper = None if settings.state is None else Keeper(settings.state)
        self.book = Book() if book is None else book
        self.plugin = Plugin(self.book)
        if book is None:
            self._set_rules()
            if not (self.keeper and self.keeper.fill(self.book)):
                self._fill(seeded=settings.seeded)
        self.plugin.installed = settings.plugin

    def time(self) -> datetime:
        """Return the time that the library goes by, which is its ledger's."""
        return self.book.now()

    def reset(self, *, seeded: bool | None = None) -> None:
        """Start again with a fresh ledger and no faults; tokens that were issued stay good."""
        self.token_s = self.settings.token_s
        self.restarts = Restarts(self.settings.restart_after, self.settings.restart_s)
        self.faults.clear()
        self.log.clear()
        if self.keeper is not None:
            self.keeper.start_again()
        self.book = Book(self.book.now)
        self.plugin = Plugin(self.book)
        self.plugin.installed = self.settings.plugin
        self._set_rules()
        self._fill(seeded=self.settings.seeded if seeded is None else seeded)

    def keep(self) -> None:
        """Keep what has changed in the ledger, where there is a file for it."""
        if self.keeper is not None:
            self.keeper.keep(self.book)

    def close(self) -> None:
        """Keep the last changes and let go of the file."""
        self.keep()
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            keeper.close()

    def _set_rules(self) -> None:
        self.book.rules.use_cash_registers = self.settings.use_cash_registers
        self.book.rules.require_payment_type = self.settings.require_payment_type

    def _fill(self, *, seeded: bool) -> None:
        for account in self.settings.accounts:
            card = f"staff-{account.patron_id}"
            self.book.add_patron(
                PatronOrder(card, "Henkilökunta", account.userid, "CPL", "S", account.userid, account.patron_id)
            )
        if seeded:
            seed_demo(self.book)
