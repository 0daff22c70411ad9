# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a morning pass on a stage, so that whoever opens the demo finds a library at work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp

from tillbridge.bridge_client import Json
from tillbridge.demo.people import CLERKS
from tillbridge.demo.setup import BRANCHES
from tillbridge.demo.stage import Stage
from tillbridge.service.finding_port import PaymentFilter

WAIT_S = 10
"""How long a payment may take to come to the till."""


class End(StrEnum):
    """Say how a visit ends at the till."""

    CARD = "card"
    CASH = "cash"
    CANCELLED = "cancelled"
    WRITTEN_OFF = "written off"
    """Paid by card, while a librarian writes the first charge off: its money is an open case."""
    WAITS = "waits"


@dataclass(frozen=True, slots=True)
class Visit:
    """Describe a customer: what is owed (amount, debit type, text), at which register, and how it ends."""

    card: str
    surname: str
    firstname: str
    register: str
    end: End
    charges: tuple[tuple[str, str, str], ...]
    sum_minor: int | None = None
    note: str = ""

    @property
    def branch(self) -> str:
        """Return the branch where the register stands."""
        return next(code for code, (_, registers) in BRANCHES.items() if self.register in registers)

    @property
    def clerk(self) -> str:
        """Return who serves the customer."""
        return CLERKS[self.branch]


MORNING = (
    Visit(
        "21000101",
        "Laaksonen",
        "Tuula",
        "10",
        End.CARD,
        (("1.20", "OVERDUE", "Myöhästymismaksu: Juoksuhaudantie"),),
    ),
    Visit("21000102", "Rantanen", "Jukka", "10", End.CASH, (("3.00", "NEW_CARD", "Uusi kirjastokortti"),)),
    Visit(
        "21000103",
        "Bergström",
        "Linnéa",
        "11",
        End.CARD,
        (
            ("0.80", "OVERDUE", "Förseningsavgift: Hem"),
            ("1.00", "RESERVE", "Reserveringsavgift: Stjärnor över Tunis"),
        ),
    ),
    Visit(
        "21000104",
        "Kettunen",
        "Pirkko",
        "10",
        End.CANCELLED,
        (("4.40", "OVERDUE", "Myöhästymismaksu: Pohjantähti, osat 1-3"),),
        note="Käteinen ei riittänyt",
    ),
    Visit(
        "21000105",
        "Saarinen",
        "Oskari",
        "11",
        End.CARD,
        (
            ("22.00", "LOST", "Kadonnut aineisto: Retkeilijän opas"),
            ("4.00", "OVERDUE", "Myöhästymismaksu: Retkeilijän opas"),
        ),
    ),
    Visit("21000106", "Ahmed", "Amina", "20", End.CARD, (("0.60", "OVERDUE", "Myöhästymismaksu: Muumipeikko"),)),
    Visit(
        "21000107",
        "Öhman",
        "Göran",
        "20",
        End.CASH,
        (("30.00", "LOST", "Förkommet material: Finlands fåglar"),),
        sum_minor=1000,
        note="Resten i slutet av månaden",
    ),
    Visit(
        "21000108",
        "Heikkinen",
        "Ville",
        "10",
        End.CARD,
        (("0.35", "COPY", "Tulosteet 7 kpl"), ("1.00", "RESERVE", "Varausmaksu: Oneiron")),
    ),
    Visit("21000109", "Leino", "Martta", "21", End.CARD, (("2.40", "OVERDUE", "Myöhästymismaksu: Niskavuori"),)),
    Visit(
        "21000110",
        "Petrov",
        "Ivan",
        "11",
        End.CANCELLED,
        (("1.60", "OVERDUE", "Myöhästymismaksu: Saatana saapuu Moskovaan"),),
    ),
    Visit("21000111", "Karjalainen", "Helmi", "10", End.CASH, (("0.40", "OVERDUE", "Myöhästymismaksu: Lehdet"),)),
    Visit(
        "21000112",
        "Sjöblom",
        "Fredrik",
        "20",
        End.CARD,
        (("12.00", "OVERDUE", "Förseningsavgift: Fältskärns berättelser"),),
    ),
    Visit(
        "21000113",
        "Pitkänen",
        "Raimo",
        "11",
        End.WRITTEN_OFF,
        (
            ("5.00", "OVERDUE", "Myöhästymismaksu: Suomen linnut"),
            ("2.00", "RESERVE", "Noutamaton varaus: Suomen linnut"),
        ),
    ),
    Visit(
        "21000114",
        "Toivonen",
        "Kaisa",
        "21",
        End.WAITS,
        (("6.20", "OVERDUE", "Myöhästymismaksu: Taivaslaulu"), ("0.50", "COPY", "Tulosteet 10 kpl")),
    ),
)


async def let_a_morning_pass(stage: Stage) -> None:
    """Let customers come, pay and go at the real parts; a bridge that has payments already has a past of its own."""
    if await stage.bridge.world.store.read(lambda tx: tx.find_payments(PaymentFilter(), None, 1)):
        return
    async with aiohttp.ClientSession(raise_for_status=True) as http:
        for visit in MORNING:
            await _Counter(stage, http).serve(visit)


@dataclass(frozen=True, slots=True)
class _Counter:
    """Be clerk, cashier and librarian of one visit."""

    stage: Stage
    http: aiohttp.ClientSession

    async def serve(self, visit: Visit) -> None:
        """Let one customer come; return when all that happens by itself has happened."""
        charges = await self._owe(visit)
        payment_id = await self._send(visit)
        await self._at_till(visit)
        match visit.end:
            case End.WAITS:
                pass
            case End.CANCELLED:
                await self._press(payment_id, "cancel")
            case End.WRITTEN_OFF:
                await self._library(f"charges/{charges[0]['account_line_id']}/write-off", {})
                await self._press(payment_id, "accept", method="card")
            case tender:
                await self._press(payment_id, "accept", method=tender.value)
        async for payment in self.stage.client.follow(payment_id):
            if visit.end is End.WAITS and payment["collection"] == "at_register":
                return

    async def _owe(self, visit: Visit) -> list[Json]:
        facts = {"cardnumber": visit.card, "surname": visit.surname, "firstname": visit.firstname}
        [patron] = await self._library("patrons", [facts | {"library_id": visit.branch}])
        charges = [
            {"amount": amount, "type": kind, "description": text, "library_id": visit.branch}
            for amount, kind, text in visit.charges
        ]
        made: list[Json] = await self._library(f"patrons/{patron['patron_id']}/charges", charges)
        return made

    async def _send(self, visit: Visit) -> str:
        order: Json = {"card_number": visit.card, "branch": visit.branch, "register": visit.register}
        order |= {"clerk": visit.clerk, "note": visit.note, "sum_minor": visit.sum_minor}
        return str((await self.stage.client.start(order))["id"])

    async def _at_till(self, visit: Visit) -> None:
        query = {"office": visit.register, "state": "waiting", "wait_s": str(WAIT_S)}
        async with self.http.get(f"{self.stage.till}/api/payments", params=query) as answer:
            await answer.read()

    async def _press(self, payment_id: str, button: str, **order: str) -> None:
        async with self.http.post(f"{self.stage.till}/api/payments/{payment_id}/{button}", json=order) as answer:
            await answer.read()

    async def _library(self, path: str, body: object) -> Any:
        async with self.http.post(f"{self.stage.library}/control/{path}", json=body) as answer:
            return await answer.json()
