# SPDX-License-Identifier: GPL-3.0-or-later
"""Witness every event that has become durable: one line in the log, and one more in the metrics.

What a person said or is called is not passed on, nor anything else that is not named here: an event's reason is free
text, and so is the receipt number that a clerk has typed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import CREATED, PAID_CLERK
from tillbridge.operation.metrics import Metrics

MACHINES = frozenset({"till", "bridge", "library"})
PERSON = "person"
WARNINGS = frozenset({"lost", "contradiction", "booking_block"})
"""Events after which a person is needed, or soon may be."""

BY_HAND = "by_hand"
_BOOKING = "booking_"
_PASSED_ON = ("to", "via", "heard", "case", "branch")
_RECEIPT = re.compile(r"(?=.*\d)[\w./:-]{1,60}")

_log = structlog.get_logger()


class Witness:
    """Be told what the store has committed."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def __call__(self, events: Sequence[Event]) -> None:
        """Log and count; raise nothing, for the store waits."""
        for event in events:
            with contextlib.suppress(Exception):
                self._count(event)
            with contextlib.suppress(Exception):
                level = _log.warning if event.kind in WARNINGS else _log.info
                level("payment", **line_of(event))

    def _count(self, event: Event) -> None:
        change = change_of(event)
        if change is None:
            return
        if change.booking:
            self._metrics.bookings.labels(change.to).inc()
        else:
            self._metrics.collections.labels(change.to, change.by).inc()


@dataclass(frozen=True, slots=True)
class Change:
    """Name the state that an event has led to, of the collection or of the booking, and whose word it rests on."""

    to: str
    by: str = ""
    booking: bool = False


def change_of(event: Event) -> Change | None:
    """Return the change of state that an event tells of, if it does."""
    if event.kind == "created":
        # What was taken by hand begins as paid.
        standing = str(PAID_CLERK if event.facts.get("via") == BY_HAND else CREATED)
    elif "to" in event.facts:
        standing = str(event.facts["to"])
    else:
        return None
    state, _, by = standing.partition(" by ")
    return Change(state, by, event.kind.startswith(_BOOKING))


def line_of(event: Event) -> dict[str, object]:
    """Return what the log says of an event."""
    line: dict[str, object] = {"payment_id": event.payment_id, "seq": event.seq, "kind": event.kind}
    line |= {name: event.facts[name] for name in _PASSED_ON if name in event.facts}
    if _RECEIPT.fullmatch(receipt := str(event.facts.get("receipt", ""))):
        line["receipt"] = receipt
    return line | {"actor": event.actor if event.actor in MACHINES else PERSON}
