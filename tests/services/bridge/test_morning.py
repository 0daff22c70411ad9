# SPDX-License-Identifier: GPL-3.0-or-later
"""The morning that has passed when the demo opens: real payments, and ledgers that agree but for one open case."""

from __future__ import annotations

from collections import Counter
from typing import Any

from support.scenes import Scene
from tillbridge.demo.past import MORNING, End, let_a_morning_pass
from tillbridge.demo.people import ADMINISTRATOR, FIRST_BY, PASSWORD, STAFF, hire
from tillbridge.service.people_port import DeedKind, Right


async def _payments(scene: Scene) -> list[dict[str, Any]]:
    status, listed = await scene.call("GET", "/api/v1/payments?limit=200")
    assert status == 200
    return list(listed["payments"])


async def test_after_the_morning_the_ledgers_agree_but_for_its_open_case(scene: Scene) -> None:
    await let_a_morning_pass(scene.stage)
    payments = await _payments(scene)
    till = await scene.till("GET", "/api/totals")
    library = await scene.library("GET", "/control/totals")
    [case] = (await scene.call("GET", "/api/v1/open-cases"))[1]["cases"]
    assert (case["kind"], case["facts"]["surplus"]) == ("surplus", "5.0")
    assert sum(payment["collected_minor"] or 0 for payment in payments) == till["collected_minor"]
    assert library["payments_minor"] == till["collected_minor"] - 500


async def test_the_morning_has_every_end_that_a_visit_can_have(scene: Scene) -> None:
    await let_a_morning_pass(scene.stage)
    found = Counter((payment["collection"], payment["booking"]) for payment in await _payments(scene))
    ends = Counter(visit.end for visit in MORNING)
    assert set(ends) == set(End)
    assert found == {
        ("paid", "booked"): ends[End.CARD] + ends[End.CASH],
        ("paid", "blocked"): ends[End.WRITTEN_OFF],
        ("cancelled", "none"): ends[End.CANCELLED],
        ("at_register", "none"): ends[End.WAITS],
    }


async def test_a_visitor_s_first_register_is_free_and_one_visit_was_paid_in_part(scene: Scene) -> None:
    await let_a_morning_pass(scene.stage)
    waiting = await scene.till("GET", "/api/payments?state=waiting")
    assert [payment["office"] for payment in waiting] == ["21"]
    [part] = [visit for visit in MORNING if visit.sum_minor is not None]
    [charge] = (await scene.call("GET", f"/api/v1/patrons/{part.card}/charges"))[1]["charges"]
    assert charge["owed"] == "20.0"


async def test_each_visit_was_served_by_a_clerk_with_an_account_for_the_branch(scene: Scene) -> None:
    door = scene.stage.bridge.door
    await hire(door)
    await let_a_morning_pass(scene.stage)
    people = {person.id: person for person in await door.store.read(lambda tx: tx.people())}
    for payment in await _payments(scene):
        assert people[payment["clerk"]].may(Right.PAY)
        assert people[payment["clerk"]].sees(payment["branch"])
    assert {payment["clerk"] for payment in await _payments(scene)} == {"anna", "ville"}


async def test_the_staff_can_sign_in_and_was_hired_by_the_administrator(scene: Scene) -> None:
    door = scene.stage.bridge.door
    await hire(door)
    await hire(door)
    added = [deed for _, deed in await door.store.read(lambda tx: tx.deeds(None, 100))]
    assert [deed.kind for deed in added] == [DeedKind.PERSON_ADDED] * len(STAFF)
    assert {deed.person_id for deed in added} == {ADMINISTRATOR.id, FIRST_BY}
    for form in STAFF:
        signed = await door.sign_in(form.id, PASSWORD, "127.0.0.1")
        assert signed.person.roles == set(form.roles)
        assert signed.person.branches == (None if form.branches is None else set(form.branches))


async def test_a_bridge_that_has_payments_keeps_its_own_past(scene: Scene) -> None:
    await scene.start("21000001")
    await let_a_morning_pass(scene.stage)
    assert len(await _payments(scene)) == 1
