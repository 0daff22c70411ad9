# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cashier who acts by itself shall do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tillbridge.simulators.till.payment import Tender

Habit = Literal["accept", "cancel", "off"]


@dataclass(frozen=True, slots=True)
class Autopilot:
    """Finish every payment `after_s` seconds after it came, plus up to `spread_s` by chance.

    One that accepts cancels `cancel_share` (0 to 1) of the payments nevertheless, by chance.
    """

    do: Habit = "off"
    after_s: float = 0.05
    method: Tender = "card"
    spread_s: float = 0.0
    cancel_share: float = 0.0

    def wait_s(self, chance: float) -> float:
        """Return the time to wait, in seconds, for a chance in 0..1."""
        return self.after_s + chance * self.spread_s

    def accepts(self, chance: float) -> bool:
        """Tell whether a payment is paid, for a chance in 0..1."""
        return self.do == "accept" and chance >= self.cancel_share
