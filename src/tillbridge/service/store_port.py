# SPDX-License-Identifier: GPL-3.0-or-later
"""The port to the store: what one transaction can do, and how a use case gets one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, TypeVar

from tillbridge.domain.history import Event
from tillbridge.domain.payment import Payment
from tillbridge.service.administration_port import Administration
from tillbridge.service.case_port import Cases
from tillbridge.service.counting_port import Counting
from tillbridge.service.finding_port import SEARCH_LIMIT_S, Finding
from tillbridge.service.hand_over_port import HandOvers
from tillbridge.service.people_port import People
from tillbridge.service.refund_port import Refunds
from tillbridge.service.register_port import Payer

T = TypeVar("T")
Facts = Mapping[str, object]


class TaskKind(StrEnum):
    """Name the work that follows a change; one task of a kind for each payment."""

    SEND = "send"
    LIMIT = "limit"
    ASK = "ask"
    WATCH = "watch"
    BOOK = "book"
    LOOK_UP = "look_up"
    REVERSE = "reverse"
    REFUND = "refund"
    SEAL = "seal"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Task:
    """Hold a claimed piece of work; `lease_until` is when another process may take it."""

    id: int
    payment_id: str
    kind: TaskKind
    attempt: int
    lease_owner: str
    lease_until: float


class CaseKind(StrEnum):
    """Name why a payment needs a person."""

    UNKNOWN_OUTCOME = "unknown_outcome"
    ODD_STATUS = "odd_status"
    CONTRADICTION = "contradiction"
    PAID_FOR_UNKNOWN_ID = "paid_for_unknown_id"
    SUM_DIFFERS = "sum_differs"
    SAME_RECEIPT = "same_receipt"
    COLLECTED_TWICE = "collected_twice"
    SURPLUS = "surplus"
    NOT_BOOKED = "not_booked"
    NOT_APPLIED = "not_applied"
    WRONG_CREDIT = "wrong_credit"
    BOOKED_TWICE = "booked_twice"
    CREDIT_VOIDED = "credit_voided"
    PATRON_GONE = "patron_gone"
    REFUSED_BY_LIBRARY = "refused_by_library"
    VOID_BY_HAND = "void_by_hand"
    REFUND_UNDECIDED = "refund_undecided"
    REFUND_NOT_RECORDED = "refund_not_recorded"


@dataclass(frozen=True, slots=True)
class Case:
    """Hold an open or closed case; `other_payment_ids` are the payments that it has to do with besides."""

    id: int
    kind: CaseKind
    payment_id: str | None
    opened_at: float
    facts: Facts
    other_payment_ids: tuple[str, ...] = ()
    closed_at: float | None = None
    closed_by: str | None = None
    resolution: str | None = None


class CreditState(StrEnum):
    """Say how far one credit of a booking is; what is only planned is not stored, since it is planned anew."""

    SENT = "sent"
    ABSENT = "absent"
    BOOKED = "booked"
    VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class StoredCredit:
    """Hold one credit of a booking. `n` is 0 where the booking has one credit for all, else counted from 1.

    `owed_before` is what the charges owed right before it was sent; `sent_at` is when its last byte may have left;
    `ended` tells that the library system itself has answered it, or has it. A `keyed` one was sent to a library system
    that records exact amounts on these charges or nothing, and knows its reference: what was owed may not have been
    read then, but be what the payment's lines say.
    """

    n: int
    charge_ids: tuple[str, ...]
    amount: Decimal
    owed_before: Mapping[str, Decimal]
    state: CreditState
    sent_at: float | None = None
    ended: bool = False
    credit_id: str | None = None
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """Keep what came or went over the wire, as raw bytes, with what was thought of it."""

    at: float
    direction: str
    verdict: str
    raw: bytes
    payment_id: str | None = None


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Say which cases are looked for; what is None does not matter.

    A case without a payment belongs to no branch: it is found only where the branches do not matter.
    """

    open: bool | None = None
    kinds: frozenset[CaseKind] | None = None
    branches: frozenset[str] | None = None


Committed = Callable[[Sequence[Event]], None]
"""Hear which events became durable here, on any thread, in their writer's context; be quick and raise nothing."""


def nobody(_events: Sequence[Event]) -> None:
    """Listen to no events."""


class Stale(Exception):  # noqa: N818 - a lost race is no fault
    """Say that another one changed the payment first: read it again and decide again."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Hold an event with its place among those of all payments; places grow, but may become durable out of order."""

    position: int
    event: Event


class Transaction(Administration, Cases, Counting, Finding, HandOvers, People, Refunds, Protocol):
    """Do everything that one change needs in one database transaction; plain and synchronous."""

    def payment(self, payment_id: str) -> Payment | None:
        """Read a payment."""
        ...

    def add_payment(self, payment: Payment, payer: Payer | None) -> None:
        """Store a new payment, with the payer's name only where the receipt needs it."""
        ...

    def save(self, payment: Payment) -> Payment:
        """Store a changed payment by compare-and-set on its version; raise Stale where it has moved on."""
        ...

    def payer(self, payment_id: str) -> Payer | None:
        """Read the payer for the receipt."""
        ...

    def forget_payer(self, payment_id: str) -> None:
        """Erase the payer's name and card number."""
        ...

    def claim(self, payment: Payment) -> str | None:
        """Claim all charges of a payment, or none: return the payment that holds one of them already."""
        ...

    def claims_on(self, library: str, charge_ids: Sequence[str]) -> Mapping[str, str]:
        """Return which of these charges are claimed, and by which payment."""
        ...

    def claims_of(self, library: str, patron_id: str) -> Mapping[str, str]:
        """Return which charges payments of this patron have claimed: charge → payment."""
        ...

    def claim_free(self, payment: Payment) -> None:
        """Claim those of a payment's charges that nobody else holds."""
        ...

    def reclaim(self, payment: Payment) -> tuple[str, ...]:
        """Claim what a paid payment had let go of and nobody else holds; return who came in between.

        These are the payments that hold one of its charges now, or have collected for one since it began.
        """
        ...

    def unsettled_collector(self, payment: Payment) -> str | None:
        """Return another payment that has collected money for one of the charges and is not settled yet."""
        ...

    def receipt_holder(self, payment: Payment, receipt_number: str) -> str | None:
        """Return another paid payment of the same register server that has this receipt number."""
        ...

    def typed_receipt_holders(self, payment: Payment, receipt_number: str) -> tuple[Payment, ...]:
        """Hold the server's other payments with this number by a person's word, not asked about for this one's sake."""
        ...

    def release_claims(self, payment_id: str) -> None:
        """Let go of a payment's charges."""
        ...

    def append_event(self, payment_id: str, at: float, actor: str, kind: str, facts: Facts) -> Event:
        """Add the next event to a payment's chain."""
        ...

    def history(self, payment_id: str) -> tuple[tuple[Event, str], ...]:
        """Read a payment's events in order, each with its stored hash."""
        ...

    def events_after(self, position: int, limit: int) -> tuple[Placed, ...]:
        """Read the events of all payments that stand behind this place, in order."""
        ...

    def events_at(self, positions: Sequence[int]) -> tuple[Placed, ...]:
        """Read the events at these places, in order, where there are any."""
        ...

    def newest_event_at(self) -> float:
        """Return the instant of the newest event, or 0."""
        ...

    def last_position(self) -> int:
        """Return the place of the newest event, or 0."""
        ...

    def seal_missing(self, until_day: date) -> int:
        """Seal every day (UTC) that is not sealed yet, up to and with this one; return how many."""
        ...

    def keep_message(self, message: Message) -> None:
        """Store raw bytes of the wire."""
        ...

    def messages(self, payment_id: str) -> tuple[Message, ...]:
        """Read what was stored of the wire for a payment, in order."""
        ...

    def newest_strays(self, limit: int) -> tuple[Message, ...]:
        """Read the newest messages that belong to no payment, newest first."""
        ...

    def add_task(self, payment_id: str, kind: TaskKind, due_at: float) -> None:
        """Add work, or move the task of this kind to the earlier time; a claimed one is done once more at that time."""
        ...

    def nudge_task(self, payment_id: str, kind: TaskKind, due_at: float) -> None:
        """Move a task that is there to the earlier time; where another transaction has it, leave it to that."""
        ...

    def drop_tasks(self, payment_id: str, *kinds: TaskKind) -> None:
        """Drop a payment's tasks of these kinds, claimed or not."""
        ...

    def claim_tasks(
        self, owner: str, kinds: Sequence[TaskKind], now: float, lease_until: float, limit: int
    ) -> tuple[Task, ...]:
        """Take the tasks that are due and not leased, oldest first."""
        ...

    def renew_leases(self, owner: str, task_ids: Sequence[int], lease_until: float) -> frozenset[int]:
        """Lengthen the leases that `owner` still has, and return them."""
        ...

    def finish_task(self, task: Task) -> None:
        """Remove a task, if the lease is still this one's and nobody wants it once more."""
        ...

    def postpone_task(self, task: Task, due_at: float, attempt: int) -> None:
        """Give a task back to be done again later, or when it is wanted before, if the lease is still this one's."""
        ...

    def lease_owners(self) -> frozenset[str]:
        """Name the processes that hold a lease."""
        ...

    def expire_leases_of(self, owner: str) -> None:
        """End every lease of a process that is known to be dead."""
        ...

    def expire_leases(self) -> None:
        """End every lease at once (only by a process that knows itself to be alone)."""
        ...

    def next_due(self, kinds: Sequence[TaskKind]) -> float | None:
        """Return when the next unleased task, or the next lease, is due."""
        ...

    def lock_patron(self, payment: Payment) -> bool:
        """Make this the only payment that books for its patron; True where it is, also already before."""
        ...

    def unlock_patron(self, payment: Payment, now: float) -> None:
        """Let the next payment of this patron book, and make its task due now."""
        ...

    def credits(self, payment_id: str) -> tuple[StoredCredit, ...]:
        """Read a booking's credits in order."""
        ...

    def put_credit(self, payment_id: str, credit: StoredCredit) -> None:
        """Store a credit, new or changed."""
        ...

    def take_for_just_sent(self, at: float) -> None:
        """Take every credit that is under way, and in nobody's hands, for sent at this instant or later."""
        ...

    def collectors_since(self, payment: Payment) -> tuple[str, ...]:
        """List the other payments that have collected money for one of the charges since this payment began."""
        ...


class Store(Protocol):
    """Run transactions; `work` may be run again where the database asks for it."""

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` and commit durably before returning; roll back where it raises."""
        ...

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` that changes nothing."""
        ...

    async def search(self, work: Callable[[Transaction], T], limit_s: float = SEARCH_LIMIT_S) -> T:
        """Run `work` that looks for something among much, beside other reading; it must change nothing.

        Raise Declined (`search_too_wide`) where it is not done in time, the waiting for other searches included.
        """
        ...


class OpenStore(Store, Protocol):
    """Be a store as the place where the program is put together sees it."""

    alone: bool
    """Whether no other process can have the database open."""

    committed: Committed
    """Is told what has become durable."""

    def time(self) -> float:
        """Return the time that all processes on this database go by, in seconds since 1970 in UTC."""
        ...

    def close(self) -> None:
        """Finish what waits and let go of the database."""
        ...
