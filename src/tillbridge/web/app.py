# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the web application of a bridge."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tillbridge import __version__
from tillbridge.composition import Bridge
from tillbridge.errors import Declined
from tillbridge.web.api import api
from tillbridge.web.bodies import BoundedBodies
from tillbridge.web.reports import reports

NOT_FOUND = frozenset({"no_such_payment", "no_such_case", "no_such_patron", "no_such_branch", "no_such_register"})
HTTP_CODES = {
    400: "unreadable",
    401: "key_needed",
    404: "no_such_route",
    405: "wrong_method",
    408: "body_too_slow",
    413: "body_too_long",
}
CONFLICT = frozenset({"claimed", "changed", "decided", "not_unknown", "not_at_register", "not_blocked", "receipt_used"})


def make_app(bridge: Bridge) -> FastAPI:
    """Put the routes of a bridge together."""
    # FastAPI's own pages about the API load their scripts from elsewhere: the document alone is served.
    app = FastAPI(title="Tillbridge", version=__version__, docs_url=None, redoc_url=None)
    app.state.bridge = bridge
    app.include_router(api)
    app.include_router(reports)
    app.add_middleware(BoundedBodies)
    app.add_exception_handler(Declined, _declined)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


async def _declined(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Declined)  # noqa: S101 - it is registered for nothing else
    problem = {"type": "about:blank", "title": error.message, "code": error.code, **error.facts}
    return JSONResponse(problem, _status(error.code), media_type="application/problem+json")


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    code = HTTP_CODES.get(error.status_code, "http")
    problem = {"type": "about:blank", "title": error.detail, "code": code}
    return JSONResponse(problem, error.status_code, error.headers, media_type="application/problem+json")


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for nothing else
    wrong = [{"where": ".".join(str(part) for part in each["loc"]), "what": each["msg"]} for each in error.errors()]
    problem = {"type": "about:blank", "title": "The request is not of the right form.", "code": "form", "wrong": wrong}
    return JSONResponse(problem, 422, media_type="application/problem+json")


def _status(code: str) -> int:
    if code in NOT_FOUND:
        return 404
    if code in CONFLICT:
        return 409
    return 503 if code == "library_unavailable" else 422
