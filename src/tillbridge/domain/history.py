# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of a payment: a chain of events in which each carries the SHA-256 of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Event:
    """Record one change: when, by whom, what and why. Holds ids and facts, never names."""

    payment_id: str
    seq: int
    at: float
    actor: str
    kind: str
    facts: Mapping[str, object]
    previous: str

    @property
    def hash(self) -> str:
        """Return the SHA-256 over this event and, through `previous`, over all before it."""
        content = [self.payment_id, self.seq, repr(float(self.at)), self.actor, self.kind, self.facts, self.previous]
        return _sha256(content)


def following(
    last: Event | None, payment_id: str, at: float, actor: str, kind: str, facts: Mapping[str, object]
) -> Event:
    """Return the next event of a payment's chain."""
    if last is None:
        return Event(payment_id, 1, at, actor, kind, facts, GENESIS)
    return Event(payment_id, last.seq + 1, at, actor, kind, facts, last.hash)


def first_break(events: Iterable[tuple[Event, str]]) -> int | None:
    """Return the number of the first event (with its stored hash) that does not fit the chain, or None."""
    previous, expected = GENESIS, 1
    for event, stored in events:
        if event.previous != previous or event.seq != expected or event.hash != stored:
            return expected
        previous, expected = stored, expected + 1
    return None


def seal(previous_seal: str, day: str, heads: Iterable[tuple[str, int, str]]) -> str:
    """Return the day's seal over every chain that grew that day, given as (payment, last seq, last hash)."""
    return _sha256([previous_seal, day, sorted(heads)])


def _sha256(content: object) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
