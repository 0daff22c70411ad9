# SPDX-License-Identifier: GPL-3.0-or-later
"""The clerks and librarians around one bridge or several, and the comparison of the three ledgers at the end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tillbridge.demo.stage import Scenery

FOR_A_PERSON = ("blocked", "reversal_due", "reversing", "reversed")
"""Bookings that a person would have to settle: in these tests there is never a reason for one."""

AGAIN_S = 0.05
ANSWER_S, LONGEST_ANSWER_S = 4.0, 64.0
"""How long people wait for an answer before they ask again, perhaps another bridge: each time twice as long, or they
would keep a busy machine busy with nothing but questions that nobody waits for any more."""


@dataclass
class Desk:
    """The clerks and librarians around it; they try again as people do."""

    scenery: Scenery
    http: aiohttp.ClientSession
    chance: random.Random = field(default_factory=random.Random)
    bridges: tuple[str, ...] = ()
    glance_s: float = 0.05
    payments: dict[str, str] = field(default_factory=dict)
    """Payment → card number."""

    async def bridge(self, method: str, path: str, body: object = None, key: str | None = None) -> tuple[int, Any]:
        """Ask any of the bridges until one gives an answer that is not "not now"."""
        headers = {"Authorization": f"Bearer {self.scenery.api_key}"} | ({"Idempotency-Key": key} if key else {})
        patience_s = ANSWER_S
        while True:
            timeout = aiohttp.ClientTimeout(total=patience_s)
            address = self.chance.choice(self.bridges or (self.scenery.address,)) + path
            try:
                async with self.http.request(method, address, json=body, headers=headers, timeout=timeout) as answer:
                    content = await answer.json(content_type=None)
                    if answer.status != 503:
                        return answer.status, content
            except TimeoutError:
                patience_s = min(2 * patience_s, LONGEST_ANSWER_S)
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(AGAIN_S)

    async def simulator(self, address: str, method: str = "GET", body: object = None) -> Any:
        """Ask the library or the till itself; None where it says no."""
        async with self.http.request(method, address, json=body) as answer:
            return await answer.json(content_type=None) if answer.status < 300 else None

    async def patron(self, number: int) -> str:
        """Add a patron who owes two charges, and return the card number."""
        card = f"C{number:06d}"
        patron = {"cardnumber": card, "surname": "Virtanen", "firstname": "Matti", "library_id": "CPL"}
        made = await self.simulator(f"{self.scenery.library}/control/patrons", "POST", [patron])
        charges = [
            {"amount": f"{1 + number % 7}.{number % 10}0", "type": "OVERDUE", "description": "Maksu"},
            {"amount": "2.00", "type": "COPY", "description": "Tulosteet"},
        ]
        place = f"{self.scenery.library}/control/patrons/{made[0]['patron_id']}/charges"
        assert await self.simulator(place, "POST", charges)
        return card

    async def pay(self, card: str, key: str | None = None) -> str:
        """Start one payment; a clerk whose request was cut off asks again and is shown the first."""
        order = {"card_number": card, "branch": "CPL", "register": "10", "clerk": "anna"}
        status, content = await self.bridge("POST", "/api/v1/payments", order, key)
        assert status == 201 or (status == 409 and key is None), content
        payment_id = str(content["id"] if status == 201 else content["payment"])
        self.payments[payment_id] = card
        return payment_id

    async def settle(self, payment_id: str) -> dict[str, Any]:
        """Wait until a payment is at rest; where no one knows, look at the till and say what is there."""
        while True:
            _, payment = await self.bridge("GET", f"/api/v1/payments/{payment_id}")
            if payment["collection"] == "unknown":
                await self._look_at_the_till(payment_id)
            elif payment["collection"] in ("paid", "cancelled") and payment["booking"] in ("none", "booked"):
                return dict(payment)
            assert payment["booking"] not in FOR_A_PERSON, payment
            await asyncio.sleep(self.glance_s)

    async def _look_at_the_till(self, payment_id: str) -> None:
        shown = await self.simulator(f"{self.scenery.till}/api/payments/{payment_id}")
        word = {"person": "anna", "reason": "I looked at the till"}
        if shown is None:
            word |= {"action": "not_paid"}
        elif shown["state"] == "paid":
            word |= {"action": "paid", "receipt_number": shown["receipt_number"]}
        elif shown["state"] == "cancelled":
            word |= {"action": "not_paid"}
        else:
            return
        await self.bridge("POST", f"/api/v1/payments/{payment_id}/resolve", word)

    async def compare(self, payments: Sequence[dict[str, Any]]) -> None:
        """Hold what the bridge says of all payments against the till's and the library's own books."""
        ledger = await self.simulator(f"{self.scenery.library}/control/ledger")
        credits_ = [line for line in ledger["lines"] if line["side"] == "credit"]
        booked = Counter(line["note"].rsplit("tillbridge:", 1)[1] for line in credits_)
        at_till = {each["id"]: each for each in await self.simulator(f"{self.scenery.till}/api/payments")}
        assert set(at_till) <= {payment["id"] for payment in payments}
        for payment in payments:
            shown = at_till.get(payment["id"])
            collected = shown is not None and shown["state"] == "paid"
            assert (payment["collection"] == "paid") == collected, payment
            assert booked[payment["id"]] == (1 if collected else 0), payment
            assert shown is None or shown["sent_count"] == 1
            assert payment["open_cases"] == []
        totals = await self.simulator(f"{self.scenery.till}/api/totals")
        library = await self.simulator(f"{self.scenery.library}/control/totals")
        collected_minor = sum(payment["collected_minor"] or 0 for payment in payments)
        assert totals["collected_minor"] == library["payments_minor"] == collected_minor
