# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from tillbridge.simulators.library import DemoLibrarySettings, StaffAccount, build_app, serving
from tillbridge.simulators.library.json_text import read_json, write_json
from tillbridge.simulators.library.library import DemoLibrary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

ACCOUNT_RIGHTS = frozenset({"borrowers:edit_borrowers", "updatecharges:remaining_permissions"})
ACCOUNTS = (
    StaffAccount("full", "full-secret", "full", "full-password", 1),
    StaffAccount("desk", "desk-secret", "desk", "desk-password", 2, ACCOUNT_RIGHTS),
    StaffAccount("api", "api-secret", "api", None, 3, ACCOUNT_RIGHTS),
    StaffAccount("weak", "weak-secret", "weak", None, 4, frozenset({"borrowers:edit_borrowers"})),
)


class Clock:
    """Count seconds only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return read_json(self.text)


class Peer:
    """Talk to a running demo library over real HTTP."""

    def __init__(self, address: str, library: DemoLibrary, clock: Clock, client: aiohttp.ClientSession) -> None:
        self.address, self.library, self.clock, self._client = address, library, clock, client
        self.token = ""

    def start_again(self, *, seeded: bool) -> None:
        self.library.doorkeeper.forget_tokens()
        self.library.reset(seeded=seeded)
        self.token = self.token_of("full")

    def token_of(self, client_id: str) -> str:
        account = next(one for one in ACCOUNTS if one.client_id == client_id)
        token = self.library.doorkeeper.issue(client_id, account.client_secret, 3600)
        assert isinstance(token, str)
        return token

    async def send(
        self, method: str, target: str, *, raw: bytes | BytesIO | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        async with self._client.request(
            method,
            URL(self.address + target, encoded=True),
            data=raw,
            headers=headers,
            skip_auto_headers={"Content-Type"},
            allow_redirects=False,
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.text())

    async def koha(self, method: str, target: str, body: object = None, **headers: str) -> Answer:
        """Ask a route of Koha with a good token."""
        sent = {"Authorization": f"Bearer {self.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        raw = None if body is None else write_json(body).encode()
        return await self.send(method, f"/api/v1{target}", raw=raw, headers=sent)

    async def control(self, method: str, target: str, body: object = None) -> Answer:
        raw = None if body is None else write_json(body).encode()
        return await self.send(method, f"/control{target}", raw=raw)

    async def patron(self, *amounts: str, card: str = "P1") -> tuple[int, list[int]]:
        """Create a patron with charges; return the ids."""
        made = await self.control("POST", "/patrons", {"cardnumber": card, "surname": "Testi"})
        patron_id = made.json[0]["patron_id"]
        charges = await self.control("POST", f"/patrons/{patron_id}/charges", [{"amount": a} for a in amounts])
        return patron_id, [one["account_line_id"] for one in charges.json]

    async def pay(self, patron_id: int, amount: str, lines: list[int] | None = None, **more: object) -> Answer:
        body = {"amount": amount, "payment_type": "CARD", "library_id": "CPL", **more}
        body |= {} if lines is None else {"account_lines_ids": lines}
        return await self.koha("POST", f"/patrons/{patron_id}/account/credits", body)

    async def owed(self, patron_id: int) -> dict[int, str]:
        """Return what is outstanding on every debit, as the control API tells."""
        ledger = (await self.control("GET", f"/patrons/{patron_id}/ledger")).json
        debits = [line for line in ledger["lines"] if line["side"] == "debit"]
        return {line["account_line_id"]: line["amount_outstanding"] for line in debits}

    async def credit_lines(self, patron_id: int) -> list[tuple[str, str]]:
        """Return amount and outstanding of every credit."""
        ledger = (await self.control("GET", f"/patrons/{patron_id}/ledger")).json
        return [(one["amount"], one["amount_outstanding"]) for one in ledger["lines"] if one["side"] == "credit"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_peer() -> AsyncIterator[Peer]:
    clock = Clock()
    app = build_app(DemoLibrarySettings(accounts=ACCOUNTS, seeded=False, body_limit=500_000), clock=clock)
    connector = aiohttp.TCPConnector(force_close=True)
    async with serving(app) as address, aiohttp.ClientSession(connector=connector) as client:
        yield Peer(address, app.state.library, clock, client)
    await asyncio.sleep(0)


@pytest.fixture
def peer(running_peer: Peer) -> Peer:
    running_peer.start_again(seeded=False)
    return running_peer
