# SPDX-License-Identifier: GPL-3.0-or-later
"""The check from a page: run when asked, one at a time, for a limited time, and told in plain words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from support.fake_checks import FakeServer
from support.installations import installation_of
from support.site import Site
from support.staff import signed_in
from tillbridge.errors import SettingsError
from tillbridge.operation.checks import Checks, StoreAtWork
from tillbridge.service.findings import Check, Level
from tillbridge.service.people_port import Role
from tillbridge.web.desk import check

PAGE = "/settings/check"
HOSTILE = "<script>alert(1)</script>"


class Slow:
    """Let a server answer when the test says so."""

    def __init__(self, site: Site) -> None:
        self.go, self.asked = asyncio.Event(), 0
        server = site.bench.till.checks.servers[0]
        assert isinstance(server, FakeServer)
        self._time = server.time
        server.time = self._when_it_may  # type: ignore[method-assign]

    async def _when_it_may(self) -> Any:
        self.asked += 1
        await self.go.wait()
        return await self._time()


@pytest.fixture
async def slow(site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slow]:
    monkeypatch.setattr(check, "PATIENCE_S", 0.01)
    made = Slow(site)
    yield made
    made.go.set()
    await site.app.state.bridge.checks.close()


@pytest.mark.parametrize("role", [Role.CLERK, Role.SUPERVISOR, Role.BOOKKEEPER])
async def test_who_has_not_the_right_checks_nothing(site: Site, role: Role) -> None:
    async with signed_in(site, "anna", role) as colleague:
        csrf = (await colleague.get("/")).sheet.form("/sign-out").fields["csrf"]
        assert (await colleague.get(PAGE)).status == 403
        assert (await colleague.get(f"{PAGE}/live")).status == 403
        assert (await colleague.post(PAGE, {"csrf": csrf})).status == 403
    assert site.app.state.bridge.checks.last is None


async def test_what_was_found_is_told_with_what_to_do_and_the_worst_first(site: Site) -> None:
    site.bench.till.away = f"no connection {HOSTILE}"
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get(PAGE)
        assert "Check now" in page.text
        page = await colleague.send(page, PAGE)
        assert (page.status, page.path) == (200, PAGE)
        assert "fault Register server city" in page.text
        assert "What to do:" in page.text
        assert page.text.index("fault Register server") < page.text.index("in order Database")
        assert HOSTILE not in page.html
        assert "begun by otto" in page.text


async def test_one_check_runs_at_a_time_and_whoever_asks_meanwhile_shares_it(site: Site, slow: Slow) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as otto, signed_in(site, "sari", Role.ADMINISTRATOR) as sari:
        first = await sari.get(PAGE)
        page = await otto.send(await otto.get(PAGE), PAGE)
        assert "A check that otto began is running." in page.text
        page = await sari.send(first, PAGE)
        assert "A check that otto began is running." in page.text
        assert slow.asked == 1
        async with otto.stream(f"{PAGE}/live") as stream:
            slow.go.set()
            part = await stream.next()
        assert "What was found" in part
        assert "Check again" in part


async def test_a_check_that_takes_too_long_is_ended(site: Site, slow: Slow) -> None:
    site.app.state.bridge.checks._limit_s = 0.05
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.send(await colleague.get(PAGE), PAGE)
        await site.app.state.bridge.checks.wait(10)
        page = await colleague.get(PAGE)
        assert "The check took too long and was ended" in page.text
        assert "Check again" in page.text


async def test_a_check_that_fails_is_told_and_logged(site: Site) -> None:
    def broken() -> Any:
        raise ZeroDivisionError

    site.app.state.bridge.checks.look = broken
    with structlog.testing.capture_logs() as log:
        async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
            page = await colleague.send(await colleague.get(PAGE), PAGE)
    assert "The check itself has failed." in page.text
    assert "a check has failed" in [entry["event"] for entry in log]


async def test_a_check_that_is_under_way_when_the_bridge_stops_is_ended(site: Site, slow: Slow) -> None:
    checks = Checks(lambda: installation_of(site.bench), site.bench.clock)
    await checks.close()
    checks.begin("otto")
    await checks.wait(0.01)
    await checks.close()
    assert (checks.running, checks.last) == (None, None)


async def test_the_store_at_work_is_read_by_a_check_and_told_where_it_is_away(site: Site) -> None:
    reader = StoreAtWork(site.bench.store)
    assert await reader.is_there()
    assert await reader.read(lambda tx: tx.product_map()) is None

    def away(_: Any) -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    with pytest.raises(SettingsError, match="cannot be used right now"):
        await reader.read(away)


def test_every_check_and_every_level_has_its_words() -> None:
    assert set(check.CHECKS) == set(Check)
    assert set(check.LEVELS) == set(Level)
