# SPDX-License-Identifier: GPL-3.0-or-later
"""The people of one payment: each goes on with what is to be done until it is done, however often the bridge dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError

from tillbridge.domain.lifecycle import Collection
from tillbridge.errors import Declined
from tillbridge.service.deciding import agree, decide_payment
from tillbridge.service.ports import World
from tillbridge.service.resolving import Action, Word, stop_waiting
from tillbridge.service.sending import wish_to_cancel
from tillbridge.service.starting import ByHand, Chosen, StartRequest, record_by_hand, start_payment
from tillbridge.simulation.bridge import GoneError
from tillbridge.simulation.drawing import DEEDS
from tillbridge.simulation.people import true_word, try_till
from tillbridge.simulation.rules import BrokenRule, Held
from tillbridge.simulation.script import Step
from tillbridge.simulation.stage import Stage
from tillbridge.simulation.wires import Harm, Link
from tillbridge.simulators.library.facts import Side
from tillbridge.simulators.library.faults import Fault, FaultKind
from tillbridge.simulators.till.faults import Options

T = TypeVar("T")

AGAIN_S = 5.0
TRIES = 40
PATIENCE_S = 900
AT_THE_TILL = frozenset({Collection.CREATED, Collection.SENDING, Collection.AT_REGISTER})
"""Where a payment may still come to the till, or be decided there."""


@dataclass
class People:
    """Be everybody around one payment; `stage` shows them no more than their own screens would."""

    stage: Stage

    @property
    def newest(self) -> Held | None:
        """Return the payment that was started last."""
        return list(self.stage.known.values())[-1] if self.stage.known else None

    @property
    def waiting(self) -> Held | None:
        """Return the newest payment if the till waits for its customer."""
        held = self.newest
        there = None if held is None else self.stage.till.truth(held.payment.id)
        return held if there is not None and there.state == "waiting" else None

    async def ask(self, work: Callable[[World], Awaitable[T]]) -> T | None:
        """Ask the bridge until it answers; None where it says no, since it was done the time before, say."""
        for _ in range(TRIES):
            try:
                return await self.stage.fleet.call(work)
            except Declined as no:
                self.stage.telling.say(f"no: {no.message}")
                return None
            except (GoneError, OperationalError):
                await asyncio.sleep(AGAIN_S)
        raise BrokenRule("the bridge never answers")

    async def until(self, holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
        """Wait until something holds, or for as long as anybody has patience."""
        for _ in range(int(patience_s)):
            if holds():
                return
            await asyncio.sleep(1.0)

    def over(self) -> bool:
        """Tell whether the till can have no more of the newest payment than it has now."""
        held = self.newest
        return held is None or held.payment.collection not in AT_THE_TILL

    def request(self, sum_minor: int | None = None) -> StartRequest | None:
        """Choose the first two charges that there are, whose ever they are by now; the others are nobody's to pay."""
        owed = [line for line in self.stage.library.book.lines.values() if line.side is Side.DEBIT and line.outstanding]
        chosen = tuple(Chosen(str(line.line_id)) for line in owed if line.line_id in (1, 2))
        patron_id = self.stage.library.book.lines[1].patron_id
        if patron_id is None:
            return None
        return StartRequest("CPL", "10", "anna", patron_id=str(patron_id), charges=chosen, sum_minor=sum_minor)


Deed = Callable[[People], Awaitable[None]]


async def start(people: People) -> None:
    """Send the charges to the till."""
    if (request := people.request()) is not None:
        await people.ask(lambda world: start_payment(world, request))


async def start_twice(people: People) -> None:
    """Let two clerks send the same charges at once."""
    await asyncio.gather(start(people), start(people))


async def start_a_part(people: People) -> None:
    """Send a part of what is owed."""
    if (request := people.request(sum_minor=101)) is not None:
        await people.ask(lambda world: start_payment(world, request))


async def by_hand(people: People) -> None:
    """Record what the till took while the bridge was down."""
    request, word = people.request(), ByHand("H1", "sari", "the bridge was down")
    assert request is not None
    await people.ask(lambda world: record_by_hand(world, request, word))


def wait(seconds: float) -> Deed:
    """Let time pass."""

    async def waiting(_: People) -> None:
        await asyncio.sleep(seconds)

    return waiting


async def _at_the_till(people: People, what: str) -> None:
    await asyncio.sleep(2.0)
    await people.until(lambda: people.waiting or people.over())
    if (held := people.waiting) is not None:
        try_till(people.stage, held, what, 0.9)
        await asyncio.sleep(5.0)


async def pay(people: People) -> None:
    """Pay, once the till has the payment."""
    await _at_the_till(people, "pay")


async def leave(people: People) -> None:
    """Go away, so that the cashier cancels."""
    await _at_the_till(people, "leave")


async def take_back(people: People) -> None:
    """Give the money back at the till."""
    if (held := people.newest) is not None:
        try_till(people.stage, held, "take_back", 0.9)
        await asyncio.sleep(5.0)


async def booked(people: People) -> None:
    """Wait until the library system has it."""
    await people.until(lambda: people.newest is not None and str(people.newest.payment.booking) == "booked")


async def wish(people: People) -> None:
    """Wish to cancel."""
    if (held := people.newest) is not None:
        await people.ask(lambda world: wish_to_cancel(world, held.payment.id, "anna"))


async def stop(people: People) -> None:
    """Stop waiting for the till."""
    if (held := people.newest) is not None:
        await people.ask(lambda world: stop_waiting(world, held.payment.id, "anna"))


def word(action: Action | None = None, *, second_look: bool = False) -> Deed:
    """Say what the till's list shows, or what is not so, once the payment is in doubt."""

    async def saying(people: People) -> None:
        await people.until(people.over, 120)
        held = people.newest
        if held is None or held.payment.collection is not Collection.UNKNOWN:
            return
        said = true_word(people.stage, held.payment, "anna")
        said = said if action is None else Word(action, "anna", "I looked, and was mistaken", "M1")
        await people.ask(lambda world: decide_payment(world, held.payment.id, said, second_look=second_look))

    return saying


async def agreed(people: People) -> None:
    """Agree to what waits for a second look."""
    waiting = await people.ask(lambda world: world.store.read(lambda tx: tx.open_second_looks()))
    for wished in waiting or ():
        await people.ask(lambda world, wished=wished: agree(world, wished.id, "otto"))  # type: ignore[misc]


def till(kind: str, **options: Any) -> Deed:
    """Let the till do something odd with the next payment."""

    async def breaking(people: People) -> None:
        people.stage.till.till.faults.add("next", kind, 1, Options(**options))

    return breaking


def harm(link: Link, *harms: Harm, slow_s: float = 0.5) -> Deed:
    """Let the next messages on a link fare badly."""

    async def harming(people: People) -> None:
        for each in harms:
            people.stage.wires.arm(link, each, slow_s)

    return harming


def cut(link: Link, seconds: float) -> Deed:
    """Let nothing get through on a link for some time."""

    async def cutting(people: People) -> None:
        people.stage.wires.cut(link, seconds)

    return cutting


def koha(kind: FaultKind) -> Deed:
    """Let the next credit meet one of Koha's own faults."""

    async def breaking(people: People) -> None:
        people.stage.library.library.faults.plan(Fault(0, kind, method="POST", route="credits", seconds=6.0))

    return breaking


def do(name: str, n: int = 0, pick: float = 0.0) -> Deed:
    """Do what a step of a script does."""

    async def doing(people: People) -> None:
        for _ in range(TRIES):
            try:
                await DEEDS[name](people.stage, Step(people.stage.loop.time(), name, n, pick))
            except (GoneError, OperationalError):
                await asyncio.sleep(AGAIN_S)
            except Declined as no:
                people.stage.telling.say(f"no: {no.message}")
                return
            else:
                return

    return doing
