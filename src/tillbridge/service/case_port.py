# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store keeps of open cases: the list of what needs a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tillbridge.service.counting_port import Tally
    from tillbridge.service.store_port import Case, CaseFilter, CaseKind, Facts


class Cases(Protocol):
    """Keep cases inside a transaction."""

    def open_case(
        self, kind: CaseKind, payment_id: str | None, at: float, facts: Facts, others: Sequence[str] = ()
    ) -> int | None:
        """Open a case that names other payments too, and return its number.

        None where the payment has an open one of this kind: that one goes on, and names them from now on.
        """
        ...

    def case(self, case_id: int) -> Case | None:
        """Read a case."""
        ...

    def open_cases(self, payment_id: str | None = None) -> tuple[Case, ...]:
        """List the open cases, oldest first, of all payments or of one."""
        ...

    def find_cases(self, wanted: CaseFilter, after: int | None, limit: int) -> tuple[Case, ...]:
        """List cases behind the one with this number: open ones oldest first, closed ones and all newest first."""
        ...

    def count_cases(self, branches: frozenset[str] | None) -> Mapping[str, Tally]:
        """Count the open cases of these branches by kind, those of no branch where the branches do not matter."""
        ...

    def cases_of(self, payment_id: str) -> tuple[Case, ...]:
        """List all cases of a payment, closed ones too, oldest first."""
        ...

    def stray_is_known(self, reported_id: str) -> bool:
        """Tell whether a case is open for a report that named this id of no payment; one asks at a time."""
        ...

    def cases_naming(self, payment_id: str) -> tuple[Case, ...]:
        """List the open cases of other payments that name this one."""
        ...

    def close_case(self, case_id: int, at: float, by: str, resolution: str) -> None:
        """Close a case."""
        ...
