# SPDX-License-Identifier: GPL-3.0-or-later
"""Say no over HTTP, in the form of RFC 9457, with a stable code for programs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from structlog.contextvars import get_contextvars

from tillbridge.errors import Declined

NOT_FOUND = frozenset(
    {
        *("no_such_payment", "no_such_case", "no_such_patron", "no_such_branch", "no_such_register"),
        "no_such_page",  # of the pages alone
        *("no_such_version", "no_such_second_look", "no_such_person", "no_such_refund", "no_such_hand_over"),
    }
)
HTTP_CODES = {
    400: "unreadable",
    401: "key_needed",
    404: "no_such_route",
    405: "wrong_method",
    408: "body_too_slow",
    413: "body_too_long",
    500: "failed",
    503: "store_unavailable",
}
CONFLICT = frozenset(
    {
        *("claimed", "decided", "not_unknown", "not_at_register", "not_blocked", "receipt_used"),
        *("second_look_waits", "overtaken", "person_exists", "last_administrator"),
        *("refund_waits", "refund_decided", "not_refundable", "cannot_refund"),
        # Of the pages alone.
        *("no_receipt", "switch_changed", "map_changed"),
    }
)
FORBIDDEN = frozenset(
    {
        *("scope_missing", "branch_not_allowed", "own_decision", "not_own_decision"),
        # Of the pages alone.
        *("not_allowed", "other_branch", "foreign_page", "stale_page", "wrong_password", "map_for_all"),
        *("switched_off", "account_of_library", "no_password_here"),
    }
)
ONE_OF_A_KIND = {"idempotency_key_reused": 400, "too_many_requests": 429, "bad_token": 401, "token_expired": 401}
AWAY = frozenset({"library_unavailable", "store_unavailable"})
WRONG_FORM = "form"
_WRONG_METHOD = 405


class Problem(BaseModel):
    """Say why not: `title` for people, `code` for programs; some codes bring facts of their own."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str


def problem_of(declined: Declined) -> tuple[int, dict[str, Any]]:
    """Return the status and the body in which a use case's no is told."""
    status = status_of(declined.code)
    return status, problem_body(status, declined.message, declined.code, declined.facts)


def status_of(code: str) -> int:
    """Return the HTTP status that goes with a use case's code."""
    if code in NOT_FOUND:
        return 404
    if code in CONFLICT:
        return 409
    if code in FORBIDDEN:
        return 403
    if code in ONE_OF_A_KIND:
        return ONE_OF_A_KIND[code]
    return 503 if code in AWAY else 422


Page = Callable[[Request, Exception], Awaitable[Response | None]]


def add_problems(app: FastAPI, page: Page) -> None:
    """Let the application tell every error in this form; `page` may answer people with a page instead."""

    async def refused(request: Request, error: Exception) -> Response:
        return await page(request, error) or await _refused(request, error)

    app.add_exception_handler(Declined, _declined)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(SQLAlchemyError, _away)
    app.add_exception_handler(Exception, _failed)


def problem(status: int) -> dict[int | str, dict[str, Any]]:
    """Describe in OpenAPI the problem that goes with a status."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _SAYS[status], "content": content, "headers": _HEADERS.get(status, {})}}


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe in OpenAPI which problems a route may answer, beside those that any route may."""
    always = (400, 401, 403, 408, 413, 422, 500, 503)
    return {key: value for status in sorted({*always, *statuses}) for key, value in problem(status).items()}


_SAYS = {
    400: "The body cannot be read, or the idempotency key was used for another request.",
    401: "The key is missing or wrong.",
    403: "The key does not allow it.",
    404: "There is no such thing.",
    408: "The body took too long to arrive.",
    409: "What is there stands in the way.",
    413: "The body is too long.",
    422: "The request is not of the right form, or cannot be done.",
    500: "The bridge itself has failed.",
    503: "The library system or the database cannot be asked right now.",
}

_HEADERS = {
    401: {"WWW-Authenticate": {"description": "Bearer.", "required": True, "schema": {"const": "Bearer"}}},
    503: {"Retry-After": {"description": "After how many seconds.", "schema": {"type": "integer", "minimum": 1}}},
}


def problem_body(status: int, title: str, code: str, facts: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a problem as it is told."""
    return {"type": "about:blank", "title": title, "status": status, "code": code, **(facts or {})}


def _response(problem: dict[str, Any], headers: Any = None) -> JSONResponse:
    return JSONResponse(problem, problem["status"], headers, media_type="application/problem+json")


async def _declined(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Declined)  # noqa: S101 - it is registered for nothing else
    return _response(problem_of(error)[1])


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for nothing else
    code = HTTP_CODES.get(error.status_code, "http")
    headers = _allowed(request) if error.status_code == _WRONG_METHOD else None
    return _response(problem_body(error.status_code, error.detail, code), headers or error.headers)


def _allowed(request: Request) -> dict[str, str] | None:
    """Name all methods of a described address: the routing names those of the first of its routes alone."""
    for path, methods in request.app.openapi()["paths"].items():
        if compile_path(path)[0].match(request.scope["path"]):
            return {"Allow": ", ".join(method.upper() for method in methods)}
    return None


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for nothing else
    wrong = [{"where": ".".join(str(part) for part in each["loc"]), "what": each["msg"]} for each in error.errors()]
    return _response(problem_body(422, "The request is not of the right form.", WRONG_FORM, {"wrong": wrong}))


async def _away(_request: Request, _error: Exception) -> JSONResponse:
    """Tell that the database is away; whether something was stored is not known, so that nothing is promised."""
    title = "The database cannot be used right now. Look whether it was done before you try again."
    return _response(problem_body(503, title, HTTP_CODES[503]), {"Retry-After": "5"})


async def _failed(_request: Request, _error: Exception) -> JSONResponse:
    """Tell that the bridge itself has failed; the log has more under the request's id."""
    title = "The bridge failed at this. Look whether it was done before you try again."
    headers = {name: value for name, value in {"X-Request-Id": get_contextvars().get("request_id")}.items() if value}
    return _response(problem_body(500, title, HTTP_CODES[500]), headers)
