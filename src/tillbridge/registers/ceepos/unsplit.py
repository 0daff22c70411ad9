# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what stands behind the Status out of the string that was hashed, and not out of the message's fields.

Values are joined without escaping, and most of them may be left out, so that one string, with its genuine hash, has
many messages: a Reference could swallow the sum, a time could be given out for it, and a value of the till's own may
hold an ``&`` (dossier 3.1, 3.4). Source, Id and Status are safe: they come first, and none of them may hold an ``&``.
All else is read here from the string alone, so that every message that has it says the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_METHOD = re.compile(r"[0-9]{1,2}")
_CENTS = re.compile(r"-?[0-9]{1,9}")
_TIME = re.compile(r"20[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])([01][0-9]|2[0-3])[0-5][0-9]([0-5][0-9])?")
_NO_REFERENCE = re.compile(r"(new payment|https?://.*)?")
"""What stands behind the Reference of an answer: an Action or an address, or the empty place of one."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Hold what the string says behind the Status: `reference` and, in cents, the sum; None where it is not clear."""

    reference: str | None
    sum_minor: int | None = None


def tail_of_answer(values: Sequence[str]) -> Tail:
    """Read the values of an answer behind its Status: a Reference, then at most an Action and an address."""
    parts = _parts(values)
    if not parts or (len(parts) > 1 and not _NO_REFERENCE.fullmatch(parts[1])):
        return Tail(None)
    return Tail(parts[0])


def tail_of_report(values: Sequence[str], *, with_payments: bool) -> Tail:
    """Read the values of a report behind its Status: a Reference, then, where the version has them, the payments."""
    parts = _parts(values)
    if not with_payments:
        return Tail("&".join(parts) if parts else None)
    starts = _payments(parts)
    if not starts:
        return Tail(parts[0] if parts else None)
    return Tail("&".join(parts[: starts[0]]), sum(int(parts[start + 1]) for start in starts))


def _parts(values: Sequence[str]) -> list[str]:
    return "&".join(values).split("&") if values else []


def _payments(parts: Sequence[str]) -> list[int]:
    """Return where the payments begin; none where that is not clear.

    A time is unlike all else, and right before it stand the sum and the method. Without any time there must be one
    place alone that can be a method with its sum.
    """
    times = [place for place in range(2, len(parts)) if _TIME.fullmatch(parts[place])]
    if times:
        starts = [place - 2 for place in times]
        return starts if all(_method_and_sum(parts, start) for start in starts) else []
    pairs = [place for place in range(1, len(parts) - 1) if _method_and_sum(parts, place)]
    return pairs if len(pairs) == 1 else []


def _method_and_sum(parts: Sequence[str], place: int) -> bool:
    return bool(_METHOD.fullmatch(parts[place]) and _CENTS.fullmatch(parts[place + 1]))
