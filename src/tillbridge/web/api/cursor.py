# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the place in a list as a short text that a caller hands back, and read it again."""

from __future__ import annotations

import base64
import binascii
import math
import struct

from tillbridge.domain.payment import Payment
from tillbridge.errors import Declined


def cursor_of(payment: Payment) -> str:
    """Return the text that stands for the place behind this payment."""
    raw = struct.pack(">d", payment.created_at) + payment.id.encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def place_of(cursor: str) -> tuple[float, str]:
    """Return the instant and the id that the text stands for; raise Declined for any other text."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        (at,) = struct.unpack(">d", raw[:8])
        payment_id = raw[8:].decode("ascii")
    except (binascii.Error, struct.error, ValueError) as error:
        raise Declined("wrong_cursor", "This is no `next` of a page.") from error
    if not math.isfinite(at) or not payment_id.isalnum():
        raise Declined("wrong_cursor", "This is no `next` of a page.")
    return float(at), payment_id
