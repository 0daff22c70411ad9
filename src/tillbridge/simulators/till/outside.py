# SPDX-License-Identifier: GPL-3.0-or-later
"""The clock, the numbers and the chance that the simulator uses: replaceable, so that tests are deterministic."""

from __future__ import annotations

import itertools
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


def wall_clock() -> datetime:
    """Return the time at the counter: local, with its offset."""
    return datetime.now().astimezone()


def numbered_receipts(prefix: str = "K", first: int = 1) -> Callable[[], str]:
    """Return a source of receipt numbers: K000001, K000002 and so on."""
    numbers = itertools.count(first)
    return lambda: f"{prefix}{next(numbers):06}"


def strange_id() -> str:
    """Return a payment id that nobody has sent: 24 upper-case hex digits."""
    return secrets.token_hex(12).upper()


@dataclass(frozen=True, slots=True)
class Outside:
    """Bundle what comes from outside: `now` is aware of its offset, `chance` lies in 0..1."""

    now: Callable[[], datetime] = wall_clock
    receipt_number: Callable[[], str] = field(default_factory=numbered_receipts)
    other_id: Callable[[], str] = strange_id
    chance: Callable[[], float] = random.random
