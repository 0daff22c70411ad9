# SPDX-License-Identifier: GPL-3.0-or-later
"""Money is integer minor units with a currency; a fraction of a cent is rounded here or refused here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

_CENT = Decimal("0.01")

DECIMAL_TEXT = r"-?[0-9]{1,15}(\.[0-9]{1,12})?"
"""What a plain decimal text looks like."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """Keep an amount: `minor` is the number of cents, `currency` the ISO 4217 code (two decimals)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise TypeError(f"money is an integer number of cents, not {self.minor!r}")

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other).minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other).minor, self.currency)

    def __str__(self) -> str:
        return f"{exact_of(self.minor)} {self.currency}"

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"{other} cannot be reckoned with {self.currency}")
        return other


def decimal_of(text: str) -> Decimal:
    """Read a plain decimal text such as ``2.50``; raise ValueError for anything else (no exponents, no NaN)."""
    if not re.fullmatch(DECIMAL_TEXT, text):
        raise ValueError(f"not a plain decimal amount: {text!r}")
    return Decimal(text)


def cents_of(text: str) -> int:
    """Read a decimal text as cents; raise ValueError where it has a fraction of a cent."""
    amount = decimal_of(text)
    if amount != amount.quantize(_CENT):
        raise ValueError(f"an amount has at most two decimals: {text!r}")
    return int(amount * 100)


def rounded(amount: Decimal) -> int:
    """Round a library system's exact amount half up to cents (the only place where a fraction may vanish)."""
    return int(amount.quantize(_CENT, rounding=ROUND_HALF_UP) * 100)


def exact_of(minor: int) -> Decimal:
    """Write cents as an exact decimal with two places."""
    return Decimal(minor).scaleb(-2)
