# SPDX-License-Identifier: GPL-3.0-or-later
"""One database transaction as the service's port sees it: each method is one statement function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import Connection

from tillbridge.domain.history import Event
from tillbridge.domain.payment import Payment
from tillbridge.service.counting_port import Tally
from tillbridge.service.finding_port import PaymentFilter
from tillbridge.service.register_port import Payer
from tillbridge.service.store_port import (
    Case,
    CaseFilter,
    CaseKind,
    Facts,
    Message,
    Placed,
    StoredCredit,
    Task,
    TaskKind,
)
from tillbridge.store import case_finding, claiming, finding, outbox, payments, records
from tillbridge.store.administration import AdministrationStatements
from tillbridge.store.counting import CountingStatements
from tillbridge.store.hand_overs import HandOverStatements
from tillbridge.store.people import PeopleStatements
from tillbridge.store.refunds import RefundStatements
from tillbridge.store.second_looks import SecondLookStatements


class SqlTransaction(
    AdministrationStatements,
    CountingStatements,
    HandOverStatements,
    PeopleStatements,
    RefundStatements,
    SecondLookStatements,
):
    """Bind the statements to one connection with an open transaction.

    A transaction that `writes` holds every payment that it reads until its end: others who would change it wait.
    """

    def __init__(self, connection: Connection, *, writes: bool = True) -> None:
        self._connection, self._writes = connection, writes
        self.appended: list[Event] = []

    def payment(self, payment_id: str) -> Payment | None:
        return payments.read(self._connection, payment_id, hold=self._writes)

    def add_payment(self, payment: Payment, payer: Payer | None) -> None:
        payments.add(self._connection, payment, payer)

    def save(self, payment: Payment) -> Payment:
        return replace(payment, version=payments.save(self._connection, payment))

    def payer(self, payment_id: str) -> Payer | None:
        return payments.read_payer(self._connection, payment_id)

    def forget_payer(self, payment_id: str) -> None:
        payments.forget_payer(self._connection, payment_id)

    def find_payments(self, wanted: PaymentFilter, after: tuple[float, str] | None, limit: int) -> tuple[Payment, ...]:
        return finding.find(self._connection, wanted, after, limit)

    def payments_under_way(self, branches: frozenset[str] | None, limit: int) -> tuple[Payment, ...]:
        return finding.under_way(self._connection, branches, limit)

    def register_heard_at(self, branch: str, register: str) -> float | None:
        return finding.register_heard_at(self._connection, branch, register)

    def debit_types(self) -> frozenset[str]:
        return finding.debit_types(self._connection)

    def recent_payments(self, limit: int) -> tuple[Payment, ...]:
        return payments.recent(self._connection, limit)

    def payments_in_doubt(self) -> tuple[Payment, ...]:
        return payments.in_doubt(self._connection)

    def claim(self, payment: Payment) -> str | None:
        return claiming.claim(self._connection, payment)

    def claims_on(self, library: str, charge_ids: Sequence[str]) -> Mapping[str, str]:
        return claiming.claims_on(self._connection, library, charge_ids)

    def claims_of(self, library: str, patron_id: str) -> Mapping[str, str]:
        return claiming.claims_of(self._connection, library, patron_id)

    def claim_free(self, payment: Payment) -> None:
        claiming.claim_free(self._connection, payment)

    def reclaim(self, payment: Payment) -> tuple[str, ...]:
        return claiming.reclaim(self._connection, payment)

    def unsettled_collector(self, payment: Payment) -> str | None:
        return claiming.unsettled_collector(self._connection, payment)

    def receipt_holder(self, payment: Payment, receipt_number: str) -> str | None:
        return claiming.receipt_holder(self._connection, payment, receipt_number)

    def typed_receipt_holders(self, payment: Payment, receipt_number: str) -> tuple[Payment, ...]:
        return claiming.typed_receipt_holders(self._connection, payment, receipt_number)

    def release_claims(self, payment_id: str) -> None:
        claiming.release_claims(self._connection, payment_id)

    def lock_patron(self, payment: Payment) -> bool:
        return payments.lock_patron(self._connection, payment)

    def unlock_patron(self, payment: Payment, now: float) -> None:
        payments.unlock_patron(self._connection, payment, now)

    def append_event(self, payment_id: str, at: float, actor: str, kind: str, facts: Facts) -> Event:
        event = records.append_event(self._connection, payment_id, at, actor, kind, facts)
        self.appended.append(event)
        return event

    def history(self, payment_id: str) -> tuple[tuple[Event, str], ...]:
        return records.history(self._connection, payment_id)

    def events_after(self, position: int, limit: int) -> tuple[Placed, ...]:
        return records.events_after(self._connection, position, limit)

    def events_at(self, positions: Sequence[int]) -> tuple[Placed, ...]:
        return records.events_at(self._connection, positions)

    def newest_event_at(self) -> float:
        return records.newest_event_at(self._connection)

    def last_position(self) -> int:
        return records.last_position(self._connection)

    def seal_missing(self, until_day: date) -> int:
        return records.seal_missing(self._connection, until_day)

    def keep_message(self, message: Message) -> None:
        records.keep_message(self._connection, message)

    def messages(self, payment_id: str) -> tuple[Message, ...]:
        return records.messages(self._connection, payment_id)

    def newest_strays(self, limit: int) -> tuple[Message, ...]:
        return records.newest_strays(self._connection, limit)

    def add_task(self, payment_id: str, kind: TaskKind, due_at: float) -> None:
        outbox.add(self._connection, payment_id, kind, due_at)

    def nudge_task(self, payment_id: str, kind: TaskKind, due_at: float) -> None:
        outbox.nudge(self._connection, payment_id, kind, due_at)

    def drop_tasks(self, payment_id: str, *kinds: TaskKind) -> None:
        outbox.drop(self._connection, payment_id, kinds)

    def claim_tasks(
        self, owner: str, kinds: Sequence[TaskKind], now: float, lease_until: float, limit: int
    ) -> tuple[Task, ...]:
        return outbox.claim(self._connection, owner, kinds, now, lease_until, limit)

    def renew_leases(self, owner: str, task_ids: Sequence[int], lease_until: float) -> frozenset[int]:
        return outbox.renew(self._connection, owner, task_ids, lease_until)

    def finish_task(self, task: Task) -> None:
        outbox.finish(self._connection, task)

    def postpone_task(self, task: Task, due_at: float, attempt: int) -> None:
        outbox.postpone(self._connection, task, due_at, attempt)

    def lease_owners(self) -> frozenset[str]:
        return outbox.lease_owners(self._connection)

    def expire_leases_of(self, owner: str) -> None:
        outbox.expire_all_of(self._connection, owner)

    def expire_leases(self) -> None:
        outbox.expire_all(self._connection)

    def next_due(self, kinds: Sequence[TaskKind]) -> float | None:
        return outbox.next_due(self._connection, kinds)

    def credits(self, payment_id: str) -> tuple[StoredCredit, ...]:
        return records.read_credits(self._connection, payment_id)

    def put_credit(self, payment_id: str, credit: StoredCredit) -> None:
        records.put_credit(self._connection, payment_id, credit)

    def take_for_just_sent(self, at: float) -> None:
        records.take_for_just_sent(self._connection, at)

    def collectors_since(self, payment: Payment) -> tuple[str, ...]:
        return claiming.collectors_since(self._connection, payment)

    def open_case(
        self, kind: CaseKind, payment_id: str | None, at: float, facts: Facts, others: Sequence[str] = ()
    ) -> int | None:
        return records.open_case(self._connection, kind, payment_id, at, facts, others)

    def case(self, case_id: int) -> Case | None:
        return records.read_case(self._connection, case_id)

    def open_cases(self, payment_id: str | None = None) -> tuple[Case, ...]:
        return records.open_cases(self._connection, payment_id)

    def find_cases(self, wanted: CaseFilter, after: int | None, limit: int) -> tuple[Case, ...]:
        return case_finding.find(self._connection, wanted, after, limit)

    def count_cases(self, branches: frozenset[str] | None) -> Mapping[str, Tally]:
        return case_finding.count_open(self._connection, branches)

    def cases_of(self, payment_id: str) -> tuple[Case, ...]:
        return records.cases_of(self._connection, payment_id)

    def stray_is_known(self, reported_id: str) -> bool:
        return records.stray_is_known(self._connection, reported_id)

    def cases_naming(self, payment_id: str) -> tuple[Case, ...]:
        return records.cases_naming(self._connection, payment_id)

    def close_case(self, case_id: int, at: float, by: str, resolution: str) -> None:
        records.close_case(self._connection, case_id, at, by, resolution)
