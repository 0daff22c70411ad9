# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillbridge.domain.money import Money
from tillbridge.registers.ceepos.cleaning import TEXT_LIMIT, cleaned, product_description
from tillbridge.registers.ceepos.hashes import RequestOrder, digest_of, request_slots, string_of
from tillbridge.registers.ceepos.reading import read_object
from tillbridge.registers.ceepos.request import Form, compose, signed
from tillbridge.service.register_port import Order, Payer, Product

any_text = st.text(st.characters(), max_size=150)  # surrogates too: a library system may hold anything
nasty_text = st.text(st.sampled_from("aä;' \t\x00\x1f\x85\u2028\ud800\U0001f4b6&\"<"), max_size=250)
texts = any_text | nasty_text
sendable = texts.map(cleaned).filter(bool)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Myöhästymismaksu", "Myöhästymismaksu"),
        ("a;b", "ab"),
        ("O'Neil", "O Neil"),
        ("Sakko 'Kalevala' ja ''Seitsemän''\n'veljestä'", "Sakko Kalevala ja Seitsemän veljestä"),
        ("a ' b", "a  b"),
        ("'Kalevala'", "Kalevala"),
        ("Sakko\tja\r\nkorvaus", "Sakko ja korvaus"),
        ("Sakko  ja   korvaus", "Sakko  ja   korvaus"),
        ("Sakko\u00a0\u2003ja", "Sakko\u00a0\u2003ja"),
        ("a\x1cb\x1dc\x85d\u2028e\u2029f\vg\fh", "a b c d e f g h"),
        ("a \n b", "a   b"),
        ("a ; b", "a  b"),
        ("  \u2003Sakko\u00a0 ", "Sakko"),
        ("a\x00b\x1bc\x7fd\x9fe", "abcde"),
        ("\u00a0 Sakko \u2028", "Sakko"),
        ("a\ud800b\udfff", "ab"),
        ("Толстой, Лев 💶", "Толстой, Лев 💶"),
        ('R&D "iso" <b>', 'R&D "iso" <b>'),
        ("ä" * 150, "ä" * 99),
        ("a" * 98 + " bc", "a" * 98),
        ("x" * 99 + ";", "x" * 99),
        (" ; ' ", ""),
        (" " * 5000 + "far away", ""),
    ],
)
def test_a_text_is_cleaned_for_the_till(text: str, expected: str) -> None:
    assert cleaned(text) == expected


def test_an_empty_product_description_becomes_a_dash() -> None:
    assert [product_description(text) for text in ("", " ; ", "\x00", "Sakko")] == ["-", "-", "-", "Sakko"]


@given(texts)
def test_cleaning_twice_changes_nothing_and_no_text_is_too_long_or_unsendable(text: str) -> None:
    once = cleaned(text)
    assert cleaned(once) == once
    assert len(once) <= min(TEXT_LIMIT, len(text))
    assert once == once.strip()
    assert not set(once) & set(";'")
    once.encode("utf-8")


@given(
    code=texts,
    description=texts,
    register=sendable,
    payer=st.none() | st.builds(Payer, texts, texts, texts),
    price=st.integers(1, 10**9),
    rule=st.sampled_from(RequestOrder),
)
def test_what_is_hashed_is_what_the_other_side_reads(
    code: str, description: str, register: str, payer: Payer | None, price: int, rule: RequestOrder
) -> None:
    order = Order(
        payment_id="p1",
        branch="CPL",
        register=register,
        products=(Product(code, description, price),),
        total=Money(price, "EUR"),
        payer=payer,
    )
    form = Form("2.0", 2, "https://bridge.example/{invoicenumber}", names_payer=True)
    message = compose(order, form, "KOHA")
    read = read_object(signed(message, rule, "secret"))
    hashed = string_of(request_slots(message, rule), "secret")
    assert string_of(request_slots(read, rule), "secret") == hashed
    assert read["Hash"] == digest_of(request_slots(read, rule), "secret")
