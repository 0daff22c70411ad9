# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo library as a measured Koha behaves: credits take time, and two for one patron at once go wrong."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette

from tillbridge.domain.payment import REFERENCE_PREFIX
from tillbridge.libraries.koha.transport import Reply
from tillbridge.simulation.script import Setup
from tillbridge.simulation.telling import Telling
from tillbridge.simulators.library import koha
from tillbridge.simulators.library.answers import ABORT
from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.corrections import paid_by
from tillbridge.simulators.library.facts import ChargeOrder, Line, PatronOrder, Side
from tillbridge.simulators.library.faults import FaultKind
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.pairs import Asked, Encounter, Pairs
from tillbridge.simulators.library.settings import DemoLibrarySettings, StaffAccount

CLIENT, SECRET = "tillbridge", "simulated"
FIRST_PATRON = 100
ODD = ("Äiti Öövi", "Çelik 'Zü;beyde'", "Nguyễn & Sons", "李小龍 🎓", 'O"Connor\t<b>', "x" * 120)
BASIC = f"Basic {b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}"
OTHER_BRIDGE = "other"
"""With what the ids of another bridge's payments begin; ours are hexadecimal."""
_LONG_S = 1.0
"""What no answer takes but one that waits for a worker to be replaced."""
_AT_WORK_S = (0.03, 0.4)
"""How long a credit is at work in Koha, from and to (measured: 58 ms alone, 325 ms under load)."""
_DEADLOCKS = 0.6
"""How many of the encounters are deadlocks; fewer than measured, so that the rarer ends are met too."""


class LibrarySide:
    """Hold the demo library, and read from its ledger what is true about credits."""

    def __init__(
        self, setup: Setup, telling: Telling, seconds: Callable[[], float], now: Callable[[], float], draws: Random
    ) -> None:
        zone = ZoneInfo(setup.zone)
        account = StaffAccount(CLIENT, SECRET, userid=CLIENT, password=SECRET)
        settings = DemoLibrarySettings((account,), seeded=False, restart_after=setup.restart_after, plugin=setup.plugin)
        book = Book(lambda: datetime.fromtimestamp(now(), UTC).astimezone(zone))
        self.library = DemoLibrary(settings, book, seconds)
        self._pairs = WatchedPairs(self)
        self.library.pace, self.library.pairs = self._pace, self._pairs
        self._draws, self._seconds = draws, seconds
        book.add_patron(PatronOrder("staff-1", "Henkilökunta", CLIENT, "CPL", "S", CLIENT, 1))
        self.telling = telling
        self.changed: Callable[[], None] = lambda: None
        """Called when a credit has come."""
        self.writing = 0
        """How many credits are on their way right now."""
        self.heirs: dict[int, int] = {}
        """Patrons who were merged into others."""
        self.raced: set[str] = set()
        """Payments whose patron's charges changed between the bridge's last look and its credit."""
        self.overslept: set[str] = set()
        """Payments of which a process slept for longer than anyone waits right before it sent a credit."""
        self.spilled: set[str] = set()
        """Payments of which money has landed on a charge that is not their own."""
        self.at_once: list[tuple[str, str]] = []
        """Pairs of payments of this bridge of which two credits for one patron were at work at once."""
        self.work_begins = asyncio.Event()
        """Is set while a credit of this bridge is at work."""
        self._wait_for_stored: list[asyncio.Future[str]] = []
        self.given_by_hand: dict[tuple[str, int], dict[str, Decimal]] = {}
        """What librarians have recorded by hand as given back: payment and number of its refund → charge → amount."""
        self.voided: set[str] = set()
        """Payments of which a librarian has voided a credit."""
        for n, (surname, owed) in enumerate(setup.patrons):
            self._add(n, surname, owed)

    @property
    def book(self) -> Book:
        """Return the ledger."""
        return self.library.book

    def _add(self, n: int, surname: str, owed: tuple[str, ...]) -> None:
        patron_id = FIRST_PATRON + n
        self.book.add_patron(PatronOrder(f"LK-{patron_id}-0077", surname, "Matti", "CPL", patron_id=patron_id))
        for i, amount in enumerate(owed):
            kind = ("OVERDUE", "LOST", "MANUAL")[i % 3]
            text = f"Maksu {i}: {ODD[(n + i) % len(ODD)]}"
            self.book.charge(patron_id, ChargeOrder(Decimal(amount), kind, text))

    def _pace(self) -> Encounter:
        """Decide how long a credit is at work, and what would become of a second one meanwhile."""
        draws, (from_s, to_s) = self._draws, _AT_WORK_S
        kind = FaultKind.DEADLOCK if draws.random() < _DEADLOCKS else draws.choice((FaultKind.LOST_UPDATE, None))
        return Encounter(from_s + (to_s - from_s) * draws.random() ** 2, kind, first_loses=draws.random() < 0.5)  # noqa: PLR2004 - the one or the other

    def at_work(self) -> list[Asked]:
        """List the credits of this bridge that are at work now."""
        return [asked for asked in self._pairs.at_work() if is_ours(asked)]

    def next_stored(self) -> asyncio.Future[str]:
        """Return what becomes the id of the payment whose credit is stored next."""
        future = asyncio.get_running_loop().create_future()
        self._wait_for_stored.append(future)
        return future

    def stored(self, payment_id: str) -> None:
        """Let know who waits for it that a credit is there."""
        for future in self._wait_for_stored:
            if not future.done():
                future.set_result(payment_id)
        self._wait_for_stored.clear()

    def credits_of(self, payment_id: str) -> list[Line]:
        """List the credits that carry a payment's reference, void ones too."""
        return [
            line
            for line in self.book.lines.values()
            if line.side is Side.CREDIT and payment_id == payment_of(line.note)
        ]

    def count_of(self, reference: str) -> int:
        """Count the credits with exactly this reference, void ones too."""
        notes = (line.note for line in self.book.lines.values() if line.side is Side.CREDIT)
        return sum(note.rsplit(" ", 1)[-1] == reference for note in notes)

    def references_under(self, reference: str) -> set[str]:
        """Return the references of all credits that are this one with a number behind it."""
        words = (line.note.rsplit(" ", 1)[-1] for line in self.book.lines.values() if line.side is Side.CREDIT)
        return {word for word in words if word.startswith(f"{reference}:")}

    def valid_credits(self, payment_id: str) -> list[Line]:
        """List those that are not void."""
        return [line for line in self.credits_of(payment_id) if line.status != "VOID"]

    def charges_paid_by(self, payment_id: str) -> set[str]:
        """Return the charges that the payment's credits have paid."""
        return {str(debit) for line in self.valid_credits(payment_id) for debit in paid_by(self.book, line.line_id)}

    def applied(self, payment_id: str) -> Decimal:
        """Sum up what the payment's valid credits have paid of charges."""
        paid = (paid_by(self.book, line.line_id).values() for line in self.valid_credits(payment_id))
        return sum((amount for each in paid for amount in each), Decimal(0))

    def has_taken(self, reference: str) -> bool:
        """Tell whether the plugin has a refund or a reversal under this reference."""
        plugin = self.library.plugin
        return reference in plugin.refunds or reference in plugin.reversals

    def refunds_of(self, payment_id: str) -> dict[str, dict[str, Decimal]]:
        """Return what was given back of a payment, by reference and charge."""
        return {
            reference: {str(charge): share for charge, share in refund.shares}
            for reference, refund in self.library.plugin.refunds.items()
            if payment_of(reference) == payment_id
        }

    async def answer(self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> Reply | None:
        """Answer a request as the demo library does, without a socket; None where it drops the connection."""
        app, begins = _app(), self._seconds()
        app.state.library = self.library
        caught = _Caught(body)
        scope = _scope(method, path, query, headers) | {"extensions": {ABORT: caught.abort}, "app": app}
        await app(scope, caught.receive, caught.send)
        if self._seconds() - begins > _LONG_S:
            self.telling.quirk("a worker is replaced, and all wait")
        return caught.reply()


class _Caught:
    """Be the server around one request."""

    def __init__(self, body: bytes) -> None:
        self._body, self._parts, self._gone = body, bytearray(), False
        self._status, self._headers = 0, dict[str, str]()

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.disconnect"} if self._gone else self._request()

    def _request(self) -> dict[str, Any]:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {
                key.decode("latin-1").lower(): value.decode("latin-1") for key, value in message["headers"]
            }
        else:
            self._parts += message.get("body", b"")

    def abort(self) -> None:
        self._gone = True

    def reply(self) -> Reply | None:
        if self._gone:
            return None
        is_json = self._headers.get("content-type", "").startswith("application/json")
        return Reply(self._status, is_json, bytes(self._parts), self._headers.get("x-total-count"))


class WatchedPairs(Pairs):
    """Let two credits meet, and tell whose they were and what came of it."""

    def __init__(self, side: LibrarySide) -> None:
        super().__init__()
        self._side = side

    async def first(self, asked: Asked, encounter: Encounter) -> Line | None:
        """Be at work, so that others may lie in wait for it."""
        if not is_ours(asked):
            return await super().first(asked, encounter)
        self._side.work_begins.set()
        try:
            return await super().first(asked, encounter)
        finally:
            self._side.work_begins.clear()

    def at_work(self) -> list[Asked]:
        """List the credits that are at work now."""
        return [waiting.asked for waiting in self._waiting.values()]

    def second(self, book: Book, asked: Asked) -> Line:
        """Tell of the encounter, and let it end as it must."""
        waiting = self._waiting[asked.patron_id]
        both, ours = (waiting.asked, asked), [each for each in (waiting.asked, asked) if is_ours(each)]
        if len(ours) > 1:
            one, two = (str(payment_of(each.order.note)) for each in ours)
            self._side.at_once.append((one, two))
        elif ours:
            self._side.raced.add(str(payment_of(ours[0].order.note)))
            self._tell(waiting.encounter, both, ours[0])
        return super().second(book, asked)

    def _tell(self, encounter: Encounter, both: tuple[Asked, Asked], ours: Asked) -> None:
        quirk = self._side.telling.quirk
        other = both[1] if ours is both[0] else both[0]
        who = "Koha's own button" if other.interface == "intranet" else "another bridge"
        quirk(f"{who} meets the bridge's credit")
        loser = both[0] if encounter.first_loses else both[1]
        match encounter.kind:
            case FaultKind.DEADLOCK if loser is ours:
                quirk("two credits at once: deadlock, the bridge's is answered 500")
            case FaultKind.DEADLOCK:
                quirk("two credits at once: deadlock, the other one is answered 500")
            case FaultKind.LOST_UPDATE:
                quirk("two credits at once: lost update")
            case _:
                quirk("two credits at once: both recorded")


def is_ours(asked: Asked) -> bool:
    """Tell whether a credit is asked for by the bridge that is looked at."""
    payment_id = payment_of(asked.order.note)
    return payment_id is not None and not payment_id.startswith(OTHER_BRIDGE)


def payment_of(note: str) -> str | None:
    """Return the id of the payment that a credit's note refers to."""
    last = note.rsplit(" ", 1)[-1]
    return last.split(":")[1] if last.startswith(REFERENCE_PREFIX) else None


def _scope(method: str, path: str, query: str, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(key.encode(), value.encode("latin-1")) for key, value in headers.items()],
        "client": ("10.0.0.1", 1),
        "server": ("koha.example", 443),
    }


@cache
def _app() -> Starlette:
    return Starlette(routes=[koha.mount()])
