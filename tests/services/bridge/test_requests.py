# SPDX-License-Identifier: GPL-3.0-or-later
"""What one payment costs the library system and the till, counted on the other side."""

from __future__ import annotations

from support.scenes import Scene


async def test_a_good_payment_costs_koha_one_patron_two_accounts_and_one_write(scene: Scene) -> None:
    first, _ = await scene.patron("1.00")
    before = await scene.start(first)  # the token is fetched once for many payments
    await scene.accept(before["id"])
    await scene.booked(before["id"])
    await scene.library("DELETE", "/control/requests")
    card, _ = await scene.patron("3.00", "4.00")
    payment = await scene.start(card)
    await scene.accept(payment["id"])
    await scene.booked(payment["id"])
    asked = [
        (entry["method"], entry["path"].replace(str(payment["patron_id"]), "{id}"))
        for entry in (await scene.library("GET", "/control/requests"))["requests"]
    ]
    assert asked == [
        ("GET", "/api/v1/patrons"),
        ("GET", "/api/v1/patrons/{id}/account"),
        ("GET", "/api/v1/patrons/{id}/account"),
        ("POST", "/api/v1/patrons/{id}/account/credits"),
    ]
    assert (await scene.at_till(payment["id"]))["sent_count"] == 1
