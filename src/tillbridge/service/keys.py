# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of the programs that call the API: random, shown once, stored as a hash, withdrawn for good.

A key has 256 random bits, so that a plain SHA-256 hides it: there is nothing to guess, and nothing to slow down.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection

from tillbridge.service.administration_port import ApiKey, Scope
from tillbridge.service.ports import Clock
from tillbridge.service.store_port import Store

PREFIX = "tb_"
OWN = "own"
"""The id of the key that the settings name for commands on the bridge's own machine."""

REMEMBERED_S = 1.0
"""How long a key that was found is not asked for again; a withdrawn key is refused after that at the latest."""
MOST_REMEMBERED = 1000


def hash_of(token: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def new_key(
    name: str, scopes: Collection[Scope], branches: Collection[str] | None, at: float, by: str
) -> tuple[str, ApiKey]:
    """Make a key; the first of the two is the secret, which nobody can see again."""
    token = PREFIX + secrets.token_urlsafe(32)
    allowed = None if branches is None else frozenset(branches)
    return token, ApiKey(secrets.token_hex(4), name, hash_of(token), frozenset(scopes), allowed, at, by)


class KeyRing:
    """Find the key that a caller shows."""

    def __init__(self, store: Store, clock: Clock, own: str | None) -> None:
        """Make it; `own` is the secret of the key that the settings name, if they do."""
        self._store, self._clock = store, clock
        self._own = None if own is None else hash_of(own)
        self._remembered: dict[str, tuple[float, ApiKey | None]] = {}

    async def find(self, token: str) -> ApiKey | None:
        """Return the valid key with this secret, or None."""
        shown = hash_of(token)
        if self._own is not None and hmac.compare_digest(shown, self._own):
            return ApiKey(OWN, "the bridge's own", shown, frozenset(Scope), None, 0.0, "settings")
        now = self._clock.now()
        until, key = self._remembered.get(shown, (0.0, None))
        if now >= until:
            key = await self._store.read(lambda tx: tx.api_key_with_hash(shown))
            self._remember(shown, now + REMEMBERED_S, key)
        return key if key is not None and key.withdrawn_at is None else None

    def _remember(self, shown: str, until: float, key: ApiKey | None) -> None:
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[shown] = (until, key)
