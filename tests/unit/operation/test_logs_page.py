# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about the log names every event and every field, and none that is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tillbridge import __file__ as package
from tillbridge.domain.history import GENESIS, Event
from tillbridge.operation.logs import Level
from tillbridge.operation.witness import _PASSED_ON, MACHINES, PERSON, WARNINGS, line_of
from tillbridge.web.request_log import QUIET

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/logs.md").read_text(encoding="utf-8")
SOURCES = [path for path in Path(package).parent.rglob("*.py") if "simulators" not in path.parts]
LEVELS = {"debug", "info", "warning", "error", "exception", "log", "level"}
LOST = "log lines were lost"
EVERYWHERE = {"timestamp", "level", "event", "failure"}


def column(head: str) -> list[str]:
    (table,) = re.findall(rf"^\| {head} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    rows = [line.strip("|").split(" | ") for line in table.splitlines()]
    assert all(len(row[-1]) >= 5 for row in rows)
    names = [row[0].strip(" `") for row in rows]
    assert len(names) == len(set(names))
    return names


def calls(source: Path) -> Iterator[ast.Call]:
    """Find what a module writes into the log: `_log.warning("…")`, or `level("…")` for a level that was chosen."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _is_of_the_log(node.func):
            yield node


def _is_of_the_log(called: ast.expr) -> bool:
    if isinstance(called, ast.Attribute):
        return isinstance(called.value, ast.Name) and called.value.id == "_log" and called.attr in LEVELS
    return isinstance(called, ast.Name) and called.id == "level"


def written() -> list[ast.Call]:
    return [call for source in SOURCES for call in calls(source)]


def events() -> Iterator[str]:
    for call in written():
        texts = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        assert len(texts) == 1, f"an event is written out where it is logged: {ast.unparse(call)}"
        yield texts[0]


def test_every_event_is_described_and_no_other_is() -> None:
    assert set(column("Event")) == {*events(), LOST}


def test_nobody_logs_in_another_way() -> None:
    others = re.compile(r"logging\.getLogger\(|(?<![.\w])print\(|warnings\.warn\(")
    own = {path.name for path in SOURCES if others.search(path.read_text(encoding="utf-8"))}
    assert own == set()


def test_every_field_is_described_and_no_other_is() -> None:
    named = {word.arg for call in written() for word in call.keywords if word.arg not in (None, "exc_info")}
    facts = {"receipt": "4711"} | dict.fromkeys(_PASSED_ON, "x")
    of_payments = set(line_of(Event("P", 1, 1.0, "till", "created", facts, GENESIS)))
    bound = {
        name
        for source in SOURCES
        for name in re.findall(r"bind_contextvars\((.*)\)", source.read_text(encoding="utf-8"))
        for name in re.findall(r"(\w+)=", name)
    }
    assert set(column("Field")) == named | of_payments | bound | EVERYWHERE | {"lost"}


def test_the_page_names_the_levels_the_actors_the_quiet_routes_and_the_warnings() -> None:
    words = {*Level, *MACHINES, PERSON, *WARNINGS, *(QUIET - {"/static/{path:path}"})}
    assert [word for word in sorted(words) if f"`{word}`" not in PAGE] == []
