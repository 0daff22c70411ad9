# SPDX-License-Identifier: GPL-3.0-or-later
"""Fakes of what can be looked at before the first customer: all is well until a test says otherwise."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tillbridge.service.checking_port import (
    Answered,
    Certificate,
    DebitTypes,
    Interface,
    NotAllowed,
    PaymentTypes,
    Right,
    ServerTime,
    Tls,
    TrialReport,
)
from tillbridge.service.library_port import Unavailable

NOW = 1_800_000_000.0
"""Where the fakes' clock begins."""
YEAR_S = 365 * 86_400.0
AWAY = Unavailable("it is away")
RIGHT_TIME = ServerTime(NOW)
LONG = Certificate("server.example", NOW + YEAR_S)
WHOLE = Interface()
ONE_TYPE = DebitTypes(("OVERDUE",), whole=True)
TWO_PAYMENT_TYPES = PaymentTypes("CEEPOS", ("CARD", "CEEPOS"))


@dataclass
class FakeServer:
    """A server with a clock and a certificate."""

    name: str = "server.example:443"
    says: ServerTime | Unavailable = RIGHT_TIME
    shows: Tls = LONG

    async def time(self) -> ServerTime | Unavailable:
        return self.says

    async def certificate(self) -> Tls:
        return self.shows


@dataclass
class FakeLibraryChecks:
    """A library system that says what a test lays down."""

    servers: Sequence[FakeServer] = field(default_factory=lambda: (FakeServer("library.example:443"),))
    has_rights: tuple[Right, ...] | Unavailable = (Right("reading", "read charges", held=True),)
    offers: Interface | Unavailable = WHOLE
    types: DebitTypes | NotAllowed | Unavailable = ONE_TYPE
    payments: PaymentTypes | NotAllowed | Unavailable = TWO_PAYMENT_TYPES
    has_branches: tuple[str, ...] | NotAllowed | Unavailable = ("CPL", "OFF")

    async def rights(self) -> tuple[Right, ...] | Unavailable:
        return self.has_rights

    async def interface(self) -> Interface | Unavailable:
        return self.offers

    async def debit_types(self) -> DebitTypes | NotAllowed | Unavailable:
        return self.types

    async def payment_types(self) -> PaymentTypes | NotAllowed | Unavailable:
        return self.payments

    async def branches(self) -> tuple[str, ...] | NotAllowed | Unavailable:
        return self.has_branches


async def _nobody(_: TrialReport) -> Answered | Unavailable:
    return AWAY


@dataclass
class FakeRegisterChecks:
    """A register server whose reports `FakeTill` reads; `post_to` is where they go."""

    servers: Sequence[FakeServer] = field(default_factory=lambda: (FakeServer("till.example:8443"),))
    post_to: Callable[[TrialReport], Awaitable[Answered | Unavailable]] = _nobody

    def trial_report(self, branch: str, payment_id: str) -> TrialReport:
        body = {"id": payment_id, "says": "cancelled", "branch": branch}
        return TrialReport(f"https://bridge.example/{payment_id}/report", json.dumps(body).encode())

    async def post(self, report: TrialReport) -> Answered | Unavailable:
        return await self.post_to(report)


@dataclass
class FakeOwnServer:
    """The bridge as its own machine sees it."""

    public_address: str = "https://bridge.example"
    shows: Tls = LONG
    runs: bool = True

    async def certificate(self) -> Tls:
        return self.shows

    async def listens(self) -> bool:
        return self.runs
