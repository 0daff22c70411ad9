# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbridge.domain.money import Money, cents_of, decimal_of, exact_of, rounded

CENTS = st.integers(-(10**12), 10**12)
MILLIONTHS = st.integers(0, 10**15).map(lambda units: Decimal(units).scaleb(-6))


@given(CENTS)
def test_cents_written_as_a_decimal_are_read_back_exactly(minor: int) -> None:
    text = str(exact_of(minor))
    assert len(text.split(".")[1]) == 2
    assert cents_of(text) == minor
    assert rounded(decimal_of(text)) == minor


@given(CENTS, CENTS)
def test_sums_and_differences_are_those_of_whole_numbers(one: int, other: int) -> None:
    assert Money(one, "EUR") + Money(other, "EUR") == Money(one + other, "EUR")
    assert Money(one, "EUR") - Money(other, "EUR") == Money(one - other, "EUR")
    assert (Money(one, "EUR") < Money(other, "EUR")) is (one < other)


@given(MILLIONTHS)
def test_rounding_is_half_up_to_the_cent(amount: Decimal) -> None:
    expected = (amount * 100 + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
    assert rounded(amount) == expected


@pytest.mark.parametrize(
    ("amount", "minor"),
    [
        ("0.005", 1),
        ("0.0049999", 0),
        ("0.015", 2),
        ("0.025", 3),
        ("2.675", 268),
        ("1.004999999999", 100),
        ("999999999999999.995", 100_000_000_000_000_000),
    ],
)
def test_half_a_cent_is_a_cent(amount: str, minor: int) -> None:
    assert rounded(decimal_of(amount)) == minor


@given(st.integers(1, 10**12).filter(lambda units: units % 10_000))
def test_a_fraction_of_a_cent_is_refused_and_not_rounded(units: int) -> None:
    with pytest.raises(ValueError, match="at most two decimals"):
        cents_of(f"{Decimal(units).scaleb(-6):f}")


@pytest.mark.parametrize(
    ("text", "minor"),
    [("2.50", 250), ("2.5", 250), ("2", 200), ("0", 0), ("-1.20", -120), ("1.500000000000", 150), ("007.10", 710)],
)
def test_a_plain_decimal_is_read_as_cents(text: str, minor: int) -> None:
    assert cents_of(text) == minor


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1\n", "+1", "--1", "1,50", ".5", "5.", "1.2.3", "1_000"),
        *("1e3", "1E-2", "NaN", "Infinity", "-inf", "sNaN", "0x10", "€1", "1\x00"),
        *("١٢", "1.१", "१", "1" * 16, "0." + "1" * 13),
    ],
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a plain decimal"):
        decimal_of(text)


@pytest.mark.parametrize("minor", [1.0, 1.5, True, False, "1", None, Decimal(1)])
def test_money_is_never_anything_but_a_whole_number_of_cents(minor: Any) -> None:
    with pytest.raises(TypeError):
        Money(minor, "EUR")


def test_currencies_are_not_mixed() -> None:
    with pytest.raises(ValueError, match="cannot be reckoned"):
        Money(1, "EUR") + Money(1, "SEK")
    with pytest.raises(ValueError, match="cannot be reckoned"):
        Money(1, "EUR") - Money(1, "SEK")


def test_money_is_shown_with_its_currency() -> None:
    assert [str(Money(minor, "EUR")) for minor in (5, 100, -250)] == ["0.05 EUR", "1.00 EUR", "-2.50 EUR"]
