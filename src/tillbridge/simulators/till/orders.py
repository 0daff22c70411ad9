# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked over the JSON interface: strict, bounded, and nothing unknown."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tillbridge.simulators.till.autopilot import Autopilot, Habit
from tillbridge.simulators.till.faults import Options, When
from tillbridge.simulators.till.payment import Tender

Seconds = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class AcceptOrder(_Order):
    """Ask to take the money by `method`."""

    method: Tender = "card"


class AutopilotOrder(_Order):
    """Ask for another habit of the autopilot; times in seconds."""

    do: Habit
    after_s: Seconds = 0.05
    method: Tender = "card"
    spread_s: Seconds = 0.0
    cancel_share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0

    def autopilot(self) -> Autopilot:
        """Return the habit."""
        return Autopilot(self.do, self.after_s, self.method, self.spread_s, self.cancel_share)


class FaultOrder(_Order):
    """Ask for a fault.

    `times` None means: once for ``next``, without end for ``all`` and for a payment id.
    """

    target: Annotated[str, Field(alias="for", min_length=1, max_length=64)] = "next"
    kind: Annotated[str, Field(max_length=40)]
    times: Annotated[int, Field(ge=1, le=100_000)] | None = None
    seconds: Seconds | None = None
    minor: Annotated[int, Field(ge=-100_000_000, le=100_000_000)] | None = None
    collected: bool | None = None
    unsigned: bool | None = None
    when: When | None = None
    at_once: bool | None = None

    def options(self) -> Options:
        """Return what refines the fault."""
        return Options(self.seconds, self.minor, self.collected, self.unsigned, self.when, self.at_once)


class TrialReportOrder(_Order):
    """Ask for a report of a payment that never was, to see whether one arrives at `address`."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
    address: Annotated[str, Field(pattern=r"^https?://[^\s@]+$", max_length=2000)]


class TakeBackOrder(_Order):
    """Ask to give the money back; there is nothing to say about it."""


class CancelOrder(_Order):
    """Ask to cancel; there is nothing to say about it."""
