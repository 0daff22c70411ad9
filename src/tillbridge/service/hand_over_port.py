# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept of a hand-over from the library system's own page: that its token was taken, and what it led to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from tillbridge.service.people_port import Person


@dataclass(frozen=True, slots=True)
class HandOver:
    """Hold a hand-over. `content` is what the token says, "" once its payment has begun or its time is over."""

    id: str
    at: float
    person_id: str
    content: str = field(repr=False)
    payment_id: str | None = None


class HandOvers(Protocol):
    """Read and write these inside a transaction. One that writes holds the hand-over that it reads until its end."""

    def add_hand_over(self, hand_over: HandOver) -> bool:
        """Store a new one; False where there is one with this id already."""
        ...

    def hand_over(self, hand_over_id: str) -> HandOver | None:
        """Read one."""
        ...

    def end_hand_over(self, hand_over_id: str, payment_id: str) -> None:
        """Store which payment it has begun, and erase what it said."""
        ...

    def erase_hand_overs(self, before: float) -> None:
        """Erase what the hand-overs from before this instant said."""
        ...

    def person_from(self, origin: str, origin_id: str) -> Person | None:
        """Find the account that comes from another system by its id there, withdrawn or not."""
        ...
