# SPDX-License-Identifier: GPL-3.0-or-later
"""Believe a token of the library system's plugin: a JWT (RFC 7519) that is signed with HS256 and nothing else.

One form is taken, compared as it stands. There is no choice of algorithms that a sender could make, so none can be
talked into another one (RFC 8725, 2.1 and 3.1).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tillbridge.errors import Declined
from tillbridge.service.library_pages import LibraryPages

AUDIENCE = "tillbridge"
LONGEST = 60_000
LONGEST_HEAD = 400
LEEWAY_S = 10
"""How far the two machines' clocks may be apart."""
LONGEST_LIFE_S = 600

_WHOLE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})")


def verified(token: str, pages: LibraryPages, now: float) -> Mapping[str, Any]:
    """Return the claims of a token that is signed with one of the secrets, for us, by these pages, and counts now.

    Raise Declined (`token_expired`, `bad_token`), which tells the sender no more than that.
    """
    found = _WHOLE.fullmatch(token) if len(token) <= LONGEST else None
    if found is None:
        raise _no()
    head, body, signature = found.groups()
    right = signature_of(f"{head}.{body}", _secret_of(head, pages.secrets))
    if not hmac.compare_digest(right, _bytes_of(signature)):
        raise _no()
    claims = _object_of(body)
    if claims.get("aud") != AUDIENCE or claims.get("iss") != pages.address:
        raise _no()
    _need_time(claims.get("iat"), claims.get("exp"), now)
    return claims


def signature_of(signed: str, secret: bytes) -> bytes:
    """Return the signature (HS256, RFC 7518, 3.2) of a token's first two parts."""
    return hmac.new(secret, signed.encode("ascii"), hashlib.sha256).digest()


def key_id(secret: bytes) -> str:
    """Return by which name a token says that it is signed with this secret."""
    return hashlib.sha256(secret).hexdigest()[:8]


def _secret_of(head: str, secrets: Iterable[bytes]) -> bytes:
    """Return the secret that a header names; it may say nothing that we would have to obey (`crit`, another `alg`)."""
    said = _object_of(head) if len(head) <= LONGEST_HEAD else {}
    if said.keys() - {"alg", "typ", "kid"} or said.get("alg") != "HS256" or said.get("typ", "JWT") != "JWT":
        raise _no()
    named = [secret for secret in secrets if said.get("kid") == key_id(secret)]
    if not named:
        raise _no()
    return named[0]


def _need_time(issued: object, ends: object, now: float) -> None:
    # A number that is no whole one, and True, are none.
    if type(issued) is not int or type(ends) is not int:
        raise _no()
    if not 0 < ends - issued <= LONGEST_LIFE_S or issued > now + LEEWAY_S:
        raise _no()
    if ends <= now - LEEWAY_S:
        raise Declined("token_expired", "This was sent too late. Press the button in the library system again.")


def _object_of(part: str) -> dict[str, Any]:
    try:
        read = json.loads(_bytes_of(part))
    except (ValueError, RecursionError):
        raise _no() from None
    if not isinstance(read, dict):
        raise _no()
    return read


def _bytes_of(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise _no() from None


def _no() -> Declined:
    return Declined("bad_token", "This does not come from the library system's page, or its secret is not known here.")
