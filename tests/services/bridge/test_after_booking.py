# SPDX-License-Identifier: GPL-3.0-or-later
"""What the clerk is told once a payment is booked, with real parts over HTTP."""

from __future__ import annotations

import pytest

from support.scenes import Scene


@pytest.mark.parametrize(
    ("debit_type", "status", "sum_minor", "told"),
    [
        ("OVERDUE", "UNRETURNED", None, "renewed"),
        ("OVERDUE", "UNRETURNED", 100, ""),
        ("OVERDUE", "RETURNED", None, ""),
        ("LOST", None, None, "taken it off"),
        ("COPY", None, None, ""),
    ],
)
async def test_booking_10_the_clerk_is_told_what_koha_does_with_the_item(
    scene: Scene, debit_type: str, status: str | None, sum_minor: int | None, told: str
) -> None:
    card, _ = await scene.patron("5.00", debit_type=debit_type, status=status)
    more = {} if sum_minor is None else {"sum_minor": sum_minor}
    payment = await scene.start(card, **more)
    assert payment["after_booking"] == []
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    remarks = " ".join(done["after_booking"])  # type: ignore[arg-type]
    assert told in remarks
    assert bool(told) == bool(remarks)


@pytest.mark.parametrize("restricted", [False, True])
async def test_booking_10_the_clerk_is_told_that_a_restriction_stays(scene: Scene, restricted: bool) -> None:
    card, _ = await scene.patron("5.00", restricted=restricted)
    payment = await scene.start(card)
    await scene.accept(payment["id"])
    done = await scene.booked(payment["id"])
    told = ["The patron still has a restriction: paying does not lift it."]
    assert done["after_booking"] == (told if restricted else [])
