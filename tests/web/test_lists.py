# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of payments, page by page; branches, registers and the product map."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, text

from support.fakes import report
from support.payments import make_payment
from support.site import Site
from tillbridge.domain.lifecycle import AT_REGISTER, PAID_TILL, Booking
from tillbridge.service.store_port import Transaction
from tillbridge.store import finding


async def fill(site: Site, count: int = 7) -> None:
    """Store payments that differ; two of them began at the same instant."""

    def work(tx: Transaction) -> None:
        for n in range(count):
            tx.add_payment(
                make_payment(
                    f"P{n}",
                    str(n),
                    created_at=1000.0 + (min(5, n)),
                    branch="CPL" if n % 2 else "OFF",
                    clerk="anna" if n < 4 else "otto",
                    patron_id=str(n % 3),
                    standing=PAID_TILL if n == 2 else AT_REGISTER,
                    booking=Booking.DUE if n == 2 else Booking.NONE,
                    receipt_number=f"R {n}",
                ),
                None,
            )

    await site.bench.store.write(work)


async def ids(site: Site, query: str = "") -> list[str]:
    return [payment["id"] for payment in (await site.get(f"/api/v1/payments{query}")).json["payments"]]


def at(seconds: float) -> str:
    return quote(datetime.fromtimestamp(seconds, UTC).isoformat())


QUERIES: dict[str, list[str]] = {
    "": ["P5", "P6", "P4", "P3", "P2", "P1", "P0"],
    "?branch=CPL": ["P5", "P3", "P1"],
    "?clerk=otto": ["P5", "P6", "P4"],
    "?patron=0": ["P6", "P3", "P0"],
    "?receipt=R%202": ["P2"],
    "?collection=paid": ["P2"],
    "?collection=paid&booking=booked": [],
    "?booking=due": ["P2"],
    "?register=10&limit=2": ["P5", "P6"],
    "?register=99": [],
    f"?since={at(1003)}": ["P5", "P6", "P4", "P3"],
    f"?since={at(1001)}&until={at(1003)}": ["P2", "P1"],
}


@pytest.mark.parametrize("query", QUERIES)
async def test_payments_are_listed_newest_first_by_what_is_asked_for(site: Site, query: str) -> None:
    await fill(site)
    assert await ids(site, query) == QUERIES[query]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 200])
async def test_pages_follow_each_other_without_a_gap_and_without_a_repeat(site: Site, limit: int) -> None:
    await fill(site)
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await site.get(f"/api/v1/payments?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))).json
        found += [payment["id"] for payment in page["payments"]]
        assert len(page["payments"]) <= limit
        cursor = page["next"]
    assert found == QUERIES[""]


WRONG = [
    "limit=0",
    "limit=201",
    "limit=x",
    "collection=payed",
    "booking=x",
    "since=yesterday",
    "since=0",
    "until=1767225600.5",
    "since=2026-01-01T00:00:00",
    "branch=" + "x" * 41,
]


@pytest.mark.parametrize("query", WRONG)
async def test_a_question_that_is_none_is_refused(site: Site, query: str) -> None:
    assert (await site.get(f"/api/v1/payments?{query}")).problem == (422, "form")


@pytest.mark.parametrize("cursor", ["x", "%00", "AAAA", "QFMAAAAAAAD_", "ää", "=" * 9, "f_gAAAAAAAAx", "P_AAAAAAAAAA"])
async def test_a_cursor_of_somebody_s_own_does_no_harm(site: Site, cursor: str) -> None:
    await fill(site)
    answer = await site.get(f"/api/v1/payments?cursor={quote(cursor, safe='%')}")
    assert answer.status == 200 or answer.problem == (422, "wrong_cursor")


async def test_branches_are_listed_with_their_registers_and_when_they_were_heard_of(site: Site) -> None:
    payment_id = await site.at_register()
    await site.report(payment_id, report(payment_id, "paid"))
    off, cpl = sorted((await site.get("/api/v1/branches")).json["branches"], key=lambda each: each["on"])
    assert (off["branch"], off["on"], off["registers"]) == ("OFF", False, [])
    assert (off["name"], cpl["name"]) == ("", "Pääkirjasto")
    assert (cpl["branch"], cpl["on"], cpl["switched"], cpl["register_server"]) == ("CPL", True, None, "city")
    heard = [(register["register"], register["name"], register["heard_at"]) for register in cpl["registers"]]
    assert heard == [("10", "Kassa 1", "2027-01-15T08:00:00.000+00:00"), ("11", "Kassa 2", None)]
    assert (await site.get("/api/v1/branches/CPL/registers")).json == {"registers": cpl["registers"]}
    assert (await site.get("/api/v1/branches/XPL/registers")).problem == (404, "no_such_branch")


async def test_a_branch_is_switched_off_and_on_with_who_and_why(site: Site) -> None:
    path = "/api/v1/branches/CPL/switch"
    off = await site.ask("PUT", path, json={"on": False, "person": "otto", "reason": "mending"})
    assert (off.status, off.json["on"]) == (200, False)
    assert {key: off.json["switched"][key] for key in ("by", "on", "reason")} == {
        "by": "otto",
        "on": False,
        "reason": "mending",
    }
    start = {"branch": "CPL", "register": "10", "clerk": "anna", "card_number": "C1"}
    assert (await site.post("/api/v1/payments", start)).problem == (422, "branch_off")
    assert (await site.ask("PUT", path, json={"on": True, "person": "otto"})).json["on"]
    assert (await site.post("/api/v1/payments", start)).status == 201
    assert (await site.ask("PUT", "/api/v1/branches/X/switch", json={"on": True, "person": "o"})).problem == (
        404,
        "no_such_branch",
    )


async def test_the_product_map_is_replaced_by_a_good_one_and_never_by_a_bad_one(site: Site) -> None:
    assert (await site.get("/api/v1/product-map")).problem == (404, "no_such_version")
    good: dict[str, Any] = {"text": "CPL: {Default: 7777}", "person": "otto"}
    made = await site.ask("PUT", "/api/v1/product-map", json=good)
    assert (made.status, made.json["by"], made.json["text"]) == (200, "otto", good["text"])
    bad = await site.ask("PUT", "/api/v1/product-map", json=good | {"text": "CPL: {Default: 1}\nCPL: ["})
    assert bad.problem == (422, "wrong_product_map")
    assert "line" in bad.json["title"]
    assert (await site.get("/api/v1/product-map")).json == made.json
    assert (await site.start())["lines"][0]["product_code"] == "7777"
    await site.ask("PUT", "/api/v1/product-map", json=good | {"text": "CPL: off", "person": "sari"})
    versions = (await site.get("/api/v1/product-map/versions")).json["versions"]
    assert [version["by"] for version in versions] == ["sari", "otto"]
    first = made.json["version"]
    assert (await site.get(f"/api/v1/product-map/versions/{first}")).json == made.json
    assert (await site.get("/api/v1/product-map/versions/999")).problem == (404, "no_such_version")


async def test_a_search_that_takes_too_long_is_refused_with_what_to_do(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(connection: Connection, *_: object) -> None:
        connection.execute(
            text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
        )

    monkeypatch.setattr(finding, "find", find)
    monkeypatch.setattr(type(site.bench.store).search, "__defaults__", (0.1,))
    answer = await site.get("/api/v1/payments?clerk=anna")
    assert answer.problem == (422, "search_too_wide")
    assert "by dates" in answer.json["title"]
