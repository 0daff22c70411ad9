# SPDX-License-Identifier: GPL-3.0-or-later
"""Know which program calls, and what its key lets it do.

All of these are coroutines on purpose: FastAPI would run plain functions on threads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from structlog.contextvars import bind_contextvars

from tillbridge.composition import Bridge
from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined
from tillbridge.service.administration_port import ApiKey, Scope

_bearer = HTTPBearer(auto_error=False, description="A key that `tillbridge key add` has made.")


async def bridge_of(request: Request) -> Bridge:
    """Return the bridge that answers."""
    bridge: Bridge = request.app.state.bridge
    return bridge


TheBridge = Annotated[Bridge, Depends(bridge_of)]
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def caller_of(bridge: TheBridge, shown: Shown) -> ApiKey:
    """Return the key that the caller shows (``Authorization: Bearer …``); 401 without a valid one."""
    key = None
    if shown is not None:
        # A header's bytes come as Latin-1; the key may be any text.
        key = await bridge.keys.find(shown.credentials.strip().encode("latin-1").decode("utf-8", "surrogateescape"))
    if key is None:
        raise HTTPException(401, "A key is needed: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
    bind_contextvars(key_id=key.id)
    return key


def allowed_to(*scopes: Scope) -> Callable[[ApiKey], Awaitable[ApiKey]]:
    """Make a dependency that lets only keys with one of these scopes through."""

    async def check(caller: Annotated[ApiKey, Depends(caller_of)]) -> ApiKey:
        if caller.scopes.isdisjoint(scopes):
            needed = " or ".join(scopes)
            raise Declined("scope_missing", f"This key does not allow it: the scope {needed} is needed.")
        return caller

    return check


Reader = Annotated[ApiKey, Depends(allowed_to(Scope.READ))]
Payer = Annotated[ApiKey, Depends(allowed_to(Scope.PAY))]
ReaderOrPayer = Annotated[ApiKey, Depends(allowed_to(Scope.READ, Scope.PAY))]
Resolver = Annotated[ApiKey, Depends(allowed_to(Scope.RESOLVE))]
Administrator = Annotated[ApiKey, Depends(allowed_to(Scope.SETTINGS))]
Observer = Annotated[ApiKey, Depends(allowed_to(Scope.METRICS))]


def need_branch(caller: ApiKey, branch: str) -> None:
    """Raise Declined where the key is not for this branch."""
    if caller.branches is not None and branch not in caller.branches:
        raise Declined("branch_not_allowed", f"This key is not for branch {branch}.")


def visible(caller: ApiKey, payment: Payment | None) -> Payment:
    """Return the payment; raise Declined where there is none, or none that this key may see."""
    if payment is None or (caller.branches is not None and payment.branch not in caller.branches):
        raise Declined("no_such_payment", "There is no such payment.")
    return payment
