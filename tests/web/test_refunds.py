# SPDX-License-Identifier: GPL-3.0-or-later
"""Money is given back over the API: asked for, given back at the till, recorded in the library system."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.fakes import report
from support.keyed import KeyedLibrary
from support.site import Site
from support.worlds import Bench, open_bench
from tillbridge.service.administration_port import Scope
from tillbridge.service.keys import new_key
from tillbridge.service.library_port import Abilities

ASK = {"person": "otto", "reason": "charged in error"}
GIVEN = {"person": "otto", "receipt_number": "9001"}


@pytest.fixture
def library() -> KeyedLibrary:
    return KeyedLibrary()


@pytest.fixture
def bench(library: KeyedLibrary, tmp_path: Path) -> Iterator[Bench]:
    """A world whose library system has every ability."""
    with open_bench(tmp_path, library=library) as made:
        library.add_charge("1", "3")
        library.add_charge("2", "4.335")
        yield made


async def booked(site: Site) -> str:
    payment_id = await site.at_register()
    await site.report(payment_id, report(payment_id, "paid"))
    await site.bench.work()
    return f"/api/v1/payments/{payment_id}"


async def seen(site: Site, path: str) -> Any:
    return (await site.get(path)).json["refunds"]


async def test_money_is_asked_for_given_back_and_recorded(site: Site, library: KeyedLibrary) -> None:
    path = await booked(site)
    wish = ASK | {"charges": [{"charge_id": "2", "amount_minor": 434}], "register": "11"}
    asked = await site.post(f"{path}/refunds", wish)
    assert (asked.status, asked.headers["Location"]) == (201, path)
    (refund,) = asked.json["refunds"]
    assert refund == {
        "n": 1,
        "state": "asked",
        "total_minor": 434,
        "lines": [{"charge_id": "2", "amount_minor": 434, "amount": "4.335"}],
        "owed_again": False,
        "branch": "CPL",
        "register": "11",
        "asked_by": "otto",
        "asked_at": refund["asked_at"],
        "reason": "charged in error",
        "receipt_number": None,
        "given_back_by": None,
        "given_back_at": None,
    }
    given = await site.post(f"{path}/refunds/1/given-back", GIVEN)
    assert (given.status, given.json["refunds"][0]["state"]) == (200, "due")
    await site.bench.work()
    (refund,) = await seen(site, path)
    assert (refund["state"], refund["receipt_number"], refund["given_back_by"]) == ("recorded", "9001", "otto")
    assert library.given_back() == Decimal("4.335")
    history = (await site.get(path)).json["history"]
    assert [event["words"] for event in history][-4:] == [
        "Money is to be given back at the till. (charged in error)",
        "A person says: the till has given the money back. Receipt 9001.",
        "The library system is told of the money that was given back.",
        "The library system has recorded the money that was given back.",
    ]


async def test_a_whole_payment_is_taken_back_so_that_its_charges_are_owed_again(
    site: Site, library: KeyedLibrary
) -> None:
    path = await booked(site)
    await site.post(f"{path}/refunds", ASK | {"owed_again": True})
    given = await site.post(f"{path}/refunds/1/given-back", GIVEN)
    assert (given.json["collection"], given.json["refunds"][0]["state"]) == ("reversed", "taken_back")
    await site.bench.work()
    assert (await site.get(path)).json["booking"] == "reversed"
    assert library.charges["1"].owed == 3


async def test_a_refund_that_came_to_nothing_is_withdrawn(site: Site) -> None:
    path = await booked(site)
    await site.post(f"{path}/refunds", ASK)
    withdrawn = await site.post(f"{path}/refunds/1/withdraw", ASK)
    assert withdrawn.json["refunds"][0]["state"] == "withdrawn"
    again = await site.post(f"{path}/refunds/1/given-back", GIVEN)
    assert again.problem == (409, "refund_decided")


async def test_a_request_that_is_sent_again_asks_once(site: Site) -> None:
    path = await booked(site)
    headers = {"Idempotency-Key": "k1"}
    first = await site.post(f"{path}/refunds", ASK, headers=headers)
    again = await site.post(f"{path}/refunds", ASK, headers=headers)
    assert (first.status, again.status, again.json) == (201, 201, first.json)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await site.post(f"{path}/refunds", ASK | {"reason": "other"}, headers=headers)
    assert other.problem == (400, "idempotency_key_reused")
    assert len(await seen(site, path)) == 1


NO: list[tuple[str, dict[str, Any], tuple[int, str]]] = [
    ("refunds", ASK | {"branch": "XXX"}, (404, "no_such_branch")),
    ("refunds", ASK | {"register": "99"}, (404, "no_such_register")),
    ("refunds", ASK | {"charges": [{"charge_id": "1", "amount_minor": 301}]}, (422, "more_than_left")),
    ("refunds", ASK | {"charges": [{"charge_id": "1", "amount_minor": 0}]}, (422, "form")),
    ("refunds", ASK | {"charges": []}, (422, "form")),
    ("refunds", ASK | {"reason": ""}, (422, "form")),
    ("refunds", ASK | {"owed_again": True, "charges": [{"charge_id": "1", "amount_minor": 1}]}, (422, "whole_only")),
    ("refunds/1/given-back", GIVEN, (404, "no_such_refund")),
    ("refunds/1/withdraw", ASK, (404, "no_such_refund")),
    ("refunds/0/withdraw", ASK, (422, "form")),
]


@pytest.mark.parametrize(("route", "body", "problem"), NO, ids=[f"{route} {code}" for route, _, (_, code) in NO])
async def test_what_cannot_be_is_refused_and_stores_nothing(
    site: Site, route: str, body: dict[str, Any], problem: tuple[int, str]
) -> None:
    path = await booked(site)
    assert (await site.post(f"{path}/{route}", body)).problem == problem
    assert await seen(site, path) == []


async def test_a_library_system_that_cannot_be_told_gives_nothing_back(site: Site, library: KeyedLibrary) -> None:
    path = await booked(site)
    library.abilities = Abilities()
    assert (await site.post(f"{path}/refunds", ASK)).problem == (409, "cannot_refund")


async def test_a_second_refund_waits_for_the_first(site: Site) -> None:
    path = await booked(site)
    await site.post(f"{path}/refunds", ASK | {"charges": [{"charge_id": "1", "amount_minor": 1}]})
    again = await site.post(f"{path}/refunds", ASK)
    assert (again.problem, again.json["refund"]) == ((409, "refund_waits"), 1)


async def test_what_is_not_paid_is_not_given_back(site: Site) -> None:
    payment_id = await site.at_register()
    assert (await site.post(f"/api/v1/payments/{payment_id}/refunds", ASK)).problem == (409, "not_refundable")
    assert (await site.post("/api/v1/payments/X/refunds", ASK)).problem == (404, "no_such_payment")


async def test_a_key_of_one_branch_sends_nobody_to_a_register_of_another(site: Site) -> None:
    path = await booked(site)
    token, key = new_key("program", [Scope.RESOLVE], ["CPL"], 1.0, "otto")
    await site.bench.store.write(lambda tx: tx.add_api_key(key))
    refused = await site.post(f"{path}/refunds", ASK | {"branch": "OFF"}, key=f"Bearer {token}")
    assert refused.problem == (403, "branch_not_allowed")
    assert (await site.post(f"{path}/refunds", ASK, key=f"Bearer {token}")).status == 201
