# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the key of a program that calls the API.

Both are coroutines on purpose: FastAPI would run plain functions on threads.
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Header, HTTPException, Request

from tillbridge.composition import Bridge


async def bridge_of(request: Request) -> Bridge:
    """Return the bridge that answers."""
    bridge: Bridge = request.app.state.bridge
    return bridge


async def need_key(
    bridge: Annotated[Bridge, Depends(bridge_of)], authorization: Annotated[str | None, Header()] = None
) -> None:
    """Let only callers with the key through (``Authorization: Bearer …``)."""
    scheme, _, given = (authorization or "").partition(" ")
    # A header's bytes come as Latin-1; the key may be any text.
    right = hmac.compare_digest(given.strip().encode("latin-1"), bridge.api_key.encode())
    if scheme.lower() != "bearer" or not right:
        raise HTTPException(401, "A key is needed: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})


TheBridge = Annotated[Bridge, Depends(bridge_of)]
