# SPDX-License-Identifier: GPL-3.0-or-later
"""Let accounts in as Koha does: OAuth2 client credentials, Basic, and rights (dossier 2, measured.md)."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tillbridge.simulators.library.settings import StaffAccount

Rights = Mapping[str, str | int]
Needs = Rights | Sequence[Rights]
"""What a route asks for: an object means all of it, a list means any one of it."""

_MOST_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class NotLetIn:
    """State that a request is not let in: 401 without a known token, 403 for a wrong password or missing rights."""

    status: int
    error: str
    needs: Needs | None = None


class Doorkeeper:
    """Know the accounts and the tokens that are still good; `clock` counts seconds."""

    def __init__(self, accounts: Sequence[StaffAccount], clock: Callable[[], float]) -> None:
        self._accounts = tuple(accounts)
        self._clock = clock
        self._tokens: dict[str, tuple[StaffAccount, float]] = {}

    def issue(self, client_id: str, client_secret: str, life_s: float) -> str | NotLetIn:
        """Issue a token for `life_s` seconds, or say why not."""
        account = next((one for one in self._accounts if _same(one.client_id, client_id)), None)
        if account is None:
            return NotLetIn(403, "unauthorized_client")
        if not _same(account.client_secret, client_secret):
            return NotLetIn(403, "access_denied")
        token = secrets.token_urlsafe(32)
        self._drop_expired()
        self._tokens[token] = (account, self._clock() + life_s)
        return token

    def forget_tokens(self) -> None:
        """Make every token unknown, as a cleared token store does."""
        self._tokens.clear()

    def who(self, authorization: str | None) -> StaffAccount | NotLetIn:
        """Return the account that an Authorization header proves."""
        scheme, _, value = (authorization or "").partition(" ")
        if scheme.lower() == "bearer":
            return self._by_token(value)
        pair = basic_pair(authorization)
        return NotLetIn(401, "Authentication failure.") if pair is None else self._by_password(*pair)

    def _by_token(self, token: str) -> StaffAccount | NotLetIn:
        account, until = self._tokens.get(token, (None, 0.0))
        if account is None or until <= self._clock():
            return NotLetIn(401, "Authentication failure.")
        return account

    def _by_password(self, userid: str, password: str) -> StaffAccount | NotLetIn:
        for account in self._accounts:
            if _same(account.userid, userid) and account.password and _same(account.password, password):
                return account
        return NotLetIn(403, "Invalid password")

    def _drop_expired(self) -> None:
        now = self._clock()
        alive = [(token, entry) for token, entry in self._tokens.items() if entry[1] > now]
        self._tokens = dict(alive[-_MOST_TOKENS:])


def basic_pair(authorization: str | None) -> tuple[str, str] | None:
    """Read user and password from a Basic header; None where there is none that can be read."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value, validate=True).decode("utf-8")
    except ValueError:
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None


def may(account: StaffAccount, needs: Needs) -> bool:
    """Tell whether the account has the rights."""
    if isinstance(needs, Mapping):
        return all(_holds(account, module, right) for module, right in needs.items())
    return any(may(account, one) for one in needs)


def _holds(account: StaffAccount, module: str, right: str | int) -> bool:
    if module in account.permissions or f"{module}:{right}" in account.permissions:
        return True
    return right == 1 and any(held.startswith(f"{module}:") for held in account.permissions)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
