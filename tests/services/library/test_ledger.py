# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds in the ledger whatever is done to it."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tillbridge.simulators.library import corrections
from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.facts import ChargeOrder, CreditOrder, LedgerError, PatronOrder, Side
from tillbridge.simulators.library.json_text import read_json, write_json

_AMOUNTS = st.decimals("0.001", "30", places=3)
_IDS = st.integers(1, 12)
_DEEDS = st.one_of(
    st.tuples(st.just("charge"), _IDS, _AMOUNTS),
    st.tuples(st.just("credit"), _IDS, _AMOUNTS),
    st.tuples(st.just("stored"), _IDS, _AMOUNTS),
    st.tuples(st.just("grow"), _IDS, _AMOUNTS),
    st.tuples(st.just("void"), _IDS, _AMOUNTS),
    st.tuples(st.just("apply"), _IDS, _AMOUNTS),
    st.tuples(st.just("write off"), _IDS, _AMOUNTS),
    st.tuples(st.just("merge"), _IDS, _AMOUNTS),
)


def _book() -> Book:
    book = Book()
    for card in ("A", "B"):
        patron = book.add_patron(PatronOrder(card, "Testi"))
        book.charge(patron.patron_id, ChargeOrder(Decimal(10), "MANUAL"))
    return book


def _do(book: Book, deed: str, number: int, amount: Decimal) -> None:
    patron_id = 1 + number % 2
    match deed:
        case "charge":
            book.charge(patron_id, ChargeOrder(amount, "MANUAL"))
        case "credit":
            book.record(patron_id, CreditOrder(amount, line_ids=(number,)), user_id=1)
        case "stored":
            book.store(patron_id, CreditOrder(amount), user_id=1)
        case "grow":
            corrections.grow(book, number, amount)
        case "void":
            corrections.void(book, number)
        case "apply":
            corrections.apply_by_hand(book, number)
        case "write off":
            corrections.write_off(book, number, amount)
        case "merge":
            corrections.merge(book, 1, 2)


@settings(max_examples=150)
@given(st.lists(_DEEDS, max_size=15))
def test_what_is_outstanding_always_follows_from_amounts_and_offsets(deeds: list[tuple[str, int, Decimal]]) -> None:
    book = _book()
    for deed in deeds:
        with suppress(LedgerError):
            _do(book, *deed)

    for line in book.lines.values():
        touching = [one for one in book.offsets if None not in {one.credit_id, one.debit_id}]
        if line.is_credit:
            spent = sum((one.amount for one in touching if one.credit_id == line.line_id), Decimal(0))
            assert line.amount <= line.outstanding <= 0
            assert line.outstanding == line.amount + spent
        else:
            paid = sum((one.amount for one in touching if one.debit_id == line.line_id), Decimal(0))
            assert 0 <= line.outstanding <= line.amount
            assert line.outstanding == line.amount - paid
        listed = [one.line_id for side in Side for one in book.lines_of(line.patron_id, side)]
        assert listed.count(line.line_id) == 1


def test_a_lost_update_leaves_untouched_what_only_the_first_credit_paid() -> None:
    book = _book()
    other = book.charge(1, ChargeOrder(Decimal(4), "MANUAL")).line_id
    orders = (CreditOrder(Decimal(14)), CreditOrder(Decimal(6), line_ids=(1,)))

    first, second = corrections.record_losing_an_update(book, 1, orders, (1, 1))

    assert [first.outstanding, second.outstanding] == [Decimal(0)] * 2
    assert [book.lines[1].outstanding, book.lines[other].outstanding] == [Decimal(4), Decimal(0)]


_NUMBERS = {
    "3": "3.0",
    "2.400000": "2.4",
    "0.000000": "0.0",
    "-0": "0.0",
    "-1000000000000": "-1000000000000.0",
    "8.995": "8.995",
    "1E+3": "1000.0",
    "0.000001": "0.000001",
    "1234567890123456.78": "1234567890123460.0",
}


@pytest.mark.parametrize(("amount", "text"), _NUMBERS.items())
def test_a_decimal_is_written_as_kohas_encoder_writes_it(amount: str, text: str) -> None:
    assert write_json(Decimal(amount)) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_what_is_written_is_read_again(value: object) -> None:
    assert read_json(write_json(value)) == value
