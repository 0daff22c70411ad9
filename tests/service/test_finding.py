# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from tillbridge.service.finding_port import too_wide


def test_a_search_that_takes_too_long_is_declined_with_what_to_do() -> None:
    no = too_wide()
    assert (no.code, no.facts) == ("search_too_wide", {})
    assert "Narrow it, by dates for instance" in no.message
