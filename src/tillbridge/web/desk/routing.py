# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the routes of pages say no as pages: in plain words, with what to do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from tillbridge.errors import Declined
from tillbridge.web.api.events import STREAM
from tillbridge.web.desk.back import SHOWS, page_above, way_back_to
from tillbridge.web.desk.live import told
from tillbridge.web.desk.no import explained
from tillbridge.web.desk.visit import GUARDED, Guest, SignInNeeded, Visit, guest_of, visit_of
from tillbridge.web.problems import status_of

NOT_FOUND_STATUS, WRONG_METHOD, TOO_LONG = 404, 405, 413

_log = structlog.get_logger()
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class DeskRoute(APIRoute):
    """Answer what fails with a page."""

    def get_route_handler(self) -> _Handler:
        """Return FastAPI's handler, with what it raises turned into pages."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except SignInNeeded:
                return await _to_sign_in(request)
            except Declined as no:
                return await _no(request, no)
            except RequestValidationError:
                return await _no(request, Declined("wrong_field", "Something in the address or the form is not right."))
            except HTTPException as error:
                if error.status_code != TOO_LONG:
                    raise
                return await _no(request, Declined("form_too_long", "What was sent is too long."))
            except SQLAlchemyError:
                _log.exception("the store failed under a page")
                return await _no(request, Declined("store_unavailable", "The database cannot be used right now."))

        return handle


class DeskRouter(APIRouter):
    """Hold routes of pages, which the description of the API does not name."""

    def __init__(self) -> None:
        super().__init__(route_class=DeskRoute, include_in_schema=False)


async def no_such_page(request: Request, error: Exception) -> Response | None:
    """Answer a person who asks for an address where no page is; None where a program asks.

    An address that takes forms alone, as one that is loaded again, leads to the page above it.
    """
    status = error.status_code if isinstance(error, HTTPException) else 0
    if "text/html" not in request.headers.get("Accept", "") or request.url.path.startswith("/api/"):
        return None
    if status == WRONG_METHOD and request.method == SHOWS:
        return (await guest_of(request, request.app.state.bridge)).go(page_above(request))
    if status != NOT_FOUND_STATUS:
        return None
    return await _no(request, Declined("no_such_page", "There is no such page."))


async def _to_sign_in(request: Request) -> Response:
    guest = await guest_of(request, request.app.state.bridge)
    if request.headers.get("HX-Request"):
        return Response(status_code=204, headers=GUARDED | {"HX-Refresh": "true"})
    if request.headers.get("Accept") == STREAM:
        # A live page that finds back when its session is over: it is to leave as if it had been here all the time.
        return Response(told("gone", ""), headers=GUARDED, media_type=STREAM)
    return RedirectResponse(f"{guest.root}/sign-in?next={quote(way_back_to(request))}", 303, GUARDED)


async def _no(request: Request, no: Declined) -> Response:
    status = status_of(no.code)
    try:
        visit: Guest = await visit_of(request, request.app.state.bridge)
    except (SignInNeeded, SQLAlchemyError):
        visit = await guest_of(request, request.app.state.bridge)
    template = "parts/no.html" if request.headers.get("HX-Request") else "no.html"
    return visit.page(template, status, told=explained(visit.texts, no), signed_in=isinstance(visit, Visit))
