# SPDX-License-Identifier: GPL-3.0-or-later
"""What an administrator changes in the pages: only what was seen, with a line of the journal, and two at once."""

from __future__ import annotations

import asyncio

import pytest

from support.worlds import Bench
from tillbridge.errors import Declined
from tillbridge.service.administering import change_seen_product_map, page_key, switch_of, switch_seen_branch
from tillbridge.service.administration_port import Scope
from tillbridge.service.keys import hash_of
from tillbridge.service.people_port import DeedKind, Person, Role

FIRST, SECOND = "CPL: {Default: 1}\n", "CPL: {Default: 2}\n"


def person(name: str = "otto", branches: frozenset[str] | None = None) -> Person:
    return Person(name, name.title(), frozenset({Role.ADMINISTRATOR}), branches, None, "", 1.0, "eeva", 1.0)


async def deeds(bench: Bench) -> list[tuple[str, DeedKind]]:
    return [(deed.person_id, deed.kind) for _, deed in await bench.store.read(lambda tx: tx.deeds(None, 10))]


async def last_facts(bench: Bench) -> dict[str, object]:
    [(_, deed)] = await bench.store.read(lambda tx: tx.deeds(None, 1))
    return dict(deed.facts)


async def test_a_switch_counts_at_once_and_stands_in_the_journal(bench: Bench) -> None:
    await switch_seen_branch(bench.world, person(), "CPL", "the till is broken", None, on=False)
    assert not bench.world.products.is_on("CPL")
    assert bench.world.products.in_map("CPL")
    assert await deeds(bench) == [("otto", DeedKind.BRANCH_SWITCHED)]
    assert await last_facts(bench) == {"branch": "CPL", "on": False}
    last = await bench.store.read(lambda tx: switch_of(tx, "CPL"))
    await switch_seen_branch(bench.world, person(), "CPL", "it is mended", last, on=True)
    assert bench.world.products.is_on("CPL")


@pytest.mark.parametrize(
    ("branch", "reason", "code"), [("XYZ", "why not", "no_such_branch"), ("CPL", "", "reason_missing")]
)
async def test_a_switch_needs_a_branch_and_a_reason(bench: Bench, branch: str, reason: str, code: str) -> None:
    with pytest.raises(Declined) as no:
        await switch_seen_branch(bench.world, person(), branch, reason, None, on=False)
    assert no.value.code == code
    assert await deeds(bench) == []


async def test_of_two_who_switch_the_same_branch_at_once_one_is_told(bench: Bench) -> None:
    done = await asyncio.gather(
        *(switch_seen_branch(bench.world, person(f"p{n}"), "CPL", "broken", None, on=False) for n in range(4)),
        return_exceptions=True,
    )
    told = [(no.code, no.facts) for no in done if isinstance(no, Declined)]
    assert told == [("switch_changed", {"branch": "CPL"})] * 3
    assert len(await deeds(bench)) == 1


async def test_of_two_who_change_the_map_at_once_one_is_told(bench: Bench) -> None:
    first = await change_seen_product_map(bench.world, person(), FIRST, 0)
    texts = [f"CPL: {{Default: {n}}}\n" for n in range(5, 9)]
    done = await asyncio.gather(
        *(change_seen_product_map(bench.world, person(f"p{n}"), text, first.version) for n, text in enumerate(texts)),
        return_exceptions=True,
    )
    told = [no.code for no in done if isinstance(no, Declined)]
    assert told == ["map_changed"] * 3
    assert len(await deeds(bench)) == 2
    assert len(await bench.store.read(lambda tx: tx.product_map_versions(10))) == 2


async def test_a_new_version_counts_at_once_and_says_that_it_came_from_a_page(bench: Bench) -> None:
    version = await change_seen_product_map(bench.world, person(), SECOND, 0)
    assert (version.by, version.origin) == ("otto", "page")
    assert await last_facts(bench) == {"version": version.version}
    assert bench.world.products.code("CPL", "LOST") == "2"
    with pytest.raises(Declined) as no:
        await change_seen_product_map(bench.world, person(), SECOND, 0)  # the form is sent twice
    assert no.value.code == "map_unchanged"


async def test_the_map_is_changed_by_those_alone_who_work_with_all_branches(bench: Bench) -> None:
    with pytest.raises(Declined) as no:
        await change_seen_product_map(bench.world, person(branches=frozenset({"CPL"})), SECOND, 0)
    assert no.value.code == "map_for_all"
    assert await bench.store.read(lambda tx: tx.product_map()) is None


async def test_versions_before_one_are_listed_newest_first(bench: Bench) -> None:
    for n in range(4):
        await bench.store.write(lambda tx, n=n: tx.add_product_map(1.0, "eeva", "file", f"CPL: {n}"))  # type: ignore[misc]
    found = await bench.store.read(lambda tx: tx.product_map_versions(2, 4))
    assert [version.version for version in found] == [3, 2]


async def test_a_page_key_is_for_the_branches_of_who_made_it_and_stands_in_the_journal(bench: Bench) -> None:
    token = await page_key(bench.world, person(branches=frozenset({"CPL"})))
    [key] = await bench.store.read(lambda tx: tx.api_keys())
    assert key.hash == hash_of(token)
    assert key.scopes == {Scope.PAGES}
    assert key.branches == frozenset({"CPL"})
    assert await deeds(bench) == [("otto", DeedKind.PAGE_KEY_MADE)]
    assert await last_facts(bench) == {"key": key.id}
    assert key.name == "pages of the library system"
