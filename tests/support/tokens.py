# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign tokens as the plugin for Koha does, and as somebody does who should not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from tillbridge.service.library_pages import LibraryPages

SECRET = b"0123456789abcdef" * 4
PREVIOUS = b"fedcba9876543210" * 4
STAFF = "https://koha-staff.example.fi"
ACCOUNT = "/cgi-bin/koha/members/boraccount.pl?borrowernumber={patron}"
PAGES = LibraryPages(STAFF, ACCOUNT, (SECRET, PREVIOUS), {"KIDS": "CPL"})

Json = dict[str, Any]


def look_claims(patron: int = 5, **changes: Any) -> Json:
    """Return what lets a page ask about a patron now."""
    return _common("look") | {"library": "CPL", "patron": {"id": patron}} | changes


def pay_claims(**changes: Any) -> Json:
    """Return what hands a payment of two charges over."""
    claims = {
        "staff": {"id": 17, "userid": "anna", "name": "Anna Aalto"},
        "library": "CPL",
        "register": 2,
        "patron": {"id": 5, "card": "C1", "name": "Äijä Mäkinen", "restricted": False},
        "currency": "EUR",
        "lines": [
            {"id": 1, "type": "OVERDUE", "description": "Sinuhe", "owed": "3.000000", "amount": "3.00"},
            {"id": 2, "type": "LOST", "description": "Pohjantähti", "owed": "4.00", "amount": "4.00"},
        ],
        "amount": "7.00",
        "from": "paycollect",
    }
    return _common("pay") | claims | changes


def token_of(claims: Mapping[str, Any], secret: bytes = SECRET, **head: Any) -> str:
    """Sign claims; `head` changes the header, in which None takes a member out."""
    kid = hashlib.sha256(secret).hexdigest()[:8]
    said = {"alg": "HS256", "typ": "JWT", "kid": kid} | head
    parts = [{name: value for name, value in said.items() if value is not None}, claims]
    signed = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def encoded(raw: bytes) -> str:
    """Write bytes as a token has them."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _common(scope: str) -> Json:
    now = int(time.time())
    jti = secrets.token_hex(16)
    return {"iss": STAFF, "aud": "tillbridge", "iat": now, "exp": now + 90, "jti": jti, "scope": scope}
