# SPDX-License-Identifier: GPL-3.0-or-later
"""The product map on the pages: read as a table, changed only after a look at what that would do, and taken back."""

from __future__ import annotations

from typing import Any

import pytest

from support.installations import installation_of
from support.site import Site
from support.staff import Colleague, Shown, signed_in
from tillbridge.errors import SettingsError
from tillbridge.product_file import parse_product_map
from tillbridge.service.administration_port import ProductMapVersion
from tillbridge.service.people_port import DeedKind, Role
from tillbridge.service.products import change_product_map
from tillbridge.web.desk import maps
from tillbridge.web.desk.products import TEXT_LIMIT

EDIT, PREVIEW, CHANGE = "/settings/products/edit", "/settings/products/preview", "/settings/products/change"
FIRST = "Default:\n  LOST: 2000\n  Default: 9000\nCPL:\n  LOST: 2001\n"
SECOND = "# by hand\nDefault:\n  LOST: 2000\nCPL: off\nXYZ:\n  Default: 1\n"
HOSTILE = "<script>alert(1)</script>"


async def stored(site: Site, text: str = FIRST, by: str = "eeva", origin: str = "file") -> ProductMapVersion:
    return await change_product_map(site.bench.world, text, by, origin)


async def counts(site: Site) -> str:
    found = await site.bench.store.read(lambda tx: tx.product_map())
    return found.text if found else ""


async def previewed(colleague: Colleague, text: str) -> Shown:
    return await colleague.send(await colleague.get(EDIT), PREVIEW, text=text)


def looks(site: Site, **changes: Any) -> None:
    site.app.state.bridge.checks.look = lambda: installation_of(site.bench, **changes)


@pytest.mark.parametrize("role", [Role.CLERK, Role.SUPERVISOR, Role.BOOKKEEPER])
async def test_who_has_not_the_right_sees_and_changes_no_product_map(site: Site, role: Role) -> None:
    version = await stored(site)
    async with signed_in(site, "anna", role) as colleague:
        for path in ("/settings/products", EDIT, "/settings/products/versions", "/settings/products/versions/1"):
            assert (await colleague.get(path)).status == 403
        csrf = (await colleague.get("/")).sheet.form("/sign-out").fields["csrf"]
        for path in (EDIT, PREVIEW, CHANGE):
            form = {"csrf": csrf, "seen": str(version.version), "text": SECOND}
            assert (await colleague.post(path, form)).status == 403
    assert await counts(site) == FIRST


async def test_who_works_with_some_branches_sees_the_map_and_cannot_change_it(site: Site) -> None:
    await stored(site)
    async with signed_in(site, "otto", Role.ADMINISTRATOR, branches=["CPL"]) as colleague:
        page = await colleague.get("/settings/products")
        assert page.status == 200
        assert "Change it" not in page.sheet.links
        page = await colleague.get(EDIT)
        assert (page.status, "for all branches" in page.text) == (403, True)


async def test_the_table_shows_the_code_that_counts_for_every_branch(site: Site) -> None:
    await stored(site, "Default:\n  LOST: 2000\nCPL:\n  LOST: 2001\n  RENT: 3\nOFF: off\n")
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        text = (await colleague.get("/settings/products")).text
        assert "Version 1 counts. eeva" in text
        assert "Debit type Default Pääkirjasto CPL OFF" in text
        assert "LOST 2000 2001 off RENT none 3 off Default none none off" in text


async def test_a_type_that_payments_have_had_and_that_has_no_code_is_flagged(site: Site) -> None:
    await site.at_register()
    types = await site.bench.store.read(lambda tx: tx.debit_types())
    await stored(site, "CPL:\n  OTHER: 1\n")
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        text = (await colleague.get("/settings/products")).text
        for debit_type in types:
            assert f"{debit_type} has no code" in text
        assert "has no product code at a branch" in text
        assert "OTHER has no code" not in text


async def test_where_there_is_no_map_the_page_says_so_and_lets_one_be_made(site: Site) -> None:
    looks(site, map_text=None)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        assert "There is no product map yet" in (await colleague.get("/settings/products")).text
        page = await previewed(colleague, FIRST)
        page = await colleague.send(page, CHANGE)
        assert (page.path, page.status) == ("/settings/products", 200)
        assert "Version 1 counts. otto" in page.text


async def test_what_would_change_is_shown_first_and_then_counts(site: Site) -> None:
    await stored(site)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await previewed(colleague, SECOND)
        assert page.status == 200
        assert "every other branch (Default) every other type (Default) 9000 none of its own" in page.text
        assert "Pääkirjasto CPL LOST 2001 none of its own" in page.text
        assert "Pääkirjasto CPL the whole branch not off off" in page.text
        assert "Pääkirjasto would be switched off" in page.text
        assert "The settings have no branch XYZ." in page.text
        assert "-CPL: + " not in page.text
        assert await counts(site) == FIRST
        page = await colleague.send(page, CHANGE)
        assert page.path == "/settings/products"
        assert await counts(site) == SECOND
        assert not site.bench.world.products.is_on("CPL")
    deeds = [deed for _, deed in await site.bench.store.read(lambda tx: tx.deeds(None, 10))]
    told = [(deed.person_id, deed.facts) for deed in deeds if deed.kind is DeedKind.PRODUCT_MAP_CHANGED]
    assert told == [("otto", {"version": 2})]
    newest = await site.bench.store.read(lambda tx: tx.product_map())
    assert newest is not None
    assert (newest.by, newest.origin) == ("otto", "page")


async def test_a_code_that_would_be_lost_is_told(site: Site) -> None:
    await stored(site)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await previewed(colleague, "CPL:\n  RENT: 1\nOFF:\n  LOST: 1\n")
        assert "LOST would have no product code any more at: CPL." in page.text


async def test_a_branch_that_would_be_switched_on_is_told(site: Site) -> None:
    await stored(site, "CPL: off\nDefault: off\n")
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        assert "Pääkirjasto would be switched on." in (await previewed(colleague, FIRST)).text


WRONG = {
    "a code that is none": (
        FIRST + "MPL:\n  LOST: 1;2\n",
        "Line 7: '1;2' is no product code.",
        "at most 25 characters",
    ),
    "no YAML": ("CPL:\n  LOST: 1\n RENT: 2\n", "Line 3: this is not valid YAML", "begin in the same column"),
    "a list": ("- 1\n", "Line 1: a mapping is expected here.", "Write it as branch: codes."),
    "nothing": (" ", "a mapping is expected here.", "Nothing was changed."),
    "brackets": ("[" * 3000, "this is not valid YAML", "Nothing was changed."),
    "hostile": (f"CPL:\n  '{HOSTILE}': ''\n", "Line 2:", "has no product code"),
}


@pytest.mark.parametrize(("text", "what", "remedy"), WRONG.values(), ids=WRONG)
async def test_a_mistake_is_told_with_its_line_and_nothing_typed_is_lost(
    site: Site, text: str, what: str, remedy: str
) -> None:
    version = await stored(site)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await previewed(colleague, text)
        assert page.status == 422
        assert what in page.text
        assert remedy in page.text
        assert HOSTILE not in page.html
        form = page.sheet.form(PREVIEW)
        assert form.fields["text"] == [text]
        changed = await colleague.post(CHANGE, form.fields | {"seen": str(version.version)})
        assert changed.status == 422
        assert changed.sheet.form(PREVIEW).fields["text"] == [text]
    assert await counts(site) == FIRST


async def test_one_may_go_on_with_what_was_typed(site: Site) -> None:
    await stored(site)
    typed = "  # blanks at the beginning\n  CPL:\n    LOST: 5\n"
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.send(await previewed(colleague, typed), EDIT)
        assert page.status == 200
        assert page.sheet.form(PREVIEW).fields["text"] == [typed]


async def test_lines_that_a_browser_ends_in_its_own_way_are_kept_in_ours(site: Site) -> None:
    await stored(site)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await previewed(colleague, FIRST.replace("\n", "\r\n"))
        assert "Nothing: this is what counts already." in page.text
        assert CHANGE not in page.sheet.form(EDIT).actions[:-1] or "Let it count" not in page.text


async def test_the_same_text_is_no_new_version(site: Site) -> None:
    version = await stored(site)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.send(await previewed(colleague, FIRST), CHANGE)
        assert page.status == 422
        assert "The product map is the same already." in page.text
    newest = await site.bench.store.read(lambda tx: tx.product_map())
    assert newest == version


async def test_remarks_alone_change_no_code(site: Site) -> None:
    await stored(site)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await previewed(colleague, f"# summer\n{FIRST}")
        assert "No code changes." in page.text
        page = await colleague.send(page, CHANGE)
        assert page.path == "/settings/products"
    assert (await counts(site)).startswith("# summer")


async def test_the_second_of_two_administrators_overwrites_nothing_unseen(site: Site) -> None:
    await stored(site)
    async with signed_in(site, "sari", Role.ADMINISTRATOR) as sari:
        page = await previewed(sari, FIRST + "OFF: off\n")
        await stored(site, FIRST + "MPL: off\n", "otto", "page")
        page = await sari.send(page, CHANGE)
        assert page.status == 409
        assert "Somebody else has changed the product map meanwhile." in page.text
        assert "Against version 2, which counts now. otto" in page.text
        assert "MPL the whole branch off not off" in page.text
        assert await counts(site) == FIRST + "MPL: off\n"
        page = await sari.send(page, CHANGE)  # seen now, and wanted all the same
        assert page.path == "/settings/products"
        assert await counts(site) == FIRST + "OFF: off\n"


async def test_what_changed_while_somebody_typed_is_told_at_the_preview(site: Site) -> None:
    await stored(site)
    async with signed_in(site, "sari", Role.ADMINISTRATOR) as sari:
        page = await sari.get(EDIT)
        await stored(site, FIRST + "MPL: off\n", "otto", "page")
        page = await sari.send(page, PREVIEW, text=FIRST + "OFF: off\n")
        assert page.status == 409
        assert "Somebody else has changed the product map meanwhile." in page.text


async def test_a_map_that_is_too_long_is_told_and_kept(site: Site) -> None:
    await stored(site)
    text = f"{FIRST}# {'a' * TEXT_LIMIT}\n"
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await previewed(colleague, text)
        assert page.status == 422
        assert "too long for this page" in page.text
        assert page.sheet.form(PREVIEW).fields["text"] == [text]
        page = await colleague.send(page, PREVIEW, text="#" * TEXT_LIMIT)
        assert page.status == 422
        assert "What you sent is too long. Nothing was done." in page.text


@pytest.mark.parametrize("seen", ["x", "-1", "²"])
async def test_a_version_that_is_none_is_told(site: Site, seen: str) -> None:
    await stored(site)
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.send(await colleague.get(EDIT), PREVIEW, text=FIRST, seen=seen)
        assert page.status == 422


async def test_the_versions_say_who_changed_how_much_and_where(site: Site) -> None:
    await stored(site)
    await stored(site, SECOND, "otto", "api")
    await site.bench.store.write(lambda tx: tx.add_product_map(3.0, HOSTILE, "elsewhere", "CPL: ["))
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/settings/products/versions")
        assert "Version 3 counts" in page.text
        assert HOSTILE not in page.html
        assert "otto the API 4 entries" in page.text
        assert "eeva the file 3 entries" in page.text
        assert "elsewhere cannot be told" in page.text
        page = await colleague.get("/settings/products/versions/3")
        assert "One of the two cannot be read." in page.text
        assert (await colleague.get("/settings/products")).status == 200


async def test_older_versions_are_a_page_further(site: Site) -> None:
    for number in range(1, 24):
        await stored(site, f"CPL: {{LOST: {number}}}\n")
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/settings/products/versions")
        assert "Version 4 " in page.text
        assert "Version 3 " not in page.text
        page = await colleague.get(page.sheet.links["Older ones"])
        assert "Version 3 " in page.text
        assert "1 entry" in page.text
        assert "Older ones" not in page.sheet.links
        assert (await colleague.get("/settings/products/versions?before=none")).status == 422


async def test_one_goes_back_to_an_earlier_version_through_the_same_look(site: Site) -> None:
    await stored(site)
    await stored(site, SECOND, "otto", "page")
    async with signed_in(site, "sari", Role.ADMINISTRATOR) as colleague:
        page = await colleague.get("/settings/products/versions/1")
        assert "What it brought" in page.text
        page = await colleague.send(page, PREVIEW)
        assert "Pääkirjasto would be switched on." in page.text
        assert await counts(site) == SECOND
        await colleague.send(page, CHANGE)
        assert await counts(site) == FIRST
        newest = await site.bench.store.read(lambda tx: tx.product_map())
        assert newest is not None
        assert (newest.version, newest.by) == (3, "sari")
        page = await colleague.get("/settings/products/versions/3")
        assert "What it changed against version 2" in page.text
        assert "Go back to this version" not in page.html
        assert (await colleague.get("/settings/products/versions/9")).status == 404


async def test_the_page_says_what_will_become_of_the_file(site: Site) -> None:
    async with signed_in(site, "otto", Role.ADMINISTRATOR) as colleague:
        looks(site, map_text=FIRST)
        text = (await colleague.get("/settings/products")).text
        assert "The file products.yaml has never been taken up." in text
        assert "The file has changed since then" in text
        await stored(site)
        text = (await colleague.get("/settings/products")).text
        assert "The file products.yaml was last taken up on" in text
        assert "as version 1." in text
        assert "The file has changed since then" not in text
        looks(site, map_text=SettingsError("products.yaml, line 3", "LOST stands here twice", "Keep one of them"))
        text = (await colleague.get("/settings/products")).text
        assert "the bridge cannot be started again before" in text
        assert "products.yaml, line 3: LOST stands here twice. Keep one of them." in text


def test_a_branch_of_the_map_alone_has_a_column_and_misses_nothing() -> None:
    counting = parse_product_map("MPL: {LOST: 1}", "map")
    assert maps.columns(counting, ["CPL"]) == ["Default", "CPL", "MPL"]
    rows = maps.table(counting, ["CPL"], {"RENT"})
    assert [(row.debit_type, row.missed) for row in rows] == [("LOST", False), ("RENT", False), ("Default", False)]
