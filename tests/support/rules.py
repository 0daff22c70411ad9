# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the house, checked on everything that a bench's store, till and library system hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from support.worlds import Bench
from tillbridge.domain.history import Event, first_break
from tillbridge.domain.lifecycle import (
    CREATED,
    IN_DOUBT,
    PAID_CLERK,
    Booking,
    Collection,
    Done,
    Heard,
    Reaction,
    Standing,
    advance,
    hear,
)
from tillbridge.domain.payment import Payment
from tillbridge.service.collecting import BOOKING_CASES
from tillbridge.service.library_port import Credit
from tillbridge.service.store_port import Case, CaseKind, CreditState, StoredCredit, TaskKind, Transaction
from tillbridge.service.telling import tell
from tillbridge.store import tables as t

OURS = ("bridge", "library", "till")
"""Who acts in events when no person does."""


@dataclass(frozen=True)
class Held:
    """Hold what the store has about one payment."""

    payment: Payment
    events: tuple[Event, ...]
    credits: tuple[StoredCredit, ...]
    cases: tuple[Case, ...]
    tasks: frozenset[TaskKind]
    claims: frozenset[str]
    payer: bool

    @property
    def kinds(self) -> frozenset[CaseKind]:
        """Return the kinds of the open cases."""
        return frozenset(case.kind for case in self.cases)

    @property
    def whole(self) -> Decimal:
        """Return the exact sum that the library system is to get."""
        return sum((line.exact for line in self.payment.lines), Decimal(0))

    def by_person(self, *kinds: str) -> bool:
        """Tell whether a person's decision of these kinds is in the history."""
        return any(event.kind in kinds and event.actor not in OURS for event in self.events)


async def look(bench: Bench) -> tuple[list[Held], dict[str, str]]:
    """Read everything, with the patron locks (payment by patron)."""

    def read(tx: Transaction) -> tuple[list[Held], dict[str, str]]:
        tables = (t.task, t.claim, t.payer, t.patron_lock)
        tasks, claims, payers, locks = (list(tx._connection.execute(table.select())) for table in tables)  # type: ignore[attr-defined]
        held = [_held(tx, payment, tasks, claims, payers) for payment in tx.recent_payments(1000)]
        return held, {row.patron_id: row.payment_id for row in locks}

    return await bench.store.read(read)


async def check(bench: Bench) -> list[Held]:
    """Assert every rule that must hold at every instant; return what was read."""
    everything, locks = await look(bench)
    holders = {held.payment.id: held for held in everything}
    for held in everything:
        _history_follows_the_table(held)
        _something_follows(held)
        _claims_are_held(held)
        _collected_is_booked_or_listed(held)
        _library_has_what_it_may(bench, held)
        _only_another_person_seconds(held)
        assert held.payer <= held.payment.undecided, "a name outlives the question to the till"
        sends = Counter(order.payment_id for order in bench.till.orders)[held.payment.id]
        proven = sum(event.kind == "never_sent" for event in held.events)
        assert sends <= 1 + proven, "sent twice"
    for patron, payment_id in locks.items():
        holder = holders[payment_id].payment
        assert holder.booking in (Booking.DUE, *IN_DOUBT), (
            f"{patron} stays locked by a payment that is {holder.booking}"
        )
        assert holder.patron_id == patron
    return everything


def check_rest(everything: list[Held]) -> None:
    """Assert that nothing moves any more: booked, or on the list."""
    for held in everything:
        payment = held.payment
        assert payment.booking not in (Booking.DUE, Booking.BOOKING, Booking.UNKNOWN), f"{payment.booking} at rest"
        assert not payment.undecided or held.cases, f"{payment.collection} at rest without a case"
        assert not (payment.booking in (Booking.BLOCKED, Booking.REVERSAL_DUE) and not held.cases)
        assert not held.tasks or held.cases, f"{held.tasks} left"


def _held(tx: Transaction, payment: Payment, tasks: Any, claims: Any, payers: Any) -> Held:
    history = tx.history(payment.id)
    assert first_break(history) is None, "the chain is broken"
    return Held(
        payment=payment,
        events=tuple(event for event, _ in history),
        credits=tx.credits(payment.id),
        cases=tx.open_cases(payment.id),
        tasks=frozenset(TaskKind(row.kind) for row in tasks if row.payment_id == payment.id),
        claims=frozenset(row.charge_id for row in claims if row.payment_id == payment.id),
        payer=any(row.payment_id == payment.id for row in payers),
    )


def _history_follows_the_table(held: Held) -> None:
    assert held.events[0].kind == "created"
    standing = PAID_CLERK if held.events[0].facts.get("via") == "by_hand" else CREATED
    booking = Booking.NONE
    for event in held.events:
        tell(event)
        if event.kind in set(Heard):
            follows = hear(standing, Heard(event.kind))
            assert isinstance(follows, Standing)
            standing = follows
            assert event.facts["to"] == str(standing)
        elif event.kind in set(Reaction):
            assert isinstance(hear(standing, Heard(str(event.facts["heard"]))), Reaction)
        elif event.kind.startswith("booking_"):
            booking = advance(booking, Done(event.kind.removeprefix("booking_")))
            assert event.facts["to"] == booking
    assert (standing, booking) == (held.payment.standing, held.payment.booking), "a state changed without an event"
    assert held.events[0].facts["total_minor"] == held.payment.total.minor


def _something_follows(held: Held) -> None:
    payment = held.payment
    follows: dict[object, bool] = {
        Collection.CREATED: TaskKind.SEND in held.tasks,
        Collection.SENDING: TaskKind.SEND in held.tasks,
        Collection.AT_REGISTER: bool(held.tasks & {TaskKind.SEND, TaskKind.LIMIT}),
        Collection.UNKNOWN: TaskKind.ASK in held.tasks or CaseKind.UNKNOWN_OUTCOME in held.kinds,
    }
    assert follows.get(payment.collection, True), f"{payment.collection} with nothing to follow"
    follows = {
        Booking.DUE: TaskKind.BOOK in held.tasks,
        Booking.BOOKING: TaskKind.BOOK in held.tasks,
        Booking.UNKNOWN: TaskKind.LOOK_UP in held.tasks,
        Booking.BLOCKED: bool(held.kinds & BOOKING_CASES),
        Booking.REVERSAL_DUE: CaseKind.VOID_BY_HAND in held.kinds and TaskKind.LOOK_UP in held.tasks,
    }
    assert follows.get(payment.booking, True), f"booking {payment.booking} with nothing to follow"


def _claims_are_held(held: Held) -> None:
    charges = {line.charge_id for line in held.payment.lines}
    assert held.claims <= charges
    if held.payment.undecided:
        assert held.claims == charges, "an undecided payment lost its claims"
    if not held.payment.holds_claims:
        assert not held.claims, "a claim outlives its payment"


def _collected_is_booked_or_listed(held: Held) -> None:
    payment = held.payment
    booked = sum((credit.amount for credit in held.credits if credit.state is CreditState.BOOKED), Decimal(0))
    if payment.booking is Booking.BOOKED:
        assert booked == held.whole or held.by_person("booking_confirmed"), "booked, but not whole"
    if payment.collection is Collection.PAID:
        assert payment.booking is not Booking.NONE or held.by_person("booking_settled_by_hand"), "paid and forgotten"
        assert payment.booking not in (Booking.REVERSAL_DUE, Booking.REVERSED)
    elif payment.collection is not Collection.REVERSED:
        assert payment.booking is Booking.NONE, "booked, and the till has not taken it"


def _only_another_person_seconds(held: Held) -> None:
    """What was agreed to follows the wish at once, but for what tells of nothing to rest a decision on."""
    kinds = [event.kind for event in held.events]
    for n, event in enumerate(held.events):
        second = event.facts.get("seconded_by")
        if second is None:
            continue
        assert second != event.actor, "a person has agreed to the own decision"
        wished = max(i for i, kind in enumerate(kinds[:n]) if kind == "second_look_wished")
        heard = {e.kind for e in held.events[wished:n] if e.actor in OURS}
        assert not heard, f"{heard} came before anyone agreed"


def _library_has_what_it_may(bench: Bench, held: Held) -> None:
    payment = held.payment
    valid = valid_credits(bench, payment)
    own = {line.charge_id for line in payment.lines}
    collected = any(event.kind in ("till_paid", "clerk_paid") or "via" in event.facts for event in held.events)
    assert collected or not valid, "nothing may be booked that nobody has collected"
    assert len({credit.reference for credit in valid}) == len(valid), "one reference is there twice"
    assert sum((credit.amount for credit in valid), Decimal(0)) <= held.whole, "more is booked than was collected"
    ids = {credit.credit_id for _, credit in bench.library.credits if _belongs(credit, payment)} - bench.library.landed
    assert {charge for credit, charge, _ in bench.library.paid_to if credit in ids} <= own, "money on a strange charge"


def valid_credits(bench: Bench, payment: Payment) -> list[Credit]:
    """Return the payment's credits that the library system holds as valid."""
    return [credit for _, credit in bench.library.credits if _belongs(credit, payment) and not credit.void]


def _belongs(credit: Credit, payment: Payment) -> bool:
    return credit.reference.split(":")[1] == payment.id
