# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge at work checks itself with its own parts, and finds what the command would."""

from __future__ import annotations

from support.scenes import Scene
from tillbridge.errors import SettingsError
from tillbridge.operation.checks import Outcome
from tillbridge.service.findings import Check, Level


async def test_a_bridge_at_work_finds_that_all_is_well(scene: Scene) -> None:
    checks = scene.stage.bridge.checks
    checks.begin("otto")
    await checks.wait(60)
    assert checks.last is not None
    assert (checks.last.outcome, checks.last.by) == (Outcome.DONE, "otto")
    found = {finding.check: finding.level for finding in checks.last.findings}
    assert Level.FAULT not in found.values()
    assert {Check.DATABASE, Check.LIBRARY_RIGHTS, Check.REGISTER_ANSWERS, Check.CERTIFICATE} <= set(found)


async def test_a_bridge_at_work_sees_the_file_of_the_product_map_as_it_is_now(scene: Scene) -> None:
    bridge = scene.stage.bridge
    assert bridge.map_file == "products.yaml"
    file = scene.stage.settings.parent / bridge.map_file
    file.write_text("CPL:\n  LOST: 1;2\n", encoding="utf-8")
    wrong = bridge.checks.look().map_text
    assert isinstance(wrong, SettingsError)
    assert "line 2" in wrong.where
