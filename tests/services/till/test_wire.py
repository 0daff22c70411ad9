# SPDX-License-Identifier: GPL-3.0-or-later
"""The hashes of the dossier's vectors (ids as there), and of an exchange recorded with a real client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tillbridge.simulators.till.wire import message_hash, request_hash, same_hash

if TYPE_CHECKING:
    from tillbridge.simulators.till.wire import Order

_SHOP: dict[str, Any] = {
    "ApiVersion": "2.1.2",
    "Source": "examplecom",
    "Id": "12345",
    "Mode": 3,
    "Action": "new payment",
    "Description": "Charlie Customer",
    "Products": [
        {"Code": "1111", "Amount": 1, "Price": 100, "Description": "Product-specific info"},
        {"Code": "1212", "Price": 150, "Taxcode": "10"},
    ],
    "Email": "charlie.customer@example.com",
    "FirstName": "Charlie",
    "LastName": "Customer",
    "ReturnAddress": "https://www.example.com/return-path",
    "NotificationAddress": "https://www.example.com/notification-path",
}
_SUBSCRIPTION: dict[str, Any] = {
    **_SHOP,
    "ApiVersion": "3.0.5",
    "Action": "new subscription",
    "Products": [
        {"Code": "1111", "Amount": 1, "Price": 100, "Description": "Product-specific info", "Taxcode": None},
        {"Code": "1212", "Amount": None, "Price": 150, "Description": None, "Taxcode": "10"},
    ],
    "Language": None,
    "SubscriptionCode": None,
    "SubscriptionPeriod": 30,
    "SubscriptionEnd": "202104302359",
    "PaymentMethod": None,
    "PaymentInfo": None,
}
_TILL: dict[str, Any] = {
    "ApiVersion": "2.0",
    "Source": "KOHA",
    "Id": "0A1B2C3D4E5F6A7B8C9D0E1F",
    "Mode": 2,
    "Description": "#0A1B2C3D4E5F6A7B8C9D0E1F",
    "Products": [{"Price": 250, "Description": "Overdue fine", "Code": "1111"}],
    "NotificationAddress": "https://koha.example.org/api/v1/contrib/kohasuomi/payments/ceepos/report",
    "Office": "10",
}
_EMPTY_TEXTS: dict[str, Any] = {
    "ApiVersion": "2.1.2",
    "Source": "mikkeli_test",
    "Id": "77",
    "Mode": 3,
    "Action": "new payment",
    "Description": "Maija Meikäläinen",
    "Products": [{"Code": "demo_004", "Amount": 1, "Price": 10000, "Description": ""}],
    "Email": "maija@example.org",
    "FirstName": "Maija",
    "LastName": "Meikäläinen",
    "Language": "",
    "ReturnAddress": "https://muikku.example.org/ceepos/done",
    "NotificationAddress": "https://muikku.example.org/rest/ceepos/paymentConfirmation",
}
_RECORDED: dict[str, Any] = {
    "ApiVersion": "2.0",
    "Description": "Virtanen, Matti (C89728759)",
    "Id": "D111EB13113FCE21B5DB4492",
    "Mode": 2,
    "NotificationAddress": "http://127.0.0.1:8080/api/v1/contrib/kohasuomi/payments/ceepos/report",
    "Office": "10",
    "Products": [{"Code": "1000", "Description": "Myöhästymismaksu: Sinuhe egyptiläinen", "Price": 1234}],
    "Source": "KOHA",
}

_REQUESTS: list[tuple[str, Order, str, dict[str, Any], str]] = [
    ("A1", "documented", "123", _SUBSCRIPTION, "0a3bd64c9dbc104f81a9a28cd13cfe1b7efa0be6a4b7d63f33bf78acbb601ef2"),
    ("A2", "documented", "123", _SHOP, "734a651b873a5410d4894ece8261ccd34901942b49871c7c05c68a2a3a6c3561"),
    ("A5", "sorted", "123", _SHOP, "a2e3410f36280c1bdeccc576d71f843a1874a26a446e4940e7bfb5592462d3ca"),
    ("B1", "sorted", "top_secret", _TILL, "e4d232760ee864a552c133fd29b61742ae686152d52700dbd0146fa5fd8fd97f"),
    (
        "B4",
        "sorted",
        "top_secret",
        {**_TILL, "Office": None},
        "064cecbf5df263e58de9e26ca36245219003d9c610421e7b98620ff8dee95af6",
    ),
    ("C1", "documented", "xxxxxx", _EMPTY_TEXTS, "30aafd8b51267cb98552b8fe3f230c5ff1d188a2a5810c824fedf20c73eadf11"),
    ("recorded", "sorted", "12345", _RECORDED, "57b86ca532b9d5dcda92d7ae98f3e621b6e42968ea3e3dbedcd8281d6453003f"),
]
_PAID = {
    "PaymentMethod": 30,
    "PaymentSum": 9000,
    "Timestamp": "202012041200",
    "PaymentDescription": "1234",
    "CardExpiration": None,
}
_MESSAGES: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "E8",
        "top_secret",
        {"Id": "17", "Status": 1, "Reference": "17"},
        "d419b781ec53f26efefaea981c1791aab06b4b4e9365ac1c50e2dda76df7fca1",
    ),
    (
        "E10",
        "top_secret",
        {"Id": "17", "Status": 99, "Reference": None},
        "e4612342ff8b5b4c2343d272a086df5f1aa087203cbec2b715c5491e45a0f53c",
    ),
    (
        "D3",
        "s3cret",
        {"Id": "9", "Status": 1, "Reference": "2234", "Action": "delete payment"},
        "9d6b2a2772e2525e897ea675381989c34cf71059228412b6d3c78710e9f12d3b",
    ),
    (
        "F2",
        "123",
        {"Id": "12345", "Status": 1, "Reference": "10456", "Payments": [_PAID]},
        "4eab70d2a9d75b188bd1b8ae1f76f542a35eb514560da2c37b38596fbadeea6f",
    ),
    (
        "F3",
        "123",
        {"Id": "12345", "Status": 1, "Reference": "10456"},
        "cf4868d68e5e9ef1b00d7c18e65819027189d1b611a3f7bae90fe5036a195517",
    ),
    (
        "F10",
        "12345",
        {"Id": "0A1B2C3D4E5F6A7B8C9D0E1F", "Status": 1},
        "e118538a7c311ef14c044b0bf0be0b7844717f4d8bc8f36ed1149ad6439aaab2",
    ),
    (
        "F11",
        "12345",
        {"Id": "0A1B2C3D4E5F6A7B8C9D0E1F", "Status": 0},
        "42de220b24dcc1250cdc14cd1b59bc40a6421243ee6cb28c1e95642f8966a3ab",
    ),
    (
        "recorded, Source first",
        "12345",
        {"Id": "D111EB13113FCE21B5DB4492", "Source": "KOHA", "Status": 1, "Reference": "K000001"},
        "b213217793d614ea875cc91a00c4a54076d0ac95b35a4bcde5a87a85ba5cd66b",
    ),
]


@pytest.mark.parametrize(("order", "secret", "message", "expected"), [r[1:] for r in _REQUESTS], ids=lambda _: "")
def test_a_request_hashes_as_the_vectors_say(order: Order, secret: str, message: Any, expected: str) -> None:
    assert request_hash({**message, "Hash": "is never part of it"}, order, secret) == expected


@pytest.mark.parametrize(("secret", "message", "expected"), [r[1:] for r in _MESSAGES], ids=lambda _: "")
def test_an_answer_or_report_hashes_as_the_vectors_say(secret: str, message: Any, expected: str) -> None:
    assert message_hash(message, secret) == expected


def test_semicolons_and_outer_blanks_do_not_count_but_addresses_are_left_alone() -> None:
    product = {"Code": "1111", "Description": " Overdue; fine ", "Price": 250}
    untidy = {**_TILL, "Source": " KOHA", "Products": [product]}
    assert request_hash(untidy, "sorted", "s") == request_hash(_TILL, "sorted", "s")
    odd_address = {**_TILL, "NotificationAddress": _TILL["NotificationAddress"] + ";"}
    assert request_hash(odd_address, "sorted", "s") != request_hash(_TILL, "sorted", "s")


_NEITHER = "only texts and whole numbers"


@pytest.mark.parametrize(
    ("value", "why"),
    [(1.5, _NEITHER), (True, _NEITHER), ({"a": 1}, _NEITHER), (["a"], _NEITHER), ("\ud800", "surrogates")],
)
def test_what_is_neither_text_nor_whole_number_has_no_hash(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        request_hash({**_TILL, "Extra": value}, "sorted", "s")


def test_hashes_are_compared_exactly() -> None:
    assert same_hash("ab", "ab")
    assert not same_hash("ab", "AB")
    assert not same_hash("ä", "a")
