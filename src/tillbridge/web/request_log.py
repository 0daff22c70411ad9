# SPDX-License-Identifier: GPL-3.0-or-later
"""Log and count every request, and give it an id that whatever it sets off is logged with.

Neither the address nor the query is logged, only the route's template: card numbers stand there.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from tillbridge.operation.metrics import Metrics

HEADER = "X-Request-Id"
OTHER_ROUTE, OTHER_METHOD = "other", "OTHER"
"""What is counted for an address where there is nothing, and for a method that nobody knows."""

QUIET = frozenset({"/health", "/ready", "/metrics", "/static/{path:path}"})
"""Routes that machines ask again and again: in the log at debug, as long as they say yes."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SANE = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9._-]{16,64}")
_PAYMENT_ID = re.compile(r"[0-9A-F]{24}")
_NO = 400

Templates = Mapping[Callable[..., Any], str]

_log = structlog.get_logger()


class RequestLog:
    """Stand around the application."""

    def __init__(self, app: ASGIApp, metrics: Metrics, templates: Templates) -> None:
        self._app, self._metrics, self._templates = app, metrics, templates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        # A connection's next request may begin in the context of the one before.
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        answer, started = _Answer(send, request_id), time.perf_counter()
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            answer.status = answer.status or 500
            raise
        finally:
            self._note(scope, answer.status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int | None, seconds: float) -> None:
        route = self._templates.get(scope.get("endpoint"), OTHER_ROUTE)  # type: ignore[arg-type]
        method = scope["method"] if scope["method"] in _METHODS else OTHER_METHOD
        self._metrics.requests.labels(method, route, status or "none").inc()
        if payment_id := _payment_id(scope):
            bind_contextvars(payment_id=payment_id)
        level = _log.debug if route in QUIET and status is not None and status < _NO else _log.info
        level("request", method=method, route=route, status=status, duration_ms=round(seconds * 1000, 1))


class _Answer:
    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)[HEADER] = self._request_id
        await self._send(message)


def templates_of(routes: Sequence[BaseRoute]) -> Templates:
    """Return the template of the route that leads to each endpoint."""
    contexts = iter_route_contexts(routes)
    return {each.endpoint: each.path for each in contexts if each.endpoint is not None and each.path is not None}


def _request_id(scope: Scope) -> str:
    """Return the id that the caller has given the request, if it can be no card number, or a new one."""
    given = Headers(scope=scope).get(HEADER, "")
    return given if _SANE.fullmatch(given) else secrets.token_hex(16)


def _payment_id(scope: Scope) -> str | None:
    """Return the payment's id that the address names; what has another form may be anything."""
    named = scope.get("path_params", {})
    given = str(named.get("payment_id", named.get("invoicenumber", "")))
    return given if _PAYMENT_ID.fullmatch(given) else None
