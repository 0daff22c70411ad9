# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases are found page by page, by branch and kind, however many there are."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from support.payments import make_payment
from support.stores import AnyStore
from tillbridge.service.counting_port import Tally
from tillbridge.service.store_port import CaseFilter, CaseKind, Transaction
from tillbridge.store import tables as t
from tillbridge.store.sqlite import SqliteStore
from tillbridge.store.transaction import SqlTransaction

SURPLUS, UNKNOWN_ID = CaseKind.SURPLUS, CaseKind.PAID_FOR_UNKNOWN_ID
CPL, FFL = frozenset({"CPL"}), frozenset({"FFL"})
MANY = 40_000
"""More than a statement can name one by one."""


def some_cases(tx: Transaction) -> dict[str, int]:
    """Open cases of three payments and of none, and close two; return their numbers by the names they have here."""
    for payment_id, branch in (("A1", "CPL"), ("A2", "FFL"), ("A3", "CPL")):
        tx.add_payment(make_payment(payment_id, payment_id, branch=branch), None)
    opened = {
        "first": tx.open_case(SURPLUS, "A1", 10.0, {"n": 1}, ["A3", "A2"]),
        "stray": tx.open_case(UNKNOWN_ID, None, 20.0, {}),
        "other branch": tx.open_case(SURPLUS, "A2", 30.0, {}),
        "second": tx.open_case(CaseKind.NOT_BOOKED, "A1", 40.0, {}, ["A2"]),
        "third": tx.open_case(SURPLUS, "A3", 50.0, {}),
        "closed stray": tx.open_case(UNKNOWN_ID, None, 60.0, {}),
    }
    numbers = {name: case_id for name, case_id in opened.items() if case_id is not None}
    for name in ("first", "closed stray"):
        tx.close_case(numbers[name], 70.0, "otto", "settled")
    return numbers


FOUND = [
    (CaseFilter(open=True), ["stray", "other branch", "second", "third"]),
    (CaseFilter(open=False), ["closed stray", "first"]),
    (CaseFilter(), ["closed stray", "third", "second", "other branch", "stray", "first"]),
    (CaseFilter(open=True, branches=CPL), ["second", "third"]),
    (CaseFilter(open=False, branches=CPL), ["first"]),
    (CaseFilter(branches=CPL | FFL), ["third", "second", "other branch", "first"]),
    (CaseFilter(branches=frozenset()), []),
    (CaseFilter(kinds=frozenset({SURPLUS})), ["third", "other branch", "first"]),
    (CaseFilter(kinds=frozenset({SURPLUS, UNKNOWN_ID}), open=True), ["stray", "other branch", "third"]),
    (CaseFilter(kinds=frozenset()), []),
]


@pytest.mark.parametrize(("wanted", "names"), FOUND, ids=range(len(FOUND)))
async def test_cases_are_found_by_what_is_asked_for_page_by_page(
    store: AnyStore, wanted: CaseFilter, names: list[str]
) -> None:
    numbers = await store.write(some_cases)
    expected = [numbers[name] for name in names]
    assert [case.id for case in await store.read(lambda tx: tx.find_cases(wanted, None, 9))] == expected

    def page_by_page(tx: Transaction) -> list[int]:
        found: list[int] = []
        while page := tx.find_cases(wanted, found[-1] if found else None, 2):
            assert len(page) <= 2
            found += [case.id for case in page]
        return found

    assert await store.read(page_by_page) == expected


async def test_a_found_case_is_whole(store: AnyStore) -> None:
    numbers = await store.write(some_cases)
    (found,) = await store.read(lambda tx: tx.find_cases(CaseFilter(open=False, branches=CPL), None, 9))
    assert found == await store.read(lambda tx: tx.case(numbers["first"]))
    assert (found.facts, found.other_payment_ids, found.closed_by) == ({"n": 1}, ("A2", "A3"), "otto")


async def test_open_cases_are_counted_by_kind_for_some_branches(store: AnyStore) -> None:
    await store.write(some_cases)
    every, of_cpl, of_none = await store.read(lambda tx: [tx.count_cases(each) for each in (None, CPL, frozenset())])
    assert every == {"paid_for_unknown_id": Tally(1, 20.0), "surplus": Tally(2, 30.0), "not_booked": Tally(1, 40.0)}
    assert of_cpl == {"not_booked": Tally(1, 40.0), "surplus": Tally(1, 50.0)}
    assert of_none == {}


async def test_all_cases_of_a_payment_are_read_closed_ones_too(store: AnyStore) -> None:
    numbers = await store.write(some_cases)
    cases = await store.read(lambda tx: tx.cases_of("A1"))
    assert [(case.id, case.closed_at) for case in cases] == [(numbers["first"], 70.0), (numbers["second"], None)]
    assert cases[1].other_payment_ids == ("A2",)
    assert await store.read(lambda tx: tx.cases_of("nothing")) == ()


async def test_however_many_cases_are_open_they_are_read_with_the_payments_that_they_name(
    sqlite_store: SqliteStore,
) -> None:
    def open_many(tx: Transaction) -> None:
        assert isinstance(tx, SqlTransaction)
        for payment_id in ("A1", "A2"):
            tx.add_payment(make_payment(payment_id, payment_id), None)
        row = {"kind": "paid_for_unknown_id", "payment_id": None, "opened_at": 1.0, "facts": "{}"}
        tx._connection.execute(insert(t.open_case), [row] * MANY)
        names = [{"case_id": n, "payment_id": each} for n in range(1, MANY + 1) for each in ("A2", "A1")]
        tx._connection.execute(insert(t.named_payment), names)

    await sqlite_store.write(open_many)
    for cases in await sqlite_store.read(
        lambda tx: [tx.open_cases(), tx.cases_naming("A1"), tx.find_cases(CaseFilter(open=True), None, MANY)]
    ):
        assert [case.id for case in cases] == [*range(1, MANY + 1)]
        assert {case.other_payment_ids for case in cases} == {("A1", "A2")}
