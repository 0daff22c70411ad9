# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene of real parts: the bridge, the demo library and the simulated till, talking HTTP over loopback."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from support.patience import until
from tillbridge.bridge_client import Json
from tillbridge.demo.setup import SOURCE, USUAL, Https, Setup
from tillbridge.demo.stage import Stage, set_stage
from tillbridge.service.ports import Limits

QUICK = Limits(reach_again_s=0.05, patron_busy_s=0.02, booking_again_s=(0.05, 0.1, 0.2))
"""Limits for tests: what would be waited for between two attempts is short, what protects money is as it is."""


@dataclass(frozen=True)
class Ledgers:
    """Hold what the till has taken and not given back, what the bridge knows of, and what is booked, in cents."""

    till: int
    bridge: int
    library: int


@dataclass
class Scene:
    """Hold a stage with what a clerk, a cashier and a librarian do to it."""

    stage: Stage
    http: aiohttp.ClientSession
    count: int = 0
    started: list[str] = field(default_factory=list)

    async def patron(
        self, *amounts: str, debit_type: str = "OVERDUE", status: str | None = None, text: str = "", **facts: object
    ) -> tuple[str, list[str]]:
        """Add a patron with one charge for each amount; return the card number and the charges' ids."""
        self.count += 1
        card = f"C{self.count:06d}"
        form = {"cardnumber": card, "surname": "Virtanen", "firstname": "Matti", "library_id": "CPL"} | facts
        patron_id = (await self.library("POST", "/control/patrons", [form]))[0]["patron_id"]
        charges = [
            {
                "amount": amount,
                "type": debit_type,
                "status": status,
                "description": text or f"Myöhästymismaksu {number}",
                "library_id": "CPL",
            }
            for number, amount in enumerate(amounts, 1)
        ]
        made = await self.library("POST", f"/control/patrons/{patron_id}/charges", charges) if charges else []
        return card, [str(line["account_line_id"]) for line in made]

    async def start(self, card: str, **more: object) -> Json:
        """Start a payment at register 10 of branch CPL."""
        order: Json = {"card_number": card, "branch": "CPL", "register": "10", "clerk": "anna"} | more
        payment = await self.stage.client.start(order)
        self.started.append(str(payment["id"]))
        return payment

    async def try_start(self, card: str, **more: object) -> tuple[int, Any]:
        """Start a payment and return the status and the body, whatever they are."""
        order = {"card_number": card, "branch": "CPL", "register": "10", "clerk": "anna"} | more
        return await self.call("POST", "/api/v1/payments", order)

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Call the bridge with its key."""
        key = (self.stage.settings.parent / "secrets" / "api-key").read_text().strip()
        headers = {"Authorization": f"Bearer {key}"}
        address = self.stage.address + path
        async with self.http.request(method, address, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def until(self, payment_id: object, holds: Callable[[Json], bool]) -> Json:
        """Look at a payment until something holds."""
        payment: Json = {}

        async def look() -> Json | None:
            nonlocal payment
            payment = await self.stage.client.payment(str(payment_id))
            return payment if holds(payment) else None

        try:
            return await until(look)
        except TimeoutError as never:
            raise AssertionError(f"it never came: {json.dumps(payment, indent=1, ensure_ascii=False)}") from never

    async def collected(self, payment_id: object, state: str) -> Json:
        """Wait until the collection has this state."""
        return await self.until(payment_id, lambda payment: payment["collection"] == state)

    async def booked(self, payment_id: object, state: str = "booked") -> Json:
        """Wait until the booking has this state."""
        return await self.until(payment_id, lambda payment: payment["booking"] == state)

    async def at_till(self, payment_id: object) -> Json:
        """Wait until the till has the payment, and return what it shows."""

        async def look() -> Json | None:
            status, shown = await self._ask(f"{self.stage.till}/api/payments/{payment_id}", "GET", None)
            return dict(shown) if status == 200 else None

        return await until(look)

    async def till(self, method: str, path: str, body: object = None) -> Any:
        """Call the till's own interface; it must say yes."""
        status, content = await self._ask(self.stage.till + path, method, body)
        assert status < 300, (status, content)
        return content

    async def library(self, method: str, path: str, body: object = None) -> Any:
        """Call the library's control interface; it must say yes."""
        status, content = await self._ask(self.stage.library + path, method, body)
        assert status < 300, (status, content)
        return content

    async def fault(self, kind: str, **options: object) -> None:
        """Break the till for the next payment."""
        await self.till("POST", "/api/faults", {"for": "next", "kind": kind} | options)

    async def accept(self, payment_id: object) -> None:
        """Take the money at the till."""
        await self.at_till(payment_id)
        await self.till("POST", f"/api/payments/{payment_id}/accept", {"method": "card"})

    async def cancel(self, payment_id: object) -> None:
        """Cancel at the till."""
        await self.at_till(payment_id)
        await self.till("POST", f"/api/payments/{payment_id}/cancel")

    async def take_back(self, payment_id: object) -> None:
        """Give the money back at the till."""
        await self.till("POST", f"/api/payments/{payment_id}/take-back")

    async def report(self, payment_id: object, status: object, *, receipt: object = "R1", **more: object) -> int:
        """Post a rightly signed report by hand, at the plugin's address or at `to`; return the HTTP status."""
        values = [SOURCE, payment_id, status, receipt, self.secret]
        signed = hashlib.sha256("&".join("" if value is None else str(value) for value in values).encode())
        body = {"Source": SOURCE, "Id": payment_id, "Status": status, "Reference": receipt, "Hash": signed.hexdigest()}
        path = str(more.pop("to", "/api/v1/contrib/kohasuomi/payments/ceepos/report"))
        return (await self._ask(self.stage.address + path, "POST", body | more))[0]

    @property
    def secret(self) -> str:
        """Return the till's secret."""
        return (self.stage.settings.parent / "secrets" / "ceepos").read_text().strip()

    async def credits(self, patron_id: object) -> Sequence[Json]:
        """List the patron's credits in the library."""
        ledger = await self.library("GET", f"/control/patrons/{patron_id}/ledger")
        return [line for line in ledger["lines"] if line["side"] == "credit"]

    async def decide(self, payment: Json, action: str, **more: object) -> None:
        """Let a supervisor decide the payment's one open case."""
        [case] = await self.cases(payment)
        word = {"action": action, "person": "eeva", "reason": "I looked"} | more
        status, content = await self.call("POST", f"/api/v1/open-cases/{case['id']}/resolve", word)
        assert status == 204, content

    async def cases(self, payment: Json) -> list[Any]:
        """List the payment's open cases."""
        _, listed = await self.call("GET", "/api/v1/open-cases")
        return [case for case in listed["cases"] if case["payment_id"] == payment["id"]]

    async def ledgers(self) -> Ledgers:
        """Sum up the three ledgers; the bridge's is that of the payments started with `start`."""
        till = await self.till("GET", "/api/totals")
        library = await self.library("GET", "/control/totals")
        payments = [await self.stage.client.payment(payment_id) for payment_id in self.started]
        paid = [int(str(payment["collected_minor"])) for payment in payments if payment["collection"] == "paid"]
        return Ledgers(till["collected_minor"], sum(paid), library["payments_minor"])

    async def owed(self, patron_id: object) -> list[str]:
        """List what each charge of the patron still owes."""
        ledger = await self.library("GET", f"/control/patrons/{patron_id}/ledger")
        return [line["amount_outstanding"] for line in ledger["lines"] if line["side"] == "debit"]

    async def _ask(self, address: str, method: str, body: object) -> tuple[int, Any]:
        async with self.http.request(method, address, json=body) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) else text


@asynccontextmanager
async def open_scene(folder: Path, limits: Limits = QUICK, setup: Setup = USUAL) -> AsyncIterator[Scene]:
    """Set a stage in this folder, with the library's own charges left out of the way."""
    connector = aiohttp.TCPConnector(ssl=_trust(setup.https) if setup.https else True)
    http = aiohttp.ClientSession(connector=connector)
    async with http, set_stage(folder, limits=limits, setup=setup) as stage:
        yield Scene(stage, http)


def _trust(https: Https) -> ssl.SSLContext:
    """Be the bridge's machine for the till's page too: without its certificate nobody is let in."""
    context = ssl.create_default_context(cafile=https.ca)
    context.load_cert_chain(https.client)
    return context
