# SPDX-License-Identifier: GPL-3.0-or-later
"""A library system with every ability: exact amounts, keys, reversals and refunds; it may lose them at any time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from support.fakes import ANSWERS, STORES_NOTHING, TIMED_OUT, FakeLibrary
from tillbridge.service.library_port import (
    Abilities,
    BookingAnswer,
    Credit,
    CreditOrder,
    Effect,
    MaybeRecorded,
    NoSuchPatron,
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

EVERYTHING = Abilities(exact_lines=True, unique_key=True, reversal=True, refund=True, names_staff=True)
GONE = NotRecorded("the plugin is not there any more", again=True)


@dataclass
class KeyedLibrary(FakeLibrary):
    """Know every order by its reference; `faults` as at the plain one, `taking_faults` for reversals and refunds.

    A taking fault is an answer (nothing is done), or `kept` (done, answer lost), or `raises` (the adapter fails).
    """

    abilities: Abilities = EVERYTHING
    learned: int = 0
    cannot_learn: bool = False
    effects: frozenset[Effect] | None = frozenset()
    known: dict[str, tuple[object, Credit]] = field(default_factory=dict)
    reversed: dict[str, str] = field(default_factory=dict)
    refunded: dict[str, RefundOrder] = field(default_factory=dict)
    reversals: list[ReversalOrder] = field(default_factory=list)
    refunds: list[RefundOrder] = field(default_factory=list)
    taking_faults: deque[str | NotRecorded | MaybeRecorded] = field(default_factory=deque)

    async def learn(self) -> Abilities:
        self.learned += 1
        if self.cannot_learn:
            raise RuntimeError("the adapter fell over")
        return self.abilities

    async def record(self, order: CreditOrder) -> BookingAnswer:
        if not self.abilities.keyed and not order.keyed:
            return await super().record(order)
        self.writes += 1
        self.orders.append(order)
        if not self.abilities.keyed:
            return GONE
        fault = self.faults.popleft() if self.faults else ""
        if fault == "late":
            self.in_flight.append(order)
        answer = ANSWERS[fault] if fault in STORES_NOTHING else self._known_or_new(order)
        if fault == "raises":
            raise RuntimeError("the adapter fell over")
        return ANSWERS.get(fault) or answer

    def land(self) -> None:
        for order in self.in_flight:
            self._known_or_new(order)
        self.in_flight.clear()

    async def credits_of(
        self, patron_id: str, payment_reference: str
    ) -> tuple[Credit, ...] | NoSuchPatron | Unavailable:
        found = await super().credits_of(patron_id, payment_reference)
        if not isinstance(found, tuple) or not self.abilities.keyed:
            return found
        return tuple(self._with_lines(credit) for credit in found)

    async def reverse(self, order: ReversalOrder) -> ReversalAnswer:
        self.reversals.append(order)
        if not self.abilities.reversal:
            return GONE
        fault = self.taking_faults.popleft() if self.taking_faults else ""
        if not isinstance(fault, str):
            return fault
        answer = self._reverse(order)
        if fault == "raises":
            raise RuntimeError("the adapter fell over")
        return TIMED_OUT if fault == "kept" else answer

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        self.refunds.append(order)
        if not self.abilities.refund:
            return GONE
        fault = self.taking_faults.popleft() if self.taking_faults else ""
        if not isinstance(fault, str):
            return fault
        answer = self._refund(order)
        if fault == "raises":
            raise RuntimeError("the adapter fell over")
        return TIMED_OUT if fault == "kept" else answer

    def given_back(self) -> Decimal:
        """Sum up what was given back."""
        return sum((share for order in self.refunded.values() for share in order.shares.values()), Decimal(0))

    def _known_or_new(self, order: CreditOrder) -> BookingAnswer:
        content = (order.patron_id, order.branch, dict(order.shares or {}))
        if order.reference in self.known:
            same = self.known[order.reference][0] == content
            return Recorded(self._now(order.reference), self.effects) if same else MaybeRecorded("other", ended=True)
        if old := self.credit(order.reference):
            return Recorded(self._with_lines(old[0]), self.effects)
        if order.patron_id not in self.patrons:
            return NotRecorded("404", again=False, patron_gone=True)
        owed = {key: self._owed(key, order.patron_id) for key in order.shares or {}}
        if any(share > owed[key] for key, share in (order.shares or {}).items()):
            return NotRecorded("the charges have changed", again=True, owed=owed)
        self.known[order.reference] = (content, self._store_exactly(order, order.shares or {}))
        return Recorded(self._now(order.reference), self.effects)

    def _owed(self, charge_id: str, patron_id: str) -> Decimal:
        charge = self.charges.get(charge_id)
        return charge.owed if charge is not None and charge.patron_id == patron_id else Decimal(0)

    def _store_exactly(self, order: CreditOrder, shares: Mapping[str, Decimal]) -> Credit:
        credit = Credit(str(9000 + self.stored), order.reference, order.amount, Decimal(0), void=False)
        self.stored += 1
        for charge_id, share in shares.items():
            self.owes(charge_id, str(self.charges[charge_id].owed - share))
            self.paid_to.append((credit.credit_id, charge_id, share))
        self.credits.append((order.patron_id, credit))
        return credit

    def _now(self, reference: str) -> Credit:
        number = self.known[reference][1].credit_id
        return self._with_lines(next(credit for _, credit in self.credits if credit.credit_id == number))

    def _with_lines(self, credit: Credit) -> Credit:
        mine = {charge: share for number, charge, share in self.paid_to if number == credit.credit_id}
        return replace(credit, lines={} if credit.void else mine)

    def _reverse(self, order: ReversalOrder) -> ReversalAnswer:
        there = [credit for _, credit in self.credits if credit.reference == order.booking]
        if not there:
            return NotRecorded("404", again=False, absent=True)
        if any(refund.booking == order.booking for refund in self.refunded.values()):
            return NotRecorded("money of it has been given back", again=False)
        valid = [credit for credit in there if not credit.void]
        for credit in valid:
            self.void(credit.credit_id)
        by_hand = not valid and order.reference not in self.reversed
        self.reversed[order.reference] = order.booking
        return Reversed(by_hand=by_hand)

    def _refund(self, order: RefundOrder) -> RefundAnswer:
        if order.reference in self.refunded:
            return Refunded((order.reference,))
        numbers = {credit.credit_id for credit in self.credit(order.booking)}
        for charge_id, share in order.shares.items():
            booked = sum((s for number, c, s in self.paid_to if number in numbers and c == charge_id), Decimal(0))
            earlier = (
                r.shares.get(charge_id, Decimal(0)) for r in self.refunded.values() if r.booking == order.booking
            )
            if share > booked - sum(earlier, Decimal(0)):
                return NotRecorded("so much was not booked", again=False)
        self.refunded[order.reference] = order
        return Refunded((order.reference,))
