# SPDX-License-Identifier: GPL-3.0-or-later
from dataclasses import replace

import pytest

from tillbridge.domain.money import Money
from tillbridge.registers.ceepos.hashes import RequestOrder, digest_of
from tillbridge.registers.ceepos.reading import Message, read_object
from tillbridge.registers.ceepos.request import Form, compose, signed, why_not_sendable
from tillbridge.service.register_port import Order, Payer, Product

FORM = Form("2.0", 2, "https://bridge.example/api/v1/pos/cpu/{invoicenumber}/report", names_payer=False)
ORDER = Order(
    payment_id="7f3a",
    branch="CPL",
    register="10",
    products=(Product("1111", "Overdue fine", 250), Product("2000", "", 2490)),
    total=Money(2740, "EUR"),
    payer=Payer("Mäkinen", "Äijä", "123456"),
)


def composed(order: Order = ORDER, **form: object) -> Message:
    return compose(order, replace(FORM, **form), "KOHA")  # type: ignore[arg-type]


def test_a_request_has_the_fields_that_tills_know_and_no_others() -> None:
    assert composed() == {
        "ApiVersion": "2.0",
        "Source": "KOHA",
        "Id": "7f3a",
        "Mode": 2,
        "Description": "#7f3a",
        "Products": [
            {"Code": "1111", "Description": "Overdue fine", "Price": 250},
            {"Code": "2000", "Description": "-", "Price": 2490},
        ],
        "NotificationAddress": "https://bridge.example/api/v1/pos/cpu/7f3a/report",
        "Office": "10",
    }


@pytest.mark.parametrize(
    ("payer", "heading"),
    [
        (Payer("Mäkinen", "Äijä", "123456"), "Mäkinen, Äijä (123456)"),
        (Payer("O'Neil", "Matti; jr", "C1"), "O Neil, Matti jr (C1)"),
        (Payer("Толстой", "Лев", "1"), "Толстой, Лев (1)"),
        (Payer("Library", "", "55"), "Library (55)"),
        (Payer("", "Maija", ""), "Maija"),
        (Payer("", "", "55"), "(55)"),
        (Payer(" ; ", "'", "\x00"), "#7f3a"),
        (Payer("a" * 200, "b", "1"), "a" * 99),
        (None, "#7f3a"),
    ],
)
def test_the_heading_names_the_payer_where_the_settings_say_so(payer: Payer | None, heading: str) -> None:
    message = composed(replace(ORDER, payer=payer), names_payer=True)
    assert message["Description"] == heading


def test_a_product_of_no_price_is_left_out_lest_the_till_charge_its_own() -> None:
    free = Product("3", "free", 0)
    assert composed(replace(ORDER, products=(*ORDER.products, free)))["Products"] == composed()["Products"]


def test_the_address_of_the_report_quotes_an_odd_id() -> None:
    address = composed(replace(ORDER, payment_id="a/b?c"))["NotificationAddress"]
    assert address == "https://bridge.example/api/v1/pos/cpu/a%2Fb%3Fc/report"


def test_the_bytes_are_utf_8_and_carry_the_hash_of_their_values() -> None:
    raw = signed(composed(names_payer=True), RequestOrder.SORTED, "top_secret")
    assert "Mäkinen, Äijä".encode() in raw
    slots = ["2.0", "Mäkinen, Äijä (123456)", "7f3a", "2", "https://bridge.example/api/v1/pos/cpu/7f3a/report"]
    slots += ["10", "1111", "Overdue fine", "250", "2000", "-", "2490", "KOHA"]
    assert read_object(raw)["Hash"] == digest_of(slots, "top_secret")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({}, None),
        ({"products": ()}, "nothing to collect"),
        ({"products": (Product("1", "x", 0),), "total": Money(0, "EUR")}, "nothing to collect"),
        ({"products": (Product("1", "x", 300), Product("1", "y", -50))}, "negative"),
        ({"total": Money(2741, "EUR")}, "do not sum"),
        ({"payment_id": "a&b"}, "id"),
        ({"payment_id": "\ud800"}, "id"),
        ({"payment_id": ""}, "id"),
        ({"register": "Kassa 10"}, None),
        ({"register": ""}, "register's number"),
        ({"register": " "}, "register's number"),
        ({"register": "10 "}, "register's number"),
        ({"register": "1;0"}, "register's number"),
        ({"register": "10'"}, "register's number"),
        ({"register": "1  0"}, None),
        ({"register": "1\t0"}, "register's number"),
        ({"register": "10\x00"}, "register's number"),
        ({"register": "1" * 100}, "register's number"),
    ],
)
def test_only_an_order_that_sums_up_and_reaches_the_till_that_is_meant_may_be_sent(
    change: dict[str, object], why: str | None
) -> None:
    hindrance = why_not_sendable(replace(ORDER, **change))  # type: ignore[arg-type]
    assert (hindrance is None) if why is None else why in (hindrance or "")
