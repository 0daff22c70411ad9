# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not at rest is counted on both engines, by an index and not by looking at everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, text

from support.payments import make_payment
from support.quick import quick_store
from support.stores import ENGINES, AnyStore, quick_postgres_store, server_for
from tillbridge.domain.lifecycle import (
    AT_REGISTER,
    AT_REST,
    CANCELLED_TILL,
    CREATED,
    PAID_TILL,
    REVERSED_TILL,
    STANDINGS,
    UNDECIDED,
    Booking,
    Collection,
    Standing,
)
from tillbridge.operation.gauges import UNBOOKED
from tillbridge.service.counting_port import Tally, Waiting
from tillbridge.service.store_port import CaseKind, TaskKind, Transaction
from tillbridge.store.counting import OPEN_CASES, UNBOOKED_PAYMENTS, UNDECIDED_PAYMENTS
from tillbridge.store.transaction import SqlTransaction

MANY = 3000
NONE = Booking.NONE


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyStore]:
    server = server_for(request)
    with quick_store(tmp_path / "bridge.db") if server is None else quick_postgres_store(server) as opened:
        yield opened


def add(tx: Transaction, number: int, standing: Standing, booking: Booking) -> None:
    charge = str(number)
    tx.add_payment(
        make_payment(f"P{number}", charge, created_at=1000.0 + number, standing=standing, booking=booking), None
    )


def add_all(tx: Transaction, states: Sequence[tuple[Standing, Booking]]) -> None:
    for number, (standing, booking) in enumerate(states):
        add(tx, number, standing, booking)


async def test_nothing_is_counted_where_nothing_is(store: AnyStore) -> None:
    def counted(tx: Transaction) -> list[object]:
        return [tx.count_undecided(), tx.count_unbooked(), tx.count_open_cases(), tx.count_tasks(1000.0)]

    assert await store.read(counted) == [{}, {}, {}, {}]


async def test_payments_are_counted_by_state_with_the_oldest_as_long_as_they_are_not_at_rest(store: AnyStore) -> None:
    payments = [
        (CREATED, NONE),
        (AT_REGISTER, NONE),
        (AT_REGISTER, NONE),
        (PAID_TILL, Booking.BOOKED),
        (PAID_TILL, Booking.DUE),
        (PAID_TILL, NONE),
        (CANCELLED_TILL, NONE),
        (REVERSED_TILL, Booking.REVERSAL_DUE),
        (REVERSED_TILL, Booking.REVERSED),
        (PAID_TILL, Booking.DUE),
    ]
    await store.write(lambda tx: add_all(tx, payments))
    undecided, unbooked = await store.read(lambda tx: (tx.count_undecided(), tx.count_unbooked()))
    assert undecided == {"created": Tally(1, 1000.0), "at_register": Tally(2, 1001.0)}
    assert unbooked == {"due": Tally(2, 1004.0), "reversal_due": Tally(1, 1007.0)}


async def test_no_state_that_is_not_at_rest_is_left_out(store: AnyStore) -> None:
    every = [(standing, booking) for standing in STANDINGS for booking in Booking]
    await store.write(lambda tx: add_all(tx, every))
    undecided, unbooked = await store.read(lambda tx: (tx.count_undecided(), tx.count_unbooked()))
    assert set(undecided) == set(UNDECIDED) == set(Collection) - {"paid", "cancelled", "refused", "reversed"}
    assert set(unbooked) == UNBOOKED == set(Booking) - AT_REST
    assert {tally.count for tally in unbooked.values()} == {len(STANDINGS)}


async def test_open_cases_are_counted_by_kind_and_closed_ones_are_not(store: AnyStore) -> None:
    def open_some(tx: Transaction) -> None:
        add(tx, 1, PAID_TILL, Booking.BLOCKED)
        tx.open_case(CaseKind.SURPLUS, "P1", 50.0, {})
        tx.open_case(CaseKind.PAID_FOR_UNKNOWN_ID, None, 70.0, {})
        tx.open_case(CaseKind.PAID_FOR_UNKNOWN_ID, None, 60.0, {})
        tx.open_case(CaseKind.NOT_BOOKED, "P1", 40.0, {})
        closed = next(case for case in tx.open_cases() if case.kind is CaseKind.NOT_BOOKED)
        tx.close_case(closed.id, 80.0, "bridge", "booked")

    await store.write(open_some)
    counted = await store.read(lambda tx: tx.count_open_cases())
    assert counted == {"surplus": Tally(1, 50.0), "paid_for_unknown_id": Tally(2, 60.0)}


async def test_tasks_are_counted_as_due_or_as_being_done(store: AnyStore) -> None:
    def plan(tx: Transaction) -> None:
        for number, due_at in enumerate((100.0, 110.0, 120.0, 500.0)):
            tx.add_task(f"P{number}", TaskKind.BOOK, due_at)
        tx.add_task("P9", TaskKind.SEND, 90.0)
        tx.claim_tasks("somebody", [TaskKind.BOOK], 105.0, 200.0, 10)

    await store.write(plan)
    early, late = await store.read(lambda tx: (tx.count_tasks(150.0), tx.count_tasks(200.0)))
    assert early == {"book": Waiting(2, 110.0, 1), "send": Waiting(1, 90.0, 0)}
    # A lease that has run out is nobody's.
    assert late == {"book": Waiting(3, 100.0, 0), "send": Waiting(1, 90.0, 0)}


def plan_of(tx: Transaction, counted: Select[str, int, Any]) -> str:
    """Return how the database would run this."""
    assert isinstance(tx, SqlTransaction)
    dialect = tx._connection.dialect
    explain = "EXPLAIN" if dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    statement = counted.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    return "\n".join(str(row) for row in tx._connection.execute(text(f"{explain} {statement}")))


def analyse(tx: Transaction) -> None:
    """Let the database know its tables; the indexes of an emptied one stay as large as tests before made them."""
    assert isinstance(tx, SqlTransaction)
    for table in ("payment", "open_case"):
        tx._connection.execute(
            text(f"REINDEX {'TABLE ' if tx._connection.dialect.name == 'postgresql' else ''}{table}")
        )
    tx._connection.execute(text("ANALYZE"))


def fill(tx: Transaction) -> None:
    add_all(tx, [(PAID_TILL, Booking.BOOKED)] * MANY)
    analyse(tx)


@pytest.mark.parametrize("counted", [UNDECIDED_PAYMENTS, UNBOOKED_PAYMENTS], ids=["undecided", "unbooked"])
async def test_payments_at_rest_are_not_looked_at(store: AnyStore, counted: Select[str, int, Any]) -> None:
    await store.write(fill)
    plan = await store.read(lambda tx: plan_of(tx, counted))
    assert "ix_payment_collection_booking" in plan
    assert [word for word in ("Seq Scan", "SCAN payment") if word in plan] == []


async def test_closed_cases_are_not_looked_at(store: AnyStore) -> None:
    def close_many(tx: Transaction) -> None:
        for n in range(300):
            tx.open_case(CaseKind.PAID_FOR_UNKNOWN_ID, None, float(n), {})
        for case in tx.open_cases():
            tx.close_case(case.id, 400.0, "otto", "settled")
        analyse(tx)

    await store.write(close_many)
    plan = await store.read(lambda tx: plan_of(tx, OPEN_CASES))
    assert "ix_open_case_open" in plan
