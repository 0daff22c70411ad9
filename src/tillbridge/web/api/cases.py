# SPDX-License-Identifier: GPL-3.0-or-later
"""See the open cases and decide about them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from tillbridge.errors import Declined
from tillbridge.service.administration_port import ApiKey
from tillbridge.service.resolving import resolve_case
from tillbridge.service.store_port import Case, Transaction
from tillbridge.web.access import Reader, Resolver, TheBridge
from tillbridge.web.api.forms import CaseId, WordForm
from tillbridge.web.api.shapes import CaseList
from tillbridge.web.problems import answers
from tillbridge.web.views import case_view

routes = APIRouter(tags=["open cases"])


@routes.get("/open-cases", response_model=CaseList, responses=answers())
async def open_cases(caller: Reader, bridge: TheBridge) -> Any:
    """List the open cases, oldest first."""
    now = bridge.world.clock.now()
    found = await bridge.world.store.search(lambda tx: [case for case in tx.open_cases() if _may_see(tx, caller, case)])
    return {"cases": [case_view(case, now) for case in found]}


@routes.post("/open-cases/{case_id}/resolve", status_code=204, responses=answers(404, 409))
async def resolve_one(case_id: CaseId, form: WordForm, caller: Resolver, bridge: TheBridge) -> None:
    """Decide about an open case."""
    case = await bridge.world.store.read(lambda tx: _visible(tx, caller, case_id))
    await resolve_case(bridge.world, case.id, form.word())


def _visible(tx: Transaction, caller: ApiKey, case_id: int) -> Case:
    case = tx.case(case_id)
    if case is None or not _may_see(tx, caller, case):
        raise Declined("no_such_case", "There is no such open case.")
    return case


def _may_see(tx: Transaction, caller: ApiKey, case: Case) -> bool:
    """Tell whether the key may see a case: one that belongs to no payment belongs to no branch either."""
    if caller.branches is None:
        return True
    payment = tx.payment(case.payment_id) if case.payment_id else None
    return payment is not None and payment.branch in caller.branches
