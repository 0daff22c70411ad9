# SPDX-License-Identifier: GPL-3.0-or-later
"""A lease: the time for which a process may work on a task before another one takes it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Lease:
    """Hold until when a task is this process's; the runner lengthens it, or finds it lost."""

    until: float
    lost: bool = False

    def good_for(self, seconds: float, now: float) -> bool:
        """Tell whether the task surely stays this process's for so long: ask before every write to the outside."""
        return not self.lost and now + seconds < self.until
