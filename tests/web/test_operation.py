# SPDX-License-Identifier: GPL-3.0-or-later
"""Alive, ready and in numbers, over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from support.fakes import report
from support.site import Site
from tillbridge.operation import gauges
from tillbridge.service.register_port import NoOutcome
from tillbridge.service.store_port import CaseKind, TaskKind

Labels = tuple[tuple[str, str], ...]


async def metrics(site: Site) -> dict[str, dict[Labels, float]]:
    """Read the metrics as Prometheus does: values by name and labels."""
    answer = await site.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def of(found: dict[Labels, float], **labels: str) -> float:
    return found.get(tuple(sorted(labels.items())), 0.0)


def above_zero(found: dict[Labels, float]) -> dict[str, float]:
    """Return the values that are not 0 by their one label."""
    return {labels[0][1]: value for labels, value in found.items() if value}


def break_store(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: Any) -> Any:
        raise OperationalError("SELECT 1", {}, RuntimeError("secret"))

    monkeypatch.setattr(site.bench.store, "read", fails)


async def test_health_says_that_the_process_lives_and_touches_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_store(site, monkeypatch)
    site.bench.library.away = "away"
    before = site.bench.library.reads
    answer = await site.get("/health", key=None)
    assert (answer.status, answer.json) == (200, {"alive": True})
    assert answer.headers["Cache-Control"] == "no-store"
    assert site.bench.library.reads == before


async def test_ready_names_the_parts_by_their_settings(site: Site) -> None:
    answer = await site.get("/ready", key=None)
    parts = [{"part": part, "ok": True, "why": None, "age_s": 0.0} for part in ("bridge.database", "library")]
    parts.append({"part": "register_server.city", "ok": True, "why": None, "age_s": 0.0})
    assert (answer.status, answer.json) == (200, {"ready": True, "parts": parts})
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_library_system_that_is_away_leaves_the_bridge_ready(site: Site) -> None:
    site.bench.library.away = "https://koha.example.fi:8080/ cannot be reached"
    answer = await site.get("/ready", key=None)
    assert (answer.status, answer.json["ready"]) == (200, True)
    assert answer.json["parts"][1] == {"part": "library", "ok": False, "why": "cannot be reached", "age_s": 0.0}


async def test_a_database_that_is_away_is_a_bridge_that_is_not_ready(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_store(site, monkeypatch)
    answer = await site.get("/ready", key=None)
    assert (answer.status, answer.json["ready"]) == (503, False)
    assert answer.json["parts"][0]["why"] == "it cannot be asked (OperationalError)"
    assert "secret" not in answer.text


async def test_the_metrics_show_what_is_not_at_rest_and_what_has_happened(site: Site) -> None:
    site.bench.till.steps.append(NoOutcome("time-out"))
    unknown = await site.at_register(charges=[{"charge_id": "1"}])
    paid = await site.at_register(charges=[{"charge_id": "2"}])
    await site.report(paid, report(paid, "paid"))
    site.bench.clock.advance(601)
    await site.bench.do(next(task for task in await site.bench.due() if task.kind is TaskKind.ASK))
    found = await metrics(site)
    assert above_zero(found["tillbridge_payments_undecided"]) == {"unknown": 1}
    assert above_zero(found["tillbridge_payments_undecided_oldest_seconds"]) == {"unknown": 601}
    assert above_zero(found["tillbridge_payments_unbooked"]) == {"due": 1}
    assert above_zero(found["tillbridge_payments_unbooked_oldest_seconds"]) == {"due": 601}
    assert above_zero(found["tillbridge_open_cases"]) == {"unknown_outcome": 1}
    assert above_zero(found["tillbridge_open_cases_oldest_seconds"]) == {}
    assert above_zero(found["tillbridge_tasks_leased"]) == {"book": 1, "watch": 1}
    changes = found["tillbridge_collection_changes_total"]
    assert (of(changes, to="created", by=""), of(changes, to="paid", by="till")) == (2, 1)
    assert (of(changes, to="unknown", by=""), of(found["tillbridge_booking_changes_total"], to="due")) == (1, 1)
    assert found["tillbridge_database_up"] == {(): 1.0}
    assert unknown != paid


async def test_what_there_is_none_of_is_zero_and_not_missing(site: Site) -> None:
    found = await metrics(site)
    assert set(found["tillbridge_open_cases"]) == {(("case", kind),) for kind in CaseKind}
    assert set(found["tillbridge_tasks_due"]) == {(("task", kind),) for kind in TaskKind}
    assert set(found["tillbridge_payments_unbooked"]) == {(("booking", each),) for each in gauges.UNBOOKED}
    assert above_zero(found["tillbridge_payments_undecided"]) == {}


async def test_how_late_a_task_is_is_shown(site: Site) -> None:
    await site.start()
    site.bench.clock.advance(7)
    found = await metrics(site)
    assert above_zero(found["tillbridge_tasks_due"]) == {"send": 1}
    assert above_zero(found["tillbridge_tasks_due_oldest_seconds"]) == {"send": 7}


async def test_the_store_is_counted_once_in_a_few_seconds_however_often_the_metrics_are_read(site: Site) -> None:
    await asyncio.gather(*(metrics(site) for _ in range(5)))
    await site.start()
    assert above_zero((await metrics(site))["tillbridge_payments_undecided"]) == {}
    site.bench.clock.advance(gauges.FRESH_S)
    assert above_zero((await metrics(site))["tillbridge_payments_undecided"]) == {"created": 1}


async def test_a_database_that_is_away_is_told_and_the_rest_is_still_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_store(site, monkeypatch)
    found = await metrics(site)
    assert found["tillbridge_database_up"] == {(): 0.0}
    assert "tillbridge_payments_undecided" not in found
    assert "tillbridge_build_info" in found
    monkeypatch.undo()
    site.bench.clock.advance(gauges.FRESH_S)
    assert (await metrics(site))["tillbridge_database_up"] == {(): 1.0}


async def test_a_database_that_does_not_answer_does_not_hold_the_metrics_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(_: Any) -> Any:
        await asyncio.Future()

    monkeypatch.setattr(gauges, "COUNT_LIMIT_S", 0.01)
    monkeypatch.setattr(site.bench.store, "read", hangs)
    assert (await metrics(site))["tillbridge_database_up"] == {(): 0.0}


async def test_the_listeners_of_event_streams_are_counted(site: Site) -> None:
    with site.app.state.bridge.feed.listen(), site.app.state.bridge.feed.listen("P1"):
        assert (await metrics(site))["tillbridge_event_streams"] == {(): 2.0}
    assert (await metrics(site))["tillbridge_event_streams"] == {(): 0.0}


async def test_requests_are_counted_by_method_route_and_status(site: Site) -> None:
    card = "21000001"
    await site.get(f"/api/v1/patrons/{card}/charges")
    await site.get("/api/v1/patrons/C1/charges")
    await site.get(f"/{card}")
    await site.ask("PURGE", f"/api/v1/payments/{card}")
    found = (await metrics(site))["tillbridge_http_requests_total"]
    charges = {"method": "GET", "route": "/api/v1/patrons/{card_number}/charges"}
    assert (of(found, **charges, status="404"), of(found, **charges, status="200")) == (1, 1)
    assert of(found, method="GET", route="other", status="404") == 1
    assert of(found, method="OTHER", route="/api/v1/payments/{payment_id}", status="405") == 1
    assert card not in repr(found)
