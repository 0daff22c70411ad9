# SPDX-License-Identifier: GPL-3.0-or-later
"""Rightly signed reports with odd values, with real parts over HTTP: a real *paid* is heard."""

from __future__ import annotations

import pytest

from support.scenes import Scene


@pytest.mark.parametrize("receipt", ["R&D 7", "&", "K1&4&100&202611231200"])
async def test_a_report_whose_receipt_number_holds_the_sign_between_values_is_heard(scene: Scene, receipt: str) -> None:
    card, _ = await scene.patron("5.00")
    await scene.fault("drop_after_reading")
    payment = await scene.start(card)
    await scene.collected(payment["id"], "unknown")
    assert await scene.report(payment["id"], 1, receipt=receipt) == 200
    done = await scene.until(payment["id"], lambda now: now["booking"] in ("booked", "blocked"))
    shifted = receipt.startswith("K1")
    assert (done["collection"], done["booking"]) == ("paid", "blocked" if shifted else "booked")
    assert done["receipt_number"] is None
    assert [case["kind"] for case in done["open_cases"]] == (["sum_differs"] if shifted else [])  # type: ignore[attr-defined]
