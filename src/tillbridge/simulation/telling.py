# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep what happened in a run: every step in plain words, and which faults, states and transitions there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import (
    CREATED,
    PAID_CLERK,
    Booking,
    Done,
    Heard,
    Reaction,
    Standing,
    advance,
    advance_refund,
    hear,
)
from tillbridge.simulation.reaching import FAULTS, QUIRKS, TABLES, Row, name_of, name_of_state
from tillbridge.simulation.refund_rules import steps_of


@dataclass
class Telling:
    """Gather the words and the counts of one run."""

    lines: list[tuple[float, str]] = field(default_factory=list)
    faults: Counter[int] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    quirks: Counter[str] = field(default_factory=Counter)
    clock: Callable[[], float] = lambda: 0.0

    def say(self, text: str) -> None:
        """Tell what happens."""
        self.lines.append((self.clock(), text))

    def fault(self, number: int, text: str) -> None:
        """Tell that a fault of this class has hit."""
        self.faults[number] += 1
        self.say(f"fault {number} ({FAULTS[number]}): {text}")

    def quirk(self, name: str) -> None:
        """Tell that Koha has done one of the things that it does beside its promises."""
        assert name in QUIRKS  # noqa: S101 - or it would be counted for nothing
        self.quirks[name] += 1
        self.say(f"Koha: {name}")

    @property
    def tables(self) -> dict[str, Counter[str]]:
        """Return the counts as `TABLES` names them."""
        faults = Counter({f"{number} {FAULTS[number]}": count for number, count in self.faults.items()})
        return dict(zip(TABLES, (faults, self.quirks, self.states, self.rows, self.cases), strict=True))

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
                self.states[name_of_state(booking)] += 1
        for n, row in steps_of(history):
            if n >= len(history) - new:
                self.rows[name_of(row)] += 1
                self.states.update({name_of_state(row[0]): 1, name_of_state(advance_refund(*row)): 1})
