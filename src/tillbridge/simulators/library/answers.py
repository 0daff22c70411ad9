# SPDX-License-Identifier: GPL-3.0-or-later
"""Write Koha's answers, errors in their several recorded forms, and the answer that never comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tillbridge.simulators.library.auth import NotLetIn
from tillbridge.simulators.library.json_text import write_json

ABORT = "tillbridge.abort"
"""The key in the ASGI scope's extensions under which the demo library's server offers to cut the connection."""

_BEFORE_THE_ROUTE = "application/json; charset=utf8"
_BY_THE_ROUTE = "application/json;charset=UTF-8"


class KohaAnswer(Response):
    """Answer JSON with decimals; `early` answers come from before the route and spell their type differently."""

    def __init__(
        self, content: object, status: int = 200, headers: Mapping[str, str] | None = None, *, early: bool = False
    ) -> None:
        kind = _BEFORE_THE_ROUTE if early else _BY_THE_ROUTE
        raw = write_json(content).encode("utf-8", "replace")
        super().__init__(raw, status, {**(headers or {}), "content-type": kind})


class Dropped(Response):
    """Answer nothing: cut the connection."""

    def __init__(self) -> None:
        super().__init__(status_code=500)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Abort the connection and wait until it is gone; a foreign server can only answer 500."""
        abort = scope.get("extensions", {}).get(ABORT)
        if abort is None:
            await super().__call__(scope, receive, send)
            return
        abort()
        while (await receive())["type"] != "http.disconnect":
            pass


def crash(headers: Mapping[str, str] | None = None) -> KohaAnswer:
    """Answer the 500 that says nothing."""
    error = "Something went wrong, check Koha logs for details."
    return KohaAnswer({"error": error, "error_code": "internal_server_error"}, 500, headers)


def not_let_in(reason: NotLetIn) -> KohaAnswer:
    """Answer 401 or 403; a wrong password comes with rights that are null."""
    body: dict[str, object] = {"error": reason.error}
    if reason.status == 403:  # noqa: PLR2004 - the recorded forms differ by status
        body["required_permissions"] = reason.needs
    return KohaAnswer(body, reason.status, early=True)


def forbidden(needs: object) -> KohaAnswer:
    """Answer 403 with the rights that would be needed."""
    error = "Authorization failure. Missing required permission(s)."
    return KohaAnswer({"error": error, "required_permissions": needs}, 403, early=True)


def no_token(reason: NotLetIn) -> KohaAnswer:
    """Answer that no token is given out."""
    return KohaAnswer({"error": reason.error}, reason.status)


def malformed(names: Sequence[str]) -> KohaAnswer:
    """Answer 400 for unknown parameters, with a bare list."""
    errors = [{"message": "Malformed query string", "path": f"/query/{name}"} for name in names]
    return KohaAnswer(errors, 400, early=True)


def invalid(complaints: Sequence[tuple[str, str]]) -> KohaAnswer:
    """Answer 400 in the validator's form."""
    errors = [{"message": message, "path": path} for path, message in complaints]
    return KohaAnswer({"errors": errors, "status": 400}, 400)


def no_embedding() -> KohaAnswer:
    """Answer 400 where something is to be embedded."""
    return KohaAnswer("Embedding objects is not allowed on this endpoint.", 400, early=True)


def no_route() -> KohaAnswer:
    """Answer 404 for a route that does not exist."""
    return KohaAnswer({"errors": [{"message": "Not Found.", "path": "/"}], "status": 404}, 404)


def no_patron() -> KohaAnswer:
    """Answer 404 for a patron that does not exist."""
    return KohaAnswer({"error": "Patron not found."}, 404)


def unavailable() -> KohaAnswer:
    """Answer 503 as a Koha that is being upgraded (the wording was not recorded)."""
    return KohaAnswer({"error": "System is under maintenance."}, 503, early=True)


_REASONS = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


def from_a_proxy(status: int) -> Response:
    """Answer an error with a page of HTML, as the proxy in front of Koha does."""
    text = f"<html><head><title>{status} {_REASONS[status]}</title></head><body>{_REASONS[status]}</body></html>\n"
    return Response(text, status, media_type="text/html")
