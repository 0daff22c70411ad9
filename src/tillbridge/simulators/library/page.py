# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the patrons and their accounts on one page, with the buttons that a librarian has by hand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tillbridge.simulators.library import corrections, ledger_view
from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.control import from_elsewhere
from tillbridge.simulators.library.dispatch import read_id
from tillbridge.simulators.library.facts import CreditOrder, LedgerError, Line, NotPossibleError, Patron, Side
from tillbridge.simulators.library.library import DemoLibrary

_TEMPLATES = Path(__file__).parent / "templates"
_PAGES = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


async def page(request: Request) -> Response:
    """Show every patron with the lines of the account."""
    return _page(request.app.state.library, 200, "")


def _page(library: DemoLibrary, status: int, problem: str) -> Response:
    book = library.book
    people = [_account(book, patron) for patron in book.patrons.values() if patron.category_id != "S"]
    text = _PAGES.get_template("page.html").render(
        people=people, problem=problem, libraries=book.libraries, totals=ledger_view.totals(book)
    )
    return Response(text.encode("utf-8", "replace"), status, _HEADERS, "text/html")


def _account(book: Book, patron: Patron) -> dict[str, object]:
    owed = sum((line.outstanding for line in book.open_lines(patron.patron_id, Side.DEBIT)), Decimal(0))
    lines = [
        ledger_view.line(line) | {"is_open": bool(line.outstanding), "is_void": line.status == "VOID"}
        for line in book.all_lines_of(patron.patron_id)
    ]
    return {"patron": patron, "lines": lines, "owed": ledger_view.amount_text(owed)}


async def style(_request: Request) -> Response:
    """Send the page's style sheet."""
    return Response((_TEMPLATES / "page.css").read_bytes(), media_type="text/css")


def _pay(book: Book, debit_id: int) -> Line:
    """Pay what is owed on one charge with Koha's own button."""
    debit = book.line(debit_id, Side.DEBIT)
    if debit.patron_id is None or not debit.outstanding:
        raise NotPossibleError("Nothing is owed on this charge.")
    order = CreditOrder(debit.outstanding, line_ids=(debit_id,), library_id=debit.library_id, payment_type="CARD")
    return corrections.pay(book, debit.patron_id, order)


def _apply(book: Book, credit_id: int) -> Line:
    return corrections.apply_by_hand(book, credit_id)


def _button(path: str, press: Callable[[Book, int], Line]) -> Route:
    async def answer(request: Request) -> Response:
        library: DemoLibrary = request.app.state.library
        if from_elsewhere(request):
            return _page(library, 403, "Another site's page may not do this.")
        try:
            line = press(library.book, read_id(request.path_params["number"]))
        except LedgerError as error:
            return _page(library, 409, str(error))
        return RedirectResponse(f"/#patron-{line.patron_id}", 303)

    return Route(path, answer, methods=["POST"])


ROUTES = (
    Route("/", page, methods=["GET"]),
    Route("/page.css", style, methods=["GET"]),
    _button("/by-hand/charges/{number}/pay", _pay),
    _button("/by-hand/credits/{number}/void", corrections.void),
    _button("/by-hand/credits/{number}/apply", _apply),
)
