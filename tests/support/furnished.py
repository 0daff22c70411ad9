# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with payments in every state, for whoever asks without knowing what there is."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from support.fakes import FakeTill
from support.site import Site
from support.worlds import Bench
from tillbridge.registers.ceepos import judge
from tillbridge.registers.ceepos.hashes import digest_of, report_slots
from tillbridge.service.administration_port import Scope as KeyScope
from tillbridge.service.keys import new_key
from tillbridge.service.register_port import NoOutcome, Report, Unreadable, Verdict

EACH = 20
"""How many payments there are of each state that a request takes a payment out of."""

TERMS = judge.Terms("KOHA", (2, 0), ("secret",))


def signed_report(payment_id: str, receipt: str = "") -> dict[str, Any]:
    """Make a report that says paid, as Ceepos does, with its proof."""
    message = {"Source": TERMS.source, "Id": payment_id, "Status": 1, "Reference": receipt or f"R {payment_id}"}
    return message | {"Hash": digest_of(report_slots(message, TERMS.version), TERMS.secrets[0])}


class CeeposTill(FakeTill):
    """A fake till whose reports are Ceepos's own and are judged like those."""

    def read_report(self, raw: bytes) -> Report | Unreadable:
        return judge.read_report(raw)

    def judge_report(self, report: Report, branch: str) -> Verdict:
        return judge.judge_report(report, TERMS)

    def judge_stray_report(self, report: Report) -> Verdict:
        return judge.judge_stray_report(report, [TERMS])


def with_ceepos_till(bench: Bench) -> Bench:
    """Give a bench that till."""
    till = CeeposTill()
    return replace(bench, till=till, world=replace(bench.world, registers={"city": till}))


@dataclass(frozen=True)
class Stock:
    """Hold what there is: payments by their state, cards of patrons who owe something, and keys."""

    created: list[str]
    at_register: list[str]
    unknown: list[str]
    booked: list[str]
    cards: list[str]
    key: str
    lesser_keys: list[str]

    @property
    def payments(self) -> list[str]:
        """Return all payments."""
        return [*self.created, *self.at_register, *self.unknown, *self.booked]


async def furnish(site: Site) -> Stock:
    """Fill the site; its cases are those of the payments whose outcome is unknown, in their order.

    Of the second and the third that are booked money is to be given back.
    """
    bench = site.bench
    bench.till.steps.extend([NoOutcome("time-out")] * EACH)
    cards = [_owing(site, n) for n in range(10 * EACH)]
    unknown = await _start(site, cards[:EACH])
    await bench.work()
    await bench.wait_and_work(601)
    at_register = await _start(site, cards[EACH : 3 * EACH])
    await bench.work()
    booked = at_register[EACH:]
    for payment_id in booked:
        await site.report(payment_id, json.dumps(signed_report(payment_id)).encode())
    await bench.work()
    for payment_id in booked[1:3]:
        wish = {"person": "otto", "reason": "charged in error"}
        assert (await site.post(f"/api/v1/payments/{payment_id}/refunds", wish)).status == 201
    created = await _start(site, cards[3 * EACH : 4 * EACH])
    await site.ask("PUT", "/api/v1/product-map", json={"text": "Default: {Default: 1000}", "person": "otto"})
    key = await _key(site, *KeyScope)
    lesser = [await _key(site, KeyScope.METRICS), await _key(site, *KeyScope, branches=["OFF"])]
    return Stock(created, at_register[:EACH], unknown, booked, cards[4 * EACH :], key, lesser)


class Cut:
    """End every stream of events after so many pieces, as a listener does who has heard enough."""

    def __init__(self, app: ASGIApp, pieces: int = 3) -> None:
        self._app, self._pieces = app, pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left: int | None = None

        async def shorten(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                left = self._pieces if _is_stream(message) else None
            elif left is not None:
                left -= 1
                if left == 0:
                    await send({**message, "more_body": False})
                    raise _HeardEnough
            await send(message)

        try:
            await self._app(scope, receive, shorten)
        except _HeardEnough:
            return


class _HeardEnough(Exception):  # noqa: N818 - it never leaves this module
    pass


def _is_stream(start: Message) -> bool:
    return any(name == b"content-type" and kind.startswith(b"text/event-stream") for name, kind in start["headers"])


def _owing(site: Site, number: int) -> str:
    patron = site.bench.library.add_patron(str(1000 + number), f"C{1000 + number}")
    site.bench.library.add_charge(str(1000 + number), "3", patron_id=patron.patron_id)
    return patron.card_number


async def _start(site: Site, cards: list[str]) -> list[str]:
    return [(await site.start(card_number=card))["id"] for card in cards]


async def _key(site: Site, *scopes: KeyScope, branches: list[str] | None = None) -> str:
    token, key = new_key("program", scopes, branches, 1.0, "otto")
    await site.bench.store.write(lambda tx: tx.add_api_key(key))
    return token
