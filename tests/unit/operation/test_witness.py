# SPDX-License-Identifier: GPL-3.0-or-later
"""Every event that is durable is one line and one more in the metrics, and nobody is named."""

from __future__ import annotations

from typing import Any

import pytest

from support.logs import collected
from tillbridge.domain.history import GENESIS, Event
from tillbridge.operation import witness as module
from tillbridge.operation.metrics import Metrics
from tillbridge.operation.witness import Change, Witness, change_of, line_of
from tillbridge.service.telling import SENTENCES

ID = "0123456789ABCDEF01234567"


def event(kind: str, actor: str = "bridge", seq: int = 1, **facts: Any) -> Event:
    return Event(ID, seq, 1.0, actor, kind, facts, GENESIS)


CHANGES: list[tuple[Event, Change | None]] = [
    (event("created", "anna", total_minor=300), Change("created")),
    (event("created", "otto", via="by_hand"), Change("paid", "clerk")),
    (event("till_paid", "till", to="paid by till"), Change("paid", "till")),
    (event("lost", to="unknown"), Change("unknown")),
    (event("booking_confirmed", to="booked"), Change("booked", booking=True)),
    (event("duplicate", "till", heard="till_paid"), None),
    (event("cancel_wished", "anna"), None),
]


@pytest.mark.parametrize(("told", "change"), CHANGES, ids=[told.kind for told, _ in CHANGES])
def test_an_event_tells_to_which_state_it_has_led(told: Event, change: Change | None) -> None:
    assert change_of(told) == change


def test_what_has_happened_is_counted_by_the_state_that_was_come_to() -> None:
    metrics = Metrics()
    Witness(metrics)([told for told, _ in CHANGES] + [event("booking_confirmed", to="booked")])
    text = metrics.text().decode()
    assert 'tillbridge_collection_changes_total{by="till",to="paid"} 1.0' in text
    assert 'tillbridge_collection_changes_total{by="",to="unknown"} 1.0' in text
    assert 'tillbridge_booking_changes_total{to="booked"} 2.0' in text


def test_a_line_names_the_payment_the_event_and_where_it_comes_from() -> None:
    told = event("till_paid", "till", seq=4, via="answer", to="paid by till", receipt="4711", why="Anna", sum_minor=300)
    assert line_of(told) == {
        "payment_id": ID,
        "seq": 4,
        "kind": "till_paid",
        "actor": "till",
        "via": "answer",
        "to": "paid by till",
        "receipt": "4711",
    }


@pytest.mark.parametrize(("actor", "shown"), [("till", "till"), ("bridge", "bridge"), ("anna", "person")])
def test_a_person_is_not_named(actor: str, shown: str) -> None:
    assert line_of(event("created", actor))["actor"] == shown


@pytest.mark.parametrize(
    ("receipt", "shown"),
    [
        ("4711", True),
        ("K10/2026-4711", True),
        ("A" * 59 + "1", True),
        ("A" * 60 + "1", False),
        ("Anna", False),
        ("Anna 4711", False),
        ("", False),
        (None, False),
    ],
)
def test_a_receipt_number_that_may_be_something_else_is_not_passed_on(receipt: str | None, shown: bool) -> None:
    facts: dict[str, Any] = {} if receipt is None else {"receipt": receipt}
    assert ("receipt" in line_of(event("clerk_paid", "anna", **facts))) is shown


@pytest.mark.parametrize(("kind", "level"), [("lost", "warning"), ("booking_block", "warning"), ("reached", "info")])
def test_what_may_need_a_person_weighs_more(kind: str, level: str) -> None:
    with collected() as log:
        Witness(Metrics())([event(kind)])
    assert [line["level"] for line in log.of("payment")] == [level]


def test_the_events_that_weigh_more_are_there() -> None:
    assert set(SENTENCES) >= module.WARNINGS


@pytest.mark.parametrize("broken", ["change_of", "line_of"])
def test_whatever_fails_does_not_reach_the_store(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(_: Event) -> None:
        raise RuntimeError(broken)

    metrics = Metrics()
    monkeypatch.setattr(module, broken, fail)
    with collected() as log:
        Witness(metrics)([event("lost", to="unknown"), event("till_paid", "till", to="paid by till")])
    counted = b"tillbridge_collection_changes_total{" in metrics.text()
    # One of the two goes on where the other fails.
    assert (counted, len(log.of("payment"))) == ((False, 2) if broken == "change_of" else (True, 0))
