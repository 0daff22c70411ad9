# SPDX-License-Identifier: GPL-3.0-or-later
"""A till that rounds what it takes: its total is the bridge's total, with real parts over HTTP."""

from __future__ import annotations

import pytest

from support.scenes import Scene


@pytest.mark.parametrize(
    ("minor", "cases"), [(498, []), (500, []), (502, []), (497, ["sum_differs"]), (503, ["sum_differs"])]
)
@pytest.mark.parametrize("report_first", [False, True])
async def test_hearing_9_the_till_s_total_is_the_bridge_s_total(
    scene: Scene, minor: int, cases: list[str], report_first: bool
) -> None:
    card, _ = await scene.patron("5.00")
    await scene.fault("report_other_sum", minor=minor)
    if report_first:
        await scene.fault("report_before_answer")
    payment = await scene.start(card)
    await scene.accept(payment["id"])
    done = await scene.until(payment["id"], lambda now: now["collected_minor"] == minor and now["booking"] != "none")
    totals = await scene.till("GET", "/api/totals")
    assert done["collected_minor"] == totals["collected_minor"] == totals["by_office"]["10"] == minor
    assert done["rounding_minor"] == minor - 500
    done = await scene.until(payment["id"], lambda now: now["booking"] in ("booked", "blocked"))
    assert [case["kind"] for case in done["open_cases"]] == cases  # type: ignore[attr-defined]
    if not cases:
        library = await scene.library("GET", "/control/totals")
        assert totals["collected_minor"] == library["payments_minor"] + done["rounding_minor"]
