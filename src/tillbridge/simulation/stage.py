# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole scene of one run: till, library, database and processes, with every rule looked at after every change."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection, select

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import (
    CANCELLED_TILL,
    CREATED,
    NEVER_COLLECTED,
    PAID_TILL,
    REFUSED,
    REVERSED_TILL,
    RefundState,
    Standing,
)
from tillbridge.domain.payment import REFERENCE_PREFIX
from tillbridge.service.collecting import LATE
from tillbridge.service.reporting import Reply, take_report
from tillbridge.service.reversing import reversal_reference
from tillbridge.service.store_port import TaskKind
from tillbridge.simulation.alarms import People
from tillbridge.simulation.bridge import Fleet, GoneError
from tillbridge.simulation.chance import Chance
from tillbridge.simulation.database import Database
from tillbridge.simulation.library_side import FIRST_PATRON, LibrarySide
from tillbridge.simulation.loop import VirtualLoop
from tillbridge.simulation.refund_rules import REFUND_MARK, check_refunded, check_refunds
from tillbridge.simulation.rules import (
    REVERSAL,
    BrokenRule,
    Held,
    ThereCredit,
    check_claims,
    check_held,
    check_library,
    check_locks,
    check_sends,
    held_in,
    locks_in,
    need,
    no_words_in,
)
from tillbridge.simulation.saying import MEANS
from tillbridge.simulation.script import Setup
from tillbridge.simulation.store import InlineStore, OneAtATime
from tillbridge.simulation.telling import Telling
from tillbridge.simulation.till_side import REPORT_LIMIT_S, TillSide
from tillbridge.simulation.wires import Wires
from tillbridge.simulation.wording import facts_in_words, spaced
from tillbridge.simulation.worlds import check_begun, check_heard, heard_by
from tillbridge.store import tables as t
from tillbridge.store.verifying import verify

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


TO_RECORD = (RefundState.DUE, RefundState.RECORDING, RefundState.UNKNOWN)
"""Refunds that should come to an end by themselves."""


class Stage:
    """Put one run together."""

    def __init__(self, seed: int, setup: Setup, telling: Telling, store: OneAtATime | None = None) -> None:
        """Set the stage; `store` holds a database of another kind than the usual one in memory."""
        self.setup, self.telling, self.chance = setup, telling, Chance(seed)
        self.loop = VirtualLoop(self.chance.chooser("order"))
        telling.clock = self.loop.time
        self.jumped_s = 0.0
        """How far the clocks on the walls were set since the start."""
        self._unseen_s = 0.0
        self.inline: OneAtATime = store or InlineStore()
        self.database = Database(self.inline, telling, self.now, self.loop.time, alone=setup.processes == 1)
        self.database.committed = self.committed
        self.wires = Wires(self.loop, self.chance.of("wires"), telling)
        self.till = TillSide(setup, self.wires, telling, self.chance.of("till"), self.now)
        self.till.deliver = self.deliver
        self.library = LibrarySide(setup, telling, self.loop.time, self.now, self.chance.of("koha"))
        self.library.changed = self.credited
        patrons = [(each.cardnumber, each.surname) for each in self.library.book.patrons.values()]
        self.cards, self.names = ([*column] for column in zip(*patrons, strict=True))
        self.people = People([*self.cards, *self.names], telling, self.look, self.judged, lambda: self.database.outages)
        draws = self.chance.of("fleet")
        sides = (self.wires, self.till, self.library, self.people)
        self.fleet = Fleet(setup, self.loop, self.database, *sides, telling, draws)
        self.fleet.questions.answered = self._answered
        self.broken: BrokenRule | None = None
        self.found_broken: asyncio.Future[None] = self.loop.create_future()
        self._arriving: Counter[str] = Counter()
        self.acknowledged: set[tuple[str, object]] = set()
        """Reports that the bridge has answered 200: payment and status."""
        self.known: dict[str, Held] = {}
        """Every payment as it was after its last change."""
        self.late_since: dict[str, float] = {}
        """Since when a booking has been one that should come to an end by itself."""
        self.given_since: dict[str, float] = {}
        """Since when money that was given back has been to be recorded."""
        self.mistaken: set[str] = set()
        """Payments of which a person has said that the till has what it has not."""

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
                lambda world: take_report(world, ("city",), body, payment_id), REPORT_LIMIT_S, "a report"
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
            self.judged(lambda: self._check_acknowledged(body))
        return reply.status, reply.why

    def _check_acknowledged(self, body: bytes) -> None:
        """Need that a report which was answered 200 is stored, and was taken for what it says."""
        stored = select(t.message.c.id).where(t.message.c.raw == body).limit(1)
        need(self.look(lambda connection: connection.execute(stored).first()), "acknowledged, not stored")
        message = json.loads(body)
        payment_id, status = str(message["Id"]), message["Status"]
        self.acknowledged.add((payment_id, status))
        if isinstance(status, int) and (meant := MEANS.get(status)):
            heard = {word.heard for word in heard_by(self.known[payment_id])}
            need(meant in heard, f"a report of {meant} was acknowledged, and its history does not know it")

    def count_cases(self) -> None:
        """Count every case that there has been, by kind, also those that belong to no payment."""
        kinds = self.look(lambda connection: connection.execute(select(t.open_case.c.kind)).scalars().all())
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
        held = self.look(lambda connection: held_in(connection, payment_id))
        for event in new:
            self.telling.say(f"{payment_id}: {spaced(event.kind)} by {event.actor}: {facts_in_words(event.facts)}")
        self.known[payment_id] = held
        self._note_late(held)
        check_held(held)
        check_begun(held, self.fleet.questions.shown)
        check_refunds(held)
        self._check_believed(held)
        no_words_in([event.facts for event in new], [*self.cards, *self.names])
        no_words_in([case.facts for case in held.cases], [*self.cards, *self.names])
        self.telling.events(held.events, len(new))
        check_heard(held, self.till.said.get(payment_id, ()))
        self._check_truth(held)
        self.check_credits(held)
        self._check_all()
        return held

    def _check_believed(self, held: Held) -> None:
        """Need the bridge to keep what people have told it of money that was given back, once it has said yes."""
        for refund in held.refunds:
            receipt = self.till.drawer.believed.get((held.payment.id, refund.n))
            need(receipt in (None, refund.receipt_number), "a person's word about money given back is forgotten")

    def _note_late(self, held: Held) -> None:
        """Note since when a booking should come to an end by itself."""
        if held.payment.booking in LATE:
            self.late_since.setdefault(held.payment.id, self.loop.time())
        else:
            self.late_since.pop(held.payment.id, None)
        if any(refund.state in TO_RECORD for refund in held.refunds):
            self.given_since.setdefault(held.payment.id, self.loop.time())
        else:
            self.given_since.pop(held.payment.id, None)

    def _answered(self, about: str) -> None:
        """Look at an answer that has just come: what it proves must be so."""
        self.judged(lambda: self.check_worlds(about))

    def check_worlds(self, about: str) -> None:
        """Need that what has arrived of the messages about an order, or about a credit, can be so by their answers."""
        is_credit = about.startswith(REFERENCE_PREFIX)
        arrived = self._in_library(about) if is_credit else self.till.arrived[about]
        self.fleet.questions.check(about, arrived)

    def _in_library(self, reference: str) -> int:
        takes = REFUND_MARK in reference or reference == reversal_reference(reference.rpartition(":")[0])
        return int(self.library.has_taken(reference)) if takes else self._bookings_of(reference)

    def _bookings_of(self, reference: str) -> int:
        """Count the bookings under a reference; the plugin makes several numbered credits of one where it must."""
        parts = {part for part in self.library.references_under(reference) if not self.fleet.questions.has_asked(part)}
        return self.library.count_of(reference) or int(bool(parts))

    def check_credits(self, held: Held) -> None:
        """Hold what the library system has of a payment to the rules, but for what remains: see `overslept`."""
        payment_id = held.payment.id
        if held.refunds or self.library.library.plugin.refunds:
            check_refunded(held, self.library.refunds_of(payment_id))
        own = {line.charge_id for line in held.payment.lines}
        paid = self.library.charges_paid_by(payment_id)
        if not paid <= own and payment_id not in self.library.spilled:
            self.library.spilled.add(payment_id)
            self.telling.quirk("money spills over to another charge")
        raced = payment_id in self.library.raced
        if payment_id not in self.library.overslept:
            check_library(held, self._valid_credits(payment_id), own if raced else paid)

    def _valid_credits(self, payment_id: str) -> list[ThereCredit]:
        lines = self.library.valid_credits(payment_id)
        return [ThereCredit(line.note.rsplit(" ", 1)[-1], -line.amount) for line in lines]

    def _check_truth(self, held: Held) -> None:
        payment = held.payment
        there = self.till.truth(payment.id)
        check_sends(held, self.till.sent[payment.id])
        need(self.till.sent[payment.id] <= 1, "a byte of it has gone out twice")
        may_be = MAY_BE_TRUE.get(payment.standing)
        if may_be is not None and payment.id not in self.till.lies:
            state = NOT_THERE if there is None else there.state
            need(state in may_be, f"the bridge says {payment.standing}, and at the till it is {state}")

    def _check_all(self) -> None:
        locks = self.look(locks_in)
        payments = {payment_id: held.payment for payment_id, held in self.known.items()}
        check_locks(locks, payments, self.given_since)
        for payment_id in locks.values():
            idle = payment_id not in self.given_since and self._reverses_without_work(self.known[payment_id])
            # Work is added without an event too, where a person lets it be looked at once more: read again.
            idle = idle and self._reverses_without_work(self.look(lambda c, about=payment_id: held_in(c, about)))  # type: ignore[misc]
            need(not idle, "a patron stays locked by a reversal that nobody works on")
        check_claims(self.known.values())

    @staticmethod
    def _reverses_without_work(held: Held) -> bool:
        return held.payment.booking in REVERSAL and TaskKind.REVERSE not in held.tasks

    def check_whole_store(self) -> None:
        """Need at the end that all of history verifies, and that no card number stands anywhere."""
        verified = self.look(verify)
        need(not verified.breaks, f"the history does not verify: {verified.breaks}")
        stored = self.look(lambda connection: len(connection.execute(select(t.refund.c.n)).all()))
        need(stored == sum(len(held.refunds) for held in self.known.values()), "a refund is not in its history")
        for table in t.metadata.sorted_tables:
            if table is not t.payer:  # who is at the till right now: `check_held` needs it to be empty otherwise
                rows = self.look(lambda connection, table=table: connection.execute(table.select()).all())  # type: ignore[misc]
                no_words_in([tuple(row) for row in rows], self.cards)

    def look(self, work: Callable[[Connection], T]) -> T:
        """Look at the database beside everybody."""
        try:
            return work(self.inline.connection)
        finally:
            self.inline.connection.rollback()
