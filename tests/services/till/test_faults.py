# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of fault is a row: what the client gets, what is reported, and where the payment ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tillbridge.simulators.till.faults import KINDS, AnswerPlan, FaultBox, Options, ReportPlan

if TYPE_CHECKING:
    from services.till.conftest import Got, Shop, Shops


@dataclass(frozen=True)
class Row:
    """Give the fault, and what follows when the cashier accepts; `early` comes before the cashier does anything."""

    kind: str
    answer: str
    reports: list[str] = field(default_factory=lambda: ["1 K000001"])
    state: str = "paid"
    mode: int = 2
    options: dict[str, Any] = field(default_factory=dict)
    early: bool = False
    api_version: str = "2.0"

    def __str__(self) -> str:
        options = ",".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.kind}({options})-mode{self.mode}"


_NO = {"collected": False}
_END = {"when": "end"}
_KEPT_OFF: dict[str, Any] = {"reports": [], "state": "refused", "early": True, "options": _NO}
ROWS = [
    Row("answer_late", "1 K000001", options={"seconds": 0.05}),
    Row("answer_late", "2 null", options={"seconds": 0.05}, mode=1),
    Row("answer_late", "99 null", reports=[], state="refused", early=True, options={"seconds": 0.05, **_NO}),
    Row("answer_never", "held"),
    Row("answer_never", "held", mode=1),
    Row("answer_never", "held", **_KEPT_OFF),
    Row("drop_before_reading", "dropped", reports=[], state="absent", early=True),
    Row("drop_after_reading", "dropped", early=True),
    Row("drop_after_reading", "dropped", early=True, mode=1),
    Row("drop_after_reading", "dropped", options=_END),
    Row("drop_after_reading", "dropped", **_KEPT_OFF),
    Row("http_500", "http 500", early=True),
    Row("http_500", "http 500", options=_END),
    Row("http_500", "http 500", options=_END, mode=1),
    Row("http_500", "http 500", **_KEPT_OFF),
    Row("http_503", "http 503", early=True),
    Row("http_503", "http 503", **_KEPT_OFF),
    Row("html", "html", early=True),
    Row("html", "html", **_KEPT_OFF),
    Row("bad_hash", "1 K000001 forged"),
    Row("bad_hash", "2 null forged", mode=1, early=True),
    Row("bad_hash", "99 null forged", **_KEPT_OFF),
    Row("status_97", "97 null", early=True),
    Row("status_97", "97 null", options=_END),
    Row("status_97", "97 null", **_KEPT_OFF),
    Row("status_98", "98 null", early=True, mode=1),
    Row("status_98", "98 null unsigned", early=True, options={"unsigned": True}),
    Row("status_98", "98 null", **_KEPT_OFF),
    Row("status_99", "99 null", reports=[], state="refused", early=True),
    Row("status_99", "99 null unsigned", reports=[], state="refused", early=True, options={"unsigned": True}),
    Row("status_99", "99 null", early=True, options={"collected": True}),
    Row("cancelled", "0 null", reports=["0 null"], state="cancelled", early=True),
    Row("cancelled", "0 null", reports=["0 null"], state="cancelled", early=True, mode=1),
    Row("cancelled", "0 null", early=True, options={"collected": True}),
    Row("report_twice", "1 K000001", reports=["1 K000001"] * 2),
    Row("report_twice", "1 K000001", reports=["1 K000001"] * 2, options={"at_once": True}),
    Row("report_before_answer", "1 K000001"),
    Row("report_before_answer", "2 null", mode=1),
    Row("report_late", "1 K000001", options={"seconds": 0.05}),
    Row("report_never", "1 K000001", reports=[]),
    Row("report_reference_null", "1 K000001", reports=["1 null"]),
    Row("report_reference_missing", "1 K000001", reports=["1 missing"]),
    Row("report_reference_number", "1 K000001", reports=["1 1"]),
    Row("report_other_sum", "1 K000001", reports=["1 K000001 sum 249"], options={"minor": 249}, api_version="3.0"),
    Row("report_other_sum", "1 K000001", options={"minor": 249}),
    Row("report_wrong_hash", "1 K000001", reports=["1 K000001 forged"]),
    Row("report_other_id", "1 K000001", reports=["1 K000001 for FFFFFFFFFFFFFFFFFFFFFFFF"]),
]


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_a_fault_does_what_its_row_says(shops: Shops, row: Row) -> None:
    shop = await shops.open(api_version=row.api_version)
    added = await shop.ask("POST", "/api/faults", {"kind": row.kind, **row.options})
    assert added.status == 201
    sending = asyncio.create_task(shop.post(shop.request("P1", Mode=row.mode)))
    if row.early:
        assert await _outcome(shop, sending, row) == row.answer
    if row.state == "paid":
        await shop.on_till("P1")
        await shop.act("P1", "accept")
    if not row.early:
        assert await _outcome(shop, sending, row) == row.answer
    assert await _reports(shop, row) == row.reports
    assert (await shop.ask("GET", "/api/payments/P1")).json.get("state", "absent") == row.state
    assert (await shop.ask("GET", "/api/faults")).json["faults"] == []


@pytest.mark.parametrize(("api_version", "taken"), [("3.0", 249), ("2.0", 250)])
async def test_another_sum_stands_in_the_totals_and_on_the_receipt(shops: Shops, api_version: str, taken: int) -> None:
    shop = await shops.open(api_version=api_version)
    await shop.ask("POST", "/api/faults", {"kind": "report_other_sum", "minor": 249})
    await shop.post(shop.request("P1", Mode=1))
    await shop.act("P1", "accept")
    totals = (await shop.ask("GET", "/api/totals")).json
    assert (totals["collected_minor"], totals["by_tender"]["card"]) == (taken, taken)
    receipt = "\n".join((await shop.ask("GET", "/api/payments/P1/receipt")).json["lines"])
    assert ("-0,01" in receipt) == (taken == 249)


def test_every_kind_of_fault_has_a_row() -> None:
    assert {row.kind for row in ROWS} == set(KINDS)


async def _outcome(shop: Shop, sending: asyncio.Task[Got], row: Row) -> str:
    """Write what the client got; what another payment's whole life does not end is held."""
    if row.answer == "held":
        await shop.noted("request")
        await _live_another(shop, "held")
        assert not sending.done()
        sending.cancel()
        return "held"
    try:
        got = await sending
    except aiohttp.ClientConnectionError:
        return "dropped"
    if got.status != 200:
        return f"http {got.status}"
    return "html" if got.headers["content-type"].startswith("text/html") else _written(got.json)


async def _live_another(shop: Shop, payment_id: str) -> None:
    """Take another payment through its life: whatever is due at once has happened by then."""
    await shop.post(shop.request(payment_id, Mode=1))
    await shop.act(payment_id, "accept")
    await shop.receiver.until(1, payment_id)


async def _reports(shop: Shop, row: Row) -> list[str]:
    """Write the reports that were not another payment's."""
    await shop.receiver.until(len(row.reports))
    await _live_another(shop, "last")
    return [_written(one) for one in await shop.receiver.until(0) if one["Id"] not in ("held", "last")]


def _written(message: dict[str, Any]) -> str:
    """Write status and Reference, and whatever is not as it should be."""
    reference = message.get("Reference", "missing")
    words = [f"{message['Status']} {'null' if reference is None else reference}"]
    if message["Id"] != "P1":
        words.append(f"for {message['Id']}")
    if any(one["PaymentSum"] != 250 for one in message.get("Payments", [])):
        words.append(f"sum {message['Payments'][0]['PaymentSum']}")
    if message["Hash"] is None:
        words.append("unsigned")
    elif message["Hash"] != _right_hash(message):
        words.append("forged")
    return " ".join(words)


def _right_hash(message: dict[str, Any]) -> str:
    slots = [message[key] for key in ("Source", "Id", "Status", "Reference", "Action") if key in message]
    for one in message.get("Payments", []):
        slots += [one[key] for key in ("PaymentMethod", "PaymentSum", "Timestamp", "PaymentDescription")]
    text = "&".join(["" if slot is None else str(slot) for slot in slots] + ["top_secret"])
    return sha256(text.encode()).hexdigest()


async def test_a_report_before_the_answer_keeps_the_answer_back_until_it_is_acknowledged(shop: Shop) -> None:
    await shop.ask("POST", "/api/faults", {"kind": "report_before_answer"})
    shop.receiver.gate.clear()
    held = await shop.held(shop.request("P1"))
    await shop.act("P1", "accept")
    await shop.receiver.until(1)
    assert not held.done()
    shop.receiver.gate.set()
    assert (await held).json["Status"] == 1


async def test_reports_posted_together_are_both_on_their_way_before_one_is_acknowledged(shop: Shop) -> None:
    await shop.ask("POST", "/api/faults", {"kind": "report_twice", "at_once": True})
    shop.receiver.gate.clear()
    await shop.post(shop.request("P1", Mode=1))
    await shop.act("P1", "accept")
    assert len(await shop.receiver.until(2)) == 2
    shop.receiver.gate.set()


async def test_a_late_answer_does_not_keep_the_report_back(shop: Shop) -> None:
    await shop.ask("POST", "/api/faults", {"kind": "answer_late", "seconds": 600})
    held = await shop.held(shop.request("P1"))
    await shop.act("P1", "accept")
    await shop.receiver.until(1)
    assert not held.done()
    held.cancel()


async def test_several_faults_act_on_one_payment_at_once(shop: Shop) -> None:
    for order in (
        {"kind": "http_500"},
        {"kind": "report_twice"},
        {"kind": "report_wrong_hash"},
        {"kind": "report_reference_null"},
    ):
        await shop.ask("POST", "/api/faults", order)
    assert (await shop.post(shop.request("P1"))).status == 500
    await shop.act("P1", "accept")
    assert [_written(one) for one in await shop.receiver.until(2)] == ["1 null forged"] * 2


async def test_a_fault_for_a_payment_can_be_set_while_it_waits_and_holds_until_it_is_removed(shop: Shop) -> None:
    await shop.post(shop.request("P1", Mode=1))
    added = (await shop.ask("POST", "/api/faults", {"for": "P1", "kind": "report_reference_null"})).json
    await _live_another(shop, "P2")
    await shop.act("P1", "accept")
    await shop.receiver.until(1, "P1")
    assert (await shop.ask("DELETE", f"/api/faults/{added['number']}")).status == 204
    await shop.act("P1", "take-back")
    reports = await shop.receiver.until(2, "P1")
    assert [one["Reference"] for one in reports] == [None, "K000002"]
    assert (await shop.ask("DELETE", f"/api/faults/{added['number']}")).status == 404


async def test_a_connection_can_be_dropped_for_one_payment_alone(shop: Shop) -> None:
    await shop.ask("POST", "/api/faults", {"for": "P1", "kind": "drop_before_reading", "times": 1})
    assert (await shop.post(shop.request("P2", Mode=1))).json["Status"] == 2
    with pytest.raises(aiohttp.ClientConnectionError):
        await shop.post(shop.request("P1", Mode=1))
    assert (await shop.post(shop.request("P1", Mode=1))).json["Status"] == 2


_BAD_FAULTS: list[tuple[dict[str, Any], str]] = [
    ({}, "kind"),
    ({"kind": "earthquake"}, "there is no fault 'earthquake'"),
    ({"kind": "html", "seconds": 1}, "html does not take seconds"),
    ({"kind": "report_late", "seconds": -1}, "seconds"),
    ({"kind": "report_late", "seconds": 1e9}, "seconds"),
    ({"kind": "html", "times": 0}, "times"),
    ({"kind": "html", "when": "never"}, "when"),
    ({"kind": "html", "for": ""}, "for"),
    ({"kind": "html", "colour": "red"}, "colour"),
    ({"kind": "report_other_sum", "minor": 2.5}, "minor"),
]


@pytest.mark.parametrize(("order", "why"), _BAD_FAULTS, ids=str)
async def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(
    shop: Shop, order: dict[str, Any], why: str
) -> None:
    got = await shop.ask("POST", "/api/faults", order)
    assert got.status == 400
    assert why in got.json["error"]


def test_faults_for_next_count_payments_and_faults_for_all_never_end() -> None:
    box = FaultBox()
    box.add("next", "http_500", 2, Options())
    box.add("all", "report_never", None, Options())
    assert [box.for_answer(name).ending for name in ("a", "b", "c")] == ["http_500", "http_500", "message"]
    assert [box.for_report(name).copies for name in ("a", "b", "c")] == [0, 0, 0]


def test_a_report_fault_for_next_stays_with_the_payment_that_came_next() -> None:
    box = FaultBox()
    box.add("next", "report_twice", 1, Options())
    assert box.for_answer("a") == AnswerPlan()
    assert box.for_answer("b") == AnswerPlan()
    assert box.for_report("b") == ReportPlan()
    assert box.for_report("a") == ReportPlan(copies=2)
    assert box.for_report("a") == ReportPlan()


def test_where_faults_disagree_the_payment_stays_off_the_till() -> None:
    box = FaultBox()
    box.add("next", "answer_late", 1, Options(seconds=1, collected=False))
    box.add("next", "html", 1, Options(collected=True))
    assert box.for_answer("a") == AnswerPlan(ending="html", collected=False, delay_s=1, early=True)


def test_the_number_of_faults_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaultBox, "MOST", 1)
    box = FaultBox()
    box.add("all", "html", None, Options())
    with pytest.raises(ValueError, match="already"):
        box.add("all", "html", None, Options())
