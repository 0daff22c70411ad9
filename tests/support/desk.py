# SPDX-License-Identifier: GPL-3.0-or-later
"""The clerks, customers and librarians around one bridge or several, who try again as people do and are honest."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tillbridge.demo.stage import Scenery

Json = dict[str, Any]

AGAIN_S, LONGEST_AGAIN_S = 0.05, 1.0
"""How long people wait before they ask somebody again who was not there: each time longer."""

ANSWER_S, LONGEST_ANSWER_S = 4.0, 64.0
"""How long people wait for an answer before they ask again, perhaps another bridge: each time twice as long, or they
would keep a busy machine busy with nothing but questions that nobody waits for any more."""

PATRONS_FROM = 1000
"""Where the numbers of the patrons begin who come here."""

AT_REST = {
    "paid": frozenset({"booked", "none"}),
    "cancelled": frozenset({"none"}),
    "refused": frozenset({"none"}),
    "reversed": frozenset({"none", "reversed"}),
}
"""Collection → the bookings at which nothing is left to do."""

_NOT_PAID = frozenset({"cancelled", "taken_back", "refused"})


@dataclass
class Desk:
    """Hold what the people know."""

    scenery: Scenery
    http: aiohttp.ClientSession
    bridges: tuple[str, ...]
    chance: random.Random = field(default_factory=random.Random)
    glance_s: float = 1.0
    """How often a clerk looks at the screen."""
    sure_s: float = 0.0
    """How long a payment must be missing at the till before a clerk says that it will never be there: longer than
    anything is paused, since what is on its way to the till may still arrive."""
    payments: dict[str, str] = field(default_factory=dict)
    """Payment → card number."""
    odd: list[str] = field(default_factory=list)
    """Answers that nobody should get, whatever happens."""
    impatient: int = 0
    """How many of the next requests their callers give up at once, to send them again."""
    double_clicks: int = 0
    """How many of the next payments are started by two clicks at once."""
    did: Counter[str] = field(default_factory=Counter)
    """What the people did, and how often."""
    _missing_since: dict[str, float] = field(default_factory=dict)

    async def bridge(self, method: str, path: str, body: object = None, key: str | None = None) -> tuple[int, Any]:
        """Ask any of the bridges until one gives an answer that is not "not now"."""
        patience_s, pauses_s = ANSWER_S, _pauses_s()
        while True:
            try:
                async with asyncio.timeout(self._patience_s(patience_s)):
                    status, content = await self._ask(method, path, body, key)
            except TimeoutError:
                patience_s = min(2 * patience_s, LONGEST_ANSWER_S)
            except aiohttp.ClientError:
                self.did["asked again"] += 1
            else:
                if status < 500:
                    return status, content
                if status != 503:
                    self.odd.append(f"{method} {path} was answered {status}: {content}")
            await asyncio.sleep(next(pauses_s))

    def _patience_s(self, usual_s: float) -> float:
        if self.impatient <= 0:
            return usual_s
        self.impatient -= 1
        self.did["gave up at once"] += 1
        return self.chance.uniform(0, 0.05)

    async def _ask(self, method: str, path: str, body: object, key: str | None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.scenery.api_key}"} | ({"Idempotency-Key": key} if key else {})
        address = self.chance.choice(self.bridges) + path
        async with self.http.request(method, address, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def simulator(self, address: str, method: str = "GET", body: object = None) -> Any:
        """Ask the library or the till itself until it answers; None where it says no."""
        pauses_s = _pauses_s()
        while True:
            try:
                async with (
                    asyncio.timeout(LONGEST_ANSWER_S),
                    self.http.request(method, address, json=body) as answer,
                ):
                    return await answer.json(content_type=None) if answer.status < 300 else None
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(next(pauses_s))

    async def at_till(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Ask the till."""
        return await self.simulator(f"{self.scenery.till}/api{path}", method, body)

    async def in_library(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Ask the library."""
        return await self.simulator(f"{self.scenery.library}/control{path}", method, body)

    async def patron(self, number: int) -> str:
        """Add a patron who owes two charges, and return the card number."""
        card, patron_id = f"C{number:06d}", PATRONS_FROM + number
        patron = {"cardnumber": card, "surname": "Virtanen", "firstname": "Matti", "patron_id": patron_id}
        await self.in_library("/patrons", "POST", patron)  # a no says that it was made although the answer was lost
        charges = [
            {"amount": f"{1 + number % 7}.{number % 10}0", "type": "OVERDUE", "description": "Maksu"},
            {"amount": "2.00", "type": "COPY", "description": "Tulosteet"},
        ]
        assert await self.in_library(f"/patrons/{patron_id}/charges", "POST", charges)
        return card

    async def pay(self, card: str) -> str:
        """Start one payment, of which a clerk whose request was cut off asks again, and return its id."""
        branch, register = self.chance.choice((("CPL", "10"), ("MPL", "20")))
        order = {"card_number": card, "branch": branch, "register": register, "clerk": "anna"}
        clicks = 1
        if self.double_clicks > 0:
            self.double_clicks -= 1
            self.did["clicked twice"] += 1
            clicks = 2
        asked = [self.bridge("POST", "/api/v1/payments", order, f"click for {card}") for _ in range(clicks)]
        answers = await asyncio.gather(*asked)
        assert {status for status, _ in answers} == {201}, answers
        (payment_id,) = {str(content["id"]) for _, content in answers}
        self.payments[payment_id] = card
        return payment_id

    async def settle(self, payment_id: str) -> Json:
        """Wait until a payment is at rest, and decide what needs a person."""
        while True:
            _, payment = await self.bridge("GET", f"/api/v1/payments/{payment_id}")
            at_rest = payment["booking"] in AT_REST.get(payment["collection"], frozenset())
            if at_rest and not payment["open_cases"]:
                return dict(payment)
            if payment["collection"] == "unknown":
                await self._say_what_the_till_did(payment)
            for case in payment["open_cases"]:
                await self._decide(payment, case)
            await asyncio.sleep(self.glance_s * self.chance.uniform(0.5, 1.0))

    async def open_cases(self) -> list[Json]:
        """List what a person would still have to decide, of payments that nobody here started too."""
        _, found = await self.bridge("GET", "/api/v1/open-cases")
        return list(found["cases"])

    async def _say_what_the_till_did(self, payment: Json) -> None:
        shown = await self._shown(payment["id"])
        place = f"/api/v1/payments/{payment['id']}/resolve"
        if shown is None and not self._surely_missing(payment["id"]):
            return
        if shown is None or shown["state"] in _NOT_PAID:
            await self._word(place, "not_paid", "the till has not taken it")
        elif shown["state"] == "paid":
            await self._word(place, "paid", "the till has it", receipt_number=shown["receipt_number"])

    def _surely_missing(self, payment_id: str) -> bool:
        now = time.monotonic()
        return now - self._missing_since.setdefault(payment_id, now) >= self.sure_s

    async def _shown(self, payment_id: str) -> Json | None:
        shown: Json | None = await self.at_till(f"/payments/{payment_id}")
        return shown

    async def _decide(self, payment: Json, case: Mapping[str, Any]) -> None:
        place = f"/api/v1/open-cases/{case['id']}/resolve"
        match case["kind"]:
            case "not_applied":
                await self._for_credits(payment["id"], "apply")
                await self._word(place, "look", "I have applied it")
            case "void_by_hand":
                await self._for_credits(payment["id"], "void")
                await self._word(place, "look", "I have voided it")
            case "contradiction":
                await self._end_contradiction(payment, place)
            case "unknown_outcome" | "not_booked":
                pass  # it ends with what it is about
            case kind:
                self.odd.append(f"{payment['id']} has a case that nothing here is a reason for: {kind} {case['facts']}")
                await self._word(place, "settled", "nobody knows why")

    async def _for_credits(self, payment_id: str, deed: str) -> None:
        """Do something to every credit of a payment that is open, or not void."""
        patron = PATRONS_FROM + int(self.payments[payment_id][1:])
        for line in (await self.in_library(f"/patrons/{patron}/ledger"))["lines"]:
            ours = line["side"] == "credit" and f"tillbridge:{payment_id}" in line["note"]
            if ours and line["status"] != "VOID" and (deed == "void" or line["amount_outstanding"] != "0.00"):
                await self.in_library(f"/credits/{line['account_line_id']}/{deed}", "POST")

    async def _end_contradiction(self, payment: Json, place: str) -> None:
        shown = await self._shown(payment["id"])
        taken, believed = shown is not None and shown["state"] == "paid", payment["collection"] == "paid"
        if taken == believed:
            await self._word(place, "settled", "the till says the same as we do")
        elif taken and shown is not None:
            await self._word(place, "paid", "the till has it", receipt_number=shown["receipt_number"])
        else:
            await self._word(place, "not_paid", "the till has given it back")

    async def _word(self, place: str, action: str, reason: str, **more: str) -> None:
        word = {"person": "anna", "action": action, "reason": reason} | more
        status, content = await self.bridge("POST", place, word)
        self.did[action if status < 300 else f"{action} (too late)"] += 1
        if status >= 300 and content["code"] not in ("not_unknown", "no_such_case"):
            self.odd.append(f"{action} for {place} was refused: {content}")


def _pauses_s() -> Iterator[float]:
    """Yield how long to wait each time, without end."""
    pause_s = AGAIN_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, LONGEST_AGAIN_S)
