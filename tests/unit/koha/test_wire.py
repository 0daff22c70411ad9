# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts and references on the wire, for all that can be written."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbridge.libraries.koha.access import Basic, _read_token, _Token
from tillbridge.libraries.koha.replies import Unexpected
from tillbridge.libraries.koha.transport import Reply
from tillbridge.libraries.koha.wire import (
    amount_text,
    credit_body,
    exact_amount,
    is_id,
    reference_in,
    reference_query,
)
from tillbridge.service.library_port import CreditOrder

REFERENCES = st.from_regex(r"\Atillbridge:[0-9a-f]{24}\Z")
AMOUNTS = st.decimals(min_value=Decimal("0.000001"), max_value=Decimal("999999999.999999"), places=6) | st.decimals(
    min_value=Decimal("0.01"), max_value=Decimal(10_000), places=2
)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def order(amount: Decimal = Decimal(1), note: str = "tillbridge:0") -> CreditOrder:
    return CreditOrder("5", "CPL", ("9001",), amount, "tillbridge:0", note)


# Amounts --------------------------------------------------------------------------------------------------------


@given(AMOUNTS)
def test_an_amount_comes_back_as_it_was_written(amount: Decimal) -> None:
    text = amount_text(amount)
    assert "e" not in text.lower()
    assert exact_amount(json.loads(text, parse_float=Decimal)) == amount


@given(AMOUNTS)
def test_an_amount_that_is_written_survives_a_double_on_the_other_side(amount: Decimal) -> None:
    assert Decimal(format(json.loads(amount_text(amount)), ".15g")) == amount


@given(AMOUNTS, st.integers(min_value=-3, max_value=3))
def test_the_same_amount_is_written_the_same_way(amount: Decimal, zeros: int) -> None:
    stretched = amount.scaleb(zeros).scaleb(-zeros) + Decimal("0.000000000")
    assert amount_text(stretched) == amount_text(amount)


@given(AMOUNTS)
def test_the_body_holds_the_exact_amount_as_a_number(amount: Decimal) -> None:
    body = credit_body(order(amount), "CEEPOS", "")
    assert json.loads(body, parse_float=Decimal)["amount"] == amount
    assert body.startswith(b'{"amount": ' + amount_text(amount).encode() + b", ")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("5", "5"),
        ("5.00", "5"),
        ("1E+2", "100"),
        ("100", "100"),
        ("0.10", "0.1"),
        ("0.333", "0.333"),
        ("1E-6", "0.000001"),
        ("1.0000000", "1"),
        ("999999999.999999", "999999999.999999"),
    ],
)
def test_an_amount_is_written_plainly(amount: str, text: str) -> None:
    assert amount_text(Decimal(amount)) == text


@pytest.mark.parametrize("amount", ["0", "-1", "1E-7", "0.0000001", "1.0000005", "1E+9", "1E+999999", "NaN", "sNaN"])
def test_an_amount_that_koha_could_not_keep_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="six places"):
        amount_text(Decimal(amount))


@given(st.none() | st.booleans() | st.text() | st.floats() | st.lists(st.integers()))
def test_only_a_number_is_an_amount(value: object) -> None:
    with pytest.raises(Unexpected):
        exact_amount(value)


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_every_decimal_is_a_bounded_plain_amount_or_none(value: Decimal) -> None:
    try:
        amount = exact_amount(value)
    except Unexpected:
        return
    assert abs(amount) < 10**15
    assert len(str(amount)) < 24
    assert abs(amount - value) <= Decimal("0.0000005")


# References -----------------------------------------------------------------------------------------------------


@given(REFERENCES, WORDS, WORDS, st.none() | st.integers(min_value=1, max_value=999))
def test_a_reference_is_found_as_a_whole_word_wherever_it_stands(
    reference: str, before: str, behind: str, number: int | None
) -> None:
    word = reference if number is None else f"{reference}:{number}"
    assert reference_in(f"{before} {word}\n{behind}", reference) == word


@given(REFERENCES, st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=5))
def test_a_word_with_more_at_its_ends_is_another_reference(reference: str, more: str) -> None:
    assert reference_in(f"note {more}{reference}", reference) is None
    assert reference_in(f"note {reference}x{more}", reference) is None


@given(REFERENCES, REFERENCES)
def test_another_payments_reference_is_not_ours(one: str, other: str) -> None:
    assert (reference_in(f"receipt 1 {other}", one) is not None) == (one == other)


@pytest.mark.parametrize("behind", [":", ":0", ":01", ":-1", ":1x", ":1:1", ":٣", ":1.", ",", ".", ":1000000000"])
def test_what_stands_behind_a_reference_is_a_positive_number_or_nothing(behind: str) -> None:
    assert reference_in(f"note tillbridge:ab{behind}", "tillbridge:ab") is None


def test_letter_case_counts() -> None:
    assert reference_in("note TILLBRIDGE:AB", "tillbridge:ab") is None


def test_the_reference_at_the_end_counts_where_a_note_holds_two() -> None:
    assert reference_in("see tillbridge:ab:1 tillbridge:ab:2", "tillbridge:ab") == "tillbridge:ab:2"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_the_filter_means_the_reference_literally(reference: str) -> None:
    pattern = json.loads(reference_query(reference))["internal_note"]["-like"]
    assert _literally(pattern[1:-1]) == reference
    assert (pattern[0], pattern[-1]) == ("%", "%")


def _literally(pattern: str) -> str:
    """Read a LIKE pattern as the database does, and fail on a sign that is not meant literally."""
    signs = iter(pattern)
    read = []
    for sign in signs:
        assert sign not in "%_"
        read.append(next(signs) if sign == "\\" else sign)
    return "".join(read)


# The rest -------------------------------------------------------------------------------------------------------


@given(st.integers(min_value=1, max_value=10**18 - 1))
def test_a_number_of_koha_has_one_spelling(number: int) -> None:
    assert is_id(str(number))
    assert not is_id(f"0{number}")
    assert not is_id(f" {number}")


def test_a_sign_that_no_text_can_hold_does_not_stop_a_booking() -> None:
    note = "by \ud800 tillbridge:0"
    assert json.loads(credit_body(order(note=note), "CEEPOS", ""))["note"] == "by ? tillbridge:0"


@pytest.mark.parametrize(
    ("lives_s", "renew_at"), [(3600, 3640.0), (100, 190.0), (5, 105.0), (0, 100.0), (-9, 100.0), (10**30, 86_500.0)]
)
def test_a_token_is_renewed_before_it_ends(lives_s: int, renew_at: float) -> None:
    body = json.dumps({"access_token": "t", "expires_in": lives_s}).encode()
    token = _read_token(Reply(200, is_json=True, body=body), asked_at=100.0)
    assert isinstance(token, _Token)
    assert token.renew_at == renew_at


async def test_no_secret_and_no_answer_shows_in_a_representation() -> None:
    basic = Basic("bridge", "an example")
    value = await basic.authorization()
    assert isinstance(value, str)
    shown = repr([basic, _Token("Bearer abc", 1.0), Reply(200, is_json=True, body=b"a patron")])
    assert not any(secret in shown for secret in ("example", value, "abc", "a patron"))
