# SPDX-License-Identifier: GPL-3.0-or-later
"""Every no that a page can meet has words of its own, and tells what to do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.site import Site
from support.staff import signed_in
from tillbridge import __file__ as package
from tillbridge.errors import Declined
from tillbridge.web.desk.no import SAID, explained
from tillbridge.web.desk.texts import texts_in

PACKAGE = Path(package).parent
OF_PROGRAMS = {"scope_missing", "branch_not_allowed", "idempotency_key_reused"}
"""What only programs meet: keys, and what goes with them."""


def refusals(source: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Declined":
            assert isinstance(node.args[0], ast.Constant)
            yield str(node.args[0].value)


def codes(*, of_the_api: bool) -> set[str]:
    paths = [path for path in PACKAGE.rglob("*.py") if of_the_api or path.parent.name != "api"]
    return {code for path in paths for code in refusals(path)}


def test_every_code_that_a_page_can_meet_has_words() -> None:
    said = {*SAID, *(code.partition(".")[0] for code in SAID)}
    assert codes(of_the_api=False) - OF_PROGRAMS - said == set()


def test_nothing_has_words_that_nobody_says() -> None:
    said = {code.partition(".")[0] for code in SAID} - {"failed", "store_unavailable"}
    assert said - codes(of_the_api=True) == set()


@pytest.mark.parametrize("code", SAID)
def test_what_was_wrong_and_what_to_do_are_sentences(code: str) -> None:
    assert all(words[0].isupper() and words.endswith(".") for words in SAID[code])


def test_a_code_without_words_tells_its_own() -> None:
    told = explained(texts_in("en", "Europe/Helsinki"), Declined("new", "This is new.", {"payment": 7}))
    assert (told.what, told.remedy, told.payment_id) == ("This is new.", "", None)


async def test_a_person_is_told_of_an_address_where_nothing_is_by_a_page_and_a_program_by_its_form(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get("/nothing", Accept="text/html")
        assert (page.status, page.sheet.links["To the desk"]) == (404, "/")
        assert "There is no such page." in page.text
        assert '"code":"no_such_route"' in (await colleague.get("/nothing", Accept="*/*")).html
        assert '"code":"no_such_route"' in (await colleague.get("/api/nothing", Accept="text/html")).html


def test_how_long_one_has_to_wait_is_said_in_whole_minutes() -> None:
    no = Declined("too_many_tries", "Too many.", {"wait_s": 130})
    assert "Wait 3 minutes" in explained(texts_in("en", "Europe/Helsinki"), no).remedy


async def test_an_address_that_is_none_is_told_as_a_page(site: Site) -> None:
    async with signed_in(site) as colleague:
        page = await colleague.get("/payments/none/wait")
        assert (page.status, page.sheet.links["To the desk"]) == (404, "/")
        assert "There is no such payment." in page.text
