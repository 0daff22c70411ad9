# SPDX-License-Identifier: GPL-3.0-or-later
"""Change in the pages what counts: only what is still as the person saw it, and with its line of the journal."""

from __future__ import annotations

from tillbridge.errors import Declined
from tillbridge.service.administration_port import BranchSwitch, ProductMapVersion, Scope
from tillbridge.service.keys import new_key
from tillbridge.service.people_port import Deed, DeedKind, Person
from tillbridge.service.ports import World
from tillbridge.service.products import PAGE, let_count
from tillbridge.service.store_port import Transaction


async def switch_seen_branch(
    world: World, person: Person, branch: str, reason: str, seen: BranchSwitch | None, *, on: bool
) -> None:
    """Switch a branch whose last switch the person has seen; raise Declined."""
    if branch not in world.branches:
        raise Declined("no_such_branch", f"There is no branch {branch} in the settings.")
    if not reason:
        raise Declined("reason_missing", "Say why.")
    now = world.clock.now()

    def work(tx: Transaction) -> None:
        tx.hold_settings()
        if switch_of(tx, branch) != seen:
            raise Declined("switch_changed", "Somebody else has switched this branch meanwhile.", {"branch": branch})
        tx.switch_branch(BranchSwitch(branch, now, person.id, on, reason))
        tx.record_deed(Deed(now, person.id, DeedKind.BRANCH_SWITCHED, {"branch": branch, "on": on}))

    await world.store.write(work)
    await let_count(world)


async def change_seen_product_map(world: World, person: Person, text: str, seen: int) -> ProductMapVersion:
    """Let a text count that was read and found right, where the version that the person has seen (0: none) still does.

    Raise Declined: the product map is for all branches, and so must the person be.
    """
    need_all_branches(person)
    now = world.clock.now()

    def work(tx: Transaction) -> ProductMapVersion:
        tx.hold_settings()
        counting = tx.product_map()
        # First, so that a form that is sent twice is not told of somebody else.
        if counting is not None and counting.text == text:
            raise Declined("map_unchanged", "The product map is the same already.")
        if (counting.version if counting else 0) != seen:
            raise Declined("map_changed", "Somebody else has changed the product map meanwhile.")
        version = tx.add_product_map(now, person.id, PAGE, text)
        tx.record_deed(Deed(now, person.id, DeedKind.PRODUCT_MAP_CHANGED, {"version": version.version}))
        return version

    version = await world.store.write(work)
    await let_count(world)
    return version


async def page_key(world: World, person: Person) -> str:
    """Make a key that the library system's own pages show, for the person's branches, and return its secret."""
    now = world.clock.now()
    token, key = new_key("pages of the library system", [Scope.PAGES], person.branches, now, person.id)

    def work(tx: Transaction) -> None:
        tx.add_api_key(key)
        tx.record_deed(Deed(now, person.id, DeedKind.PAGE_KEY_MADE, {"key": key.id}))

    await world.store.write(work)
    return token


def need_all_branches(person: Person) -> None:
    """Raise Declined where the person works with some branches alone."""
    if person.branches is not None:
        raise Declined("map_for_all", "The product map is for all branches, and this account is for some.")


def switch_of(tx: Transaction, branch: str) -> BranchSwitch | None:
    """Return a branch's last switch."""
    return next((switch for switch in tx.branch_switches() if switch.branch == branch), None)
