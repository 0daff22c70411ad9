# SPDX-License-Identifier: GPL-3.0-or-later
"""Every request is one line of the log, by the route's template, with an id that goes on to what it sets off."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from support.fakes import report
from support.logs import Line, Log, collected
from support.site import KEY, Site
from tillbridge.operation.logs import Level
from tillbridge.operation.metrics import Metrics
from tillbridge.web.request_log import RequestLog

CARD = "21000001"
GIVEN = "f3b0c442-98fc-1c14-9afb-f4c8996fb924"


@pytest.fixture
def log() -> Iterator[Log]:
    with collected() as made:
        yield made


def one(log: Log) -> Line:
    (line,) = log.of("request")
    return line


def facts(line: Line, *names: str) -> list[Any]:
    return [line.get(name) for name in names]


async def test_a_request_is_a_line_with_its_route_its_status_and_its_key(site: Site, log: Log) -> None:
    answer = await site.get(f"/api/v1/patrons/{CARD}/charges?x={CARD}")
    line = one(log)
    assert facts(line, "method", "status", "key_id", "level") == ["GET", 404, "own", "info"]
    assert line["route"] == "/api/v1/patrons/{card_number}/charges"
    assert 0 <= line["duration_ms"] < 60_000
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert [secret for secret in (CARD, KEY) if secret in "".join(log.texts)] == []


@pytest.mark.parametrize("path", [f"/{CARD}", f"/api/v1/{CARD}/x", f"/api/v1/payments/{CARD}/{CARD}"])
async def test_an_address_where_nothing_is_is_not_written_down(site: Site, log: Log, path: str) -> None:
    assert (await site.get(path)).status == 404
    assert one(log)["route"] == "other"
    assert CARD not in "".join(log.texts)


async def test_the_description_of_the_api_is_counted_by_its_own_name(site: Site, log: Log) -> None:
    assert (await site.get("/openapi.json", key=None)).status == 200
    assert one(log)["route"] == "/openapi.json"


async def test_a_method_that_nobody_knows_is_not_written_down(site: Site, log: Log) -> None:
    assert (await site.ask("PURGE", "/api/v1/payments")).status == 405
    assert facts(one(log), "method", "route") == ["OTHER", "/api/v1/payments"]


async def test_a_payment_in_the_address_is_named_if_it_can_be_one(site: Site, log: Log) -> None:
    payment_id = (await site.start())["id"]
    log.texts.clear()
    for path in (f"/api/v1/payments/{payment_id}", f"/api/v1/pos/cpu/{payment_id}", f"/api/v1/payments/{CARD}"):
        await site.get(path)
    assert [line.get("payment_id") for line in log.of("request")] == [payment_id, payment_id, None]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "once"}])
async def test_the_payment_that_a_request_has_started_is_named(site: Site, log: Log, headers: dict[str, str]) -> None:
    order = {"branch": "CPL", "register": "10", "clerk": "anna", "card_number": "C1"}
    answer = await site.post("/api/v1/payments", order, headers=headers)
    assert one(log)["payment_id"] == answer.json["id"]


async def test_the_first_event_of_a_payment_carries_the_id_of_the_click(site: Site, log: Log) -> None:
    await site.post("/api/v1/payments", {"branch": "NO", "register": "10", "clerk": "anna", "card_number": "C1"})
    payment_id = (await site.start())["id"]
    refused, started = log.of("request")
    (created,) = log.of("payment")
    assert facts(created, "payment_id", "kind", "request_id") == [payment_id, "created", started["request_id"]]
    assert created["key_id"] == "own"
    assert refused["request_id"] != started["request_id"]
    assert "payment_id" not in refused


async def test_a_report_that_is_believed_names_its_payment_at_both_addresses(site: Site, log: Log) -> None:
    payment_id = await site.at_register()
    log.texts.clear()
    await site.post("/api/v1/contrib/kohasuomi/payments/ceepos/report", data=report(payment_id, "paid"), key=None)
    await site.report(payment_id, report(payment_id, "paid"))
    assert [line["payment_id"] for line in log.of("request")] == [payment_id, payment_id]
    (paid, _) = [line for line in log.of("payment") if line["kind"] == "till_paid"] * 2
    assert paid["request_id"] == log.of("request")[0]["request_id"]


async def test_a_forged_report_names_no_payment_but_the_address_s(site: Site, log: Log) -> None:
    payment_id = await site.at_register()
    log.texts.clear()
    path = "/api/v1/contrib/kohasuomi/payments/ceepos/report"
    assert (await site.post(path, data=report(payment_id, "forged"), key=None)).status == 400
    assert "payment_id" not in one(log)


async def test_the_id_that_a_request_came_with_is_kept_and_told_back(site: Site, log: Log) -> None:
    answer = await site.get("/api/v1/open-cases", headers={"X-Request-Id": GIVEN})
    assert answer.headers["X-Request-Id"] == GIVEN
    assert one(log)["request_id"] == GIVEN


@pytest.mark.parametrize("odd", ["", CARD, "4" * 16, "Anna Mäkinen Virtanen", "a" * 65, "a" * 15, 'a"}' + "a" * 20])
async def test_an_id_that_may_be_anything_is_replaced(site: Site, log: Log, odd: str) -> None:
    answer = await site.get("/api/v1/open-cases", headers={"X-Request-Id": odd})
    made = answer.headers["X-Request-Id"]
    assert made != odd
    assert len(made) == 32
    assert one(log)["request_id"] == made


async def test_two_requests_have_two_ids_also_over_one_connection(site: Site, log: Log) -> None:
    await site.start()
    await site.get("/openapi.json")
    first, second = log.of("request")
    assert first["request_id"] != second["request_id"]
    assert [name for name in ("payment_id", "key_id") if name in second] == []


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/static/api/start.js"])
async def test_what_machines_ask_again_and_again_weighs_little_as_long_as_all_is_well(site: Site, path: str) -> None:
    with collected(Level.INFO) as log:
        assert (await site.get(path)).status == 200
        assert (await site.get("/metrics", key=None)).status == 401
    assert [line["status"] for line in log.of("request")] == [401]


async def test_a_bridge_that_fails_says_so_with_the_id_that_the_log_has(
    site: Site, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: Any) -> Any:
        raise RuntimeError(CARD)

    monkeypatch.setattr(site.bench.store, "search", fails)
    answer = await site.get("/api/v1/open-cases")
    assert answer.problem == (500, "failed")
    assert facts(one(log), "status", "request_id") == [500, answer.headers["X-Request-Id"]]
    assert CARD not in answer.text + "".join(log.texts)


async def test_what_is_no_request_is_passed_on_and_leaves_no_line(log: Log) -> None:
    passed: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    await RequestLog(app, Metrics(), {})({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert (passed, log.texts) == ([{"type": "lifespan"}], [])


async def test_a_request_that_is_cut_off_is_counted_and_logged_without_a_status(log: Log) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    metrics, scope = Metrics(), {"type": "http", "method": "GET", "headers": []}
    with pytest.raises(asyncio.CancelledError):
        await RequestLog(app, metrics, {})(scope, None, None)  # type: ignore[arg-type]
    assert facts(one(log), "status", "route") == [None, "other"]
    assert b'{method="GET",route="other",status="none"} 1.0' in metrics.text()
