# SPDX-License-Identifier: GPL-3.0-or-later
"""What failed is told without the error's own words, in which a patron may stand."""

from __future__ import annotations

import errno
import json
import sqlite3
from typing import Any

import psycopg.errors
import pytest

from support.logs import collected
from tillbridge.operation import failures
from tillbridge.operation.failures import without_words

NAME = "Ruostevirta"


def told(**event_dict: Any) -> Any:
    return without_words(None, "error", event_dict)


def failing(error: BaseException) -> BaseException:
    with pytest.raises(type(error)):
        raise error
    return error


def test_an_error_is_told_by_type_and_place_without_its_words() -> None:
    error = failing(ValueError(NAME))
    for shown in (error, (ValueError, error, error.__traceback__)):
        (failure,) = told(exc_info=shown)["failure"]
        assert failure["type"] == "ValueError"
        assert failure["at"][-1].startswith("unit/operation/test_failures.py:")
        assert failure["at"][-1].endswith(" failing")
        assert NAME not in json.dumps(failure)


def test_an_error_that_is_being_handled_is_found() -> None:
    try:
        json.loads(NAME)
    except ValueError:
        (failure,) = told(exc_info=True)["failure"]
    assert failure["type"] == "json.decoder.JSONDecodeError"


def caused_by(error: BaseException, cause: BaseException | None, *, cut: bool = False) -> BaseException:
    error.__cause__, error.__suppress_context__ = (None if cut else cause), cut
    error.__context__ = cause
    return error


def types(error: BaseException) -> list[str]:
    return [each["type"] for each in told(exc_info=error)["failure"]]


def test_the_causes_are_told_too_and_an_end_is_put_to_them() -> None:
    error = failing(ValueError(NAME))
    for _ in range(10):
        error = caused_by(failing(RuntimeError(NAME)), error)
    assert types(error) == ["RuntimeError"] * failures.CAUSES


def test_what_an_error_was_caught_in_is_told_unless_it_was_cut_off() -> None:
    error, around = failing(ValueError(NAME)), failing(KeyError(NAME))
    error.__context__ = around
    assert types(error) == ["ValueError", "KeyError"]
    assert types(caused_by(failing(ValueError(NAME)), around, cut=True)) == ["ValueError"]


def broken_file() -> BaseException:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a INTEGER CHECK (a > 0))")
    try:
        connection.execute("INSERT INTO t VALUES (0)")
    except sqlite3.IntegrityError as error:
        return error
    finally:
        connection.close()
    raise AssertionError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, NAME), "No space left on device"),
        (broken_file(), "SQLITE_CONSTRAINT_CHECK"),
        (psycopg.errors.DiskFull(NAME), "53100"),
        (OSError(NAME), None),
        (ValueError(NAME), None),
    ],
)
def test_a_code_of_the_system_or_a_database_is_told(error: BaseException, code: str | None) -> None:
    (failure,) = told(exc_info=error)["failure"]
    assert failure.get("code") == code


def test_a_long_way_is_told_by_its_end() -> None:
    def down(steps: int) -> None:
        if not steps:
            raise ValueError(NAME)
        down(steps - 1)

    try:
        down(50)
    except ValueError as error:
        (failure,) = told(exc_info=error)["failure"]
    assert len(failure["at"]) == failures.FRAMES


@pytest.mark.parametrize("nothing", [{}, {"exc_info": None}, {"exc_info": False}, {"exc_info": (None, None, None)}])
def test_where_nothing_failed_nothing_is_told(nothing: dict[str, Any]) -> None:
    assert told(**nothing) == {}


def test_a_line_of_the_log_has_the_failure_and_not_its_words() -> None:
    import structlog  # noqa: PLC0415 - bound to the configuration that the block makes

    with collected() as log:
        structlog.get_logger().error("a task failed", exc_info=failing(ValueError(NAME)))
    (text,) = log.texts
    assert NAME not in text
    assert json.loads(text)["failure"][0]["type"] == "ValueError"
