# SPDX-License-Identifier: GPL-3.0-or-later
"""The points at which a process can die: before and behind every statement, and around everything that is sent.

They are not listed anywhere: what runs is asked where it is. A campaign runs a story once to count its points, and then
once for each of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, event

_WORDS = 3
"""How much of a statement names it."""


class DiedError(Exception):
    """End a transaction in the midst of it: the process that ran it is dead."""


@dataclass
class Points:
    """Count the points in the order in which they come, and let the process die at one of them."""

    dies_at: int | None = None
    """The number of the point, from 0; None lets everybody live."""
    dies_before: str | None = None
    """Where a process dies before the counting begins: what it leaves behind is what is looked at."""
    names: list[str] = field(default_factory=list)
    deaths: int = 0
    hang_up: Callable[[Connection], None] = lambda _: None
    """What the death of a process does to its connection with the database."""
    _running: bool = False
    _listening: list[tuple[Connection | Engine, str, Any]] = field(default_factory=list)

    def reach(self, where: str) -> bool:
        """Count a point; tell whether the process that is there dies."""
        if self.dies_before is not None:
            dies = where == self.dies_before
            self.dies_before = None if dies else self.dies_before
        else:
            dies = len(self.names) == self.dies_at
            self.names.append(where)
        self.deaths += dies
        return dies

    @contextlib.contextmanager
    def among_statements(self) -> Iterator[None]:
        """Look at the statements of this block: they are a process's own, and not those of the rules."""
        self._running, dead_before = True, self.deaths
        try:
            yield
        finally:
            self._running = False
        if self.deaths != dead_before:
            raise AssertionError("somebody went on after the death")

    def listen(self, to: Connection | Engine) -> None:
        """Look at everything that is run here, until `listen_no_more`."""
        for name, say in _EVENTS.items():
            hears = partial(self._hear, say)
            event.listen(to, name, hears)
            self._listening.append((to, name, hears))

    def listen_no_more(self) -> None:
        """Leave alone what is run from now on."""
        for listening in self._listening:
            event.remove(*listening)
        self._listening.clear()

    def _hear(self, say: Callable[..., str], connection: Connection, *facts: Any) -> None:
        if self._running:
            self._at(connection, say(*facts))

    def _at(self, connection: Connection, where: str) -> None:
        if self.reach(where):
            self._running = False
            self.hang_up(connection)
            raise DiedError


def _name(sql: str) -> str:
    return " ".join(sql.split(maxsplit=_WORDS)[:_WORDS])


_EVENTS: Mapping[str, Callable[..., str]] = {
    "before_cursor_execute": lambda _, sql, *__: f"before {_name(sql)}",
    "after_cursor_execute": lambda _, sql, *__: f"behind {_name(sql)}",
    "commit": lambda: "before COMMIT",
    "rollback": lambda: "before ROLLBACK",
}
"""What a database's engine tells of, and how a point is named by it."""
