# SPDX-License-Identifier: GPL-3.0-or-later
"""Give out the script for Koha's pages, and the line that loads it there."""

from __future__ import annotations

import json

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from tillbridge.web.pages import GUARDED, STATIC

routes = APIRouter()

SCRIPT = STATIC / "koha" / "tillbridge.js"
KEPT = {"Cache-Control": "public, max-age=300", "Cross-Origin-Resource-Policy": "cross-origin"}
"""Another site's pages load it; a new version counts there within minutes."""


@routes.get("/koha/tillbridge.js")
async def tillbridge_js() -> Response:
    """Give out the script."""
    return FileResponse(SCRIPT, media_type="text/javascript", headers=GUARDED | KEPT)


def line_for(public_address: str, key: str) -> str:
    """Return the line of IntranetUserJS that loads the script with a page key.

    A newer Koha lets in only scripts that its policy names: this one says that it was let in by the page's own.
    """
    settings = json.dumps({"bridge": public_address, "key": key})
    return (
        f"window.tillbridge = {settings}; "
        'document.head.append(Object.assign(document.createElement("script"), '
        '{src: tillbridge.bridge + "/koha/tillbridge.js", nonce: document.currentScript?.nonce ?? ""}));'
    )
