# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole check: everything that is looked at, and nothing that is changed."""

from __future__ import annotations

import pytest

from support.fake_checks import LONG, FakeServer
from support.fakes import FakeTill
from support.installations import installation_of
from support.stores import everything
from support.worlds import Bench
from tillbridge.service.checking import check
from tillbridge.service.findings import Check, Finding, Level, fault, not_checkable, ok, warning, worst

FINE, ODD = ok(Check.CLOCK, "x", "fine"), warning(Check.CLOCK, "x", "odd", "look")
WRONG, DARK = fault(Check.CLOCK, "x", "wrong", "mend"), not_checkable(Check.CLOCK, "x", "dark")
WORST: list[tuple[list[Finding], Level]] = [
    ([], Level.OK),
    ([FINE, DARK], Level.OK),
    ([FINE, ODD, DARK], Level.WARNING),
    ([WRONG, ODD, FINE], Level.FAULT),
]


@pytest.mark.parametrize(("findings", "level"), WORST)
def test_the_worst_finding_counts_and_what_cannot_be_checked_does_not(findings: list[Finding], level: Level) -> None:
    assert worst(findings) is level


async def test_everything_is_looked_at_and_nothing_is_changed(bench: Bench) -> None:
    before = await bench.store.read(everything)
    found = await check(installation_of(bench))
    assert [finding.check for finding in found] == [
        Check.DATABASE,
        Check.PRODUCT_MAP,
        Check.DEBIT_TYPES,
        *[Check.PRODUCT_CODES] * 2,
        Check.LIBRARY_ANSWERS,
        Check.LIBRARY_INTERFACE,
        Check.LIBRARY_RIGHTS,
        Check.LIBRARY_BRANCHES,
        Check.PAYMENT_TYPE,
        *(Check.CLOCK, Check.CERTIFICATE),
        Check.REGISTER_ANSWERS,
        *(Check.CLOCK, Check.CERTIFICATE),
        Check.CERTIFICATE,
    ]
    assert worst(found) is Level.OK
    assert await bench.store.read(everything) == before
    assert (bench.library.writes, bench.till.orders) == (0, [])


async def test_a_register_server_that_is_away_is_a_fault_in_its_own_words(bench: Bench) -> None:
    bench.till.away = "connection refused"
    found = await check(installation_of(bench))
    [answers] = [finding for finding in found if finding.check is Check.REGISTER_ANSWERS]
    assert (answers.about, answers.level) == ("city", Level.FAULT)
    assert "connection refused" in answers.words


async def test_every_address_of_every_register_server_is_looked_at(bench: Bench) -> None:
    village = FakeTill()
    village.checks.servers = (FakeServer("a.example:1"), FakeServer("b.example:2", shows=LONG))
    found = await check(installation_of(bench, registers={"city": bench.till, "village": village}))
    about = [finding.about for finding in found if finding.check is Check.CERTIFICATE]
    assert about == [
        "library (library.example:443)",
        "city (till.example:8443)",
        "village (a.example:1)",
        "village (b.example:2)",
        "https://bridge.example",
    ]
