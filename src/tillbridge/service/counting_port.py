# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store can count of what is not at rest, at a cost that does not grow with what is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tally:
    """Hold how many there are, and the instant at which the oldest of them began."""

    count: int
    oldest_at: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Hold how many tasks of a kind are due and in nobody's hands, since when, and how many are being done."""

    due: int
    due_since: float | None
    leased: int


class Counting(Protocol):
    """Count inside a transaction; what there is none of is left out."""

    def count_undecided(self) -> Mapping[str, Tally]:
        """Count the payments whose collection nobody has decided yet, by its state."""
        ...

    def count_unbooked(self) -> Mapping[str, Tally]:
        """Count the payments whose booking is not at rest, by its state."""
        ...

    def count_open_cases(self) -> Mapping[str, Tally]:
        """Count the open cases by kind."""
        ...

    def count_tasks(self, now: float) -> Mapping[str, Waiting]:
        """Count the tasks that are due or leased at this instant, by kind."""
        ...
