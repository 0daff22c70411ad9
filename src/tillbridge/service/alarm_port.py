# SPDX-License-Identifier: GPL-3.0-or-later
"""The port to the channels of alarms: what a message says, and who carries it to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tillbridge.domain.money import Money


@dataclass(frozen=True, slots=True)
class CaseNews:
    """Hold what people are told of an open case: no names, no card numbers, no notes.

    `words` says what has happened, `to_do` what to do about it. A case that belongs to no payment has no amount.
    """

    case_id: int
    kind: str
    words: str
    to_do: str
    opened_at: float
    age_s: int
    payment_id: str | None = None
    branch: str | None = None
    register: str | None = None
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class AlarmMessage:
    """Hold all that goes out over a channel at once; without cases it is a test. `bridge` is its public address."""

    bridge: str
    at: float
    cases: tuple[CaseNews, ...] = ()


class Channel(Protocol):
    """Carry messages to people."""

    async def tell(self, message: AlarmMessage) -> str | None:
        """Deliver a message; return None, or in plain words why it is not delivered, as far as one can know."""
        ...


@dataclass(frozen=True, slots=True)
class Alarms:
    """Hold the channels by name, and the address that messages lead to."""

    bridge: str = ""
    channels: Mapping[str, Channel] = field(default_factory=dict)
