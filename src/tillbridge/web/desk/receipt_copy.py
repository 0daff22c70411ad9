# SPDX-License-Identifier: GPL-3.0-or-later
"""What a copy of a receipt says, whatever it is shown on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """Hold what stands on a copy of a receipt, in the reader's language: the page and the PDF show the same."""

    language: str
    heading: str
    notes: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]
    sums: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    counts: str
