# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole scene of one run: till, library, database and processes, with every rule looked at after every change."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import (
    CANCELLED_TILL,
    CREATED,
    NEVER_COLLECTED,
    PAID_TILL,
    REFUSED,
    REVERSED_TILL,
    Standing,
)
from tillbridge.service.reporting import Reply, take_report
from tillbridge.simulation.bridge import Fleet, GoneError
from tillbridge.simulation.chance import Chance
from tillbridge.simulation.database import Database
from tillbridge.simulation.library_side import FIRST_PATRON, LibrarySide
from tillbridge.simulation.loop import VirtualLoop
from tillbridge.simulation.rules import (
    BrokenRule,
    Held,
    ThereCredit,
    check_held,
    check_library,
    check_locks,
    check_sends,
    held_in,
    locks_in,
    need,
    no_card_in,
)
from tillbridge.simulation.script import Setup
from tillbridge.simulation.store import InlineStore
from tillbridge.simulation.telling import Telling
from tillbridge.simulation.till_side import REPORT_LIMIT_S, TillSide
from tillbridge.simulation.wires import Wires

T = TypeVar("T")

NOT_THERE = "not there"

MAY_BE_TRUE: dict[Standing, frozenset[str]] = {
    CREATED: frozenset({NOT_THERE}),
    NEVER_COLLECTED: frozenset({NOT_THERE}),
    REFUSED: frozenset({NOT_THERE, "refused"}),
    PAID_TILL: frozenset({"paid", "taken_back"}),
    CANCELLED_TILL: frozenset({"cancelled", "taken_back"}),
    REVERSED_TILL: frozenset({"cancelled", "taken_back"}),
}
"""What may be true at the till while the bridge believes this; what is not named here it does not claim to know."""


class Stage:
    """Put one run together."""

    def __init__(self, seed: int, setup: Setup, telling: Telling) -> None:
        self.setup, self.telling, self.chance = setup, telling, Chance(seed)
        self.loop = VirtualLoop(self.chance.chooser("order"))
        telling.clock = self.loop.time
        self.jumped_s = 0.0
        """How far the clocks on the walls were set since the start."""
        self._unseen_s = 0.0
        self.inline = InlineStore()
        self.database = Database(self.inline, telling, self.now, self.loop.time, alone=setup.processes == 1)
        self.database.committed = self.committed
        self.wires = Wires(self.loop, self.chance.of("wires"), telling)
        self.till = TillSide(setup, self.wires, telling, self.chance.of("till"), self.now)
        self.till.deliver = self.deliver
        self.library = LibrarySide(setup, telling, self.loop.time, self.now, self.chance.of("koha"))
        self.library.changed = self.credited
        draws = self.chance.of("fleet")
        self.fleet = Fleet(setup, self.loop, self.database, self.wires, self.till, self.library, telling, draws)
        self.broken: BrokenRule | None = None
        self.found_broken: asyncio.Future[None] = self.loop.create_future()
        self._arriving: Counter[str] = Counter()
        self.acknowledged: set[tuple[str, object]] = set()
        """Reports that the bridge has answered 200: payment and status."""
        self.known: dict[str, Held] = {}
        """Every payment as it was after its last change."""
        self.cards = [patron.cardnumber for patron in self.library.book.patrons.values()]

    def set_clocks(self, by_s: float) -> None:
        """Set the clocks on the walls; it counts once somebody looks at one."""
        self.jumped_s += by_s
        self._unseen_s += by_s
        self.telling.say(f"the clock is set by {by_s:.0f} s")

    def now(self) -> float:
        """Return the time on the wall, in seconds since 1970."""
        if self._unseen_s:
            self.telling.fault(24, f"somebody looks at a clock that was set by {self._unseen_s:.0f} s")
            self._unseen_s = 0.0
        return self.setup.start + self.loop.time() + self.jumped_s

    def patron(self, n: int) -> int:
        """Return the id of the nth patron."""
        return FIRST_PATRON + n % len(self.setup.patrons)

    def payment(self, n: int) -> Held | None:
        """Return the nth payment that was made, if there is one."""
        everything = list(self.known.values())
        return everything[n % len(everything)] if everything else None

    async def deliver(self, address: str, body: bytes) -> tuple[int | None, str]:
        """Take a report to one of the processes, as the web does."""
        payment_id = unquote(urlsplit(address).path.split("/")[-2])
        if self._arriving[payment_id]:
            self.telling.fault(10, f"two reports of {payment_id} come at once")
        self._arriving[payment_id] += 1
        try:
            reply: Reply = await self.fleet.call(
                lambda world: take_report(world, ("city",), body, payment_id), REPORT_LIMIT_S
            )
        except GoneError:
            return None, "no answer from the bridge"
        except Exception as error:  # noqa: BLE001 - the web answers 503 or 500, and the till does not care which
            self.telling.say(f"the bridge cannot take a report: {type(error).__name__}")
            return 503, "unavailable"
        finally:
            self._arriving[payment_id] -= 1
        self.telling.say(f"a report of {payment_id} is answered {reply.status} {reply.why}".rstrip())
        if reply.status == 200:  # noqa: PLR2004 - HTTP
            self.judged(lambda: need(self._is_stored(body), "a report was acknowledged and not stored"))
            self._note_acknowledged(body)
        return reply.status, reply.why

    def _note_acknowledged(self, body: bytes) -> None:
        message = json.loads(body)
        self.acknowledged.add((str(message["Id"]), message["Status"]))

    def _is_stored(self, body: bytes) -> bool:
        connection = self.inline.connection
        try:
            return bool(connection.exec_driver_sql("SELECT 1 FROM message WHERE raw = ? LIMIT 1", (body,)).first())
        finally:
            connection.rollback()

    def count_cases(self) -> None:
        """Count every case that there has been, by kind, also those that belong to no payment."""
        kinds = self._read(lambda: self.inline.connection.exec_driver_sql("SELECT kind FROM open_case").scalars().all())
        self.telling.cases.update(kinds)

    # --- the rules ---

    def committed(self, events: Sequence[Event]) -> None:
        """Look at every payment that a commit has changed."""
        if self.broken is None:
            self.judged(lambda: self._look_at_changed(events))

    def credited(self) -> None:
        """Look at what the library system has, now that a credit has come."""
        for one, two in self.library.at_once:
            lone = {one, two} - self.library.overslept
            self.judged(lambda: need(len(lone) < 2, "two credits for one patron were at work at the same time"))  # noqa: B023, PLR2004 - looked at now
        for held in self.known.values():
            self.judged(lambda held=held: self.check_credits(held))  # type: ignore[misc]

    def judged(self, look: Callable[[], object]) -> None:
        """Look, and remember the first rule that is found broken: whoever is at work might hide what it raises."""
        try:
            look()
        except BrokenRule as broken:
            self.broken = self.broken or broken
            if not self.found_broken.done():
                self.found_broken.set_result(None)

    def _look_at_changed(self, events: Sequence[Event]) -> None:
        changed: dict[str, list[Event]] = {}
        for event in events:
            changed.setdefault(event.payment_id, []).append(event)
        for payment_id, new in changed.items():
            self.look_at(payment_id, new)

    def look_at(self, payment_id: str, new: Sequence[Event] = ()) -> Held:
        """Hold a payment to every rule."""
        held = self._read(lambda: held_in(self.inline.connection, payment_id))
        for event in new:
            self.telling.say(f"{payment_id}: {event.kind} by {event.actor} {dict(event.facts)}")
            no_card_in(repr(event.facts), self.cards)
        self.known[payment_id] = held
        check_held(held)
        self.telling.events(held.events, len(new))
        self._check_truth(held)
        self.check_credits(held)
        self._check_locks()
        return held

    def check_credits(self, held: Held) -> None:
        """Hold what the library system has of a payment to the rules."""
        payment_id = held.payment.id
        valid = [
            ThereCredit(line.note.rsplit(" ", 1)[-1], -line.amount) for line in self.library.valid_credits(payment_id)
        ]
        own = {line.charge_id for line in held.payment.lines}
        raced = payment_id in self.library.raced
        check_library(held, valid, own if raced else self.library.charges_paid_by(payment_id))

    def _check_truth(self, held: Held) -> None:
        payment = held.payment
        there = self.till.truth(payment.id)
        check_sends(held, self.till.sent[payment.id])
        may_be = MAY_BE_TRUE.get(payment.standing)
        if may_be is not None and payment.id not in self.till.lies:
            state = NOT_THERE if there is None else there.state
            need(state in may_be, f"the bridge says {payment.standing}, and at the till it is {state}")

    def _check_locks(self) -> None:
        locks = self._read(lambda: locks_in(self.inline.connection))
        check_locks(locks, {payment_id: held.payment for payment_id, held in self.known.items()})

    def _read(self, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            self.inline.connection.rollback()
