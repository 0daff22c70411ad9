# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the SQL of one payment, from click to booked, and run it bare: the floor of the throughput.

Bare means: the same statements with the same commits, for payment after payment, with fresh ids in each, by the
`sqlite3` module and by pgbench, with nothing around them. What follows the news asks behind the last event there, so
that it reads nothing: the floor is a little lower than the real thing.
"""

from __future__ import annotations

import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

import benching  # noqa: F401 - which lets the tests' support be found
from support.postgres import programs

FAR_AHEAD = 1 << 60
PLACE = re.compile(r"(?<![\w.])event\.position > (\?|%\((\w+)\)s)")
NAMED = re.compile(r"%\((\w+)\)s")
CLIENTS = 8
"""As many as the bridge has connections that write."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Hold one statement with its parameters, one set of them for each time it was run at once."""

    sql: str
    parameters: tuple[Any, ...]


@dataclass(slots=True)
class Piece:
    """Hold the statements of one transaction; it reads only where nothing was committed."""

    connection: int
    statements: list[Statement] = field(default_factory=list)
    commits: bool = False


class Recorder:
    """Listen to an engine while it is switched on."""

    def __init__(self, engine: Engine) -> None:
        self.pieces: list[Piece] = []
        self._open: dict[int, Piece] = {}
        self.on = False
        event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(engine, "commit", self._end(commits=True))
        event.listen(engine, "rollback", self._end(commits=False))

    def _statement(
        self, connection: Connection, _cursor: Any, sql: str, values: Any, _context: Any, many: bool
    ) -> None:
        piece = self._open.get(id(connection))
        if piece is None:
            piece = self._open[id(connection)] = Piece(id(connection))
            if self.on:
                self.pieces.append(piece)
        piece.statements.append(Statement(" ".join(sql.split()), tuple(values) if many else (values,)))

    def _end(self, *, commits: bool) -> Callable[[Connection], None]:
        def end(connection: Connection) -> None:
            piece = self._open.pop(id(connection), None)
            if piece is not None:
                piece.commits = commits

        return end


@dataclass(frozen=True, slots=True)
class Recording:
    """Hold what one payment ran, and which of its values are another payment's own."""

    pieces: Sequence[Piece]
    own: Mapping[str | int, str]
    """Value → name: the payment's id, its patron and charges, its tasks in order."""

    @property
    def counts(self) -> str:
        """Say how much it is."""
        statements = sum(len(piece.statements) for piece in self.pieces)
        writing = sum(piece.commits for piece in self.pieces)
        return f"{statements} statements in {len(self.pieces)} transactions, {writing} of them committed"


def recording(pieces: Sequence[Piece], tasks_before: int) -> Recording:
    """Find a payment's own values in what it ran."""
    own: dict[str | int, str] = {}
    tasks = 0
    for statement in (statement for piece in pieces for statement in piece.statements):
        for values in statement.parameters:
            named = _by_column(statement.sql, values)
            if statement.sql.startswith("INSERT INTO payment "):
                own |= {named["id"]: "payment", named["patron_id"]: "patron"}
            elif statement.sql.startswith("INSERT INTO line "):
                own[named["charge_id"]] = f"charge{named['n']}"
            elif statement.sql.startswith("INSERT INTO task "):
                tasks += 1
                own[tasks_before + tasks] = f"task{tasks}"
    return Recording(pieces, own)


def _by_column(sql: str, values: Any) -> dict[str, Any]:
    """Return an INSERT's values by their columns."""
    if not sql.startswith("INSERT"):
        return {}
    columns = [name.strip().strip('"') for name in sql.split("(", 1)[1].split(")", 1)[0].split(",")]
    return dict(values) if isinstance(values, Mapping) else dict(zip(columns, values, strict=False))


def _with_task_id(sql: str, value: str) -> str:
    """Let the replay choose a task's id, so that later statements find it."""
    return sql.replace("INSERT INTO task (", "INSERT INTO task (id, ").replace("VALUES (", f"VALUES ({value}, ")


class Bare:
    """Run a recording on SQLite with nothing around it."""

    def __init__(self, recorded: Recording, path: Path, pragmas: Sequence[str]) -> None:
        self._recorded = recorded
        self._writer, self._reader = (sqlite3.connect(path, isolation_level=None) for _ in range(2))
        for connection in (self._writer, self._reader):
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")

    def rate(self, payments: int, first: int) -> float:
        """Return payments per second."""
        prepared = [self._prepared(number) for number in range(first, first + payments)]
        begun = time.perf_counter()
        for steps in prepared:
            for run, sql, values in steps:
                run(sql, values)
        return payments / (time.perf_counter() - begun)

    def close(self) -> None:
        self._writer.close()
        self._reader.close()

    def _prepared(self, number: int) -> list[tuple[Callable[..., Any], str, Any]]:
        fresh = _fresh(number)
        tasks = count(1)
        steps: list[tuple[Callable[..., Any], str, Any]] = []
        for piece in self._recorded.pieces:
            connection = self._writer if piece.commits else self._reader
            for statement in piece.statements:
                sql, sets = (
                    statement.sql,
                    [self._values(statement.sql, values, fresh) for values in statement.parameters],
                )
                if sql.startswith("INSERT INTO task "):
                    sql, sets = _with_task_id(sql, "?"), [[fresh(f"task{next(tasks)}"), *values] for values in sets]
                many = len(sets) > 1
                steps.append((connection.executemany if many else connection.execute, sql, sets if many else sets[0]))
            steps.append((connection.execute, "COMMIT" if piece.commits else "ROLLBACK", ()))
        return steps

    def _values(self, sql: str, values: Sequence[Any], fresh: Callable[[str], Any]) -> list[Any]:
        own = self._recorded.own
        changed = [fresh(own[value]) if type(value) in (str, int) and value in own else value for value in values]
        if PLACE.search(sql):
            changed[0] = FAR_AHEAD
        return changed


def _fresh(number: int) -> Callable[[str], Any]:
    """Make the values of the nth payment."""

    def value(name: str) -> Any:
        if name.startswith("task"):
            return number * 100 + int(name[4:])
        return f"{name[0]}{number}-{name[-1]}"

    return value


def pgbench(recorded: Recording, address: str, seconds: int, first: int) -> float:
    """Return payments per second of several clients, the first payment of each being this one."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write("\n".join(_script(recorded)))
        file.flush()
        command = [str(programs() / "pgbench"), "-n", "-M", "prepared", f"-c{CLIENTS}", "-j2"]
        command += [f"-T{seconds}", f"-Dn={first}"]
        done = subprocess.run([*command, f"-f{file.name}", address], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr, done.stderr
    return float(re.findall(r"tps = ([\d.]+)", done.stdout)[-1])


def _script(recorded: Recording) -> Iterator[str]:
    names = sorted(set(recorded.own.values()))
    yield r"\set n :n + 1"
    yield r"\set base (:client_id + 1) * 1000000000 + :n * 100"
    for offset, name in enumerate(names):
        yield rf"\set {name} :base + {offset}"
    tasks = count(1)
    for piece in recorded.pieces:
        yield "BEGIN;" if piece.commits else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
        for statement in piece.statements:
            for values in statement.parameters:
                sql = statement.sql
                if sql.startswith("INSERT INTO task "):
                    sql = _with_task_id(sql, f":task{next(tasks)}")
                yield f"{_inlined(recorded, sql, values)};"
        yield "COMMIT;" if piece.commits else "ROLLBACK;"


def _inlined(recorded: Recording, sql: str, values: Any) -> str:
    place = PLACE.search(sql)

    def text(found: re.Match[str]) -> str:
        value = FAR_AHEAD if place and found[1] == place[2] else values[found[1]]
        return f":{recorded.own[value]}" if type(value) in (str, int) and value in recorded.own else _literal(value)

    return NAMED.sub(text, sql).replace("%%", "%")


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case int() | float():
            return repr(value)
        case bytes():
            return rf"E'\\x{value.hex()}'"
        case _:
            text = str(value).replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n").replace(":", "\\x3A")
            return f"E'{text}'"
