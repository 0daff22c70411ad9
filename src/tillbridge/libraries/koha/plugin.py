# SPDX-License-Identifier: GPL-3.0-or-later
"""Find Tillbridge's plugin inside Koha and use it: it records in one transaction, and knows every order by its key.

Whether it is there is asked at the start, then every few minutes where something is to be done, and again when one of
its routes is not there. An administrator may switch it off at any time: then nothing was recorded by the request that
found that out, and plain REST goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from tillbridge.libraries.koha import plugin_wire as wire
from tillbridge.libraries.koha.replies import Unexpected, json_of, koha_error, why_of
from tillbridge.libraries.koha.transport import NotAsked, Outcome, Reply, Unanswered
from tillbridge.service.library_port import (
    Abilities,
    BookingAnswer,
    Credit,
    CreditOrder,
    MaybeRecorded,
    NotRecorded,
    Recorded,
    RefundAnswer,
    Refunded,
    RefundOrder,
    ReversalAnswer,
    ReversalOrder,
    Reversed,
    Unavailable,
)

Get = Callable[[str, Mapping[str, str]], Awaitable[Outcome]]
Post = Callable[[str, bytes], Awaitable[Outcome]]

ASK_AGAIN_S = 300.0
"""How long it is not asked again whether the plugin is there."""

CONTRACT = 1
_BASE = "/api/v1/contrib/tillbridge"
_CREATED = 201
_DONE = (200, _CREATED)
_HELPS_AGAIN = {400: False, 401: True, 403: True, 404: True, 409: False, 413: False, 422: False, 429: True}
"""Answers that nothing was stored with, and whether the same order may be taken later: rights, log-in and load can be
put right outside the bridge."""
_FOR_GOOD = frozenset({"patron_gone", "no_such_booking"})
"""What a person must see to, whatever the status; what a librarian is not allowed to is that too."""
_ENDED = frozenset({(409, "other_content"), (500, "internal_server_error")})
"""Answers of Koha itself behind which something may be stored: it must be looked up."""
_ROLLED_BACK = frozenset({(500, "not_recorded"), (503, "busy")})
"""Answers of the plugin that its transaction has come to nothing."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Gone:
    """State that the route is not there: the plugin is switched off, and has done nothing."""


class KohaPlugin:
    """Speak with the plugin of one Koha, as long as it is there."""

    def __init__(self, get: Get, post: Post, payment_type: str, description: str, payout_type: str) -> None:
        self._get, self._post = get, post
        self._payment_type, self._description, self._payout_type = payment_type, description, payout_type
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()
        self.abilities = Abilities()

    @property
    def there(self) -> bool:
        """Tell whether it is there, as far as is known."""
        return self.abilities.keyed

    async def learn(self) -> Abilities:
        """Ask what the plugin can do, unless that was answered a moment ago."""
        async with self._asking:
            if self._asked_at is None or _now() - self._asked_at >= ASK_AGAIN_S:
                self._believe(await self._get(f"{_BASE}/about", {}))
        return self.abilities

    async def record(self, order: CreditOrder) -> BookingAnswer | Gone:
        """Record a booking; sent again it is harmless."""
        try:
            body = wire.booking_body(order, self._payment_type, self._description)
        except ValueError as error:
            return NotRecorded(f"nothing was sent: {error}", again=False)
        outcome = await self._write("bookings", body)
        if isinstance(outcome, Gone):
            return outcome
        return _judge(outcome, lambda said: _recorded(said, order))

    async def find(self, patron_id: str, reference: str) -> tuple[Credit, ...] | Unavailable | Gone:
        """Find a payment's bookings as Koha has them now, those of plain REST too."""
        outcome = await self._get(f"{_BASE}/bookings", {"reference": reference, "patron_id": patron_id})
        if self._is_gone(outcome):
            return Gone()
        match outcome:
            case NotAsked(why) | Unanswered(why):
                return Unavailable(why)
            case Reply(status=200):
                try:
                    return wire.credits_of(json_of(outcome), reference)
                except Unexpected as unexpected:
                    return Unavailable(f"the plugin's answer {unexpected}")
            case Reply():  # the last case
                return Unavailable(why_of(outcome))

    async def reverse(self, order: ReversalOrder) -> ReversalAnswer:
        """Take a booking back; sent again it is harmless."""
        try:
            body = wire.reversal_body(order)
        except ValueError as error:
            return NotRecorded(f"nothing was sent: {error}", again=False)
        return await self._take(order, "reversals", body, lambda said: Reversed(by_hand=wire.by_hand(said, order)))

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        """Give money of a booking back; sent again it is harmless."""
        try:
            body = wire.refund_body(order, self._payout_type)
        except ValueError as error:
            return NotRecorded(f"nothing was sent: {error}", again=False)
        return await self._take(order, "refunds", body, lambda said: Refunded(wire.refund_ids(said, order)))

    async def _take(
        self, order: ReversalOrder | RefundOrder, route: str, body: bytes, read: Callable[[Any], _T]
    ) -> _T | NotRecorded | MaybeRecorded:
        """Ask for something to be taken or given back; a booking of plain REST is made known to the plugin before."""
        answer = await self._ask(route, body, read)
        if isinstance(answer, NotRecorded) and answer.absent and await self._adopt(order):
            return await self._ask(route, body, read)
        return answer

    async def _ask(self, route: str, body: bytes, read: Callable[[Any], _T]) -> _T | NotRecorded | MaybeRecorded:
        outcome = await self._write(route, body)
        if isinstance(outcome, Gone):
            return NotRecorded("the plugin is not there any more", again=True)
        return _judge(outcome, read, _FOR_GOOD | {"not_allowed"})

    async def _adopt(self, order: ReversalOrder | RefundOrder) -> bool:
        """Let the plugin take over what stands only in the notes of credits: it does when it is asked to book it."""
        found = await self.find(order.patron_id, order.booking)
        credits_ = found if isinstance(found, tuple) else ()
        known = next((credit for credit in credits_ if credit.reference == order.booking and credit.lines), None)
        if known is None or known.lines is None:
            return False
        amount = sum(known.lines.values(), Decimal(0))
        again = CreditOrder(
            order.patron_id, order.branch, tuple(known.lines), amount, order.booking, order.booking, known.lines
        )
        return isinstance(await self.record(again), Recorded)

    async def _write(self, route: str, body: bytes) -> Outcome | Gone:
        outcome = await self._post(f"{_BASE}/{route}", body)
        return Gone() if self._is_gone(outcome) else outcome

    def _is_gone(self, outcome: Outcome) -> bool:
        """Tell whether Koha itself says that there is no such route; a page of something between says nothing."""
        gone = _no_such_route(outcome)
        if gone:
            self.abilities, self._asked_at = Abilities(), None
        return gone

    def _believe(self, outcome: Outcome) -> None:
        """Take an answer for known; where none came, what was known before stays, and is asked for again."""
        if _no_such_route(outcome):
            self.abilities, self._asked_at = Abilities(), _now()
        elif isinstance(outcome, Reply) and outcome.status == 200:  # noqa: PLR2004 - HTTP
            try:
                self.abilities = _abilities(json_of(outcome))
            except Unexpected:
                self.abilities = Abilities()
            self._asked_at = _now()


def _abilities(said: Any) -> Abilities:
    """Read what the plugin can do; one that speaks another contract is not used."""
    match said:
        case {"contract": int(contract), "abilities": [*abilities]} if contract == CONTRACT:
            books = {"book", "look_up"} <= {one for one in abilities if isinstance(one, str)}
            if not books:
                return Abilities()
            return Abilities(
                exact_lines=True,
                unique_key=True,
                reversal="reverse" in abilities,
                refund="refund" in abilities,
                names_staff=True,
            )
        case _:
            return Abilities()


def _no_such_route(outcome: Outcome) -> bool:
    if not (isinstance(outcome, Reply) and outcome.status == 404):  # noqa: PLR2004 - HTTP
        return False
    error = koha_error(outcome)
    return error is not None and error.of_interface


def _now() -> float:
    return asyncio.get_running_loop().time()


def _recorded(said: Any, order: CreditOrder) -> Recorded:
    credit, effects = wire.booking_of(said, order.reference)
    return Recorded(credit, effects)


def _judge(
    outcome: Outcome, read: Callable[[Any], _T], for_good: frozenset[str] = _FOR_GOOD
) -> _T | NotRecorded | MaybeRecorded:
    """Say what an exchange proves: what cannot be read is asked for again, which the key makes harmless."""
    match outcome:
        case NotAsked(why):
            return NotRecorded(why, again=True)
        case Unanswered(why):
            return MaybeRecorded(why, ended=False)
        case Reply(status=status) if status in _DONE:
            try:
                return read(json_of(outcome))
            except Unexpected as unexpected:
                # A 201 is Koha's own; with 200 a page of something between is answered, while Koha may still be at it.
                return MaybeRecorded(f"the plugin's answer {unexpected}", ended=status == _CREATED)
        case Reply():  # the last case
            return _refused(outcome, for_good)


def _refused(reply: Reply, for_good: frozenset[str]) -> NotRecorded | MaybeRecorded:
    error, why = koha_error(reply), why_of(reply)
    if error is None:
        return MaybeRecorded(why, ended=False)
    if (reply.status, error.code) in _ENDED:
        return MaybeRecorded(why, ended=True)
    if (reply.status, error.code) in _ROLLED_BACK:
        return NotRecorded(why, again=True)
    if (reply.status, error.code) == (409, "charges_changed"):
        return NotRecorded("the charges have changed", again=True, owed=wire.owed_of(reply))
    if reply.status not in _HELPS_AGAIN:
        return MaybeRecorded(why, ended=False)
    again = _HELPS_AGAIN[reply.status] and error.code not in for_good
    gone, absent = error.code == "patron_gone", error.code == "no_such_booking"
    return NotRecorded(why, again=again, patron_gone=gone, absent=absent)
