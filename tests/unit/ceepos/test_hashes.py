# SPDX-License-Identifier: GPL-3.0-or-later
"""What the vectors leave open: null, absent and unreadable values, and what each version covers."""

from collections.abc import Callable
from typing import Any

import pytest

from tillbridge.registers.ceepos.hashes import (
    RequestOrder,
    delete_slots,
    digest_of,
    report_slots,
    request_slots,
    response_slots,
    return_slots,
    version_of,
)
from tillbridge.registers.ceepos.reading import Message, MessageError

SORTED, DOCUMENTED = RequestOrder
HEAD: Message = {"Id": "7", "Status": 1, "Reference": "K1"}
DETAILS: Message = {"PaymentMethod": 4, "PaymentSum": 250, "Timestamp": "202012041200"}


@pytest.mark.parametrize(
    ("message", "order", "slots"),
    [
        ({"b": 1, "a": None, "Hash": "x", "B": "2"}, SORTED, "2,,1"),
        ({"Z": "z", "Products": [{"b": 2, "a": 1, "C": None}, {"x": "y"}], "A": "a"}, SORTED, "a,,1,2,y,z"),
        ({"Z": "z", "Products": [], "A": "a"}, SORTED, "a,z"),
        ({"Z": "z", "Products": None, "A": "a"}, SORTED, "a,,z"),
        ({"Products": [{"Hash": "h", "A": "a"}]}, SORTED, "a,h"),
        ({"Unknown": 1, "Id": "7", "Source": "S", "Office": "10", "Mode": 2}, DOCUMENTED, "S,7,2,10"),
        ({"Description": "", "Email": None, "Language": "fi", "LastName": "L"}, DOCUMENTED, ",L,fi"),
        (
            {"Products": [{"Taxcode": "24", "Description": "d", "Price": 0, "Amount": None, "Code": "c"}]},
            DOCUMENTED,
            "c,0,d,24",
        ),
        (
            {"Language": "fi", "NotificationAddress": "n", "ReturnAddress": "r", "PaymentInfo": "i", "Action": "a"},
            DOCUMENTED,
            "a,fi,r,n,i",
        ),
        ({"Products": None, "Id": 7}, DOCUMENTED, "7"),
    ],
)
def test_a_request_has_the_slots_of_its_rule(message: Message, order: RequestOrder, slots: str) -> None:
    assert ",".join(request_slots(message, order)) == slots


@pytest.mark.parametrize(
    ("version", "with_action", "more", "slots"),
    [
        ("2.0", False, {}, "7,1,K1"),
        ("2.0", False, {"Source": "S"}, "S,7,1,K1"),
        ("2.0", False, {"Source": None, "Reference": None}, "7,1,"),
        ("2.0", False, {"Action": "new payment"}, "7,1,K1"),
        ("2.1.2", True, {"Action": "new payment"}, "7,1,K1,new payment"),
        ("2.1.2", True, {"Action": None}, "7,1,K1,"),
        ("2.1.2", True, {"Action": "a", "PaymentAddress": None}, "7,1,K1,a,"),
        ("2.1.2", True, {"PaymentAddress": None}, "7,1,K1"),
        ("2.0", False, {"PaymentAddress": None}, "7,1,K1"),
        ("2.0", False, {"PaymentAddress": "p", "PaymentExpires": "e"}, "7,1,K1,p"),
        ("3.0", False, {"PaymentAddress": "p", "PaymentExpires": "e"}, "7,1,K1,p,e"),
        ("3.0.5", False, {"PaymentExpires": None}, "7,1,K1"),
        ("3.0.5", True, {"Action": "a", "PaymentAddress": None, "PaymentExpires": None}, "7,1,K1,a,,"),
        ("3.0.5", False, DETAILS, "7,1,K1"),
    ],
)
def test_an_answer_has_the_slots_of_its_version(version: str, with_action: bool, more: Message, slots: str) -> None:
    assert ",".join(response_slots(HEAD | more, version_of(version), with_action=with_action)) == slots


@pytest.mark.parametrize(
    ("version", "more", "slots"),
    [
        ("2.1.2", {"Payments": [DETAILS], "SubscriptionCode": "s"}, "7,1,K1"),
        ("3.0", {"Payments": [DETAILS]}, "7,1,K1,4,250,202012041200"),
        (
            "3.0",
            {"Payments": [DETAILS, {"CardExpiration": "2501", "PaymentSum": 1}]},
            "7,1,K1,4,250,202012041200,1,2501",
        ),
        ("3.0", {"Payments": [], **DETAILS}, "7,1,K1"),
        ("3.0", {"Payments": None, **DETAILS}, "7,1,K1,4,250,202012041200"),
        ("3.0", {**DETAILS, "PaymentDescription": "d", "LoyaltyCard": "l"}, "7,1,K1,4,250,202012041200,d,l"),
        ("3.0", {"SubscriptionCode": "s", "LoyaltyCard": None, "Source": "S"}, "S,7,1,K1,s"),
        ("3.0", {"SubscriptionCode": ""}, "7,1,K1,"),
        ("2.0", {"Payments": "junk that is not covered"}, "7,1,K1"),
    ],
)
def test_a_report_has_the_slots_of_its_version(version: str, more: Message, slots: str) -> None:
    assert ",".join(report_slots(HEAD | more, version_of(version))) == slots


@pytest.mark.parametrize(
    ("version", "more", "slots"),
    [
        ("2.1.2", DETAILS, "7,1,K1"),
        ("3.0", {**DETAILS, "CardExpiration": "2501", "SubscriptionCode": "s"}, "7,1,K1,4,250,202012041200,2501,s"),
        ("3.0", {"LoyaltyCard": "l", "Payments": [DETAILS], "PaymentSum": ""}, "7,1,K1,"),
        ("3.0", {"Source": "S"}, "S,7,1,K1"),
    ],
)
def test_a_browser_return_has_the_slots_of_its_version(version: str, more: Message, slots: str) -> None:
    assert ",".join(return_slots(HEAD | more, version_of(version))) == slots


def test_a_delete_covers_five_fields_in_their_order() -> None:
    message: Message = {
        "Action": "delete payment",
        "Mode": 3,
        "Id": "9",
        "Source": "S",
        "ApiVersion": "2.1.2",
        "More": 1,
    }
    assert delete_slots(message) == ["2.1.2", "S", "9", "3", "delete payment"]


UNREADABLE: list[Any] = [True, False, 1.0, 2.5, float("inf"), [], {}, [1], {"a": 1}]


@pytest.mark.parametrize("value", UNREADABLE, ids=repr)
def test_a_value_that_is_no_text_and_no_whole_number_has_no_slot(value: object) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: request_slots({"Id": value}, SORTED),
        lambda: request_slots({"Id": value}, DOCUMENTED),
        lambda: request_slots({"Products": [{"Price": value}]}, SORTED),
        lambda: request_slots({"Products": [{"Price": value}]}, DOCUMENTED),
        lambda: response_slots(HEAD | {"Reference": value}, (2, 0), with_action=False),
        lambda: report_slots(HEAD | {"Payments": [{"PaymentSum": value}]}, (3, 0)),
        lambda: return_slots(HEAD | {"PaymentSum": value}, (3, 0)),
        lambda: delete_slots({"Id": "9", "Action": value}),
    ]
    for attempt in attempts:
        with pytest.raises(MessageError, match="neither text nor a whole number"):
            attempt()


@pytest.mark.parametrize("entries", ["text", 5, {"Code": "1"}, [1], ["a"], [None], True])
def test_products_and_payments_are_lists_of_objects(entries: object) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: request_slots({"Products": entries}, SORTED),
        lambda: request_slots({"Products": entries}, DOCUMENTED),
        lambda: report_slots(HEAD | {"Payments": entries}, (3, 0)),
    ]
    for attempt in attempts:
        with pytest.raises(MessageError, match="not a list of objects"):
            attempt()


@pytest.mark.parametrize("missing", ["Id", "Status"])
def test_an_answer_without_id_or_status_cannot_be_hashed(missing: str) -> None:
    message = {key: value for key, value in HEAD.items() if key != missing}
    with pytest.raises(MessageError, match=f"{missing} is missing"):
        response_slots(message, (2, 0), with_action=False)


def test_an_answer_is_no_delete() -> None:
    with pytest.raises(MessageError, match="Action is missing"):
        delete_slots(HEAD)


def test_a_lone_surrogate_cannot_be_hashed() -> None:
    with pytest.raises(MessageError, match="not valid Unicode"):
        digest_of(["\ud800"], "secret")


def test_numbers_hash_in_plain_decimal() -> None:
    assert request_slots({"A": -0, "B": -5, "C": 10**20}, SORTED) == ["0", "-5", "1" + "0" * 20]


@pytest.mark.parametrize(("text", "version"), [("2.0", (2, 0)), ("2.1.2", (2, 1, 2)), ("10.0", (10, 0))])
def test_versions_compare_as_numbers(text: str, version: tuple[int, ...]) -> None:
    assert version_of(text) == version


@pytest.mark.parametrize("text", ["", "2", "v2.0", "2.", "2.0 ", "٢.0", "2.0.0.0.0", "1000.0"])
def test_other_versions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        version_of(text)
