# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk the main job once, without a person, and compare the three ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tillbridge.bridge_client import Json
from tillbridge.demo.setup import BRANCH
from tillbridge.demo.stage import Stage, set_stage
from tillbridge.simulators.till.autopilot import Autopilot

CARD = "21000001"
SUM_MINOR = 1000
"""Less than the three charges of this patron owe together: the last one is paid in part."""

PATRON_PATH = "/control/patrons/{}/ledger"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Hold what the walk showed; sums are in cents."""

    agree: bool
    currency: str
    collected_minor: int
    till_minor: int
    library_minor: int
    payment: Json
    receipt: Sequence[str]
    account_before: Sequence[Json]
    account_after: Sequence[Json]

    def document(self) -> Json:
        """Return everything as one JSON object."""
        return asdict(self)


async def walk(folder: Path) -> Outcome:
    """Set a stage in this folder with a till that acts by itself, and walk on it; raise TillbridgeError."""
    async with set_stage(folder, Autopilot("accept", after_s=0.3)) as stage:
        return await walk_on(stage)


async def walk_on(stage: Stage) -> Outcome:
    """Collect and book one payment over three charges, one of them in part; raise Refusal where it cannot begin."""
    order: Json = {"card_number": CARD, "branch": BRANCH, "register": "10", "clerk": "demo", "sum_minor": SUM_MINOR}
    async with aiohttp.ClientSession() as session:
        payment = await stage.client.start(order | {"note": "Näyttelymaksu"})
        ledger = stage.library + PATRON_PATH.format(payment["patron_id"])
        before = _account(await _get(session, ledger))
        async for seen in stage.client.follow(str(payment["id"])):
            payment = seen
        receipt = await _receipt(session, stage, payment)
        till = await _get(session, f"{stage.till}/api/totals")
        library = await _get(session, f"{stage.library}/control/totals")
        after = _account(await _get(session, ledger))
    collected = payment["collected_minor"]
    sums = (collected, till["collected_minor"], library["payments_minor"])
    whole = payment["collection"] == "paid" and payment["booking"] == "booked"
    return Outcome(
        agree=whole and set(sums) == {SUM_MINOR},
        currency=str(payment["currency"]),
        collected_minor=int(str(collected or 0)),
        till_minor=till["collected_minor"],
        library_minor=library["payments_minor"],
        payment=payment,
        receipt=receipt,
        account_before=before,
        account_after=after,
    )


def _account(ledger: Any) -> list[Json]:
    wanted = ("account_line_id", "side", "type", "description", "amount", "amount_outstanding", "status", "note")
    return [{key: line.get(key) for key in wanted} for line in ledger["lines"]]


async def _receipt(session: aiohttp.ClientSession, stage: Stage, payment: Json) -> list[str]:
    """Return the printed lines; a till that took no money prints nothing."""
    if payment["collection"] != "paid":
        return []
    lines: list[str] = (await _get(session, f"{stage.till}/api/payments/{payment['id']}/receipt"))["lines"]
    return lines


async def _get(session: aiohttp.ClientSession, address: str) -> Any:
    async with session.get(address) as answer:
        answer.raise_for_status()
        return await answer.json()
