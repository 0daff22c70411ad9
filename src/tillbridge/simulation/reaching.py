# SPDX-License-Identifier: GPL-3.0-or-later
"""What a campaign has to reach: faults, quirks of Koha, states, transitions and kinds of cases; and what it cannot."""

from __future__ import annotations

from collections.abc import Mapping

from tillbridge.domain.lifecycle import (
    BOOKING,
    COLLECTION,
    REFUND,
    STANDINGS,
    Booking,
    Done,
    Heard,
    RefundState,
    RefundStep,
    Standing,
)
from tillbridge.service.store_port import CaseKind

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


QUIRKS = (
    "two credits at once: deadlock, the bridge's is answered 500",
    "two credits at once: deadlock, the other one is answered 500",
    "two credits at once: lost update",
    "two credits at once: both recorded",
    "Koha's own button meets the bridge's credit",
    "another bridge meets the bridge's credit",
    "answered 500, credit kept and applied",
    "answered 500, credit kept and not applied",
    "answered 201, credit not applied",
    "money spills over to another charge",
    "a worker is replaced, and all wait",
)
"""What a measured Koha does beside its promises."""

Row = tuple[Standing, Heard] | tuple[Booking, Done] | tuple[RefundState, RefundStep]
ROWS: tuple[Row, ...] = (*COLLECTION, *BOOKING, *REFUND)


def name_of(row: Row) -> str:
    """Write a row of a table as a person would."""
    return f"{name_of_state(row[0])} + {row[1]}"


def name_of_state(state: Standing | Booking | RefundState) -> str:
    """Write a state with the machine that it belongs to."""
    match state:
        case Booking():
            return f"booking {state}"
        case RefundState():
            return f"refund {state}"
        case Standing():  # the last case
            return str(state)


NOT_REACHED: Mapping[str, str] = {}
"""What no seed reaches, each with its reason; there are no other exceptions."""

TABLES: Mapping[str, tuple[str, ...]] = {
    "Faults that hit": tuple(f"{number} {name}" for number, name in FAULTS.items()),
    "Quirks of Koha that were met": QUIRKS,
    "States reached": tuple(map(name_of_state, (*STANDINGS, *Booking, *RefundState))),
    "Transitions taken": tuple(map(name_of, ROWS)),
    "Open cases": tuple(map(str, CaseKind)),
}
"""Everything that is counted, by table."""
