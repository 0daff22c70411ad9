# SPDX-License-Identifier: GPL-3.0-or-later
"""Know the way back to a page: after a sign-in, a change of the language or of the person."""

from __future__ import annotations

from fastapi import Request
from starlette.routing import Match

LONGEST_BACK = 4000
"""A page of the library system may name many charges."""

SHOWS = "GET"


def way_back_to(request: Request) -> str:
    """Return the path and query of the page that a request is about; above an address that takes forms alone."""
    path, query = request.url.path, request.url.query
    if request.method != SHOWS:
        return page_above(request)
    whole = f"{path}?{query}" if query else path
    return whole if len(whole) <= LONGEST_BACK else path


def page_above(request: Request) -> str:
    """Return the nearest address that shows a page: this one, or the one above, or the one above that."""
    path = request.url.path
    while path != "/" and not _shown(request, path):
        path = path.rpartition("/")[0] or "/"
    return path


def _shown(request: Request, path: str) -> bool:
    asked = {"type": "http", "method": SHOWS, "path": path, "root_path": "", "headers": []}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)
