# SPDX-License-Identifier: GPL-3.0-or-later
"""Two bridges as processes of their own on one PostgreSQL, and everybody who may be at both of them at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import URL

from support.mortal import mortal_bridge
from support.patience import until
from support.postgres import conninfo
from tillbridge.demo.setup import HOST, SOURCE
from tillbridge.demo.stage import Scenery, set_scenery
from tillbridge.listening import listening_socket
from tillbridge.simulators.till.wire import message_hash

Json = dict[str, Any]

LIMITS = {"reach_again_s": 0.05, "patron_busy_s": 0.02, "booking_again_s": [0.05, 0.1, 0.2]}
"""What would be waited for between two attempts is short, what protects money is as it is."""

HELD, REPORTED = ("CPL", "10"), ("MPL", "20")
"""Branch and register: where the till holds the request (mode 2), and where it reports (mode 1)."""

OWED = "2.60"
OWED_MINOR = 260
JITTER_S = 0.03
"""By how much those who are there at once may be apart: about as long as what they do takes."""


@dataclass
class Course:
    """Hold what stands there, and let people do things at one of the two bridges."""

    scenery: Scenery
    http: aiohttp.ClientSession
    bridges: tuple[str, str]
    chance: random.Random
    patrons: dict[str, str] = field(default_factory=dict)
    """Card number → the patron's id."""

    # --- people ---

    async def ask(self, bridge: int, path: str, body: object = None, key: str | None = None) -> tuple[int, Json]:
        """Ask one of the bridges: POST where there is something to say, else GET."""
        headers = {"Authorization": f"Bearer {self.scenery.api_key}"} | ({"Idempotency-Key": key} if key else {})
        address, method = f"{self.bridges[bridge]}/api/v1{path}", "GET" if body is None else "POST"
        async with self.http.request(method, address, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def click(self, bridge: int, card: str, place: tuple[str, str] = HELD, key: str | None = None) -> Any:
        """Start a payment of all that a patron owes; return status and body."""
        order = {"card_number": card, "branch": place[0], "register": place[1], "clerk": "anna"}
        return await self.ask(bridge, "/payments", order, key)

    async def started(self, card: str, place: tuple[str, str] = HELD) -> str:
        """Start a payment at any bridge and wait until the till has it; return its id."""
        status, payment = await self.click(self.any_bridge(), card, place)
        assert status == 201, payment
        await self.at_till(payment["id"])
        return str(payment["id"])

    def any_bridge(self) -> int:
        """Choose a bridge."""
        return self.chance.randrange(2)

    async def a_moment(self) -> None:
        """Come a little later than the others, or not."""
        await asyncio.sleep(self.chance.choice((0.0, self.chance.uniform(0.0, JITTER_S))))

    async def payment(self, payment_id: str, *standing: str) -> Json:
        """Wait until the collection, and the booking where it is named too, are what they are to be."""

        async def look() -> Json | None:
            _, payment = await self.ask(self.any_bridge(), f"/payments/{payment_id}")
            return payment if (payment["collection"], payment["booking"])[: len(standing)] == standing else None

        return await until(look)

    # --- the till, and what it posts ---

    async def at_till(self, payment_id: str) -> Json:
        """Wait until the till waits for the customer."""
        return await until(lambda: self.truth(payment_id))

    async def truth(self, payment_id: str) -> Json | None:
        """Return the payment as the till has it."""
        async with self.http.get(f"{self.scenery.till}/api/payments/{payment_id}") as answer:
            return dict(await answer.json()) if answer.status == 200 else None

    async def accept(self, payment_id: str) -> str:
        """Take the money; return the receipt's number."""
        done = await self._till(f"payments/{payment_id}/accept", {"method": "card"})
        return str(done["receipt_number"])

    async def cancel(self, payment_id: str) -> None:
        """Cancel at the till."""
        await self._till(f"payments/{payment_id}/cancel", {})

    async def fault(self, target: str, kind: str, **options: object) -> None:
        """Break the till for a payment, or for the next one."""
        await self._till("faults", {"for": target, "kind": kind} | options)

    async def mend(self) -> None:
        """Switch off what is broken at the till: a fault for one payment stays there when the payment has ended."""
        async with self.http.delete(f"{self.scenery.till}/api/faults") as answer:
            assert answer.status < 300, await answer.text()

    async def _till(self, path: str, body: object) -> Json:
        async with self.http.post(f"{self.scenery.till}/api/{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return dict(await answer.json())

    def signed(self, payment_id: str, receipt: str) -> bytes:
        """Return the till's report that the money was taken."""
        secret = (self.scenery.settings.parent / "secrets" / "ceepos").read_text().strip()
        message = {"Source": SOURCE, "Id": payment_id, "Status": 1, "Reference": receipt}
        return json.dumps(message | {"Hash": message_hash(message, secret)}).encode()

    async def report(self, bridge: int, raw: bytes) -> int:
        """Post a report to one of the bridges; return the HTTP status."""
        address = f"{self.bridges[bridge]}/api/v1/contrib/kohasuomi/payments/ceepos/report"
        async with self.http.post(address, data=raw, headers={"Content-Type": "application/json"}) as answer:
            return answer.status

    # --- the library system ---

    async def patron(self) -> str:
        """Add a patron who owes one charge; return the card number."""
        card = f"R{len(self.patrons):07d}"
        patron = {"cardnumber": card, "surname": "Virtanen", "firstname": "Matti", "library_id": "CPL"}
        [made] = await self._library("patrons", [patron])
        self.patrons[card] = str(made["patron_id"])
        await self._library(f"patrons/{made['patron_id']}/charges", [{"amount": OWED, "type": "OVERDUE"}])
        return card

    async def credits(self, card: str) -> list[tuple[str, int]]:
        """List the patron's credits: the payment that each is for, and cents."""
        async with self.http.get(f"{self.scenery.library}/control/patrons/{self.patrons[card]}/ledger") as answer:
            lines = (await answer.json())["lines"]
        booked = [line for line in lines if line["side"] == "credit"]
        return [
            (line["note"].rsplit("tillbridge:", 1)[1], -round(100 * float(line["amount"])))  # a test's own sum
            for line in booked
        ]

    async def _library(self, path: str, body: object) -> Any:
        async with self.http.post(f"{self.scenery.library}/control/{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def totals(self) -> tuple[int, int]:
        """Return what the till has and what the library has, in cents."""
        async with self.http.get(f"{self.scenery.till}/api/totals") as answer:
            till = (await answer.json())["collected_minor"]
        async with self.http.get(f"{self.scenery.library}/control/totals") as answer:
            return int(till), int((await answer.json())["payments_minor"])


@contextlib.asynccontextmanager
async def course(folder: Path, database: URL, chance: random.Random) -> AsyncIterator[Course]:
    """Start library, till and two bridges, and end them when the block ends."""
    ports = (_free_port(), _free_port())
    unlimited = aiohttp.TCPConnector(limit=0)
    async with contextlib.AsyncExitStack() as stack:
        scenery = await stack.enter_async_context(set_scenery(folder, ports[0]))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=unlimited))
        for number, port in enumerate(ports, 1):
            settings = _settings(scenery, number, port, database)
            bridge = mortal_bridge(settings, LIMITS, log=settings.with_suffix(".log"))
            await stack.enter_async_context(bridge.alive())
        yield Course(scenery, http, (f"http://{HOST}:{ports[0]}", f"http://{HOST}:{ports[1]}"), chance)


def _settings(scenery: Scenery, number: int, port: int, database: URL) -> Path:
    """Write the settings of one bridge: its port, the database of both, and the till a second time, in mode 1."""
    text = scenery.settings.read_text(encoding="utf-8")
    server = text[text.index("[register_server.demo]") : text.index("[branch.")]
    reporting = server.replace("[register_server.demo]", "[register_server.reporting]").replace("mode = 2", "mode = 1")
    changes = {
        f"\nport = {scenery.port}\n": f"\nport = {port}\n",
        'database = "tillbridge.db"': f'database = "{conninfo(database)}"',
        '[branch.MPL]\nregister_server = "demo"': '[branch.MPL]\nregister_server = "reporting"',
        server: server + reporting,
    }
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = scenery.settings.with_name(f"bridge-{number}.toml")
    path.write_text(text, encoding="utf-8")
    return path


def _free_port() -> int:
    with listening_socket(HOST, 0) as free:
        return int(free.getsockname()[1])
