# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill a database with years of payments at once, spread as those of a city's libraries may be."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, Engine, insert

import benching  # noqa: F401 - which lets the tests' support be found
from support.postgres import conninfo
from tillbridge.domain.history import GENESIS
from tillbridge.store.postgres import engine_of as postgres_engine
from tillbridge.store.sqlite import engine_of as sqlite_engine
from tillbridge.store.tables import metadata

YEARS_S = 3 * 365 * 86_400
BEGIN = 1_700_000_000.0
END = BEGIN + YEARS_S
AT_ONCE = 10_000
BRANCHES = {"CPL": 45, "FFL": 25, "MPL": 15, "RPL": 10, "SPL": 5}
"""How many of a hundred payments each branch has."""
REGISTERS = {
    "CPL": ("10", "11", "12", "13"),
    "FFL": ("20", "21", "22"),
    "MPL": ("30", "31"),
    "RPL": ("40", "41"),
    "SPL": ("10",),  # the number is another branch's too
}
CLERKS_OF_BRANCH = 8
PATRONS_OF_PAYMENTS = 17
USUAL_SUMS = (200, 300, 500, 1000)
STATES = {
    ("paid", "till", "booked"): 93_400,
    ("cancelled", "till", "none"): 4_000,
    ("cancelled", "nothing_sent", "none"): 1_000,
    ("refused", "till", "none"): 1_000,
    ("cancelled", "clerk", "none"): 300,
    ("reversed", "till", "reversed"): 200,
    ("paid", "clerk", "booked"): 90,
    ("paid", "till", "none"): 10,
}
"""How many of a hundred thousand payments rest in each state."""
UNDER_WAY = (("at_register", None, "none"), ("created", None, "none"), ("paid", "till", "due"))
NEWEST = 60
"""How many of the newest payments are under way."""
OPEN_CASES = 40
CLOSED_CASES_OF = 400
"""Of how many payments one has had a case."""
Rows = dict[str, list[Sequence[Any]]]
_COLUMNS = {table.name: [column.name for column in table.columns] for table in metadata.sorted_tables}


@dataclass(frozen=True, slots=True)
class Spread:
    """Hold how many payments there shall be, and what chance says of each."""

    payments: int
    chance: random.Random

    def batches(self) -> Iterator[Rows]:
        """Make the rows of all tables, some payments at a time."""
        numbers = iter(range(self.payments))
        position, message, case = itertools.count(1), itertools.count(1), itertools.count(1)
        while batch := [*itertools.islice(numbers, AT_ONCE)]:
            rows: Rows = {name: [] for name in ("payment", "line", "event", "message", "credit", "open_case")}
            for number in batch:
                payment = self._payment(number)
                rows["payment"].append([payment[name] for name in _COLUMNS["payment"]])
                rows["line"] += _lines(payment)
                rows["event"] += _events(payment, position)
                rows["message"] += _messages(payment, message)
                rows["credit"] += _credits(payment)
                rows["open_case"] += self._cases(number, payment, case)
            yield rows

    def _payment(self, number: int) -> dict[str, Any]:
        chance = self.chance
        (branch,) = chance.choices([*BRANCHES], [*BRANCHES.values()])
        collection, decided_by, booking = self._state(number)
        return {
            "id": f"{chance.getrandbits(96):024X}",
            "version": 5,
            "library": "library",
            "patron_id": str(chance.randrange(max(1, self.payments // PATRONS_OF_PAYMENTS))),
            "branch": branch,
            "register_server": "city",
            "register": chance.choice(REGISTERS[branch]),
            "clerk": f"{branch.lower()}-{chance.randrange(CLERKS_OF_BRANCH)}",
            "note": "",
            "currency": "EUR",
            "total_minor": self._sum(),
            "created_at": BEGIN + YEARS_S * (number + chance.random()) / self.payments,
            "remarks": "",
            "collection": collection,
            "decided_by": decided_by,
            "booking": booking,
            "receipt_number": f"{number % 400_000}" if collection in ("paid", "reversed") else None,
            "collected_minor": None,
            "cancel_wished": False,
        }

    def _sum(self) -> int:
        kind = self.chance.random()
        if kind < 0.4:
            return self.chance.choice(USUAL_SUMS)
        return self.chance.randrange(1, 200) * 10 if kind < 0.999 else self.chance.randrange(2001, 60_000)

    def _state(self, number: int) -> tuple[str, str | None, str]:
        if number >= self.payments - NEWEST:
            return self.chance.choice(UNDER_WAY)
        if number % (self.payments // OPEN_CASES) == 0:
            return ("paid", "till", "blocked")
        return self.chance.choices([*STATES], [*STATES.values()])[0]

    def _cases(self, number: int, payment: Mapping[str, Any], case: Iterator[int]) -> Iterator[Sequence[Any]]:
        opened_at = payment["created_at"] + 600
        if payment["booking"] == "blocked":
            yield (next(case), "not_applied", payment["id"], opened_at, "{}", None, None, None)
        elif number % CLOSED_CASES_OF == 7:
            yield (next(case), "not_booked", payment["id"], opened_at, "{}", opened_at + 900, "otto", "booked by hand")


def _lines(payment: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    total = payment["total_minor"]
    first = total // 2 if total % 3 == 0 else total
    for n, amount in enumerate([first, total - first] if first < total else [first], 1):
        charge = f"{payment['id'][:12]}{n}"
        owed = f"{amount // 100}.{amount % 100:02d}"
        yield (payment["id"], n, charge, "OVERDUE", "Myöhästymismaksu", "1000", amount, owed)


def _events(payment: Mapping[str, Any], position: Iterator[int]) -> Iterator[Sequence[Any]]:
    previous, kinds = GENESIS, ("created", "sending", "at_register", payment["collection"], payment["booking"])
    for seq, kind in enumerate(kinds, 1):
        digest = f"{payment['id']}{seq}".ljust(64, "0")
        facts = json.dumps({"register": payment["register"], "total_minor": payment["total_minor"]})
        at = payment["created_at"] + seq
        yield (next(position), payment["id"], seq, at, "bridge", kind, facts, previous, digest)
        previous = digest


def _messages(payment: Mapping[str, Any], number: Iterator[int]) -> Iterator[Sequence[Any]]:
    raw = json.dumps({"Id": payment["id"], "Status": 1, "Hash": "0" * 64}).encode()
    for second, direction in ((1, "out"), (20, "report")):
        yield (next(number), payment["id"], payment["created_at"] + second, direction, "counted", raw)


def _credits(payment: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    if payment["booking"] in ("booked", "reversed"):
        yield (payment["id"], 0, "[]", "3", "{}", "booked", payment["created_at"] + 30, False, payment["id"][:9])


def spread(payments: int) -> Iterator[Rows]:
    """Make the same payments each time."""
    return Spread(payments, random.Random(1)).batches()  # noqa: S311 - nothing here is secret


def fill_file(path: Path, payments: int) -> None:
    """Fill a SQLite file that has its tables."""
    engine = sqlite_engine(path, ())
    _without_indexes(engine)
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-2000000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    for rows in spread(payments):
        for table, values in rows.items():
            places = ", ".join("?" * len(_COLUMNS[table]))
            connection.executemany(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608 - names of our own
    connection.execute("COMMIT")
    connection.close()
    _with_indexes(engine)
    _seal(engine)


def fill_server(url: URL, payments: int) -> None:
    """Fill a PostgreSQL database that has its tables."""
    engine = postgres_engine(url)
    _without_indexes(engine)
    with psycopg.connect(conninfo(url)) as connection:
        for rows in spread(payments):
            for table, values in rows.items():
                _copy(connection, table, values)
    _with_indexes(engine)
    _seal(engine)
    with psycopg.connect(conninfo(url), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")  # as the server does by itself in time


def _copy(connection: psycopg.Connection, table: str, values: list[Sequence[Any]]) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS[table]))
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)
    with connection.cursor() as cursor, cursor.copy(into) as copying:
        for row in values:
            copying.write_row(row)


def _without_indexes(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            for index in table.indexes:
                index.drop(connection)
    engine.dispose()


def _with_indexes(engine: Engine) -> None:
    """Make the indexes anew: quicker than to keep each of them up to date, row by row."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET statement_timeout = 0")
        for table in metadata.sorted_tables:
            for index in table.indexes:
                index.create(connection)
    engine.dispose()


def _seal(engine: Engine) -> None:
    """Leave the bridge no day to seal: its measure is what it reads."""
    with engine.begin() as connection:
        connection.execute(insert(metadata.tables["seal"]).values(day=f"{datetime.now(UTC):%Y-%m-%d}", hash=GENESIS))
    engine.dispose()
