# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists: filters, orders, pages, and who may read them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from services.library.conftest import Peer

pytestmark = pytest.mark.asyncio(loop_scope="module")

# The patron has three credits: a of 1 by CARD at CPL, B of 2 by KOHA10, "c" with trailing text of 3 without type.
_FILTERS: dict[str, tuple[Any, list[str]]] = {
    "equality": ({"internal_note": "ref:a"}, ["ref:a"]),
    "the column's own name": ({"note": "ref:a"}, ["ref:a"]),
    "equality ignores letter case": ({"internal_note": "REF:A"}, ["ref:a"]),
    "equality ignores trailing blanks": ({"internal_note": "ref:a  "}, ["ref:a"]),
    "equality keeps leading blanks": ({"internal_note": " ref:a"}, []),
    "like with wildcards": ({"internal_note": {"-like": "ref:%"}}, ["ref:a", "ref:B", "ref:c%_x"]),
    "like ignores letter case": ({"internal_note": {"-like": "REF:b"}}, ["ref:B"]),
    "like with one sign": ({"internal_note": {"-like": "ref:_"}}, ["ref:a", "ref:B"]),
    "like with the end bound": ({"internal_note": {"-like": "%:a"}}, ["ref:a"]),
    "like with an escaped wildcard": ({"internal_note": {"-like": "%c\\%\\_x"}}, ["ref:c%_x"]),
    "like several times in one text": ({"internal_note": {"-like": "r%f%c%x"}}, ["ref:c%_x"]),
    "not like": ({"internal_note": {"-not_like": "%a"}}, ["ref:B", "ref:c%_x"]),
    "a number": ({"amount": -2}, ["ref:B"]),
    "a number as text": ({"amount": "-2.00"}, ["ref:B"]),
    "a text that is no number counts as zero": ({"amount": "x"}, []),
    "smaller": ({"amount": {"<": -1}}, ["ref:B", "ref:c%_x"]),
    "between": ({"amount": {"<=": -2, ">": -3}}, ["ref:B"]),
    "at least": ({"amount": {">=": -1}}, ["ref:a"]),
    "different": ({"payment_type": {"!=": "CARD"}}, ["ref:B"]),
    "null": ({"payment_type": None}, ["ref:c%_x"]),
    "not null": ({"payment_type": {"!=": None}}, ["ref:a", "ref:B"]),
    "one of several": ({"payment_type": ["CARD", "KOHA10"]}, ["ref:a", "ref:B"]),
    "in": ({"payment_type": {"-in": ["CARD", None]}}, ["ref:a", "ref:c%_x"]),
    "not in": ({"payment_type": {"-not_in": ["CARD"]}}, ["ref:B"]),
    "one operator, several values": ({"internal_note": {"-like": ["%a", "%B"]}}, ["ref:a", "ref:B"]),
    "two fields": ({"type": "PAYMENT", "amount": -1}, ["ref:a"]),
    "and": ({"-and": [{"amount": {"<": 0}}, {"payment_type": "CARD"}]}, ["ref:a"]),
    "or": ({"-or": [{"amount": -1}, {"amount": -2}]}, ["ref:a", "ref:B"]),
    "a list is an or": ([{"amount": -1}, {"amount": -2}], ["ref:a", "ref:B"]),
    "nothing asked": ({}, ["ref:a", "ref:B", "ref:c%_x"]),
}
_BROKEN: dict[str, str] = {
    "an unknown field": '{"nosuch":1}',
    "the field of the other list": '{"credit_type":"PAYMENT"}',
    "an unknown operator": '{"amount":{"~":1}}',
    "broken JSON": "{bad",
    "no filter at all": "7",
    "a number in a list of filters": "[7]",
    "a value that is an object": '{"amount":{"<":{"a":1}}}',
    "deep nesting": "[" * 900 + "]" * 900 + "x",
}


async def _three_credits(peer: Peer) -> int:
    patron_id, _ = await peer.patron("5", "5")
    for amount, note, kind in (("1", "ref:a", "CARD"), ("2", "ref:B", "KOHA10"), ("3", "ref:c%_x", "")):
        body = {"amount": amount, "note": note} | ({"payment_type": kind} if kind else {})
        await peer.koha("POST", f"/patrons/{patron_id}/account/credits", body)
    return patron_id


@pytest.mark.parametrize(("query", "notes"), _FILTERS.values(), ids=_FILTERS)
async def test_a_filter_finds_what_kohas_database_would(query: Any, notes: list[str], peer: Peer) -> None:
    patron_id = await _three_credits(peer)

    answer = await peer.koha("GET", f"/patrons/{patron_id}/account/credits?q={quote(json.dumps(query))}")

    assert [row["internal_note"] for row in answer.json] == notes
    assert answer.headers["x-total-count"] == str(len(notes))
    assert answer.headers["x-base-total-count"] == "3"


@pytest.mark.parametrize("query", _BROKEN.values(), ids=_BROKEN)
async def test_a_broken_filter_is_a_500(query: str, peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")

    answer = await peer.koha("GET", f"/patrons/{patron_id}/account/credits?q={quote(query)}")

    assert answer.status == 500
    assert answer.json["error_code"] == "internal_server_error"


async def test_parameter_header_and_body_are_asked_together(peer: Peer) -> None:
    patron_id = await _three_credits(peer)
    target = f"/patrons/{patron_id}/account/credits?q={quote(json.dumps({'amount': {'<': -1}}))}"

    both = await peer.koha("GET", target, x_koha_query='{"amount":{">":-3}}')
    all_three = await peer.koha("GET", target, {"internal_note": "ref:a"}, x_koha_query='{"amount":{">":-3}}')

    assert [row["internal_note"] for row in both.json] == ["ref:B"]
    assert all_three.json == []


_ORDERS = {
    "+amount": ["ref:c%_x", "ref:B", "ref:a"],
    "-amount": ["ref:a", "ref:B", "ref:c%_x"],
    "payment_type,-amount": ["ref:c%_x", "ref:a", "ref:B"],
    "-type,-account_line_id": ["ref:c%_x", "ref:B", "ref:a"],
}


@pytest.mark.parametrize(("order", "notes"), _ORDERS.items())
async def test_a_list_comes_in_the_order_asked_for(order: str, notes: list[str], peer: Peer) -> None:
    patron_id = await _three_credits(peer)

    answer = await peer.koha("GET", f"/patrons/{patron_id}/account/credits?_order_by={quote(order)}")

    assert [row["internal_note"] for row in answer.json] == notes


async def test_pages_hold_twenty_unless_told_otherwise(peer: Peer) -> None:
    patron_id, lines = await peer.patron(*["1"] * 45)
    target = f"/patrons/{patron_id}/account/debits"

    sizes = [
        len((await peer.koha("GET", target + page)).json)
        for page in ("", "?_page=3", "?_page=4", "?_per_page=-1", "?_per_page=30&_page=2")
    ]

    assert sizes == [20, 5, 0, len(lines), 15]


@pytest.mark.parametrize("parameter", ["_page=x", "_per_page=1.5", "_page=" + "9" * 5000])
async def test_a_page_that_is_no_number_is_a_400(parameter: str, peer: Peer) -> None:
    patron_id, _ = await peer.patron("5")

    assert (await peer.koha("GET", f"/patrons/{patron_id}/account/debits?{parameter}")).status == 400


_CARDS = {
    "exact": ("cardnumber=123&_match=exact", ["123"]),
    "contains by default": ("cardnumber=123", ["123", "51234", "12399"]),
    "starts_with": ("cardnumber=123&_match=starts_with", ["123", "12399"]),
    "ends_with": ("cardnumber=99&_match=ends_with", ["12399"]),
    "by filter": ("q=%7B%22cardnumber%22%3A%2251234%22%7D", ["51234"]),
    "nobody": ("cardnumber=4711&_match=exact", []),
}


@pytest.mark.parametrize(("parameters", "cards"), _CARDS.values(), ids=_CARDS)
async def test_patrons_are_found_by_card(parameters: str, cards: list[str], peer: Peer) -> None:
    for card in ("123", "51234", "12399"):
        await peer.patron("1", card=card)

    answer = await peer.koha("GET", f"/patrons?{parameters}")

    assert [row["cardnumber"] for row in answer.json] == cards


async def test_an_unknown_parameter_or_match_is_a_400(peer: Peer) -> None:
    unknown = await peer.koha("GET", "/patrons?nosuch=1")

    assert (unknown.status, unknown.json) == (400, [{"message": "Malformed query string", "path": "/query/nosuch"}])
    assert (await peer.koha("GET", "/patrons?cardnumber=1&_match=nosuch")).status == 400


async def test_one_patron_is_read_by_id(peer: Peer) -> None:
    patron_id, _ = await peer.patron("1", card="Å-1")

    answer = await peer.koha("GET", f"/patrons/{patron_id}")

    assert (answer.status, answer.json["cardnumber"], answer.json["surname"]) == (200, "Å-1", "Testi")


async def test_the_account_shows_both_sides(peer: Peer) -> None:
    patron_id, _ = await peer.patron("0.333", "2")
    await peer.pay(patron_id, "5")
    await peer.control("POST", f"/patrons/{patron_id}/charges", {"amount": "1.10", "type": "LOST"})

    account = (await peer.koha("GET", f"/patrons/{patron_id}/account")).json

    assert [line["debit_type"] for line in account["outstanding_debits"]["lines"]] == ["LOST"]
    assert str(account["outstanding_credits"]["total"]) == "-2.667"
    assert str(account["balance"]) == "-1.567"


async def test_branches_and_payment_types_are_listed_for_who_may(peer: Peer) -> None:
    libraries = await peer.koha("GET", "/libraries")
    values = await peer.koha("GET", "/authorised_value_categories/PAYMENT_TYPE/authorised_values")
    peer.token = peer.token_of("api")

    assert [row["library_id"] for row in libraries.json] == ["CPL", "MPL"]
    assert {"CARD", "CASH"} <= {row["value"] for row in values.json}
    assert (await peer.koha("GET", "/libraries")).json["required_permissions"] == {"catalogue": 1}


async def test_the_specification_names_every_route_without_asking_who_calls(peer: Peer) -> None:
    answer = await peer.send("GET", "/api/v1/")

    assert answer.status == 200
    credits_ = answer.json["paths"]["/patrons/{patron_id}/account/credits"]
    needed = {"updatecharges": "remaining_permissions"}
    assert credits_["post"] == {"x-koha-authorization": {"permissions": needed}}
    assert credits_["get"]["x-koha-authorization"]["permissions"] == needed | {"borrowers": "edit_borrowers"}
    assert answer.json["paths"]["/oauth/token"] == {"post": {}}


async def test_every_answer_has_the_date_of_the_library_s_own_clock(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        peer.library.book, "now", lambda: datetime(2027, 1, 15, 10, tzinfo=timezone(timedelta(hours=2)))
    )
    for path in ("/api/v1/", "/api/v1/patrons/0/account", "/control/totals", "/"):
        assert (await peer.send("GET", path)).headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_method_that_does_not_exist_is_a_404(method: str, peer: Peer) -> None:
    assert (await peer.koha(method, "/patrons/1/account")).status == 404
