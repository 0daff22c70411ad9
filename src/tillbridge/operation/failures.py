# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what failed, and where in the code, without the error's own words.

An error's words quote what was worked on: a database names the row that it refused, a form the value that was wrong.
There may be a patron in it. Its type, its code and its place tell a programmer as much.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from structlog.typing import EventDict, WrappedLogger

from tillbridge import __file__ as _package

CAUSES = 5
FRAMES = 8
_FOLDERS = sorted((str(Path(_package).parents[1]), *filter(None, sys.path)), key=len, reverse=True)


def without_words(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Turn a line's exception into facts (a processor of structlog)."""
    shown = event_dict.pop("exc_info", None)
    if isinstance(shown, tuple):
        shown = shown[1]
    elif shown and not isinstance(shown, BaseException):
        shown = sys.exc_info()[1]
    if isinstance(shown, BaseException):
        event_dict["failure"] = [_facts(error) for error in _with_causes(shown)]
    return event_dict


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    for _ in range(CAUSES):
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _facts(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    facts: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")}
    if code := _code(error):
        facts["code"] = code
    frames = [*traceback.walk_tb(error.__traceback__)][-FRAMES:]
    return facts | {"at": [_place(frame, line) for frame, line in frames]}


def _code(error: BaseException) -> str | None:
    """Return what the operating system or a database calls it."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None)


def _place(frame: FrameType, line: int) -> str:
    """Name a place in the code, from the folder on that modules are imported from."""
    path = frame.f_code.co_filename
    folder = next((folder for folder in _FOLDERS if path.startswith(folder + os.sep)), "")
    return f"{path[len(folder) :].lstrip(os.sep)}:{line} {frame.f_code.co_name}"
