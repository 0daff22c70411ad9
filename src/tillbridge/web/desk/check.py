# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the bridge from a page: what `tillbridge check` finds, with what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response

from tillbridge.marking import marked
from tillbridge.operation.checks import Outcome
from tillbridge.service.findings import Check, Level
from tillbridge.service.people_port import Right
from tillbridge.web.desk.live import live as live_part
from tillbridge.web.desk.routing import DeskRouter
from tillbridge.web.desk.visit import OwnForm, Visit, Visiting

routes = DeskRouter()

PATIENCE_S = 3.0
"""How long a press of the button waits for what is found; most checks are done by then."""

LIVE_PATIENCE_S = 8.0

LEVELS: Mapping[Level, tuple[str, str]] = {
    Level.FAULT: ("bad", marked("fault")),
    Level.WARNING: ("warn", marked("to be looked at")),
    Level.NOT_CHECKABLE: ("plain", marked("cannot be checked")),
    Level.OK: ("good", marked("in order")),
}
"""Colour and word of each level, the worst first."""

CHECKS: Mapping[Check, str] = {
    Check.DATABASE: marked("Database"),
    Check.PRODUCT_MAP: marked("Product map"),
    Check.DEBIT_TYPES: marked("Debit types"),
    Check.PRODUCT_CODES: marked("Product codes"),
    Check.LIBRARY_ANSWERS: marked("Library system"),
    Check.LIBRARY_INTERFACE: marked("Interface of the library system"),
    Check.LIBRARY_RIGHTS: marked("Rights in the library system"),
    Check.LIBRARY_BRANCHES: marked("Branches in the library system"),
    Check.PAYMENT_TYPE: marked("Payment type in the library system"),
    Check.REGISTER_ANSWERS: marked("Register server"),
    Check.CLOCK: marked("Clock"),
    Check.CERTIFICATE: marked("Certificate"),
    Check.BRIDGE_RUNS: marked("The bridge runs"),
    Check.OWN_REPORT: marked("Report from this machine"),
    Check.OUTSIDE_REPORT: marked("Report from outside"),
}

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.TOO_SLOW: marked(
        "The check took too long and was ended: a server is very slow. Look at the servers, and try again later."
    ),
    Outcome.FAILED: marked("The check itself has failed. The bridge's log says why."),
}


@routes.get("/settings/check")
async def show(visit: Visiting) -> Response:
    """Show what the last check has found."""
    visit.need(Right.SETTINGS)
    return visit.page("check.html", **_shown(visit))


@routes.post("/settings/check")
async def run(visit: Visiting, form: OwnForm) -> Response:
    """Begin a check where none is running."""
    del form
    visit.need(Right.SETTINGS)
    checks = visit.bridge.checks
    checks.begin(visit.person.id)
    await checks.wait(PATIENCE_S)
    return visit.go("/settings/check")


@routes.get("/settings/check/live")
async def live(visit: Visiting) -> Response:
    """Send the findings as soon as they are there."""
    visit.need(Right.SETTINGS)

    async def draw() -> str:
        await visit.bridge.checks.wait(LIVE_PATIENCE_S)
        return visit.draw("parts/check.html", **_shown(visit))

    return live_part(visit, draw)


def _shown(visit: Visit) -> dict[str, Any]:
    checks, order = visit.bridge.checks, list(LEVELS)
    last = checks.last
    findings = sorted(last.findings if last else (), key=lambda finding: order.index(finding.level))
    counts = Counter(finding.level for finding in findings)
    gettext = visit.texts.gettext
    return {
        "now": visit.bridge.world.clock.now(),
        "running": checks.running,
        "last": last,
        "went_wrong": gettext(OUTCOMES[last.outcome]) if last and last.outcome in OUTCOMES else "",
        "findings": [(each, *_words(visit, each.level), gettext(CHECKS[each.check])) for each in findings],
        "counts": [(*_words(visit, level), counts[level]) for level in LEVELS if counts[level]],
    }


def _words(visit: Visit, level: Level) -> tuple[str, str]:
    tone, word = LEVELS[level]
    return tone, visit.texts.gettext(word)
