# SPDX-License-Identifier: GPL-3.0-or-later
"""Show Koha who the bridge is: by OAuth2 client credentials, or by Basic (dossier 2)."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

from tillbridge.libraries.koha.replies import Unexpected, json_of, koha_error, why_of
from tillbridge.libraries.koha.transport import NotAsked, Outcome, Reply, Transport, Unanswered

_TOKEN_PATH = "/api/v1/oauth/token"  # noqa: S105 - a path, no secret
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}  # measured: JSON is answered 400
_MARGIN_S = 60
_LONGEST_TOKEN = 4096


class Access(Protocol):
    """Give the value of the header ``Authorization``."""

    renews: bool
    """Whether asking again after a 401 can bring another value."""

    async def authorization(self, refused: str | None = None) -> str | NotAsked:
        """Return the value, a fresh one if the last was `refused`; `NotAsked` tells why there is none."""
        ...

    async def close(self) -> None:
        """End what is under way."""
        ...


class Basic:
    """Show a user and a password with every request."""

    renews = False

    def __init__(self, user: str, password: str) -> None:
        self._value = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")

    async def authorization(self, refused: str | None = None) -> str | NotAsked:  # noqa: ARG002 - the port's
        """Return the same value always."""
        return self._value

    async def close(self) -> None:
        """Do nothing: nothing is ever under way."""


@dataclass(frozen=True, slots=True)
class _Token:
    authorization: str = field(repr=False)
    renew_at: float


class Tokens:
    """Fetch a token (it lives 3600 s and has no refresh) and renew it before it ends, or when it is refused.

    However many payments need one at once, one request is under way, and all of them share what it brings.
    """

    renews = True

    def __init__(self, transport: Transport, client_id: str, secret: str) -> None:
        self._transport = transport
        self._form = urlencode(
            {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        ).encode("ascii")
        self._token: _Token | None = None
        self._renewal: asyncio.Task[str | NotAsked] | None = None

    async def authorization(self, refused: str | None = None) -> str | NotAsked:
        """Return a token that is not the refused one, asking for it where needed."""
        token = self._token
        if token is not None and token.authorization != refused and _now() < token.renew_at:
            return token.authorization
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renewed())
        return await asyncio.shield(self._renewal)  # one payment that is given up must not end it for all

    async def close(self) -> None:
        """Wait for the request under way; the transport, closed before, has made it short."""
        if self._renewal is not None:
            await asyncio.wait({self._renewal})  # a name that was being looked up ends in a cancellation

    async def _renewed(self) -> str | NotAsked:
        self._token = None
        asked_at = _now()
        token = _token_of(await self._transport.write(_TOKEN_PATH, self._form, _FORM), asked_at)
        if isinstance(token, NotAsked):
            return token
        self._token = token
        return token.authorization


def _now() -> float:
    return asyncio.get_running_loop().time()


def _token_of(outcome: Outcome, asked_at: float) -> _Token | NotAsked:
    match outcome:
        case NotAsked():
            return outcome
        case Unanswered(why):
            return NotAsked(f"Koha gave no token: {why}")
        case Reply(status=200):
            return _read_token(outcome, asked_at)
        case Reply():
            return NotAsked(_why_no_token(outcome))


def _read_token(reply: Reply, asked_at: float) -> _Token | NotAsked:
    try:
        match json_of(reply):
            case {"access_token": str(token), "expires_in": int(lives_s)} if _is_token(token):
                margin_s = min(_MARGIN_S, lives_s // 10)
                return _Token(f"Bearer {token}", asked_at + max(0, min(lives_s - margin_s, 86_400)))
    except Unexpected:
        pass
    return NotAsked("what Koha gave as a token is none")


def _is_token(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_TOKEN and text.isascii() and text.isprintable()


def _why_no_token(reply: Reply) -> str:
    error = koha_error(reply)
    match reply.status, error:
        case 403, error if error is not None:
            return f"Koha does not accept client_id and its secret ({error.text})"
        case 400, error if error is not None:
            return f"Koha gives no tokens ({error.text}): is RESTOAuth2ClientCredentials on?"
        case _:
            return f"Koha gave no token: {why_of(reply)}"
