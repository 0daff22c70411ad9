# SPDX-License-Identifier: GPL-3.0-or-later
"""How the servers are, what waits, and what is not at rest: for everybody who sees payments, machines for few."""

from __future__ import annotations

import pytest

from support.site import Site
from support.staff import signed_in
from tillbridge import __version__
from tillbridge.service.people_port import Role
from tillbridge.service.store_port import CaseKind, TaskKind
from tillbridge.web.desk import live, servers


async def test_every_part_says_how_it_is(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get("/servers")
        assert page.status == 200
        assert "Database of the bridge answers" in page.text
        assert "Library system answers" in page.text
        assert "city answers" in page.text
        assert f"This is Tillbridge {__version__}." in page.text


async def test_a_server_that_is_away_says_why_without_naming_machines(site: Site) -> None:
    site.bench.till.away = "no connection to till.example:8443 <b>"
    async with signed_in(site) as colleague:
        page = await colleague.get("/servers")
        assert "city does not answer" in page.text
        assert "no connection to" in page.text
        assert "till.example" not in page.html
        assert "library.example" not in page.html
        assert "<b>" not in page.html


async def test_who_looks_after_the_settings_sees_the_machines_too(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/servers")
        assert "till.example:8443" in page.text
        assert "library.example:443" in page.text
        assert page.sheet.links["Check everything"] == "/settings/check"


async def test_the_branches_of_a_register_server_are_those_that_the_person_sees(site: Site) -> None:
    await site.at_register()
    async with signed_in(site, "anna", Role.CLERK, branches=["CPL"]) as colleague:
        text = (await colleague.get("/servers")).text
        assert "Pääkirjasto Kassa 1 (10) : last heard of" in text
        assert "OFF" not in text
    async with signed_in(site, "ville", Role.CLERK, branches=["OFF"]) as colleague:
        text = (await colleague.get("/servers")).text
        assert "Pääkirjasto" not in text
        assert "OFF no registers are named" in text
    async with signed_in(site, "pia", Role.CLERK, branches=["MPL"]) as colleague:
        assert "No branch of yours uses it." in (await colleague.get("/servers")).text


async def test_what_waits_and_what_is_not_at_rest_is_counted(site: Site) -> None:
    async with signed_in(site) as colleague:
        assert "All payments are at rest." in (await colleague.get("/servers")).text
        await site.start()
        text = (await colleague.get("/servers")).text
        assert "at the till goes to the till 1" in text
        assert "payments to be sent to the till 1" in text
        assert "Open cases None." in text


async def test_open_cases_of_ones_own_branches_are_counted(site: Site) -> None:
    payment_id = await site.at_register()
    await site.bench.store.write(lambda tx: tx.open_case(CaseKind.ODD_STATUS, payment_id, 1.0, {}))
    async with signed_in(site) as colleague:
        assert "1 case needs a person." in (await colleague.get("/servers")).text
    async with signed_in(site, "ville", Role.CLERK, branches=["OFF"]) as colleague:
        assert "Open cases None." in (await colleague.get("/servers")).text


async def test_the_page_follows_what_the_servers_say(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUIET_S", 0.05)
    async with signed_in(site) as colleague, colleague.stream("/servers/live") as stream:
        assert "does not answer" not in await stream.next()
        site.bench.till.away = "it is away"
        site.bench.clock.advance(11)
        assert "does not answer" in await stream.next()


async def test_a_database_that_is_away_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with signed_in(site) as colleague:
        readiness = site.app.state.bridge.operation.readiness

        async def away() -> str | None:
            return "it is away"

        monkeypatch.setattr(readiness._database, "_ask", away)
        page = await colleague.get("/servers")
        assert page.status == 200
        assert "The bridge cannot use its database right now" in page.text


async def test_a_page_for_guests_it_is_not(site: Site) -> None:
    async with signed_in(site) as colleague:
        await colleague.send(await colleague.get("/servers"), "/sign-out", next="")
        assert (await colleague.get("/servers")).path.startswith("/sign-in")


def test_everything_that_may_wait_has_its_words() -> None:
    assert set(servers.TASKS) == set(TaskKind)
