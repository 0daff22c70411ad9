# SPDX-License-Identifier: GPL-3.0-or-later
"""Slow down whoever guesses passwords: so many tries for a name and from an address in a quarter of an hour.

It is kept in memory and bounded. Nobody is locked out for ever: a try is forgotten when its time is over, and those
that were turned away do not count.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict, deque
from collections.abc import Iterator

from tillbridge.errors import Declined

WINDOW_S = 900.0
MOST_PER_NAME = 10
MOST_PER_SOURCE = 60
MOST_REMEMBERED = 10_000


class Tries:
    """Count the tries of the last quarter of an hour that have not succeeded."""

    def __init__(self) -> None:
        self._at: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def begin(self, now: float, name: str, source: str | None) -> None:
        """Count a try before its outcome is known, so that many at once are as many; raise Declined for too many."""
        counted = list(_keys(name, source))
        wait_s = max(self._wait_s(key, most, now) for key, most in counted)
        if wait_s > 0:
            facts = {"wait_s": math.ceil(wait_s)}
            raise Declined("too_many_tries", "There were too many tries. Wait a while, then try again.", facts)
        for key, _ in counted:
            self._at.setdefault(key, deque()).append(now)
            self._at.move_to_end(key)
        while len(self._at) > MOST_REMEMBERED:
            self._at.popitem(last=False)

    def succeeded(self, name: str, source: str | None) -> None:
        """Forget the tries for the name, and the last one from the address."""
        own, *others = (key for key, _ in _keys(name, source))
        self._at.pop(own, None)
        for key in others:
            if tries := self._at.get(key):
                tries.pop()

    def _wait_s(self, key: tuple[str, str], most: int, now: float) -> float:
        tries = self._at.get(key, deque())
        while tries and tries[0] <= now - WINDOW_S:
            tries.popleft()
        return tries[0] + WINDOW_S - now if len(tries) >= most else 0.0


def _keys(name: str, source: str | None) -> Iterator[tuple[tuple[str, str], int]]:
    yield ("name", name), MOST_PER_NAME
    if source is not None:
        yield ("source", network_of(source)), MOST_PER_SOURCE


def network_of(source: str) -> str:
    """Return what one caller has to itself: an IPv4 address, or the 64 bits of an IPv6 network."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
