# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store keeps of decisions that wait for a second look by another person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Ending(StrEnum):
    """Name how a decision stopped waiting."""

    AGREED = "agreed"
    """Another person agreed, and it was carried out."""
    REFUSED = "refused"
    """Another person said no."""
    WITHDRAWN = "withdrawn"
    """The person took it back."""
    OVERTAKEN = "overtaken"
    """Something else happened first, so that it no longer fits."""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Hold a decision that waits, or has waited, for another person.

    It is about a case, a payment in doubt, or a case with its payment; `action` is one of `resolving.Action`.
    """

    id: int
    case_id: int | None
    payment_id: str | None
    action: str
    person: str
    reason: str
    receipt_number: str | None
    patron_id: str | None
    wished_at: float
    ended_at: float | None = None
    ended_by: str | None = None
    ending: Ending | None = None
    ending_reason: str | None = None


class SecondLooks(Protocol):
    """Keep the decisions that wait; a part of the store's transaction."""

    def add_second_look(self, wish: SecondLook) -> SecondLook:
        """Store a decision that waits, and return it with its number: whatever number it had does not count."""
        ...

    def second_look(self, second_look_id: int) -> SecondLook | None:
        """Read a decision that waits or has waited."""
        ...

    def open_second_looks(self, payment_id: str | None = None, *, case_id: int | None = None) -> tuple[SecondLook, ...]:
        """List the decisions that wait, oldest first: all, or the one of a payment or of a case."""
        ...

    def end_second_look(
        self, second_look_id: int, at: float, by: str, ending: Ending, reason: str | None = None
    ) -> bool:
        """End a decision's waiting; False where another one has ended it."""
        ...
