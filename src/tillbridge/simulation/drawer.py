# SPDX-License-Identifier: GPL-3.0-or-later
"""The till's drawer beside its payments: money given out for refunds, of which no till says a word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Which = tuple[str, int]
"""A payment's id and the number of its refund."""


@dataclass(frozen=True, slots=True)
class GivenOut:
    """Hold money that was given out: cents, the number of the receipt, and whether it was the whole payment."""

    minor: int
    receipt: str
    whole: bool


@dataclass
class Drawer:
    """Count money out of the till; `receipt_number` returns the till's next one."""

    receipt_number: Callable[[], str]
    out: dict[Which, GivenOut] = field(default_factory=dict)
    believed: dict[Which, str] = field(default_factory=dict)
    """The receipts that the bridge was told of, and has taken a person's word for."""
    mistaken: set[Which] = field(default_factory=set)
    """Refunds of which a person may have said what was not so."""

    def give_out(self, which: Which, minor: int, *, whole: bool) -> GivenOut:
        """Give money out, once for each refund."""
        return self.out.setdefault(which, GivenOut(minor, self.receipt_number(), whole))

    def put_back(self, which: Which) -> None:
        """Put the money back: the refund has come to nothing."""
        del self.out[which]

    def minor_of(self, payment_id: str) -> int:
        """Return how much is out for a payment."""
        return sum(given.minor for (about, _), given in self.out.items() if about == payment_id)

    def whole_is_out(self, payment_id: str) -> bool:
        """Tell whether the whole of a payment was given out."""
        return any(given.whole for (about, _), given in self.out.items() if about == payment_id)
