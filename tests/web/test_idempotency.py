# SPDX-License-Identifier: GPL-3.0-or-later
"""A request that is sent again with its idempotency key is answered as the first time, and done once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.fakes import report
from support.site import Answer, Site
from tillbridge.service.administration_port import Scope
from tillbridge.service.keys import new_key

START = {"branch": "CPL", "register": "10", "clerk": "anna", "card_number": "C1"}
BY_HAND = START | {"receipt_number": "4711", "supervisor": "otto", "reason": "the bridge was down"}


MARK = "idempotent-replayed"


async def start(site: Site, own: str, body: Any = START, path: str = "/api/v1/payments", **how: Any) -> Answer:
    return await site.post(path, body, headers={"Idempotency-Key": own}, **how)


async def count(site: Site) -> int:
    return len(await site.bench.store.read(lambda tx: tx.recent_payments(99)))


@pytest.mark.parametrize(("path", "body"), [("/api/v1/payments", START), ("/api/v1/payments/by-hand", BY_HAND)])
async def test_the_same_request_again_is_answered_the_same_and_done_once(site: Site, path: str, body: Any) -> None:
    first = await start(site, "k1", body, path)
    again = await start(site, "k1", body, path)
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert first.headers["Location"] == again.headers["Location"]
    assert MARK not in first.headers
    assert again.headers[MARK] == "true"
    assert await count(site) == 1


async def test_the_first_answer_counts_although_the_payment_has_gone_on(site: Site) -> None:
    first = await start(site, "k1")
    await site.bench.work()
    assert (await site.report(first.json["id"], report(first.json["id"], "paid"))).status == 200
    await site.bench.work()
    assert (await start(site, "k1")).json == first.json
    assert (await site.get(f"/api/v1/payments/{first.json['id']}")).json["booking"] == "booked"


async def test_requests_with_one_key_at_the_same_time_make_one_payment(site: Site) -> None:
    answers = await asyncio.gather(*(start(site, "k1") for _ in range(12)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert await count(site) == 1


async def test_a_no_is_kept_like_a_yes(site: Site) -> None:
    await site.start()
    first = await start(site, "k1")
    assert first.problem == (409, "claimed")
    held = first.json["payment"]
    await site.post(f"/api/v1/payments/{held}/cancel", {"clerk": "anna"})
    again = await start(site, "k1")
    assert (again.problem, again.json) == (first.problem, first.json)
    assert again.headers[MARK] == "true"
    assert (await start(site, "k2")).status == 201


async def test_a_key_with_another_content_is_refused(site: Site) -> None:
    assert (await start(site, "k1")).status == 201
    for body, path in (
        (START | {"note": "x"}, "/api/v1/payments"),
        (START | {"sum_minor": 1}, "/api/v1/payments"),
        (BY_HAND, "/api/v1/payments/by-hand"),
    ):
        assert (await start(site, "k1", body, path)).problem == (400, "idempotency_key_reused")
    assert await count(site) == 1


async def test_a_request_that_could_not_be_looked_into_counts_as_not_made(site: Site) -> None:
    site.bench.library.away = "maintenance"
    assert (await start(site, "k1")).problem == (503, "library_unavailable")
    site.bench.library.away = None
    assert (await start(site, "k1", START | {"branch": ""})).problem == (422, "form")
    assert (await start(site, "k1")).status == 201


async def test_a_key_is_its_program_s_own(site: Site) -> None:
    token, key = new_key("kiosk", [Scope.PAY], None, 1.0, "otto")
    await site.bench.store.write(lambda tx: tx.add_api_key(key))
    assert (await start(site, "k1")).status == 201
    assert (await start(site, "k1", key=f"Bearer {token}")).problem == (409, "claimed")


@pytest.mark.parametrize("wrong", ["", "x" * 256, "ä"])
async def test_a_key_that_is_none_is_refused(site: Site, wrong: str) -> None:
    assert (await start(site, wrong)).problem == (422, "form")
    assert await count(site) == 0


async def test_without_a_key_each_request_is_a_request_of_its_own(site: Site) -> None:
    assert (await site.post("/api/v1/payments", START)).status == 201
    assert (await site.post("/api/v1/payments", START)).problem == (409, "claimed")
