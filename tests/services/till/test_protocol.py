# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tillbridge.simulators.till.wire import request_hash

if TYPE_CHECKING:
    from services.till.conftest import Shop, Shops


async def test_mode_1_is_answered_2_at_once_and_the_outcome_comes_by_report(shop: Shop, check: Any) -> None:
    got = await shop.post(shop.request("P1", Mode=1))
    assert got.status == 200
    assert got.headers["content-type"] == "application/json"
    answer = got.json
    assert (answer["Source"], answer["Id"], answer["Status"], answer["Reference"]) == ("KOHA", "P1", 2, None)
    assert check(answer)
    await shop.act("P1", "accept", {"method": "cash"})
    [report] = await shop.receiver.until(1)
    assert (report["Source"], report["Id"], report["Status"], report["Reference"]) == ("KOHA", "P1", 1, "K000001")
    assert check(report)


@pytest.mark.parametrize(
    ("action", "status", "reference"), [("accept", 1, "K000001"), ("cancel", 0, None)], ids=["paid", "cancelled"]
)
async def test_mode_2_is_held_until_the_cashier_has_finished_and_is_reported_too(
    shop: Shop, check: Any, action: str, status: int, reference: str | None
) -> None:
    held = await shop.held(shop.request("P1"))
    assert not held.done()
    await shop.act("P1", action)
    answer = (await held).json
    assert (answer["Status"], answer["Reference"]) == (status, reference)
    assert check(answer)
    [report] = await shop.receiver.until(1)
    assert {**report, "Hash": ""} == {**answer, "Hash": ""}
    assert check(report)


async def test_the_report_waits_until_the_answer_is_written(shop: Shop) -> None:
    taken = shop.till.take_in(json.dumps(shop.request("P1")).encode())
    with shop.till.answering(taken):  # type: ignore[arg-type]  # a fresh request is taken in
        shop.till.accept("P1", "card")
        # A whole payment later there is still no report of the first one.
        await shop.post(shop.request("P2", Mode=1))
        shop.till.accept("P2", "card")
        assert [report["Id"] for report in await shop.receiver.until(1)] == ["P2"]
    assert {report["Id"] for report in await shop.receiver.until(2)} == {"P1", "P2"}


async def test_a_payment_that_is_taken_back_is_reported_0_with_its_receipt_number(shop: Shop, check: Any) -> None:
    held = await shop.held(shop.request("P1"))
    await shop.act("P1", "accept")
    await held
    await shop.receiver.until(1)
    await shop.act("P1", "take-back")
    reports = await shop.receiver.until(2)
    assert [(one["Status"], one["Reference"]) for one in reports] == [(1, "K000001"), (0, "K000001")]
    assert check(reports[1])


async def test_a_3_0_till_lists_what_was_tendered_and_signs_the_list(shops: Shops, signing: Any) -> None:
    shop = await shops.open(api_version="3.0")
    held = await shop.held(shop.request("P1"))
    await shop.act("P1", "accept", {"method": "mixed"})
    assert "Source" not in (await held).json
    [report] = await shop.receiver.until(1)
    assert not {"Source", "Action"} & report.keys()
    assert [(one["PaymentMethod"], one["PaymentSum"], one["Timestamp"]) for one in report["Payments"]] == [
        (1, 125, "202603020930"),
        (4, 125, "202603020930"),
    ]
    slots = ["P1", 1, "K000001", 1, 125, "202603020930", "Cash", 4, 125, "202603020930", "Card"]
    # The slots above are written as a request whose sorted order is their own.
    assert report["Hash"] == signing({f"{place:02}": slot for place, slot in enumerate(slots)})["Hash"]
    await shop.act("P1", "take-back")
    assert (await shop.receiver.until(2))[1]["Payments"] == []


async def test_a_3_0_till_names_the_action_in_its_answers_and_signs_it(shops: Shops, signing: Any) -> None:
    shop = await shops.open(api_version="3.0")
    held = await shop.held(shop.request("P1"))
    await shop.act("P1", "accept")
    answer = (await held).json
    assert answer["Action"] == "new payment"
    slots = ["P1", 1, "K000001", "new payment"]
    assert answer["Hash"] == signing({f"{place:02}": slot for place, slot in enumerate(slots)})["Hash"]


async def test_an_identical_repetition_is_held_again_and_shown_once(shop: Shop) -> None:
    message = shop.request("P1")
    first = await shop.held(message)
    again = asyncio.create_task(shop.post(message))
    assert await shop.till.until(lambda: shop.till.book.get("P1").sent_count == 2, 10)  # type: ignore[union-attr]
    listed = (await shop.ask("GET", "/api/payments")).json
    assert [(one["id"], one["sent_count"]) for one in listed] == [("P1", 2)]
    await shop.act("P1", "accept")
    assert [task.json["Status"] for task in (await first, await again)] == [1, 1]
    assert len(await shop.receiver.until(1)) == 1


@pytest.mark.parametrize("mode", [1, 2])
async def test_a_repetition_after_the_end_gets_the_present_state(shop: Shop, mode: int) -> None:
    message = shop.request("P1", Mode=mode)
    first = asyncio.create_task(shop.post(message))
    await shop.on_till("P1")
    if mode == 1:
        assert (await first).json["Status"] == 2
    await shop.act("P1", "accept")
    await first
    assert (await shop.post(message)).json["Status"] == 1
    await shop.act("P1", "take-back")
    assert (await shop.post(message)).json["Status"] == 0


async def test_an_id_with_other_contents_is_answered_97_and_changes_nothing(shop: Shop, check: Any) -> None:
    await shop.post(shop.request("P1", Mode=1))
    answer = (await shop.post(shop.request("P1", Mode=1, Description="Someone else"))).json
    assert (answer["Status"], answer["Reference"]) == (97, None)
    assert check(answer)
    payment = (await shop.ask("GET", "/api/payments/P1")).json
    assert (payment["description"], payment["state"], payment["sent_count"]) == ("Virtanen, Matti (A1)", "waiting", 2)


_LONG = "x" * 101
_PRODUCT = {"Code": "1000", "Description": "d", "Price": 1}
_FAULTY: list[tuple[dict[str, Any], str]] = [
    ({"Hash": "0" * 64}, "Hash is wrong"),
    ({"Hash": None}, "Hash is missing"),
    ({"Hash": 7}, "Hash is missing"),
    ({"Source": "OTHER"}, "Source is unknown"),
    ({"Source": None}, "Source is missing"),
    ({"ApiVersion": None}, "ApiVersion is missing"),
    ({"Mode": 3}, "Mode is no"),
    ({"Mode": None}, "Mode is no"),
    ({"Mode": True}, "Mode is no"),
    ({"Mode": 2.0}, "Mode is no"),
    ({"Office": "12"}, "Office is unknown"),
    ({"Office": None}, "Office is missing"),
    ({"Action": "delete payment"}, "Action is unknown"),
    ({"Description": _LONG}, "Description has 101 characters"),
    ({"Description": ["a"]}, "Description is missing or no text"),
    ({"NotificationAddress": None}, "NotificationAddress is missing"),
    ({"NotificationAddress": "ftp://host/x"}, "NotificationAddress is no plain"),
    ({"NotificationAddress": "http://name:word@host/x"}, "NotificationAddress is no plain"),
    ({"NotificationAddress": "http://host:99999/x"}, "NotificationAddress is no plain"),
    ({"Products": []}, "Products is not a list"),
    ({"Products": "x"}, "Products is not a list"),
    ({"Products": [_PRODUCT] * 201}, "Products is not a list"),
    ({"Products": ["x"]}, "no object"),
    ({"Products": [{**_PRODUCT, "Code": ""}]}, "Code is missing"),
    ({"Products": [{**_PRODUCT, "Code": "9" * 26}]}, "Code has 26"),
    ({"Products": [{**_PRODUCT, "Code": "4711"}]}, "product code is unknown"),
    ({"Products": [{**_PRODUCT, "Description": _LONG}]}, "Description has 101"),
    ({"Products": [{**_PRODUCT, "Price": 2.5}]}, "Price is no whole number"),
    ({"Products": [{**_PRODUCT, "Price": -1}]}, "Price is no whole number"),
    ({"Products": [{**_PRODUCT, "Price": 10**30}]}, "Price is no whole number"),
    ({"Products": [{"Code": "1000"}]}, "Price is no whole number"),
    ({"Products": [{**_PRODUCT, "Amount": 0}]}, "Amount is no whole number"),
    ({"Extra": {"deep": 1}}, "cannot be hashed"),
    ({"Extra": "\ud800"}, "cannot be hashed"),
]


@pytest.mark.parametrize(("change", "why"), _FAULTY, ids=[f"{n}-{row[1]}" for n, row in enumerate(_FAULTY)])
async def test_a_faulty_request_is_answered_99_signed_and_remembered_as_refused(
    shops: Shops, check: Any, signing: Any, change: dict[str, Any], why: str
) -> None:
    shop = await shops.open(products=frozenset({"1000"}))
    message = shop.request("P1")
    try:
        message = signing({**message, **change})
    except (UnicodeEncodeError, TypeError, AttributeError):
        message = {**message, **change}
    answer = (await shop.post({**message, **{k: v for k, v in change.items() if k == "Hash"}})).json
    assert (answer["Id"], answer["Status"], answer["Reference"]) == ("P1", 99, None)
    assert check(answer)
    payment = (await shop.ask("GET", "/api/payments/P1")).json
    assert payment["state"] == "refused"
    assert why in payment["reason"]


_WITHOUT_ID = [
    b"",
    b"{",
    b"[]",
    b"\xff\xfe",
    b'{"Id": 7}',
    b'{"Id": ""}',
    b'{"Id": "a b"}',
    b'{"Id": NaN}',
    b"[" * 99_999,
]


@pytest.mark.parametrize("body", _WITHOUT_ID, ids=lambda body: repr(body[:9]))
async def test_a_message_without_a_usable_id_is_answered_with_plain_text(shop: Shop, body: bytes) -> None:
    got = await shop.post(body)
    assert (got.status, got.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert (await shop.ask("GET", "/api/payments")).json == []


async def test_a_huge_message_is_refused_unparsed(shop: Shop) -> None:
    assert (await shop.post(b" " * 300_000)).status == 413


async def test_a_refused_id_may_be_sent_again_rightly(shop: Shop) -> None:
    await shop.post({**shop.request("P1", Mode=1), "Hash": "wrong"})
    assert (await shop.post(shop.request("P1", Mode=1))).json["Status"] == 2
    payment = (await shop.ask("GET", "/api/payments/P1")).json
    assert (payment["state"], payment["reason"], payment["sent_count"]) == ("waiting", "", 2)


async def test_a_faulty_request_does_not_touch_the_payment_that_has_its_id(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    assert (await shop.post({**shop.request("P1", Mode=1), "Hash": "wrong"})).json["Status"] == 99
    assert (await shop.ask("GET", "/api/payments/P1")).json["state"] == "waiting"


async def test_numbers_as_text_are_taken_and_pieces_multiply(shop: Shop) -> None:
    products = [
        {"Code": "1", "Amount": "3", "Price": "100"},
        {"Code": "2", "Amount": None, "Price": 5, "Description": ""},
    ]
    await shop.post(shop.request("P1", Mode="1", Products=products))
    payment = (await shop.ask("GET", "/api/payments/P1")).json
    assert payment["total_minor"] == 305
    assert payment["products"][0] == {"code": "1", "description": "", "price": 100, "pieces": 3}


async def test_the_documented_order_can_be_demanded_instead(shops: Shops) -> None:
    shop = await shops.open(order="documented")
    message = shop.request("P1", Mode=1)
    assert (await shop.post(message)).json["Status"] == 99
    message["Hash"] = request_hash(message, "documented", "top_secret")
    assert (await shop.post(message)).json["Status"] == 2


async def test_without_the_hash_check_any_hash_and_none_is_taken_but_97_still_holds(shops: Shops) -> None:
    shop = await shops.open(check_hash=False)
    message = shop.request("P1", Mode=1)
    del message["Hash"]
    assert (await shop.post(message)).json["Status"] == 2
    assert (await shop.post({**message, "Hash": "x"})).json["Status"] == 2
    assert (await shop.post({**message, "Description": "other"})).json["Status"] == 97


async def test_a_full_till_answers_98(shops: Shops) -> None:
    shop = await shops.open(max_payments=1)
    assert (await shop.post(shop.request(Mode=1))).json["Status"] == 2
    assert (await shop.post(shop.request(Mode=1))).json["Status"] == 98


async def test_refused_ids_are_forgotten_before_they_fill_the_memory(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tillbridge.simulators.till.book.MOST_REFUSED", 2)
    for payment_id in ("P1", "P2", "P3"):
        await shop.post({**shop.request(payment_id), "Hash": "wrong"})
    assert [one["id"] for one in (await shop.ask("GET", "/api/payments")).json] == ["P2", "P3"]


async def test_two_hundred_held_requests_are_all_answered_and_reported(shop: Shop, check: Any) -> None:
    messages = [shop.request() for _ in range(200)]
    tasks = [asyncio.create_task(shop.post(message)) for message in messages]
    assert await shop.till.until(lambda: len(list(shop.till.book)) == 200, 10)
    for message in messages:
        shop.till.accept(message["Id"], "card")
    answers = [(await task).json for task in tasks]
    assert all(check(answer) and answer["Status"] == 1 for answer in answers)
    assert len({answer["Reference"] for answer in answers}) == 200
    assert {one["Id"] for one in await shop.receiver.until(200)} == {message["Id"] for message in messages}


async def test_a_client_that_hangs_up_leaves_its_payment_on_the_till(shop: Shop) -> None:
    held = await shop.held(shop.request("P1"))
    held.cancel()
    await shop.noted("answer", "the client hung up")
    await shop.act("P1", "accept")
    assert [one["Status"] for one in await shop.receiver.until(1)] == [1]


async def test_a_refused_id_that_is_sent_again_stands_where_it_arrived_at_last(shop: Shop) -> None:
    await shop.post({**shop.request("P1", Mode=1), "Hash": "wrong"})
    for payment_id in ("P2", "P1"):
        await shop.post(shop.request(payment_id, Mode=1))
    assert [one["id"] for one in (await shop.ask("GET", "/api/payments")).json] == ["P2", "P1"]


@pytest.mark.parametrize(
    ("retries", "statuses"), [(0, [500]), (0, [307]), (2, [500, 503, 200])], ids=["once", "no redirects", "three times"]
)
async def test_a_failed_report_is_repeated_as_often_as_the_settings_say(
    shops: Shops, retries: int, statuses: list[int]
) -> None:
    shop = await shops.open(report_retries=retries, report_retry_after_s=0)
    shop.receiver.statuses = list(statuses)
    await shop.post(shop.request("P1", Mode=1))
    await shop.act("P1", "accept")
    await shop.receiver.until(len(statuses))
    assert await shop.till.until(lambda: _reported(shop) == statuses, 10)
    await shop.post(shop.request("P2", Mode=1))
    await shop.act("P2", "accept")
    assert len(await shop.receiver.until(len(statuses) + 1)) == len(statuses) + 1


async def test_a_report_that_cannot_be_delivered_is_noted(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1, NotificationAddress="http://127.0.0.1:1/x"))
    await shop.act("P1", "cancel")
    assert (await shop.noted("report", "not delivered")).http_status is None


def _reported(shop: Shop) -> list[int | None]:
    return [note.http_status for note in shop.till.book.notes() if note.kind == "report"]
