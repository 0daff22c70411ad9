# SPDX-License-Identifier: GPL-3.0-or-later
"""What a key lets a program do, and in which branches."""

from __future__ import annotations

from typing import Any

import pytest

from support.site import Answer, Site
from tillbridge.service.administration_port import Scope
from tillbridge.service.keys import new_key
from tillbridge.service.register_port import NoOutcome

START = {"branch": "CPL", "register": "10", "clerk": "anna", "card_number": "C1"}
BY_HAND = START | {"receipt_number": "4711", "supervisor": "otto", "reason": "the bridge was down"}
WORD = {"action": "paid", "person": "otto", "reason": "the receipt is here", "receipt_number": "4711"}
SWITCH = {"on": False, "person": "otto", "reason": "mending"}
REFUND = {"person": "otto", "reason": "charged in error"}
GIVEN = {"person": "otto", "receipt_number": "9001"}
ID = "000000000000000000000001"

ROUTES: list[tuple[str, str, Any, set[Scope]]] = [
    ("GET", "/api/v1/patrons/C1/charges", None, {Scope.READ, Scope.PAY}),
    ("POST", "/api/v1/payments", START, {Scope.PAY}),
    ("POST", "/api/v1/payments/by-hand", BY_HAND, {Scope.RESOLVE}),
    ("GET", "/api/v1/payments", None, {Scope.READ}),
    ("GET", f"/api/v1/payments/{ID}", None, {Scope.READ}),
    ("POST", f"/api/v1/payments/{ID}/cancel", {"clerk": "anna"}, {Scope.PAY}),
    ("POST", f"/api/v1/payments/{ID}/stop-waiting", {"clerk": "anna"}, {Scope.PAY}),
    ("POST", f"/api/v1/payments/{ID}/resolve", WORD, {Scope.PAY}),
    ("POST", f"/api/v1/payments/{ID}/refunds", REFUND, {Scope.RESOLVE}),
    ("POST", f"/api/v1/payments/{ID}/refunds/1/given-back", GIVEN, {Scope.RESOLVE}),
    ("POST", f"/api/v1/payments/{ID}/refunds/1/withdraw", REFUND, {Scope.RESOLVE}),
    ("GET", "/api/v1/open-cases", None, {Scope.READ}),
    ("POST", "/api/v1/open-cases/1/resolve", WORD, {Scope.RESOLVE}),
    ("GET", "/api/v1/branches", None, {Scope.READ, Scope.PAY}),
    ("GET", "/api/v1/branches/CPL/registers", None, {Scope.READ, Scope.PAY}),
    ("PUT", "/api/v1/branches/CPL/switch", SWITCH, {Scope.SETTINGS}),
    ("GET", "/api/v1/product-map", None, {Scope.READ, Scope.PAY}),
    ("PUT", "/api/v1/product-map", {"text": "CPL: {Default: 1}", "person": "otto"}, {Scope.SETTINGS}),
    ("GET", "/api/v1/product-map/versions", None, {Scope.READ, Scope.PAY}),
    ("GET", "/api/v1/product-map/versions/1", None, {Scope.READ, Scope.PAY}),
    ("GET", f"/api/v1/pos/cpu/{ID}", None, {Scope.READ}),
    ("GET", "/metrics", None, {Scope.METRICS}),
]
STREAMS = ["/api/v1/events", f"/api/v1/payments/{ID}/events"]


async def bearer(site: Site, *scopes: Scope, branches: list[str] | None = None) -> str:
    token, key = new_key("program", scopes, branches, 1.0, "otto")
    await site.bench.store.write(lambda tx: tx.add_api_key(key))
    return f"Bearer {token}"


def refused(answer: Answer) -> bool:
    return answer.status == 403 and answer.json["code"] == "scope_missing"


@pytest.mark.parametrize(("method", "path", "body", "scopes"), ROUTES, ids=[f"{m} {p}" for m, p, *_ in ROUTES])
async def test_a_route_is_open_to_its_scopes_alone(
    site: Site, method: str, path: str, body: Any, scopes: set[Scope]
) -> None:
    for scope in Scope:
        answer = await site.ask(method, path, key=await bearer(site, scope), json=body)
        assert refused(answer) == (scope not in scopes), (scope, answer.text)


def test_every_route_that_needs_a_key_is_in_the_table(site: Site) -> None:
    plugin, named = "/api/v1/contrib/kohasuomi/payments/ceepos/report", "/api/v1/registers/{name}/report"
    open_routes = {plugin, named, "/api/v1/pos/cpu/{invoicenumber}/report", "/health", "/ready"}
    paths = {path for path in site.app.openapi()["paths"] if path not in open_routes}
    known = [path for _, path, _, _ in ROUTES] + STREAMS
    values = {"payment_id": ID, "invoicenumber": ID, "card_number": "C1", "branch": "CPL"}
    values |= {"case_id": "1", "version": "1", "n": "1"}
    assert {path.format(**values) for path in paths} == set(known)


@pytest.mark.parametrize("path", STREAMS)
async def test_a_stream_needs_a_key_that_may_read(site: Site, path: str) -> None:
    assert (await site.get(path, key=None)).problem == (401, "key_needed")
    assert (await site.get(path, key=await bearer(site, Scope.PAY))).problem == (403, "scope_missing")


async def test_a_key_for_another_branch_sees_and_does_nothing_here(site: Site) -> None:
    site.bench.till.steps.append(NoOutcome("time-out"))
    payment_id = await site.at_register()
    await site.bench.wait_and_work(601)
    key = await bearer(site, *Scope, branches=["OFF"])
    assert (await site.get("/api/v1/payments", key=key)).json == {"payments": [], "next": None}
    assert (await site.get("/api/v1/open-cases", key=key)).json == {"cases": []}
    assert [each["branch"] for each in (await site.get("/api/v1/branches", key=key)).json["branches"]] == ["OFF"]
    gone, forbidden = (404, "no_such_payment"), (403, "branch_not_allowed")
    for path, body in (
        (f"/api/v1/payments/{payment_id}/{what}", {"clerk": "a"}) for what in ("cancel", "stop-waiting")
    ):
        assert (await site.post(path, body, key=key)).problem == gone
    assert (await site.get(f"/api/v1/payments/{payment_id}", key=key)).problem == gone
    assert (await site.get(f"/api/v1/payments/{payment_id}/events", key=key)).problem == gone
    assert (await site.post(f"/api/v1/payments/{payment_id}/resolve", WORD, key=key)).problem == gone
    for path, body in (("refunds", REFUND), ("refunds/1/given-back", GIVEN), ("refunds/1/withdraw", REFUND)):
        assert (await site.post(f"/api/v1/payments/{payment_id}/{path}", body, key=key)).problem == gone
    assert (await site.post("/api/v1/open-cases/1/resolve", WORD, key=key)).problem == (404, "no_such_case")
    assert (await site.get(f"/api/v1/pos/cpu/{payment_id}", key=key)).status == 404
    assert (await site.post("/api/v1/payments", START, key=key)).problem == forbidden
    assert (await site.post("/api/v1/payments/by-hand", BY_HAND, key=key)).problem == forbidden
    assert (await site.get("/api/v1/payments?branch=CPL", key=key)).problem == forbidden
    assert (await site.get("/api/v1/branches/CPL/registers", key=key)).problem == forbidden
    assert (await site.ask("PUT", "/api/v1/branches/CPL/switch", json=SWITCH, key=key)).problem == forbidden
    whole = {"text": "CPL: {Default: 1}", "person": "otto"}
    assert (await site.ask("PUT", "/api/v1/product-map", json=whole, key=key)).problem == forbidden


async def test_a_key_for_a_branch_sees_what_is_its_own(site: Site) -> None:
    site.bench.till.steps.append(NoOutcome("time-out"))
    payment_id = await site.at_register()
    await site.bench.wait_and_work(601)
    key = await bearer(site, *Scope, branches=["CPL"])
    listed = (await site.get("/api/v1/payments", key=key)).json["payments"]
    assert [payment["id"] for payment in listed] == [payment_id]
    (case,) = (await site.get("/api/v1/open-cases", key=key)).json["cases"]
    assert (case["payment_id"], case["age_s"]) == (payment_id, 0)
    done = await site.post(f"/api/v1/open-cases/{case['id']}/resolve", WORD, key=key)
    assert done.status == 204
