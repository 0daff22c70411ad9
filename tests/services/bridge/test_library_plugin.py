# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole bridge with a Koha that has the plugin: what it costs, what its faults do, and what if it comes or goes.

Each row pays 5.00 of 3.00 and 4.00 of a patron who owes 6.00 more, where nothing may land.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.scenes import QUICK, Ledgers, Scene, open_scene
from tillbridge.bridge_client import Json
from tillbridge.demo.setup import Setup
from tillbridge.libraries.koha import plugin

BEFORE = ("3.00", "4.00", "6.00")
BOOKED = ("0.00", "2.00", "6.00")
WRITE = {"method": "POST", "route": "plugin_bookings"}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, QUICK, Setup(plugin=True)) as made:
        yield made


async def at_the_till(scene: Scene) -> Json:
    """Let a payment of 5.00 wait at the till: the whole first charge, a part of the second, none of the third."""
    card, charges = await scene.patron(*BEFORE)
    chosen = [{"charge_id": charge} for charge in charges[:2]]
    payment = await scene.start(card, charges=chosen, sum_minor=500)
    await scene.at_till(payment["id"])
    return payment


async def asked(scene: Scene) -> list[str]:
    """List what the library was asked, as method and name of the route."""
    log = (await scene.library("GET", "/control/requests"))["requests"]
    return [f"{entry['method']} {entry['kind']}" for entry in log]


async def test_booking_with_the_plugin_is_one_write_and_no_reading(scene: Scene) -> None:
    payment = await at_the_till(scene)
    await scene.library("DELETE", "/control/requests")
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    assert await asked(scene) == ["POST plugin_bookings"]
    assert await scene.owed(done["patron_id"]) == list(BOOKED)
    assert await scene.ledgers() == Ledgers(till=500, bridge=500, library=500)


@dataclass(frozen=True)
class Row:
    """A fault while a payment is booked; `sent` is how often it was sent, where it had to be looked up."""

    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    unclear: bool = False
    sent: int = 1


ROWS = {
    "recorded, yet a 500": Row("plugin_500_kept", unclear=True),
    "rolled back with a 500": Row("plugin_500", unclear=True, sent=2),
    "the answer is lost": Row("answer_lost", WRITE, unclear=True),
    "dropped before anything was recorded": Row("drop_before", WRITE, unclear=True, sent=2),
    "held before it is recorded": Row("delay", WRITE | {"seconds": 0.1}),
    "502, not recorded": Row("http_502", WRITE, unclear=True, sent=2),
    "504, recorded": Row("http_504", WRITE | {"stored": True}, unclear=True),
    "out of service": Row("unavailable", WRITE, unclear=True, sent=2),
    "a right is missing": Row("forbidden", WRITE | {"next": 2}, sent=3),
    "tokens forgotten": Row("forget_tokens", sent=2),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_whatever_happens_it_is_booked_once_and_without_waiting_long(scene: Scene, row: Row) -> None:
    payment = await at_the_till(scene)
    await scene.library("DELETE", "/control/requests")
    await scene.library("POST", "/control/faults", {"kind": row.kind, **row.options})
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    assert ("booking_unclear" in [event["kind"] for event in done["history"]]) == row.unclear  # type: ignore[attr-defined]
    assert await scene.owed(done["patron_id"]) == list(BOOKED)
    assert [line["amount"] for line in await scene.credits(done["patron_id"])] == ["-5.00"]
    assert (await asked(scene)).count("POST plugin_bookings") == row.sent
    assert await scene.ledgers() == Ledgers(till=500, bridge=500, library=500)


CHANGES: list[tuple[str, Mapping[str, str] | None, Sequence[str], int, str]] = [
    ("write-off", None, ("0.00", "2.00", "6.00"), 200, "surplus"),
    ("grow", {"amount": "1.00"}, ("1.00", "2.00", "6.00"), 500, ""),
]


@pytest.mark.parametrize(("what", "body", "owed", "library", "case"), CHANGES, ids=[row[0] for row in CHANGES])
async def test_a_charge_that_changed_meanwhile_gets_no_more_than_it_owes(
    scene: Scene, what: str, body: Mapping[str, str] | None, owed: Sequence[str], library: int, case: str
) -> None:
    payment = await at_the_till(scene)
    first: Any = payment["lines"]
    await scene.library("POST", f"/control/charges/{first[0]['charge_id']}/{what}", body)
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"], "blocked" if case else "booked")
    assert [each["kind"] for each in await scene.cases(done)] == ([case] if case else [])
    assert await scene.owed(done["patron_id"]) == list(owed)
    assert await scene.ledgers() == Ledgers(till=500, bridge=500, library=library)


async def test_the_plugin_may_be_switched_off_and_on_while_payments_are_made(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "ASK_AGAIN_S", 0.0)
    for installed in (True, False, True):
        payment = await at_the_till(scene)
        await scene.library("PATCH", "/control/settings", {"plugin": installed})
        await scene.library("DELETE", "/control/requests")
        await scene.accept(payment["id"])
        await scene.booked(payment["id"])
        assert ("POST plugin_bookings" in await asked(scene)) == installed
        assert ("POST credits" in await asked(scene)) != installed
    assert await scene.ledgers() == Ledgers(till=1500, bridge=1500, library=1500)


async def test_a_plugin_that_was_switched_off_unseen_leaves_nothing_half_done(scene: Scene) -> None:
    payment = await at_the_till(scene)
    await scene.library("PATCH", "/control/settings", {"plugin": False})
    await scene.library("DELETE", "/control/requests")
    await scene.accept(payment["id"])
    await scene.booked(payment["id"])
    told = ["POST plugin_bookings", "GET plugin_about", "GET credits", "GET account", "POST credits", "GET account"]
    assert await asked(scene) == told
    assert await scene.ledgers() == Ledgers(till=500, bridge=500, library=500)


@pytest.mark.parametrize("kind", ["answer_lost", "drop_before"])
async def test_a_booking_in_doubt_is_settled_over_plain_rest_once_the_plugin_is_gone(tmp_path: Path, kind: str) -> None:
    limits = QUICK.__class__(reach_again_s=0.05, booking_again_s=(0.05, 0.1, 0.2), surely_ended_s=0.5)
    async with open_scene(tmp_path, limits, Setup(plugin=True)) as scene:
        payment = await at_the_till(scene)
        await scene.library("POST", "/control/faults", {"kind": kind, **WRITE})
        await scene.library("POST", "/control/faults", {"kind": "unavailable", "method": "GET", "next": 2})
        await scene.accept(payment["id"])
        await scene.until(payment["id"], lambda seen: seen["booking"] == "unknown")
        await scene.library("PATCH", "/control/settings", {"plugin": False})
        done = await scene.booked(payment["id"])
        assert await scene.owed(done["patron_id"]) == list(BOOKED)
        assert len(await scene.credits(done["patron_id"])) == 1


async def test_the_clerk_is_told_what_koha_did(scene: Scene) -> None:
    await scene.library("PATCH", "/control/settings", {"renewal": "refused", "email_receipts": True})
    card, _ = await scene.patron("5.00", status="UNRETURNED")
    payment = await scene.start(card)
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    remarks = " ".join(done["after_booking"])  # type: ignore[arg-type]
    assert "not renewed" in remarks
    assert "e-mail" in remarks


TAKING = {
    "done": [],
    "done, yet a 500": [{"kind": "plugin_500_kept"}],
    "rolled back with a 500": [{"kind": "plugin_500"}],
    "the answer is lost": [{"kind": "answer_lost", "method": "POST", "route": "plugin_reversals"}],
    "out of service for a while": [{"kind": "unavailable", "seconds": 0.3}],
}


@pytest.mark.parametrize("faults", TAKING.values(), ids=TAKING)
async def test_what_the_till_takes_back_is_taken_back_in_koha_by_itself(
    scene: Scene, faults: Sequence[Mapping[str, Any]]
) -> None:
    payment = await at_the_till(scene)
    await scene.accept(payment["id"])
    await scene.booked(payment["id"])
    for fault in faults:
        await scene.library("POST", "/control/faults", fault)
    await scene.take_back(payment["id"])
    done = await scene.booked(payment["id"], "reversed")
    assert done["collection"] == "reversed"
    assert await scene.cases(done) == []
    assert [line["status"] for line in await scene.credits(done["patron_id"])] == ["VOID"]
    owed = await scene.owed(done["patron_id"])
    assert sorted(owed) == sorted(["0.00", *BEFORE])  # the void itself is a debit that owes nothing
    assert await scene.ledgers() == Ledgers(till=0, bridge=0, library=0)


async def test_a_plugin_that_cannot_take_back_leaves_it_to_a_person(scene: Scene) -> None:
    payment = await at_the_till(scene)
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    await scene.library("PATCH", "/control/settings", {"plugin": False})
    await scene.take_back(payment["id"])
    await scene.until(payment["id"], lambda seen: bool(seen["open_cases"]))
    [case] = await scene.cases(done)
    assert case["kind"] == "void_by_hand"
