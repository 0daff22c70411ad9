# SPDX-License-Identifier: GPL-3.0-or-later
"""Be the peer of a Koha adapter: the demo library behind a wire, with a row for every fault."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tillbridge.conformance.kit import Skipped
from tillbridge.conformance.library_peer import Booked, Clerk, LibraryFault, LibrarySetups, Made, Need, Of, Wanted
from tillbridge.conformance.register_peer import Situation
from tillbridge.conformance.wire import HOST, Break, Wire, free_port, wire_to
from tillbridge.service.library_port import Abilities, LibrarySystem
from tillbridge.simulators.library.app import build_app
from tillbridge.simulators.library.corrections import delete, grow, merge, void
from tillbridge.simulators.library.facts import STAFF, ChargeOrder, Line, PatronOrder, Side
from tillbridge.simulators.library.faults import Fault, FaultKind
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.serving import serving
from tillbridge.simulators.library.settings import DemoLibrarySettings, StaffAccount
from tillbridge.surroundings import Surroundings

SECRET, CLIENT, BRANCH = "kit-secret", "kit", "CPL"
_QUICK = {"connect_s": 1, "answer_s": 0.4}
_PLUGIN = b"/api/v1/contrib/tillbridge/"
_MARKERS = {Of.PATRONS: b"/patrons", Of.CHARGES: b"/account ", Of.CREDITS: b"/credits?", Of.WRITING: b"POST /api/v1/p"}
_ROUTES = {
    Of.PATRONS: ("GET", "patrons"),
    Of.CHARGES: ("GET", "account"),
    Of.CREDITS: ("GET", "credits"),
    Of.WRITING: ("POST", "credits"),
}
_PLUGIN_MARKERS = _MARKERS | {
    Of.CREDITS: b"GET " + _PLUGIN + b"bookings",
    Of.WRITING: b"POST " + _PLUGIN + b"bookings",
    Of.TAKING_BACK: b"POST " + _PLUGIN + b"reversals",
    Of.GIVING_BACK: b"POST " + _PLUGIN + b"refunds",
}
_PLUGIN_ROUTES = _ROUTES | {
    Of.CREDITS: ("GET", "plugin_bookings"),
    Of.WRITING: ("POST", "plugin_bookings"),
    Of.TAKING_BACK: ("POST", "plugin_reversals"),
    Of.GIVING_BACK: ("POST", "plugin_refunds"),
}

FAULTS: Mapping[LibraryFault, tuple[FaultKind, bool] | Break] = {
    LibraryFault.CUT_UNREAD: Break.CUT_UNREAD,
    LibraryFault.CUT_READ: (FaultKind.DROP_BEFORE, False),
    LibraryFault.SILENT: Break.SILENT,
    LibraryFault.ANSWER_LOST: (FaultKind.ANSWER_LOST, True),
    LibraryFault.ANSWER_NEVER: Break.ANSWER_NEVER,
    LibraryFault.ANSWER_HALF: Break.ANSWER_HALF,
    LibraryFault.OTHER_STATUS: Break.OTHER_STATUS,
    LibraryFault.PAGE: Break.PAGE,
    LibraryFault.PAGE_404: Break.PAGE_404,
    LibraryFault.PAGE_502: (FaultKind.HTTP_502, False),
    LibraryFault.DONE_502: (FaultKind.HTTP_502, True),
    LibraryFault.DONE_504: (FaultKind.HTTP_504, True),
    LibraryFault.NOT_NOW: (FaultKind.HTTP_503, False),
    LibraryFault.REDIRECT: Break.REDIRECT,
    LibraryFault.NOT_HTTP: Break.NOT_HTTP,
    LibraryFault.NOT_UTF8: Break.NOT_UTF8,
    LibraryFault.ENDLESS: Break.ENDLESS,
    LibraryFault.ENDLESS_ERROR: Break.ENDLESS_ERROR,
    LibraryFault.FORBIDDEN: (FaultKind.FORBIDDEN, False),
    LibraryFault.LOGGED_OUT: (FaultKind.FORGET_TOKENS, False),
    LibraryFault.ERROR_KEPT: (FaultKind.CREDIT_500_KEPT, True),
    LibraryFault.ERROR_UNAPPLIED: (FaultKind.CREDIT_500_UNAPPLIED, True),
    LibraryFault.UNAPPLIED: (FaultKind.CREDIT_201_UNAPPLIED, True),
    LibraryFault.DEADLOCK: (FaultKind.DEADLOCK, True),
}
"""Each fault as the demo library has it (its kind, and whether the request is carried out), or as the wire does it."""

_PLUGIN_FAULTS = {**FAULTS, LibraryFault.ERROR_KEPT: (FaultKind.PLUGIN_500_KEPT, True)}


class KohaPeer:
    """Implement `LibraryPeer` over one demo library."""

    branch, currency = BRANCH, "EUR"
    settings: Mapping[str, Any]
    settings_model: Any
    abilities: Abilities | None

    def __init__(self, adapter: Any, folder: Path, library: DemoLibrary, wire: Wire, way_in: Mapping[str, str]) -> None:
        self._adapter, self._folder, self.library, self._wire = adapter, folder, library, wire
        self._plugin = library.plugin.installed
        self.abilities = Abilities(*[self._plugin] * len(fields(Abilities)))
        self._renews = "client_id" in way_in
        self.settings_model = adapter.Settings
        self.settings = {"address": wire.address, "payment_type": "CEEPOS", **way_in}
        self._numbers = itertools.count(1)
        self._made: list[LibrarySystem] = []

    def takes(self, *needs: Need) -> None:
        """Give everything."""

    def connect(self, situation: Situation = Situation.USUAL) -> LibrarySystem:
        """Connect an adapter anew."""
        more: dict[str, Any] = {"connect_s": 1, "answer_s": 10}
        if situation is Situation.QUICK:
            more = _QUICK
        elif situation is Situation.NOT_THERE:
            more = {"connect_s": 1, "address": f"http://{HOST}:{free_port()}"}
        settings = self.settings_model.model_validate({**self.settings, **more})
        surroundings = Surroundings("library", self._folder, "https://bridge.example", (BRANCH,))
        library: LibrarySystem = self._adapter.connect(settings, surroundings)
        self._made.append(library)
        return library

    async def fresh(self) -> None:
        """Forget every fault and every count, and close every adapter."""
        for library in self._made:
            await library.close()
        self._made.clear()
        self.unlay()
        await self._wire.mend()

    async def patron(self, owed: Sequence[str] = (), wanted: Wanted = Wanted()) -> Made:  # noqa: B008 - frozen
        """Make a patron in the demo library."""
        number = next(self._numbers)
        order = PatronOrder(
            cardnumber=wanted.card_number or f"KIT{number:06}",
            surname="Kittilä" if wanted.surname is None else wanted.surname,
            firstname="Äijä" if wanted.firstname is None else wanted.firstname,
            restricted=wanted.restricted,
        )
        made = self.library.book.add_patron(order)
        patron_id = str(made.patron_id)
        charges = [await self.charge(patron_id, amount) for amount in owed]
        return Made(patron_id, made.cardnumber, made.surname, made.firstname, tuple(charges))

    async def charge(self, patron_id: str, amount: str, description: str = "") -> str:
        """Make a charge in the demo library."""
        order = ChargeOrder(Decimal(amount), "MANUAL", description or "A charge of the conformance kit")
        return str(self.library.book.charge(int(patron_id), order).line_id)

    def lay(self, fault: LibraryFault, of: Of, times: int = 1) -> None:
        """Switch the row's fault on for the next requests of this kind."""
        if fault is LibraryFault.LOGGED_OUT:
            self._forget_log_in()
            return
        match (_PLUGIN_FAULTS if self._plugin else FAULTS)[fault]:
            case Break() as what:
                self._wire.lay(what, (_PLUGIN_MARKERS if self._plugin else _MARKERS)[of], times)
            case (kind, stored):
                method, route = (_PLUGIN_ROUTES if self._plugin else _ROUTES)[of]
                plan = Fault(0, kind, times, method, route, stored=stored)
                self.library.faults.plan(plan)

    def unlay(self) -> None:
        """Switch every fault off."""
        self.library.faults.clear()
        self._wire.unlay()

    async def owed(self, patron_id: str) -> Mapping[str, Decimal]:
        """Read the ledger."""
        lines = self.library.book.open_lines(int(patron_id), Side.DEBIT)
        return {str(line.line_id): line.outstanding for line in lines}

    async def booked(self, patron_id: str) -> Sequence[Booked]:
        """Read the ledger."""
        lines = self.library.book.lines_of(int(patron_id), Side.CREDIT)
        valid = (line for line in lines if line.status != "VOID")
        return [_booked(each) for each in valid]

    async def given_back(self, patron_id: str) -> Decimal:
        """Read the ledger."""
        lines = self.library.book.lines_of(int(patron_id), Side.DEBIT)
        return sum((line.amount for line in lines if line.type == "PAYOUT"), Decimal(0))

    async def clerk(self) -> Clerk:
        """Make a librarian in the demo library, and name its second register."""
        order = PatronOrder(f"KIT{next(self._numbers):06}", "Kassanen", category_id=STAFF)
        return Clerk(str(self.library.book.add_patron(order).patron_id), "2")

    async def void(self, credit_id: str) -> None:
        """Void a credit in the ledger."""
        void(self.library.book, int(credit_id))

    async def grow(self, charge_id: str, by: str) -> None:
        """Let a charge grow in the ledger."""
        grow(self.library.book, int(charge_id), Decimal(by))

    async def merge(self, patron_id: str, into: str) -> None:
        """Merge a patron in the ledger."""
        merge(self.library.book, int(patron_id), int(into))

    async def delete(self, patron_id: str) -> None:
        """Delete a patron in the ledger."""
        delete(self.library.book, int(patron_id))

    def writes(self) -> int:
        """Count the requests that came through the wire to record a credit."""
        return sum(self._wire.seen(markers[Of.WRITING]) for markers in (_MARKERS, _PLUGIN_MARKERS))

    def connections(self) -> int:
        """Count the wire's connections."""
        return self._wire.connections

    async def until_hung_up(self) -> None:
        """Wait for the wire to notice."""
        await self._wire.hung_up.wait()

    def _forget_log_in(self) -> None:
        if not self._renews:
            raise Skipped("a user with a password is let in with every request anew")
        self.library.doorkeeper.forget_tokens()


@contextlib.asynccontextmanager
async def _open(
    way_in: Mapping[str, str], adapter: Any, folder: Path, *, plugin: bool = False
) -> AsyncIterator[KohaPeer]:
    (folder / "secret").write_text(SECRET, encoding="utf-8")
    account = StaffAccount(CLIENT, SECRET, userid=CLIENT, password=SECRET)
    app = build_app(DemoLibrarySettings(accounts=(account,), seeded=False, plugin=plugin))
    async with serving(app) as address, wire_to(urlsplit(address).port or 0) as wire:
        peer = KohaPeer(adapter, folder, app.state.library, wire, way_in)
        try:
            yield peer
        finally:
            await peer.fresh()


def _booked(line: Line) -> Booked:
    who, where = (str(number or "") for number in (line.user_id, line.register_id))
    return Booked(str(line.line_id), -line.amount, -line.outstanding, line.note, who, where)


_OAUTH2 = {"client_id": CLIENT, "client_secret_file": "secret"}
SETUPS: LibrarySetups = {
    "OAuth2": partial(_open, _OAUTH2),
    "Basic": partial(_open, {"user": CLIENT, "password_file": "secret"}),
    "OAuth2, with the plugin": partial(_open, _OAUTH2, plugin=True),
}
