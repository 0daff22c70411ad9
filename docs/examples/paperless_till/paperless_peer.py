# SPDX-License-Identifier: GPL-3.0-or-later
"""What the conformance kit tries the Paperless Till against: a server of thirty lines behind the kit's wire."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from tillbridge.conformance.kit import Skipped
from tillbridge.conformance.register_peer import (
    OTHER_RECEIPT,
    OTHER_SUM_MINOR,
    RECEIPT,
    Fault,
    RegisterSetups,
    Said,
    Seen,
    Situation,
)
from tillbridge.conformance.wire import HOST, Break, Wire, free_port, wire_to
from tillbridge.service.register_port import Product, Register
from tillbridge.surroundings import Surroundings

SECRET, ACCOUNT, TILL, BRIDGE = b"kit-secret", "LIBRARY", "10", "https://b.example"

Message = dict[str, Any]


def seal(message: Message, secret: bytes = SECRET) -> bytes:
    """Put a message into an envelope; on purpose with code of its own, so that no mistake hides on both sides."""
    text = json.dumps(message)
    proof = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return json.dumps({"message": text, "proof": proof}).encode()


def altered(changes: Message, answer: bytes) -> bytes:
    """Change a rightly sealed answer, and seal it again."""
    return seal(json.loads(json.loads(answer)["message"]) | changes)


def unproven(changes: Message, answer: bytes) -> bytes:
    """Change a rightly sealed answer, and seal it with a wrong secret."""
    return seal(json.loads(json.loads(answer)["message"]) | changes, b"wrong")


FAULTS: Mapping[Fault, Break | Callable[[bytes], bytes]] = {
    **{fault: Break[fault.name] for fault in Fault if fault.name in Break.__members__},
    Fault.SERVER_ERROR: Break.PAGE_502,
    Fault.NOT_JSON: lambda answer: answer[:-1],
    Fault.WRONG_PROOF: partial(unproven, {}),
    Fault.NO_PROOF: lambda answer: json.dumps({"message": json.loads(answer)["message"]}).encode(),
    Fault.OTHER_ID: partial(altered, {"order": "0123456789ABCDEF01234567"}),
    Fault.OTHER_SOURCE: partial(altered, {"account": "ELSEWHERE"}),
    Fault.ODD_STATUS: partial(altered, {"state": "perhaps"}),
    Fault.ID_USED: partial(altered, {"state": "used"}),
    Fault.SYSTEM_ERROR: partial(altered, {"state": "error"}),
    Fault.CANCELS_BY_ITSELF: partial(altered, {"state": "cancelled"}),
    Fault.REFUSES: partial(altered, {"state": "refused"}),
    Fault.REFUSES_UNPROVEN: partial(unproven, {"state": "refused"}),
}

SAID: Mapping[Said, Message] = {
    Said.PAID: {},
    Said.CANCELLED: {"state": "cancelled", "receipt": None},
    Said.REFUSED: {"state": "refused", "receipt": None},
    Said.ODD: {"state": "error", "receipt": None},
    Said.UNKNOWN_STATUS: {"state": "perhaps"},
    Said.NO_RECEIPT: {"receipt": None},
    Said.OTHER_RECEIPT: {"receipt": OTHER_RECEIPT},
    Said.OTHER_SUM: {"cents": OTHER_SUM_MINOR},
    Said.OTHER_SOURCE: {"account": "ELSEWHERE"},
    Said.WRONG_PROOF: {},
    Said.NO_PROOF: {},
    Said.KEY_TWICE: {},
}


@dataclass
class Sale:
    """Hold an order on the till."""

    message: Message
    times: int = 1
    state: str = "waiting"
    reports: list[bytes] = field(default_factory=list)


class PaperlessPeer:
    """Implement `RegisterPeer`: the till, its cashier, and the way to it."""

    branch, register = "CPL", TILL
    other_branch: str | None = None
    holds, names_sums = False, True
    settings: Mapping[str, Any]
    settings_model: Any

    def __init__(self, adapter: Any, folder: Path, wire: Wire, sales: dict[str, Sale], news: asyncio.Condition) -> None:
        self._adapter, self._folder, self._wire = adapter, folder, wire
        self._sales, self._news, self._receipts = sales, news, itertools.count(1)
        self._made: list[Register] = []
        self.settings_model = adapter.Settings
        self.settings = {"address": wire.address, "account": ACCOUNT, "secret_file": "secret"}

    def connect(self, situation: Situation = Situation.USUAL) -> Register:
        """Connect an adapter anew."""
        more: Message = {"connect_s": 1, "answer_s": 5}
        if situation is Situation.QUICK:
            more = {"connect_s": 0.2, "answer_s": 0.2}
        elif situation is Situation.NOT_THERE:
            more = {"address": f"http://{HOST}:{free_port()}"}
        settings = self.settings_model.model_validate({**self.settings, **more})
        register: Register = self._adapter.connect(settings, Surroundings("kit", self._folder, BRIDGE))
        self._made.append(register)
        return register

    async def fresh(self) -> None:
        """Forget every fault and count, and close every adapter."""
        for register in self._made:
            await register.close()
        self._made.clear()
        await self._wire.mend()

    def lay(self, fault: Fault) -> None:
        """Let this happen to the next order."""
        if fault not in FAULTS:
            raise Skipped("this till answers no such thing")
        self._wire.lay(FAULTS[fault])

    async def until_has(self, payment_id: str) -> None:
        """Wait until the order is on the till."""
        async with self._news:
            await self._news.wait_for(lambda: payment_id in self._sales)

    async def pay(self, payment_id: str) -> None:
        """Take the money, once."""
        if payment_id in self._sales and self._sales[payment_id].state == "waiting":
            cents = sum(line["cents"] for line in self._sales[payment_id].message["lines"])
            receipt = f"P{next(self._receipts):06}"
            await self._decide(payment_id, {"state": "paid", "receipt": receipt, "cents": cents})

    async def cancel(self, payment_id: str) -> None:
        """Cancel the order."""
        await self._decide(payment_id, {"state": "cancelled"})

    async def take_back(self, payment_id: str) -> None:
        """Give the money back."""
        await self._decide(payment_id, {"state": "cancelled"})

    async def reported(self, payment_id: str, number: int = 1) -> bytes:
        """Wait for a report."""
        async with self._news:
            await self._news.wait_for(lambda: len(self._sales[payment_id].reports) >= number)
        return self._sales[payment_id].reports[number - 1]

    def report(self, payment_id: str, said: Said) -> bytes:
        """Make a report."""
        if said not in SAID:
            raise Skipped("this till says no such thing")
        paid = {"order": payment_id, "account": ACCOUNT, "state": "paid", "receipt": RECEIPT, "cents": 250}
        raw = seal(paid | SAID[said], b"wrong" if said is Said.WRONG_PROOF else SECRET)
        if said is Said.NO_PROOF:
            return json.dumps({"message": json.loads(raw)["message"]}).encode()
        return raw.replace(b'"proof"', b'"proof": "", "proof"') if said is Said.KEY_TWICE else raw

    def seen(self, payment_id: str) -> Seen | None:
        """Look at the till."""
        sale = self._sales.get(payment_id)
        if sale is None:
            return None
        lines = sale.message["lines"]
        products = tuple(Product(line["article"], line["text"], line["cents"]) for line in lines)
        total = sum(line["cents"] for line in lines)
        text, to = json.dumps(sale.message, ensure_ascii=False), sale.message.get("report_to")
        return Seen(sale.times, sale.message["till"], products, total, text, to)

    def orders(self) -> int:
        """Count what is on the till."""
        return sum(sale.times for sale in self._sales.values())

    def reports_to(self, payment_id: str) -> str:
        """Say where the bridge takes reports of the register server that the settings call *kit*."""
        return f"{BRIDGE}/api/v1/registers/kit/report"

    def connections(self) -> int:
        """Count the wire's connections."""
        return self._wire.connections

    async def until_hung_up(self) -> None:
        """Wait for the wire to notice."""
        await self._wire.hung_up.wait()

    async def _decide(self, payment_id: str, outcome: Message) -> None:
        sale = self._sales[payment_id]
        sale.state = outcome["state"]
        async with self._news:
            sale.reports.append(seal({"order": payment_id, "account": ACCOUNT} | outcome))
            self._news.notify_all()


def till(sales: dict[str, Sale], news: asyncio.Condition) -> web.Application:
    """Be the register server: take orders, and answer that they wait."""

    async def take(request: web.Request) -> web.Response:
        envelope = await request.json()
        message = json.loads(envelope["message"])
        if seal(message) != json.dumps(envelope).encode():
            return web.Response(body=seal({"order": message["order"], "account": ACCOUNT, "state": "refused"}))
        async with news:
            known = sales.setdefault(message["order"], Sale(message, times=0))
            known.times += 1
            news.notify_all()
        return web.Response(body=seal({"order": message["order"], "account": ACCOUNT, "state": "waiting"}))

    application = web.Application(client_max_size=10_000_000)
    application.router.add_post("/", take)
    return application


@contextlib.asynccontextmanager
async def opened(adapter: Any, folder: Path) -> AsyncIterator[PaperlessPeer]:
    """Open the till and the wire to it."""
    (folder / "secret").write_bytes(SECRET)
    sales, news = dict[str, Sale](), asyncio.Condition()
    runner = web.AppRunner(till(sales, news))
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    try:
        async with wire_to(runner.addresses[0][1]) as wire:
            yield PaperlessPeer(adapter, folder, wire, sales, news)
    finally:
        await runner.cleanup()


SETUPS: RegisterSetups = {"the Paperless Till": opened}
