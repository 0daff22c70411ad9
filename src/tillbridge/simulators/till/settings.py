# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated register server is told at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tillbridge.simulators.till.autopilot import Autopilot
from tillbridge.simulators.till.wire import Order

ApiVersion = Literal["2.0", "3.0"]
"""What the server's own messages look like.

``2.0``: Source, Id, Status, Reference. ``3.0``: Id, Status, Reference, in answers Action and in reports the list
Payments, which the hash covers (dossier 3.4, 4.1, 4.2). A request may name any version.
"""


@dataclass(frozen=True, slots=True)
class TillSettings:
    """Describe the one account (`source` and `secret`) and its tills.

    `offices` gives each till's number its name. `products` are the known product codes; None knows all.
    `report_retries` counts the repetitions of a report that was not answered 2xx. With a `state` file the payments,
    and the reports that are due, outlive the process. Raises ValueError for values that cannot work.
    """

    source: str
    secret: str = field(repr=False)
    offices: Mapping[str, str]
    order: Order = "sorted"
    api_version: ApiVersion = "2.0"
    products: frozenset[str] | None = None
    check_hash: bool = True
    report_retries: int = 0
    report_retry_after_s: float = 1.0
    report_limit_s: float = 30.0
    report_ca: Path | None = None
    autopilot: Autopilot = field(default_factory=Autopilot)
    max_payments: int = 100_000
    state: Path | None = None

    def __post_init__(self) -> None:
        if not (self.source and self.secret and self.offices):
            raise ValueError("a till needs a source, a secret and at least one office")
        if self.report_retries < 0 or self.report_retry_after_s < 0 or self.report_limit_s <= 0:
            raise ValueError("repetitions and times of reports are not negative")
