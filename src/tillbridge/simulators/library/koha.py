# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer Koha's REST routes for patrons and their accounts (dossier 1.1; measured.md where the two differ)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from tillbridge.simulators.library import answers, shapes
from tillbridge.simulators.library.answers import KohaAnswer
from tillbridge.simulators.library.auth import NotLetIn, basic_pair
from tillbridge.simulators.library.dispatch import Call, KohaRoute
from tillbridge.simulators.library.facts import CrashError, Line, NotPossibleError, Patron, Side
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.listing import Question, check_parameters, page_of
from tillbridge.simulators.library.pairs import Asked
from tillbridge.simulators.library.plugin import routes as plugin_routes
from tillbridge.simulators.library.query import Row, folded
from tillbridge.simulators.library.recording import recorded
from tillbridge.simulators.library.schema import credit_order, debit_order

BASE = "/api/v1"
_READ_ACCOUNT = {"borrowers": "edit_borrowers", "updatecharges": "remaining_permissions"}
_RECORD = {"updatecharges": "remaining_permissions"}
_FIND_PATRONS = (
    {"borrowers": "edit_borrowers"},
    {"tools": "label_creator"},
    {"serials": "routing"},
    {"acquisition": "order_manage"},
)
_PLAIN_PATRON = frozenset({"cardnumber", "category_id", "email", "firstname", "library_id", "surname", "userid"})
_PLAIN_LIBRARY = frozenset({"library_id", "name"})
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


async def token(call: Call) -> Response:
    """Give a token out for client credentials in a form, or as Basic header (dossier 2)."""
    if not call.request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return answers.invalid([("/grant_type", "Missing property.")])
    try:
        form = dict(parse_qsl(call.raw.decode("utf-8"), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return answers.invalid([("/grant_type", "Missing property.")])
    if "grant_type" not in form:
        return answers.invalid([("/grant_type", "Missing property.")])
    if form["grant_type"] != "client_credentials":
        return KohaAnswer({"error": "Unimplemented grant type"}, 400)
    return _issued(call, form)


def _issued(call: Call, form: dict[str, str]) -> Response:
    in_header = basic_pair(call.request.headers.get("authorization"))
    client_id, secret = in_header or (form.get("client_id", ""), form.get("client_secret", ""))
    life_s = call.library.token_s
    issued = call.library.doorkeeper.issue(client_id, secret, life_s)
    if isinstance(issued, NotLetIn):
        return answers.no_token(issued)
    return KohaAnswer({"access_token": issued, "expires_in": int(life_s), "token_type": "Bearer"})


async def patrons(call: Call) -> Response:
    """Find patrons by plain parameters (which *contain* by default) or by `q`."""
    everybody = call.library.book.patrons
    rows = [shapes.patron_row(one) for one in _likely(everybody.values(), call.request.query_params.get("cardnumber"))]
    return _listed(call, rows, shapes.PATRON_FIELDS, _PLAIN_PATRON, base=len(everybody))


def _likely(everybody: Iterable[Patron], card: str | None) -> Iterable[Patron]:
    """Leave out who cannot be meant by a card number, so that a large demo stays quick."""
    if card is None or set(card) & set("%_\\"):
        return everybody
    part = folded(card)
    return [one for one in everybody if part in folded(one.cardnumber)]


async def patron(call: Call) -> Response:
    """Read one patron."""
    _no_parameters(call)
    return KohaAnswer(shapes.patron_row(call.library.book.patron(call.patron_id)))


async def account(call: Call) -> Response:
    """Read what is open on both sides of a patron's account."""
    _no_parameters(call)
    book, patron_id = call.library.book, call.library.book.patron(call.patron_id).patron_id
    return KohaAnswer(shapes.balance(book.open_lines(patron_id, Side.DEBIT), book.open_lines(patron_id, Side.CREDIT)))


async def credits_(call: Call) -> Response:
    """List every credit of a patron, void ones too."""
    rows = [shapes.credit_row(line) for line in _lines(call, Side.CREDIT)]
    return _listed(call, rows, shapes.CREDIT_FIELDS)


async def debits(call: Call) -> Response:
    """List every debit of a patron, paid ones too."""
    rows = [shapes.debit_row(line) for line in _lines(call, Side.DEBIT)]
    return _listed(call, rows, shapes.DEBIT_FIELDS)


def _lines(call: Call, side: Side) -> list[Line]:
    book = call.library.book
    return book.lines_of(book.patron(call.patron_id).patron_id, side)


async def record_credit(call: Call) -> Response:
    """Record a credit; the fault that was planned for it decides what is left undone (measured.md)."""
    _no_parameters(call)
    order = credit_order(call.json())
    asked = Asked(call.library.book.patron(call.patron_id).patron_id, order, call.user_id)
    if call.library.settings.credit_s:
        await call.library.faults.hold(call.library.settings.credit_s)
    return KohaAnswer(shapes.account_line(await recorded(call.library, asked, call.fault)), 201)


async def record_debit(call: Call) -> Response:
    """Create a charge; a type that is missing is a 500, an amount of nothing a 400 (recorded)."""
    _no_parameters(call)
    patron_id = call.library.book.patron(call.patron_id).patron_id
    order = debit_order(call.json(), patron_id)
    if order.amount == 0:
        return KohaAnswer({"error": "Amount should be a positive decimal"}, 400)
    if not order.type:
        raise CrashError("a debit needs a type")
    try:
        line = call.library.book.charge(patron_id, order)
    except NotPossibleError as error:
        raise CrashError("too little for the column") from error
    where = {"Location": f"{call.request.url.path}/{line.line_id}"}
    return KohaAnswer(shapes.debit_row(line), 201, where)


async def libraries(call: Call) -> Response:
    """List the branches."""
    rows = [shapes.library_row(*pair) for pair in call.library.book.libraries.items()]
    return _listed(call, rows, shapes.LIBRARY_FIELDS, _PLAIN_LIBRARY)


async def payment_types(call: Call) -> Response:
    """List the authorised values of the category PAYMENT_TYPE."""
    values = enumerate(call.library.book.payment_types.items(), start=1)
    rows = [shapes.value_row(number, "PAYMENT_TYPE", *pair) for number, pair in values]
    return _listed(call, rows, shapes.VALUE_FIELDS)


async def specification(call: Call) -> Response:
    """Answer a stub of the specification: which routes there are, and no more."""
    paths: dict[str, dict[str, object]] = {}
    for route in (route for route in ROUTES if route.there(call.library)):
        permissions = {} if route.needs is None else {"x-koha-authorization": {"permissions": route.needs}}
        paths.setdefault(route.path, {})[route.method.lower()] = permissions
    info = {"title": "Koha REST API", "version": "1"}
    return KohaAnswer({"basePath": BASE, "info": info, "paths": paths, "swagger": "2.0"})


def _no_parameters(call: Call) -> None:
    names = list(call.request.query_params)
    check_parameters(Question("", [(f"{name}", "") for name in names]))


def _listed(
    call: Call,
    rows: Sequence[Row],
    fields: frozenset[str],
    plain: frozenset[str] = frozenset(),
    base: int | None = None,
) -> Response:
    request = call.request
    question = Question(
        path=request.url.path,
        parameters=request.query_params.multi_items(),
        path_parameters=request.path_params,
        header_query=_header_query(request),
        body_query=call.json(),
    )
    check_parameters(question, plain)
    page = page_of(rows, question, fields, base)
    return KohaAnswer(page.rows, headers=page.headers)


def _header_query(request: Request) -> str | None:
    """Read the header's query; a header's bytes are UTF-8 here, not Latin-1."""
    text = request.headers.get("x-koha-query")
    return None if text is None else text.encode("latin-1").decode("utf-8", "replace")


async def no_such_route(request: Request) -> Response:
    """Note and answer a request for anything else."""
    library: DemoLibrary = request.app.state.library
    library.log.note(request.method, request.url.path, "other").status = 404
    return answers.no_route()


_PATRON = "/patrons/{patron_id}"
ROUTES = (
    KohaRoute("GET", "/", "specification", specification),
    KohaRoute("POST", "/oauth/token", "token", token),
    KohaRoute("GET", "/patrons", "patrons", patrons, _FIND_PATRONS),
    KohaRoute("GET", _PATRON, "patron", patron, {"borrowers": "edit_borrowers"}),
    KohaRoute("GET", f"{_PATRON}/account", "account", account, _READ_ACCOUNT),
    KohaRoute("GET", f"{_PATRON}/account/credits", "credits", credits_, _READ_ACCOUNT),
    KohaRoute("POST", f"{_PATRON}/account/credits", "credits", record_credit, _RECORD),
    KohaRoute("GET", f"{_PATRON}/account/debits", "debits", debits, _READ_ACCOUNT),
    KohaRoute("POST", f"{_PATRON}/account/debits", "debits", record_debit, _RECORD),
    KohaRoute("GET", "/libraries", "libraries", libraries, {"catalogue": 1}),
    KohaRoute(
        "GET",
        "/authorised_value_categories/PAYMENT_TYPE/authorised_values",
        "payment_types",
        payment_types,
        {"catalogue": 1},
    ),
    *plugin_routes.ROUTES,
)
KINDS = frozenset(route.kind for route in ROUTES)


def mount() -> Mount:
    """Mount every route below the base address."""
    rest = Route("/{rest:path}", no_such_route, methods=_METHODS)
    return Mount(BASE, routes=[*[route.route() for route in ROUTES], rest])
