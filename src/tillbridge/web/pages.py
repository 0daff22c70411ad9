# SPDX-License-Identifier: GPL-3.0-or-later
"""Serve pages and what they are made of, from our own files alone."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

pages = APIRouter(include_in_schema=False)

STATIC = Path(__file__).parent / "static"

GUARDED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page about the API may load, and whom it may talk to: ourselves. Swagger UI needs no more."""

DAY_S = 86_400

_files = StaticFiles(directory=STATIC)


@pages.get("/api")
async def api_page() -> Response:
    """Show the OpenAPI document."""
    return FileResponse(STATIC / "api" / "page.html", headers=GUARDED | {"Content-Security-Policy": POLICY})


@pages.get("/static/{path:path}")
async def static(path: str, request: Request) -> Response:
    """Give out a file that a page needs."""
    response = await _files.get_response(path, request.scope)
    # Pages name the version that they need, so that a new one is fetched anew.
    kept = {"Cache-Control": f"public, max-age={DAY_S}"} if "v" in request.query_params else {}
    response.headers.update(GUARDED | kept)
    return response
