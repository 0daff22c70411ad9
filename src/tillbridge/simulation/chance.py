# SPDX-License-Identifier: GPL-3.0-or-later
"""All randomness of a run: streams that one seed feeds, each with a name, so that one does not shift another."""

from __future__ import annotations

import random
from collections.abc import Callable


class Chance:
    """Give out streams of randomness; the same seed gives the same ones, whatever Python's hashes are."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[str, random.Random] = {}

    def of(self, name: str) -> random.Random:
        """Return the stream of this name."""
        if name not in self._streams:
            self._streams[name] = random.Random(f"{self._seed}/{name}")  # noqa: S311 - a simulation, no secret
        return self._streams[name]

    def chooser(self, name: str) -> Callable[[int], int]:
        """Return a function that chooses one of so many."""
        draw = self.of(name).random
        return lambda count: int(draw() * count) if count > 1 else 0
