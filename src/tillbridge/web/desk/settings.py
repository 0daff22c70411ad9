# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings at a glance: branches switched on and off, their registers, and what the settings file says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi.responses import Response

from tillbridge.errors import Declined
from tillbridge.service.administering import page_key, switch_of, switch_seen_branch
from tillbridge.service.administration_port import ApiKey, BranchSwitch, Scope
from tillbridge.service.people_port import Right
from tillbridge.service.store_port import Transaction
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.places import Place, branch_name, places
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.staff_words import role_words
from tillbridge.web.desk.texts import LANGUAGES
from tillbridge.web.desk.visit import Form, OwnForm, Visit, Visiting
from tillbridge.web.koha.script import line_for
from tillbridge.web.problems import status_of

routes = DeskRouter()

REASON_LIMIT = 500


@dataclass(frozen=True, slots=True)
class BranchShown:
    """Hold a branch as the page shows it; `seen` is what its form says about the switch that was shown."""

    code: str
    name: str
    register_server: str
    switched_on: bool
    in_map: bool
    switch: BranchSwitch | None
    seen: str
    registers: list[Place]


@routes.get("/settings")
async def settings(visit: Visiting) -> Response:
    """Show the branches and the settings."""
    visit.need(Right.SETTINGS)
    return await _page(visit)


@routes.post("/settings/branches/{branch}/switch")
async def switch(branch: str, visit: Visiting, form: OwnForm) -> Response:
    """Switch payments at the register on or off for a branch, as long as it is as the person saw it."""
    visit.need(Right.SETTINGS)
    visit.need_branch(branch)
    try:
        await _switch(visit, branch, form)
    except Declined as no:
        return await _page(visit, branch, form, no)
    return visit.go(f"/settings#branch-{quote(branch, safe='')}")


@routes.post("/settings/page-key")
async def make_page_key(visit: Visiting, form: OwnForm) -> Response:
    """Make a key for the library system's own pages, and show the line that it goes into, this once."""
    del form
    visit.need(Right.SETTINGS)
    if visit.bridge.pages is None:
        raise Declined("no_pages", "The settings do not say where the library system's pages are.")
    token = await page_key(visit.bridge.world, visit.person)
    return await _page(visit, line=line_for(visit.bridge.public_address, token))


async def _switch(visit: Visit, branch: str, form: Form) -> None:
    world = visit.bridge.world
    last = await world.store.read(lambda tx: switch_of(tx, branch))
    if form.one("seen", 400) != _seen(last):
        raise Declined("switch_changed", "Somebody else has switched this branch meanwhile.")
    on = {"on": True, "off": False}.get(form.one("to", 10))
    if on is None:
        raise Declined("wrong_action", "Say whether it is switched on or off.")
    reason = " ".join(form.one("reason", REASON_LIMIT).split())
    await switch_seen_branch(world, visit.person, branch, reason, last, on=on)


async def _page(
    visit: Visit, branch: str = "", form: Form | None = None, no: Declined | None = None, line: str = ""
) -> Response:
    shown, keys = await visit.bridge.world.store.read(lambda tx: (_branches(visit, tx), _page_keys(visit, tx)))
    context: dict[str, Any] = {
        "branches": shown,
        "pages": visit.bridge.pages,
        "page_keys": keys,
        "line": line,
        "told": explained(visit.texts, no) if no else None,
        "told_about": branch,
        "typed": form.one("reason", REASON_LIMIT) if form else "",
        "desk": visit.bridge.desk,
        "refund_roles": role_words(visit.texts, visit.bridge.desk.refund_roles),
        "languages": [LANGUAGES[code] for code in visit.bridge.desk.languages],
        "map_file": visit.bridge.map_file,
        "public_address": visit.bridge.public_address,
        "reason_limit": REASON_LIMIT,
    }
    return visit.page("settings.html", status_of(no.code) if no else 200, **context)


def _branches(visit: Visit, tx: Transaction) -> list[BranchShown]:
    switches = {each.branch: each for each in tx.branch_switches()}
    registers = places(visit, tx)
    return [_branch(visit, code, switches.get(code), registers) for code in visit.branches()]


def _page_keys(visit: Visit, tx: Transaction) -> list[ApiKey]:
    """List the keys that pages may show, as far as this person looks after their branches."""
    valid = [key for key in tx.api_keys() if key.withdrawn_at is None and Scope.PAGES in key.scopes]
    mine = visit.person.branches
    return [key for key in valid if mine is None or (key.branches is not None and key.branches <= mine)]


def _branch(visit: Visit, code: str, last: BranchSwitch | None, registers: list[Place]) -> BranchShown:
    world = visit.bridge.world
    return BranchShown(
        code=code,
        name=branch_name(visit, code),
        register_server=world.branches[code].register_server,
        switched_on=last is None or last.on,
        in_map=world.products.in_map(code),
        switch=last,
        seen=_seen(last),
        registers=[place for place in registers if place.branch == code],
    )


def _seen(last: BranchSwitch | None) -> str:
    return "" if last is None else f"{last.at!r} {last.on} {last.by}"
