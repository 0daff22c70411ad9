# SPDX-License-Identifier: GPL-3.0-or-later
"""Payments are found by whatever is known of them, and each search reads as little as it can."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from support.payments import make_line, make_payment
from support.stores import AnyStore
from tillbridge.domain.lifecycle import (
    AT_REGISTER,
    CANCELLED_TILL,
    CREATED,
    PAID_TILL,
    REFUSED,
    REVERSED_TILL,
    UNKNOWN,
    Booking,
)
from tillbridge.domain.payment import Payment
from tillbridge.service.finding_port import PaymentFilter
from tillbridge.service.store_port import CaseKind, Transaction
from tillbridge.store import finding, ranges
from tillbridge.store.sqlite import SqliteStore
from tillbridge.store.transaction import SqlTransaction

STATES = [
    (PAID_TILL, Booking.BOOKED),
    (PAID_TILL, Booking.DUE),
    (PAID_TILL, Booking.BLOCKED),
    (CANCELLED_TILL, Booking.NONE),
    (REFUSED, Booking.NONE),
    (AT_REGISTER, Booking.NONE),
    (UNKNOWN, Booking.NONE),
    (CREATED, Booking.NONE),
    (REVERSED_TILL, Booking.REVERSED),
    (REVERSED_TILL, Booking.REVERSAL_DUE),
]


def some_payments(count: int = 400) -> list[Payment]:
    """Make payments of all sorts; many began at one instant."""
    chance = random.Random(7)  # noqa: S311 - nothing here is secret
    return [some_payment(chance, number) for number in range(count)]


def some_payment(chance: random.Random, number: int) -> Payment:
    standing, booking = chance.choice(STATES)
    return make_payment(
        f"P{chance.randrange(10**6):06d}{number}",
        created_at=1000.0 + chance.randrange(60),
        standing=standing,
        booking=booking,
        branch=chance.choice(["CPL", "FFL", "MPL"]),
        register=chance.choice(["10", "11", "20"]),
        clerk=chance.choice(["anna", "otto", "sari"]),
        patron_id=str(chance.randrange(50)),
        receipt_number=str(chance.randrange(30)),
        lines=(make_line(amount_minor=chance.choice([100, 200, 300])),),
    )


def add_all(tx: Transaction, payments: list[Payment]) -> None:
    for number, payment in enumerate(payments):
        tx.add_payment(payment, None)
        if number % 9 == 0:
            tx.open_case(CaseKind.SURPLUS, payment.id, 5.0, {})
            tx.open_case(CaseKind.NOT_BOOKED, payment.id, 6.0, {})
        if number % 10 == 0:
            tx.open_case(CaseKind.SAME_RECEIPT, payment.id, 7.0, {})
    for case in tx.open_cases():
        if case.kind is CaseKind.SAME_RECEIPT:
            tx.close_case(case.id, 8.0, "otto", "settled")


CHOICES: dict[str, list[object]] = {
    "collections": [frozenset({"paid"}), frozenset({"cancelled", "unknown"}), frozenset[str]()],
    "bookings": [frozenset({"none"}), frozenset({"blocked", "reversal_due"})],
    "branches": [frozenset({"CPL"}), frozenset({"CPL", "MPL"}), frozenset({"XPL"}), frozenset[str]()],
    "register": ["10", "99"],
    "clerk": ["anna", "nobody"],
    "patron_id": ["7", "nobody"],
    "receipt_number": ["12", "nothing"],
    "total_minor": [200, 1],
    "with_open_case": [True, False],
    "since": [1020.0],
    "until": [1040.0],
}


def combinations() -> Iterator[PaymentFilter]:
    """Combine up to three conditions."""
    yield PaymentFilter()
    for count in (1, 2, 3):
        for names in itertools.combinations(CHOICES, count):
            chance = random.Random("".join(names))  # noqa: S311 - as above
            yield PaymentFilter(**{name: chance.choice(CHOICES[name]) for name in names})  # type: ignore[arg-type]
    for name, values in CHOICES.items():
        yield from (PaymentFilter(**{name: value}) for value in values)  # type: ignore[arg-type]


def fits(payment: Payment, wanted: PaymentFilter, with_case: frozenset[str]) -> bool:
    """Say what the filter means, one condition after the other."""
    equal = [
        (wanted.register, payment.register),
        (wanted.clerk, payment.clerk),
        (wanted.patron_id, payment.patron_id),
        (wanted.receipt_number, payment.receipt_number),
        (wanted.total_minor, payment.total.minor),
    ]
    among = [
        (wanted.collections, payment.collection),
        (wanted.bookings, payment.booking),
        (wanted.branches, payment.branch),
    ]
    return (
        all(value is None or value == own for value, own in equal)
        and all(values is None or own in values for values, own in among)
        and wanted.with_open_case in (None, payment.id in with_case)
        and (wanted.since is None or payment.created_at >= wanted.since)
        and (wanted.until is None or payment.created_at < wanted.until)
    )


@pytest.fixture(params=[(200, 5000), (3, 40)], ids=["all is rare", "all is frequent"])
def rare_or_frequent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the search take every condition for rare, or weigh them."""
    sample, few_cases = request.param
    monkeypatch.setattr(ranges, "SAMPLE", sample)
    monkeypatch.setattr(finding, "FEW_CASES", few_cases)


@pytest.mark.usefixtures("rare_or_frequent")
async def test_whatever_is_combined_finds_what_fits_newest_first_page_by_page(store: AnyStore) -> None:
    payments = some_payments()
    await store.write(lambda tx: add_all(tx, payments))
    with_case = frozenset(payment.id for payment in payments[::9])
    newest_first = sorted(payments, key=lambda payment: (-payment.created_at, payment.id))

    def check(tx: Transaction) -> None:
        for wanted in combinations():
            expected = [payment for payment in newest_first if fits(payment, wanted, with_case)]
            assert list(tx.find_payments(wanted, None, 1000)) == expected, wanted
            page = tx.find_payments(wanted, None, 7)
            assert list(page) == expected[:7], wanted
            if page:
                place = (page[-1].created_at, page[-1].id)
                assert list(tx.find_payments(wanted, place, 7)) == expected[7:14], wanted

    await store.read(check)


async def test_more_registers_than_a_search_takes_apart_are_all_found(
    store: AnyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "MOST", 3)
    payments = [make_payment(f"P{n}", register=str(n), created_at=1000.0 - n) for n in range(8)]
    await store.write(lambda tx: add_all(tx, payments))
    wanted = PaymentFilter(branches=frozenset({"CPL"}))
    assert list(await store.read(lambda tx: tx.find_payments(wanted, None, 10))) == payments
    assert len(await store.read(lambda tx: tx.find_payments(replace(wanted, clerk="anna"), None, 10))) == 8


async def test_payments_are_under_way_until_their_collection_and_their_booking_are_at_rest(store: AnyStore) -> None:
    payments = some_payments()
    await store.write(lambda tx: add_all(tx, payments))
    newest_first = sorted(payments, key=lambda payment: (-payment.created_at, payment.id))
    moving = [
        payment
        for payment in newest_first
        if payment.undecided or payment.booking not in (Booking.NONE, Booking.BOOKED, Booking.REVERSED)
    ]
    assert len(moving) > 100
    assert list(await store.read(lambda tx: tx.payments_under_way(None, 1000))) == moving
    of_branch = [payment for payment in moving if payment.branch == "CPL"]
    assert list(await store.read(lambda tx: tx.payments_under_way(frozenset({"CPL"}), 9))) == of_branch[:9]
    assert await store.read(lambda tx: tx.payments_under_way(frozenset(), 9)) == ()


async def test_nothing_is_under_way_where_there_is_nothing(store: AnyStore) -> None:
    assert await store.read(lambda tx: tx.payments_under_way(None, 9)) == ()


def the_ranges(tx: Transaction, wanted: PaymentFilter) -> tuple[str, ...]:
    """Name the columns of the ranges that a search reads."""
    assert isinstance(tx, SqlTransaction)
    return tuple(column.name for column in ranges.ranges_of(tx._connection, wanted, []).columns)


async def test_a_search_reads_through_its_rarest_condition(store: AnyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "SAMPLE", 4)
    payments = [
        make_payment(
            f"P{number:02d}",
            created_at=1000.0 + number,
            clerk="anna" if number % 2 else "otto",
            branch="FFL" if number % 5 == 0 else "CPL",
            register="20" if number % 5 == 0 else "10",
            standing=REFUSED if number < 3 else PAID_TILL,
            receipt_number="7",
        )
        for number in range(40)
    ]
    await store.write(lambda tx: add_all(tx, payments))
    ffl, refused = PaymentFilter(branches=frozenset({"FFL"})), frozenset({"refused"})
    chosen = {
        ("created_at",): PaymentFilter(since=5.0),
        ("branch", "register"): replace(ffl, total_minor=300),
        ("clerk",): replace(ffl, clerk="anna", total_minor=300),
        ("total_minor",): PaymentFilter(clerk="anna", total_minor=5),
        ("collection", "booking"): replace(ffl, collections=refused, clerk="otto"),
        ("receipt_number",): replace(ffl, receipt_number="7", collections=refused, patron_id="5"),
        ("patron_id",): replace(ffl, patron_id="5"),
    }
    for columns, wanted in chosen.items():
        found = await store.read(lambda tx, wanted=wanted: the_ranges(tx, wanted))  # type: ignore[misc]
        assert (found or ("created_at",)) == columns


async def test_no_search_scans_all_payments_or_takes_another_index_than_was_chosen(sqlite_store: SqliteStore) -> None:
    await sqlite_store.write(lambda tx: add_all(tx, some_payments(50)))

    def check(tx: Transaction) -> None:
        for wanted in combinations():
            columns, asked = the_ranges(tx, wanted), statements_of(tx, wanted)
            read = [sql for sql, _ in asked if re.match(r"SELECT \w+\.created_at, \w+\.id", sql)]
            for sql, values in asked:
                steps = plan_of(tx, sql, values)
                assert [step for step in steps if re.match("SCAN (payment|line)( USING INDEX|$)", step)] == [], wanted
                if sql in read[-1:] and not wanted.with_open_case:
                    index = f"INDEX ix_payment_{columns[0] if columns else 'created_at'}"
                    assert [step for step in steps if " payment " in step and index not in step] == [], wanted

    await sqlite_store.read(check)


def statements_of(tx: Transaction, wanted: PaymentFilter) -> list[tuple[str, Any]]:
    """Return what a search asks the database."""
    assert isinstance(tx, SqlTransaction)
    asked: list[tuple[str, Any]] = []
    with listening(tx._connection, lambda sql, values: asked.append((sql, values))):
        tx.find_payments(wanted, None, 10)
    return asked


def plan_of(tx: Transaction, sql: str, values: Any) -> list[str]:
    assert isinstance(tx, SqlTransaction)
    return [str(row.detail) for row in tx._connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)]


@contextmanager
def listening(connection: Connection, hear: Callable[[str, Any], None]) -> Iterator[None]:
    """Hear of every statement that a connection runs."""

    def before(_connection: object, _cursor: object, sql: str, values: Any, *_: object) -> None:
        hear(sql, values)

    event.listen(connection, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(connection, "before_cursor_execute", before)
