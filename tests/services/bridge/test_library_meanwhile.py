# SPDX-License-Identifier: GPL-3.0-or-later
"""What librarians do while a payment is at the till, and what Koha does with money that its charges no longer need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from support.patience import until
from support.scenes import Ledgers, Scene
from tillbridge.bridge_client import Json

TOGETHER = ("3.00", "4.00")
"""What is paid, whole."""


@dataclass(frozen=True)
class Row:
    """A request to the library's own buttons ({patron} and {first} are ids), and what comes of it."""

    path: str
    body: dict[str, Any] | None
    booking: str
    cases: Sequence[str]
    owed: Sequence[str]
    booked_minor: int


PAID_THERE = {"amount": "3.00", "account_lines_ids": ["{first}"], "payment_type": "CARD"}
ROWS = {
    "it has grown": Row("charges/{first}/grow", {"amount": "0.20"}, "booked", [], ["0.20", "0.00", "6.00"], 700),
    "it was paid there": Row("patrons/{patron}/pay", PAID_THERE, "blocked", ["surplus"], ["0.00", "0.00", "6.00"], 400),
    "it was written off": Row("charges/{first}/write-off", None, "blocked", ["surplus"], ["0.00", "0.00", "6.00"], 400),
    "a part was written off": Row(
        "charges/{first}/write-off", {"amount": "1.00"}, "blocked", ["surplus"], ["0.00", "0.00", "6.00"], 600
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
async def test_a_charge_that_changed_meanwhile_takes_what_it_owes_and_the_rest_is_a_case(
    scene: Scene, row: Row
) -> None:
    payment, names = await _at_the_till(scene, *TOGETHER, "6.00")
    await scene.library("POST", f"/control/{_named(row.path, names)}", _named_in(row.body, names))
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"], row.booking)
    assert [case["kind"] for case in await scene.cases(done)] == list(row.cases)
    assert await scene.owed(names["patron"]) == list(row.owed)
    assert await _booked_minor(scene) == row.booked_minor
    ledgers = await scene.ledgers()
    assert (ledgers.till, ledgers.bridge) == (700, 700)


async def test_the_money_of_a_merged_patron_is_booked_where_a_supervisor_says(scene: Scene) -> None:
    payment, names = await _at_the_till(scene, *TOGETHER)
    form = {"cardnumber": "HEIR", "surname": "Virtanen"}
    heir = (await scene.library("POST", "/control/patrons", form))[0]["patron_id"]
    await scene.library("POST", f"/control/patrons/{names['patron']}/merge", {"into": heir})
    await scene.accept(payment["id"])
    blocked = await scene.booked(payment["id"], "blocked")
    assert [case["kind"] for case in await scene.cases(blocked)] == ["patron_gone"]
    await scene.decide(blocked, "other_patron", patron_id=str(heir))
    done = await scene.booked(payment["id"])
    assert (done["patron_id"], await scene.cases(done)) == (str(heir), [])
    assert await scene.owed(heir) == ["0.00", "0.00"]
    assert await scene.ledgers() == Ledgers(till=700, bridge=700, library=700)


async def test_the_money_of_a_deleted_patron_waits_for_a_person_and_is_not_sent(scene: Scene) -> None:
    payment, names = await _at_the_till(scene, *TOGETHER)
    await scene.library("DELETE", f"/control/patrons/{names['patron']}")
    await scene.accept(payment["id"])
    blocked = await scene.booked(payment["id"], "blocked")
    assert [case["kind"] for case in await scene.cases(blocked)] == ["patron_gone"]
    assert await scene.ledgers() == Ledgers(till=700, bridge=700, library=0)


@pytest.mark.parametrize(
    ("others", "case", "left"),
    [(["6.00"], "wrong_credit", ["0.00", "0.00", "3.00"]), ([], "not_applied", ["0.00", "0.00"])],
    ids=["on to another charge", "into the open"],
)
async def test_money_that_spills_over_at_the_last_moment_is_seen(
    scene: Scene, others: list[str], case: str, left: list[str]
) -> None:
    """Between the last look and the credit a librarian takes the money too: no reading can prevent that."""
    payment, names = await _at_the_till(scene, *TOGETHER, *others)
    await scene.library("POST", "/control/faults", {"kind": "delay", "method": "POST", "route": "credits"})
    await scene.accept(payment["id"])
    await until(lambda: _held(scene))
    await scene.library("POST", f"/control/patrons/{names['patron']}/pay", _named_in(PAID_THERE, names))
    await scene.library("POST", "/control/faults/release")
    done = await scene.booked(payment["id"], "blocked")
    assert [each["kind"] for each in await scene.cases(done)] == [case]
    assert await scene.owed(names["patron"]) == left
    assert await scene.ledgers() == Ledgers(till=700, bridge=700, library=1000)


async def _at_the_till(scene: Scene, *owed: str) -> tuple[Json, dict[str, int]]:
    """Let a payment of the first two charges wait at the till; return it with the ids of patron and first charge."""
    card, charges = await scene.patron(*owed)
    payment = await scene.start(card, charges=[{"charge_id": charge} for charge in charges[:2]])
    await scene.at_till(payment["id"])
    return payment, {"patron": int(str(payment["patron_id"])), "first": int(charges[0])}


def _named(text: str, names: dict[str, int]) -> str:
    for name, number in names.items():
        text = text.replace(f"{{{name}}}", str(number))
    return text


def _named_in(body: Any, names: dict[str, int]) -> Any:
    match body:
        case dict():
            return {key: _named_in(value, names) for key, value in body.items()}
        case list():
            return [_named_in(value, names) for value in body]
        case str() if body.startswith("{"):
            return int(_named(body, names))
        case _:
            return body


async def _held(scene: Scene) -> bool | None:
    return (await scene.library("GET", "/control/faults"))["held"] > 0 or None


async def _booked_minor(scene: Scene) -> int:
    """Sum up what the bridge itself has booked."""
    by_type = (await scene.library("GET", "/control/totals"))["by_payment_type"]
    return int(by_type["CEEPOS"]["payments_minor"]) if "CEEPOS" in by_type else 0
