# SPDX-License-Identifier: GPL-3.0-or-later
"""The product map: see which code a charge is sold as, change it, and see first what a change would do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response

from tillbridge.errors import Declined, SettingsError
from tillbridge.product_file import parse_product_map
from tillbridge.service.administering import change_seen_product_map, need_all_branches
from tillbridge.service.people_port import Right
from tillbridge.service.products import FILE
from tillbridge.web.desk.maps import NOTHING, columns, meaning, origin_words, parsed, table, wrong_of
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.places import branch_name
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import Form, OwnForm, Visit, Visiting
from tillbridge.web.problems import status_of

routes = DeskRouter()

TEXT_LIMIT = 40_000
"""How many characters a map may have that comes from a page; longer ones are for the command."""

FIRST = "Default:\n  Default: \n"


@dataclass(frozen=True, slots=True)
class Draft:
    """Hold what somebody has typed, and the version that counted when they began; 0 for none."""

    text: str
    seen: int


@routes.get("/settings/products")
async def products(visit: Visiting) -> Response:
    """Show the product map that counts."""
    visit.need(Right.SETTINGS)
    counting, from_file, seen = await visit.bridge.world.store.read(
        lambda tx: (tx.product_map(), tx.product_map_from(FILE), tx.debit_types())
    )
    installation = await asyncio.to_thread(visit.bridge.checks.look)
    codes = (parsed(counting.text) if counting else None) or NOTHING
    branches = list(visit.bridge.world.branches)
    rows = table(codes, branches, seen)
    file = installation.map_text
    return visit.page(
        "products.html",
        shown=counting,
        origin=origin_words(visit.texts, counting) if counting else "",
        columns=[(name, branch_name(visit, name), _switched_off(visit, name)) for name in columns(codes, branches)],
        rows=rows,
        missed=[row.debit_type for row in rows if row.missed],
        map_file=visit.bridge.map_file,
        from_file=from_file,
        file_wrong=file if isinstance(file, SettingsError) else None,
        file_changed=isinstance(file, str) and (from_file is None or from_file.text != file),
    )


@routes.get("/settings/products/edit")
async def edit(visit: Visiting) -> Response:
    """Let the map that counts be changed."""
    _need(visit)
    counting = await visit.bridge.world.store.read(lambda tx: tx.product_map())
    return _form(visit, Draft(counting.text, counting.version) if counting else Draft(FIRST, 0))


@routes.post("/settings/products/edit")
async def edit_on(visit: Visiting, form: OwnForm) -> Response:
    """Go on with what was typed."""
    _need(visit)
    return _form(visit, _draft(form))


@routes.post("/settings/products/preview")
async def preview(visit: Visiting, form: OwnForm) -> Response:
    """Show what a text would change; nothing is changed yet."""
    _need(visit)
    return await _review(visit, _draft(form))


@routes.post("/settings/products/change")
async def change(visit: Visiting, form: OwnForm) -> Response:
    """Let a text count, as long as the version that the person has seen still does."""
    _need(visit)
    draft = _draft(form)
    try:
        _need_short(draft)
        await asyncio.to_thread(parse_product_map, draft.text, "product map")
        await change_seen_product_map(visit.bridge.world, visit.person, draft.text, draft.seen)
    except SettingsError as error:
        return _form(visit, draft, error)
    except Declined as no:
        return await _review(visit, draft, no)
    return visit.go("/settings/products")


def _need(visit: Visit) -> None:
    visit.need(Right.SETTINGS)
    need_all_branches(visit.person)


def _draft(form: Form) -> Draft:
    # As it was typed: blanks at the beginning of a line mean something.
    text = form.values.get("text", [""])[0].replace("\r\n", "\n").replace("\r", "\n")
    seen = form.one("seen", 18) or "0"
    if not seen.isascii() or not seen.isdecimal():
        raise Declined("wrong_field", "The form does not say which version was seen.")
    return Draft(text, int(seen))


def _form(visit: Visit, draft: Draft, error: SettingsError | None = None, no: Declined | None = None) -> Response:
    status = status_of(no.code) if no else 422 if error else 200
    return visit.page(
        "product_edit.html",
        status,
        draft=draft,
        limit=TEXT_LIMIT,
        wrong=wrong_of(visit.texts, error, draft.text) if error else None,
        told=explained(visit.texts, no) if no else None,
        map_file=visit.bridge.map_file,
    )


async def _review(visit: Visit, draft: Draft, no: Declined | None = None) -> Response:
    counting, seen = await visit.bridge.world.store.read(lambda tx: (tx.product_map(), tx.debit_types()))
    branches = list(visit.bridge.world.branches)
    try:
        _need_short(draft)
        means = await asyncio.to_thread(meaning, counting.text if counting else "", draft.text, branches, seen)
    except SettingsError as error:
        return _form(visit, draft, error)
    except Declined as too_long:
        return _form(visit, draft, no=too_long)
    number = counting.version if counting else 0
    if no is None and number != draft.seen:
        no = Declined("map_changed", "Somebody else has changed the product map meanwhile.")
    context: dict[str, Any] = {
        "draft": Draft(draft.text, number),
        "means": means,
        "same": counting is not None and counting.text == draft.text,
        "told": explained(visit.texts, no) if no else None,
        "shown": counting,
        "name": lambda branch: branch_name(visit, branch),
    }
    return visit.page("product_preview.html", status_of(no.code) if no else 200, **context)


def _need_short(draft: Draft) -> None:
    if len(draft.text) > TEXT_LIMIT:
        raise Declined("map_too_long", f"A product map that comes from a page has at most {TEXT_LIMIT} characters.")


def _switched_off(visit: Visit, branch: str) -> bool:
    switch = visit.bridge.world.products.switch_of(branch)
    return switch is not None and not switch.on
