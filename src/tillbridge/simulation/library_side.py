# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo library behind the virtual network, and the transport through which the real adapter meets it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.applications import Starlette

from tillbridge.domain.payment import REFERENCE_PREFIX
from tillbridge.libraries.koha.transport import NotAsked, Outcome, Reply, Transport, Unanswered
from tillbridge.simulation.script import Setup
from tillbridge.simulation.telling import Telling
from tillbridge.simulation.wires import Passage, Wires
from tillbridge.simulators.library import koha
from tillbridge.simulators.library.answers import ABORT
from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.corrections import paid_by
from tillbridge.simulators.library.facts import ChargeOrder, Line, PatronOrder, Side
from tillbridge.simulators.library.faults import FaultKind
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.settings import DemoLibrarySettings, StaffAccount

CLIENT, SECRET = "tillbridge", "simulated"
FIRST_PATRON = 100
ODD = ("Äiti Öövi", "Çelik 'Zü;beyde'", "Nguyễn & Sons", "李小龍 🎓", 'O"Connor\t<b>', "x" * 120)
_KEPT = (FaultKind.CREDIT_500_KEPT, FaultKind.CREDIT_500_UNAPPLIED, FaultKind.CREDIT_201_UNAPPLIED)


class LibrarySide:
    """Hold the demo library, and read from its ledger what is true about credits."""

    def __init__(self, setup: Setup, telling: Telling, seconds: Callable[[], float], now: Callable[[], float]) -> None:
        zone = ZoneInfo(setup.zone)
        account = StaffAccount(CLIENT, SECRET, userid=CLIENT, password=SECRET)
        settings = DemoLibrarySettings((account,), seeded=False, restart_after=setup.restart_after)
        book = Book(lambda: datetime.fromtimestamp(now(), UTC).astimezone(zone))
        self.library = DemoLibrary(settings, book, seconds)
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
        self.book.add_patron(PatronOrder(f"C{patron_id}", surname, "Matti", "CPL", patron_id=patron_id))
        for i, amount in enumerate(owed):
            kind = ("OVERDUE", "LOST", "MANUAL")[i % 3]
            text = f"Maksu {i}: {ODD[(n + i) % len(ODD)]}"
            self.book.charge(patron_id, ChargeOrder(Decimal(amount), kind, text))

    def credits_of(self, payment_id: str) -> list[Line]:
        """List the credits that carry a payment's reference, void ones too."""
        return [
            line
            for line in self.book.lines.values()
            if line.side is Side.CREDIT and payment_id == payment_of(line.note)
        ]

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

    async def answer(self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str]) -> Reply | None:
        """Answer a request as the demo library does, without a socket; None where it drops the connection."""
        app = _app()
        app.state.library = self.library
        caught = _Caught(body)
        scope = _scope(method, path, query, headers) | {"extensions": {ABORT: caught.abort}, "app": app}
        await app(scope, caught.receive, caught.send)
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


class VirtualTransport(Transport):
    """Be the adapter's transport over the virtual network."""

    def __init__(
        self,
        side: LibrarySide,
        wires: Wires,
        times: tuple[float, float],
        gate: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__("https://koha.example", True, *times)
        self._side, self._wires, self._gate = side, wires, gate

    async def read(self, path: str, query: Mapping[str, str], authorization: str) -> Outcome:
        """Send a GET."""
        passage = self._wires.pass_on("read")
        headers = {"authorization": authorization}
        return await self._carry("GET", path, urlencode(query), b"", headers, passage)

    async def write(self, path: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Send a POST, once."""
        credit = path.endswith("/account/credits")
        passage = self._wires.pass_on("write" if credit else "read")
        lower = {key.lower(): value for key, value in headers.items()}
        if not credit:
            return await self._carry("POST", path, "", body, lower, passage)
        self._side.writing += 1
        try:
            return await self._carry("POST", path, "", body, lower, passage)
        finally:
            self._side.writing -= 1

    async def close(self) -> None:
        """Do nothing: there are no connections."""

    async def _carry(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str], passage: Passage
    ) -> Outcome:
        telling, what = self._side.telling, f"{method} {path}"
        if passage.harm in ("refused", "unreachable"):
            await asyncio.sleep(passage.there_s if passage.harm == "refused" else self._connect_s)
            telling.say(f"{what}: Koha cannot be reached")
            return NotAsked("Koha cannot be reached: no connection could be made")
        await asyncio.sleep(passage.there_s / 4)
        running = self._wires.outside(self._arrive(method, path, query, body, headers, passage))
        try:
            async with asyncio.timeout(self._answer_s):
                reply = await asyncio.shield(running)
        except TimeoutError:
            telling.say(f"{what}: no answer in time")
            return Unanswered(f"Koha did not answer within {self._answer_s:g} s")
        if method == "POST":
            await self._gate("Koha's answer is there")
        telling.say(f"{what}: {reply.status if reply else 'connection lost'}")
        return reply or Unanswered("the connection to Koha was lost before its answer came")

    async def _arrive(
        self, method: str, path: str, query: str, body: bytes, headers: Mapping[str, str], passage: Passage
    ) -> Reply | None:
        await asyncio.sleep(passage.there_s)
        if passage.harm == "lost":
            return None
        if passage.harm == "proxy":
            return Reply(502, False, b"<html>Bad Gateway</html>")
        if passage.harm == "slow":
            await asyncio.sleep(passage.slow_s)
        planned = {fault.number: fault for fault in self._side.library.faults.planned}
        reply = await self._side.answer(method, path, query, body, headers)
        if method == "POST":
            self._tell_planned(planned.values())
            self._side.changed()
        return await self._back(method, path, reply, passage)

    async def _back(self, method: str, path: str, reply: Reply | None, passage: Passage) -> Reply | None:
        if passage.harm == "slow_after":
            await asyncio.sleep(passage.slow_s)
        await asyncio.sleep(passage.back_s)
        if passage.harm in ("answer_lost", "proxy_after", "truncated", "slow_after") and method == "POST":
            self._side.telling.fault(16, f"the answer to {method} {path} is lost ({passage.harm})")
        match passage.harm:
            case "answer_lost":
                return None
            case "proxy_after":
                return Reply(504, False, b"<html>Gateway Timeout</html>")
            case "truncated" if reply is not None:
                return Reply(reply.status, reply.is_json, None, reply.total)
        return reply

    def _tell_planned(self, planned: Any) -> None:
        for fault in planned:
            if fault.hits and fault.kind in _KEPT:
                self._side.telling.fault(17, f"Koha's credit: {fault.kind}")
            elif fault.hits and fault.kind is FaultKind.ANSWER_LOST:
                self._side.telling.fault(16, "Koha drops the connection after booking")
            elif fault.hits and fault.kind is FaultKind.FORBIDDEN:
                self._side.telling.fault(21, "Koha refuses the booking: right missing")
            fault.hits = 0


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
