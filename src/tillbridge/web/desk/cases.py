# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of cases: what needs a person, since when, and whose it is; and decisions that wait for a second look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import Response

from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.people_port import Right
from tillbridge.service.second_look_port import SecondLook
from tillbridge.service.store_port import Case, CaseFilter, CaseKind, Transaction
from tillbridge.web.desk.case_choices import closing_of
from tillbridge.web.desk.front import GATHER_S
from tillbridge.web.desk.live import live_for_all
from tillbridge.web.desk.look_words import told_look
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.places import branch_name, register_name
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import Visit, Visiting
from tillbridge.web.desk.words import actor_words, case_words

routes = DeskRouter()

PAGE = 25
CLOSED = "closed"
_HOUR_S = 3600.0
_LAST_NUMBER = 2**31
_MOST_BRANCH = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold which cases are asked for, as the address says it."""

    state: str
    kind: str
    branch: str
    after: int | None

    @property
    def closed(self) -> bool:
        """Tell whether closed cases are asked for."""
        return self.state == CLOSED

    def query(self, **changes: object) -> str:
        """Write the part of an address that asks for these cases, or for others."""
        asked = {"state": self.state, "kind": self.kind, "branch": self.branch, "after": self.after} | changes
        return urlencode({name: value for name, value in asked.items() if value not in ("", None)})


@routes.get("/cases")
async def cases(visit: Visiting, state: str = "", kind: str = "", branch: str = "", after: str = "") -> Response:
    """List cases."""
    asked = _asked(visit, state, kind, branch, after)
    return visit.page("cases.html", **await _read(visit, asked))


@routes.get("/cases/live")
async def live(visit: Visiting, state: str = "", kind: str = "", branch: str = "", after: str = "") -> Response:
    """Send the list again whenever it changes."""
    asked = _asked(visit, state, kind, branch, after)

    async def draw(anybody: Visit) -> str:
        try:
            return anybody.draw("parts/cases.html", **await _read(anybody, asked))
        except Declined as no:
            return anybody.draw("parts/no.html", told=explained(anybody.texts, no))

    return live_for_all(visit, ("cases", asked), draw, rest_s=GATHER_S)


def _asked(visit: Visit, state: str, kind: str, branch: str, after: str) -> Asked:
    visit.need(Right.SEE)
    if branch:
        visit.need_branch(branch)
    known = (not kind or kind in set(CaseKind)) and (not after or (after.isdecimal() and int(after) < _LAST_NUMBER))
    if not known or len(branch) > _MOST_BRANCH:
        raise Declined("wrong_field", "There are no such cases.")
    return Asked(CLOSED if state == CLOSED else "", kind, branch, int(after) if after else None)


async def _read(visit: Visit, asked: Asked) -> dict[str, Any]:
    return await visit.bridge.world.store.search(lambda tx: _shown(visit, tx, asked))


def _shown(visit: Visit, tx: Transaction, asked: Asked) -> dict[str, Any]:
    branches = frozenset({asked.branch}) if asked.branch else visit.person.branches
    kinds = frozenset({CaseKind(asked.kind)}) if asked.kind else None
    found = tx.find_cases(CaseFilter(not asked.closed, kinds, branches), asked.after, PAGE + 1)
    now, counts = visit.bridge.world.clock.now(), tx.count_cases(branches)
    return {
        "asked": asked,
        "rows": [_row(visit, tx, case, now) for case in found[:PAGE]],
        "following": found[PAGE - 1].id if len(found) > PAGE else None,
        "count": sum(tally.count for kind, tally in counts.items() if asked.kind in ("", kind)),
        "kinds": [(str(kind), case_words(visit.texts, kind)[0]) for kind in CaseKind],
        "branches": [(code, branch_name(visit, code)) for code in visit.branches()],
        "looks": [] if asked.closed or asked.after else [_look(visit, tx, look) for look in _looks(visit, tx)],
        "now": now,
    }


def _row(visit: Visit, tx: Transaction, case: Case, now: float) -> dict[str, Any]:
    payment = tx.payment(case.payment_id) if case.payment_id else None
    return {
        "case": case,
        "what": case_words(visit.texts, case.kind)[0],
        "payment": payment,
        "sum": _sum(visit, case, payment),
        "place": _place(visit, payment),
        # In whole hours: what time alone changes is not sent every moment.
        "hours": (now - case.opened_at) // _HOUR_S * _HOUR_S,
        "closing": closing_of(visit.texts, case) if case.closed_at is not None else None,
        "closed_by": actor_words(visit.texts, case.closed_by or ""),
    }


def _sum(visit: Visit, case: Case, payment: Payment | None) -> str:
    """Write a payment's sum; where there is no payment, the one that the till has named, if it has."""
    if payment is not None:
        return visit.texts.money(payment.total.minor, payment.currency)
    named = case.facts.get("sum_minor")
    return visit.texts.money(named, visit.bridge.world.library.currency) if isinstance(named, int) else ""


def _place(visit: Visit, payment: Payment | None) -> tuple[str, str]:
    if payment is None:
        return "", ""
    return register_name(visit, payment.branch, payment.register), branch_name(visit, payment.branch)


def _looks(visit: Visit, tx: Transaction) -> list[SecondLook]:
    return [look for look in tx.open_second_looks() if visit.concerned(tx, look.payment_id)]


def _look(visit: Visit, tx: Transaction, look: SecondLook) -> dict[str, Any]:
    payment = tx.payment(look.payment_id) if look.payment_id else None
    case = tx.case(look.case_id) if look.case_id else None
    return {"told": told_look(visit, case, look), "payment": payment, "place": _place(visit, payment)}
