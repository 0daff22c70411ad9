# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up the log: one JSON object a line, from our own code and from what we stand on."""

from __future__ import annotations

import atexit
import logging
import sys
from enum import StrEnum

import structlog
from structlog.typing import Processor

from tillbridge.operation.failures import without_words
from tillbridge.operation.line_writer import LineWriter

_log = structlog.get_logger()


class Level(StrEnum):
    """Name from which weight on a line is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """Return its number as Python's own logging has it."""
        return logging.getLevelNamesMapping()[self.upper()]


PROCESSORS: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    without_words,
    structlog.processors.JSONRenderer(),
)


def log_as_json(level: Level = Level.INFO) -> None:
    """Write the log of the whole process to stderr, one JSON object a line, until the process ends."""
    writer = LineWriter(sys.stderr)
    atexit.register(writer.close)
    log_to(writer, level)
    logging.basicConfig(handlers=[Elsewhere()], level=logging.WARNING)


def log_to(logger: object, level: Level) -> None:
    """Hand every line to this logger, as text."""
    structlog.configure(
        processors=list(PROCESSORS),
        wrapper_class=structlog.make_filtering_bound_logger(level.number),
        logger_factory=lambda *_: logger,
    )


def log_from(level: Level) -> None:
    """Change from which weight on a line is written, wherever it goes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level.number))


class Elsewhere(logging.Handler):
    """Pass on what libraries log by Python's own means: which of them, and the first line of what it always says.

    What it says this time may quote what it was worked on.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one record."""
        says = (str(record.msg).splitlines() or [""])[0]
        weight = max(logging.DEBUG, min(logging.CRITICAL, record.levelno // 10 * 10))
        _log.log(weight, "a library says", logger=record.name, says=says, exc_info=record.exc_info)
