# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of the product map: who changed what and when, and the way back to an earlier one."""

from __future__ import annotations

import asyncio

from fastapi import Query
from fastapi.responses import Response

from tillbridge.domain.product_map import differences
from tillbridge.errors import Declined
from tillbridge.service.administration_port import ProductMapVersion
from tillbridge.service.people_port import Right
from tillbridge.service.store_port import Transaction
from tillbridge.web.api.forms import Version
from tillbridge.web.desk.maps import NOTHING, changed_entries, origin_words, parsed
from tillbridge.web.desk.places import branch_name
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import Visiting

routes = DeskRouter()

SHOWN = 20


@routes.get("/settings/products/versions")
async def versions(visit: Visiting, before: int | None = Query(None, ge=1, lt=2**31)) -> Response:
    """List the versions, newest first."""
    visit.need(Right.SETTINGS)
    found, counting = await visit.bridge.world.store.read(
        lambda tx: (tx.product_map_versions(SHOWN + 1, before), _number(tx))
    )
    counts = await asyncio.to_thread(changed_entries, found)
    listed = [(each, origin_words(visit.texts, each), count) for each, count in zip(found, counts, strict=True)]
    older = found[SHOWN - 1].version if len(found) > SHOWN else None
    return visit.page("product_versions.html", versions=listed[:SHOWN], counting=counting, older=older, before=before)


@routes.get("/settings/products/versions/{version}")
async def one_version(version: Version, visit: Visiting) -> Response:
    """Show a version, and what it changed against the one before."""
    visit.need(Right.SETTINGS)

    def work(tx: Transaction) -> tuple[ProductMapVersion | None, ProductMapVersion | None, int]:
        return tx.product_map(version), next(iter(tx.product_map_versions(1, version)), None), _number(tx)

    found, earlier, counting = await visit.bridge.world.store.read(work)
    if found is None:
        raise Declined("no_such_version", "There is no such version of the product map.")
    new, old = parsed(found.text), parsed(earlier.text) if earlier else NOTHING
    return visit.page(
        "product_version.html",
        shown=found,
        origin=origin_words(visit.texts, found),
        earlier=earlier,
        changes=None if new is None or old is None else differences(old, new),
        counting=counting,
        name=lambda branch: branch_name(visit, branch),
    )


def _number(tx: Transaction) -> int:
    counting = tx.product_map()
    return counting.version if counting else 0
