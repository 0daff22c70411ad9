# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect the log as it would be written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from tillbridge.operation.logs import Level, log_to

Line = dict[str, Any]


@dataclass
class Log:
    """Hold the lines that were written, as text."""

    texts: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        self.texts.append(text)

    debug = info = warning = error = critical = line

    def of(self, event: str) -> list[Line]:
        """Read the lines of an event."""
        return [line for line in map(json.loads, self.texts) if line["event"] == event]

    def kinds(self) -> list[str]:
        """Name the payment's events in order."""
        return [line["kind"] for line in self.of("payment")]


@contextmanager
def collected(level: Level = Level.DEBUG) -> Iterator[Log]:
    """Collect what is logged while the block lasts."""
    log, before = Log(), structlog.get_config()
    log_to(log, level)
    try:
        yield log
    finally:
        structlog.configure(**before)
