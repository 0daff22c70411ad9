# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what tills say, as somebody who knows every secret: what was said, who has signed it, and whether it is so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tillbridge.domain.lifecycle import Heard
from tillbridge.simulators.till.wire import message_hash

SECRET, OLD_SECRET, WRONG_SECRET = "new-secret", "old-secret", "wrong-secret"
GOOD = (SECRET, OLD_SECRET)
"""Secrets with which the bridge believes a message: it knows the old one for as long as they are changed."""

REFUSED = 99
MEANS: Mapping[object, Heard] = {1: Heard.TILL_PAID, 0: Heard.TILL_CANCELLED, REFUSED: Heard.TILL_REFUSED}
"""What the statuses mean that tell of an end."""

Message = dict[str, object]


@dataclass(frozen=True, slots=True)
class Said:
    """Hold one outcome that a till has named with proof; `true` where it was so when it was said."""

    heard: Heard
    receipt: str | None
    sum_minor: int | None
    true: bool


def read_message(body: bytes) -> Message | None:
    """Read a message of a till; None where it is damaged, or none at all."""
    try:
        read = json.loads(body)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def signer(message: Message) -> str | None:
    """Return the secret with which a message is signed; None for one that nobody has signed."""
    unsigned = {key: value for key, value in message.items() if key != "Hash"}
    signed = (one for one in (SECRET, OLD_SECRET, WRONG_SECRET) if message_hash(unsigned, one) == message.get("Hash"))
    return next(signed, None)


def outcome_of(message: Message, *, true: bool) -> Said | None:
    """Return the outcome that a message names; None for one that leaves it open."""
    status, receipt = message.get("Status"), message.get("Reference")
    heard = MEANS.get(status) if isinstance(status, int) else None
    return None if heard is None else Said(heard, None if receipt is None else str(receipt), sum_of(message), true)


def sum_of(message: Message) -> int | None:
    """Return the sum that a message names, in cents; only a 3.0 till names one."""
    entries = message.get("Payments")
    if not isinstance(entries, list) or not entries:
        return None
    return sum(int(entry["PaymentSum"]) for entry in entries)
