# SPDX-License-Identifier: GPL-3.0-or-later
"""What a planted bug is: a change that a careless programmer could make, and the rule that must find it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tillbridge.simulation.drawing import draw
from tillbridge.simulation.script import Script

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Bug:
    """Break the bridge in one place; `rule` is in the sentence that tells which rule finds it.

    `limit` is how many seeds may be played until it is found. A bug that chance seldom meets has a `script` of its
    own, which is played instead. `row` is the fault's number among those of the Perl plugin, as in
    `tests/services/bridge/test_plugin_cases.py`, where a program has really been like that.
    """

    name: str
    plant: Plant
    rule: str
    limit: int = 1
    row: int | None = None
    script: Script | None = None

    @property
    def scripts(self) -> Iterator[Script]:
        """Return what is played until the bug is found, at most."""
        return iter((self.script,)) if self.script is not None else map(draw, range(self.limit))


def patched(place: object, name: str, planted: object) -> Plant:
    """Return what puts something in the place of a function or a method."""
    return lambda patch: patch.setattr(place, name, planted)


async def nothing(*_: object) -> None:
    """Leave it undone."""
