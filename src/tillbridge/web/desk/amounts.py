# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a sum as a person types it."""

from __future__ import annotations

import re

from tillbridge.domain.money import cents_of
from tillbridge.errors import Declined

_TYPED = re.compile(r"([0-9]{1,7})(?:[.,]([0-9]{1,2}))?\s*€?")


def typed_cents(text: str) -> int | None:
    """Read 7, 7,2, 7.20 or 7,20 € as cents, None where nothing was typed; raise Declined for anything else."""
    # A blank within is no separator: "7 20" would be a hundred times what was meant.
    bare = text.strip()
    if not bare:
        return None
    found = _TYPED.fullmatch(bare)
    if found is None:
        raise Declined("wrong_sum", "This is no sum: type it like 7,20.")
    return cents_of(f"{found[1]}.{found[2] or '0'}")
