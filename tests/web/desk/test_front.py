# SPDX-License-Identifier: GPL-3.0-or-later
"""The desk's live part: one drawing for all who see the same, and nobody is shown what is another's."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from support.fakes import report
from support.site import Site
from support.staff import Colleague, at_a_browser, hired, signed_in
from tillbridge.service.people import change_person
from tillbridge.service.people_port import Role
from tillbridge.service.staff import PersonForm
from tillbridge.web.desk import cases, front, live
from tillbridge.web.desk.visit import Visit

OPEN = 30


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gather news no longer than the test can wait."""
    for module in (front, cases):
        monkeypatch.setattr(module, "GATHER_S", 0.1)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note every template that is drawn."""
    templates: list[str] = []
    really = Visit.draw

    def draw(self: Visit, template: str, **context: object) -> str:
        templates.append(template)
        return really(self, template, **context)

    monkeypatch.setattr(Visit, "draw", draw)
    return templates


async def test_the_desk_shows_what_begins_and_what_ends(site: Site) -> None:
    async with signed_in(site) as colleague, site.running(), colleague.stream("/live") as stream:
        assert "No payment is under way." in await stream.next()
        payment_id = (await site.start())["id"]
        assert f"/payments/{payment_id}/wait" in await stream.next()
        await site.bench.work()
        await site.bench.report(report(payment_id, "cancelled"))
        while "No payment is under way." not in await stream.next():
            pass


async def test_many_open_desks_are_drawn_once_for_each_change(site: Site, drawn: list[str]) -> None:
    async with signed_in(site) as colleague, site.running(), AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(colleague.stream("/live")) for _ in range(OPEN)]
        await asyncio.gather(*(stream.next() for stream in streams))
        drawn.clear()
        payment_id = (await site.start())["id"]
        parts = await asyncio.gather(*(stream.next() for stream in streams))
        assert all(payment_id in part for part in parts)
        assert len(set(parts)) == 1
        assert 1 <= drawn.count("parts/front.html") <= 2


async def test_open_lists_of_cases_are_drawn_once_too(site: Site, drawn: list[str]) -> None:
    async with signed_in(site) as colleague, site.running(), AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(colleague.stream("/cases/live")) for _ in range(OPEN)]
        other = await stack.enter_async_context(colleague.stream("/cases/live?state=closed"))
        await asyncio.gather(*(stream.next() for stream in streams), other.next())
        # They came one after the other: none is shown a drawing from before it came.
        assert drawn.count("parts/cases.html") >= 2
        drawn.clear()
        payment_id = await site.at_register()
        await site.bench.report(report(payment_id, "paid"))
        await site.bench.report(report(payment_id, "paid", receipt="other"))
        parts = await asyncio.gather(*(stream.next() for stream in streams))
        assert all("1 case needs a person." in part for part in parts)
        assert drawn.count("parts/cases.html") <= 12


async def test_who_sees_one_branch_is_never_shown_anothers(site: Site) -> None:
    async with (
        signed_in(site) as everywhere,
        signed_in(site, "ville", branches=["CPL"]) as here,
        signed_in(site, "pia", branches=["OFF"]) as elsewhere,
        site.running(),
        everywhere.stream("/live") as one,
        here.stream("/live") as two,
        elsewhere.stream("/live") as three,
    ):
        for stream in (one, two, three):
            await stream.next()
        payment_id = (await site.start())["id"]
        assert payment_id in await one.next()
        assert payment_id in await two.next()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(three.next(), 0.5)


async def test_everybody_is_spoken_to_in_their_own_language(site: Site) -> None:
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(signed_in(site, name)) for name in ("anna", "ville", "pia")]
        for person, language in zip(people, ("fi", "sv", "en"), strict=True):
            await person.post("/language", {"language": language, "next": "/"})
        await stack.enter_async_context(site.running())
        streams = [await stack.enter_async_context(person.stream("/live")) for person in people]
        await asyncio.gather(*(stream.next() for stream in streams))
        await site.start()
        parts = await asyncio.gather(*(stream.next() for stream in streams))
        assert [word in part for word, part in zip(("Kesken", "Pågår", "Under way"), parts, strict=True)] == [True] * 3


async def test_nothing_of_a_person_is_in_what_all_are_shown(site: Site) -> None:
    async with signed_in(site, "anna", Role.CLERK) as anna, signed_in(site, "mia", Role.ADMINISTRATOR) as mia:
        await site.at_register(clerk="ville")
        async with site.running(), anna.stream("/live") as one, mia.stream("/live") as two:
            parts = [await one.next(), await two.next()]
        assert parts[0] == parts[1]
        for part in parts:
            assert "csrf" not in part
            assert "Anna" not in part
            assert "Mia" not in part


async def test_the_page_and_its_stream_show_the_same(site: Site) -> None:
    async with signed_in(site) as colleague:
        await site.at_register()
        page = await colleague.get("/")
        async with site.running(), colleague.stream("/live") as stream:
            part = await stream.next()
        assert " ".join(part.split()) in " ".join(page.html.split())


async def test_who_gets_other_branches_leaves_the_page_that_shows_the_old_ones(site: Site) -> None:
    async with signed_in(site, "ville", branches=["CPL"]) as ville, site.running(), ville.stream("/live") as stream:
        await stream.next()
        await moved(site, ville)
        await site.start()
        assert await stream.next("gone") == ""


async def test_without_news_too_it_is_seen_that_somebody_is_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "QUIET_S", 0.05)
    async with signed_in(site) as colleague, site.running(), colleague.stream("/live") as stream:
        await stream.next()
        await colleague.send(await colleague.get("/"), "/sign-out", next="")
        assert await stream.next("gone") == ""


async def test_a_page_that_finds_back_after_its_session_is_told_to_leave(site: Site) -> None:
    async with at_a_browser(site) as guest:
        for path in ("/live", "/payments/1/live", "/cases/live"):
            answer = await guest.get(path, Accept="text/event-stream")
            assert (answer.status, answer.html) == (200, "event: gone\ndata: \n\n")
            assert answer.headers["Content-Type"].startswith("text/event-stream")


async def moved(site: Site, colleague: Colleague) -> None:
    """Let an administrator give a colleague another branch."""
    await hired(site, "otto", Role.ADMINISTRATOR)
    store, person = site.bench.store, colleague.person
    assert person is not None
    otto = await store.read(lambda tx: tx.person("otto"))
    assert otto is not None
    form = PersonForm(person.id, person.name, person.roles, frozenset({"OFF"}))
    await change_person(site.app.state.bridge.door, otto, form)
