# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what happened in a run: every step in plain words, and which faults, states and transitions there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import (
    BOOKING,
    COLLECTION,
    CREATED,
    PAID_CLERK,
    Booking,
    Done,
    Heard,
    Reaction,
    Standing,
    advance,
    hear,
)

FAULTS = {
    1: "request lost",
    2: "answer lost",
    3: "till slow",
    4: "report lost",
    5: "report doubled",
    6: "reports reordered",
    7: "report before our own request returned",
    8: "report for an unknown id, another payment, another amount",
    9: "forged, replayed, damaged reports",
    10: "two reports at once",
    11: "double click, two clerks on one patron",
    12: "clerk cancels while the customer pays",
    13: "crash",
    14: "process paused past its lease",
    15: "database away, serialisation failure, disk full",
    16: "booking stored but answer lost",
    17: "library system answers 500 although it booked, or booked without applying",
    18: "library system away for hours",
    19: "charge paid, grown, written off meanwhile",
    20: "patron merged or deleted",
    21: "booking refused",
    22: "partial sums, cash rounding",
    23: "reversal before, during and after booking",
    24: "clock jumps, midnight, summer time",
    25: "odd characters",
    26: "secret rotated, wrong secret, 97, 98, 99",
}
"""The classes of faults of the design, by their numbers."""

NOT_REACHED = frozenset(
    {
        (Booking.REVERSAL_DUE, Done.REVERSAL_STARTED),
        (Booking.REVERSING, Done.REVERSAL_UNCLEAR),
        (Booking.REVERSING, Done.REVERSAL_SEEN),
    }
)
"""Rows for library systems that can be told to take a credit back; Koha over plain REST cannot."""

Row = tuple[Standing, Heard] | tuple[Booking, Done]
ROWS: tuple[Row, ...] = (*COLLECTION, *(row for row in BOOKING if row not in NOT_REACHED))


def name_of(row: Row) -> str:
    """Write a row of a table as a person would."""
    machine = "booking " if isinstance(row[0], Booking) else ""
    return f"{machine}{row[0]} + {row[1]}"


@dataclass
class Telling:
    """Gather the words and the counts of one run."""

    lines: list[tuple[float, str]] = field(default_factory=list)
    faults: Counter[int] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    _seen: set[int] = field(default_factory=set)
    clock: Callable[[], float] = lambda: 0.0

    def say(self, text: str) -> None:
        """Tell what happens."""
        self.lines.append((self.clock(), text))

    def fault(self, number: int, text: str) -> None:
        """Tell that a fault of this class has hit."""
        self.faults[number] += 1
        self.say(f"fault {number} ({FAULTS[number]}): {text}")

    def case(self, number: int, kind: str) -> None:
        """Count an open case, once."""
        if number not in self._seen:
            self._seen.add(number)
            self.cases[kind] += 1

    def events(self, history: Sequence[Event], new: int) -> None:
        """Count the rows that the last `new` events of a payment's history went by."""
        standing = PAID_CLERK if history[0].facts.get("via") == "by_hand" else CREATED
        booking = Booking.NONE
        for n, event in enumerate(history):
            fresh = n >= len(history) - new
            if event.kind in set(Heard):
                row: Row = (standing, Heard(event.kind))
                follows = hear(*row)
                assert isinstance(follows, Standing)  # noqa: S101 - the rules have been checked before
                standing = follows
            elif event.kind in set(Reaction):
                row = (standing, Heard(str(event.facts["heard"])))
            elif event.kind.startswith("booking_"):
                row = (booking, Done(event.kind.removeprefix("booking_")))
                booking = advance(*row)
            else:
                continue
            if fresh:
                self.rows[name_of(row)] += 1
                self.states[str(standing)] += 1
                self.states[f"booking {booking}"] += 1
