# SPDX-License-Identifier: GPL-3.0-or-later
"""The cashier's page: the waiting payments of each office, the receipts, the day's sums and the fault switches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tillbridge.simulators.till.faults import KINDS
from tillbridge.simulators.till.payment import Payment
from tillbridge.simulators.till.receipt import euros, receipt
from tillbridge.simulators.till.till import Till
from tillbridge.simulators.till.totals import totals

MOST_WAITING = 50
MOST_FINISHED = 10
_WAIT_S = 20.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_FILES = {"till.css": "text/css", "till.js": "text/javascript"}


@dataclass(frozen=True, slots=True)
class Desk:
    """Show one office: what waits and what is finished, newest first, and how much of either there is."""

    number: str
    name: str
    waiting: list[Payment]
    finished: list[Payment]
    waiting_count: int
    receipts: Mapping[str, str]


class Page:
    """Render the page, and the part of it that follows every change."""

    def __init__(self, till: Till) -> None:
        self._till = till
        self._templates = Environment(
            loader=PackageLoader(__package__ or "", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["euros"] = euros
        folder = Path(__file__).parent / "static"
        self._files = {name: (folder / name).read_bytes() for name in _FILES}

    def routes(self) -> list[Route]:
        """Return every address of the page."""
        return [
            Route("/", self.whole, methods=["GET"]),
            Route("/board", self.board, methods=["GET"]),
            Route("/static/{name}", self.file, methods=["GET"]),
        ]

    async def whole(self, request: Request) -> Response:
        """Show everything; ``?office=10`` shows that till alone."""
        office = request.query_params.get("office")
        if office is not None and office not in self._till.settings.offices:
            return RedirectResponse("/", headers=_HEADERS)
        return HTMLResponse(self._render("page.html", office), headers=_HEADERS)

    async def board(self, request: Request) -> Response:
        """Show the changing part as soon as it differs from ``?seen=``, or 204 after a while."""
        seen = request.query_params.get("seen", "")
        changed = await self._till.until(lambda: str(self._till.book.version) != seen, _WAIT_S)
        if not changed:
            return Response(status_code=204, headers=_HEADERS)
        return HTMLResponse(self._render("board.html", request.query_params.get("office")), headers=_HEADERS)

    async def file(self, request: Request) -> Response:
        """Send a file of the page."""
        name = request.path_params["name"]
        if name not in self._files:
            return Response(status_code=404)
        return Response(self._files[name], media_type=_FILES[name], headers=_HEADERS)

    def _render(self, template: str, office: str | None) -> str:
        today = self._till.outside.now().date()
        settings = self._till.settings
        return self._templates.get_template(template).render(
            settings=settings,
            office=office,
            desks=[self._desk(number) for number in settings.offices if office in (None, number)],
            totals=totals(self._till.book, settings.offices, today),
            today=today,
            autopilot=self._till.autopilot,
            faults=list(self._till.faults),
            kinds=KINDS,
            version=self._till.book.version,
        )

    def _desk(self, number: str) -> Desk:
        name = self._till.settings.offices[number]
        here = [one for one in self._till.book if one.office == number]
        waiting = [one for one in here if one.state == "waiting"]
        done = [one for one in here if one.state in ("paid", "cancelled", "taken_back")]
        shown = sorted(done, key=lambda one: one.finished_at or one.arrived_at, reverse=True)[:MOST_FINISHED]
        receipts = {one.payment_id: "\n".join(receipt(one, name)) for one in shown}
        return Desk(number, name, waiting[:MOST_WAITING], shown, len(waiting), receipts)
