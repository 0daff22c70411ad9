# SPDX-License-Identifier: GPL-3.0-or-later
"""Let each caller ask so often and no more: who has used up all turns gets new ones as time goes by.

It is kept in memory and bounded, and each bridge counts for itself.
"""

from __future__ import annotations

from collections import OrderedDict

from fastapi import Request

from tillbridge.service.tries import network_of

MOST_REMEMBERED = 10_000


class Turns:
    """Hold how many turns each network has left."""

    def __init__(self, most: int, each_s: float) -> None:
        """Make it; `most` may be taken at once, and one comes back every `each_s` seconds."""
        self._most, self._each_s = most, each_s
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, request: Request, now: float) -> bool:
        """Take a turn for whoever sends this; False where none is left."""
        source = network_of(request.client.host if request.client else "")
        full_at = max(now, self._full_at.get(source, now)) + self._each_s
        if full_at > now + self._most * self._each_s:
            return False
        self._full_at[source] = full_at
        self._full_at.move_to_end(source)
        while len(self._full_at) > MOST_REMEMBERED:
            self._full_at.popitem(last=False)
        return True
