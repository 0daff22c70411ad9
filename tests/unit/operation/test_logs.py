# SPDX-License-Identifier: GPL-3.0-or-later
"""What the log looks like, and what comes from elsewhere."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from support.logs import Log, collected
from tillbridge.operation.logs import Elsewhere, Level

PROGRAM = """
import logging, sys, structlog
from tillbridge.operation.logs import log_as_json
log_as_json()
structlog.get_logger().info("first", payment_id="A")
structlog.get_logger().debug("too light")
logging.getLogger("uvicorn.error").warning("%s is wrong", "21000001")
logging.getLogger("uvicorn.error").info("too light")
structlog.get_logger().error("last")
"""


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """A library that logs by Python's own means."""
    logger, handler = logging.getLogger("some.library"), Elsewhere()
    logger.addHandler(handler)
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)


def test_the_log_of_a_process_is_one_object_a_line_on_stderr() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [
        ("first", "info"),
        ("a library says", "warning"),
        ("last", "error"),
    ]
    assert all(line["timestamp"].endswith("Z") for line in lines)
    assert done.stdout == ""


def test_what_a_library_says_is_passed_on_without_what_it_speaks_of(library: logging.Logger) -> None:
    with collected() as log:
        library.warning("could not read %s", "21000001")
        library.error("Task exception was never retrieved\nfuture: <Task 21000001>")
        library.warning("")
    assert [(line["logger"], line["says"]) for line in log.of("a library says")] == [
        ("some.library", "could not read %s"),
        ("some.library", "Task exception was never retrieved"),
        ("some.library", ""),
    ]
    assert "21000001" not in "".join(log.texts)


def test_what_a_library_fails_at_is_told_like_our_own(library: logging.Logger) -> None:
    with collected() as log:
        try:
            int("21000001x")
        except ValueError:
            library.exception("it failed")
    (line,) = log.of("a library says")
    assert line["failure"][0]["type"] == "ValueError"
    assert "21000001" not in "".join(log.texts)


@pytest.mark.parametrize(("weight", "level"), [(35, "warning"), (99, "critical"), (55, "critical"), (12, "debug")])
def test_a_weight_of_a_librarys_own_is_rounded(library: logging.Logger, weight: int, level: str) -> None:
    library.setLevel(1)
    with collected() as log:
        library.log(weight, "odd")
    assert [line["level"] for line in log.of("a library says")] == [level]


@pytest.mark.parametrize("level", Level)
def test_what_weighs_less_than_the_level_is_not_written(level: Level) -> None:
    def written(log: Log) -> list[str]:
        return [json.loads(text)["level"] for text in log.texts]

    with collected(level) as log:
        logger = structlog.get_logger()
        for name in Level:
            getattr(logger, name)("x")
    assert written(log) == list(Level)[list(Level).index(level) :]
