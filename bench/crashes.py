# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a process of the bridge die at every point of every kind of payment, and print how many points there are.

A point is before and behind every statement, commit and rollback, and before, in the midst of and behind everything
that is sent to the till and to the library system, and every answer to a till and to a clerk. After each death the
process is started again, all comes to rest, every rule is looked at, and the ledgers are compared. SQLite is in memory
here; on PostgreSQL whoever dies hangs up, and the server rolls back: there the kinds are the short ones.

    .venv/bin/python bench/crashes.py [--store sqlite|postgres] [--kinds TEXT] [--stride K] [--jobs N] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

import benching  # noqa: F401 - which lets the tests' support be found
from support.crash_kinds import KINDS, SHORT
from support.crash_points import Counted, die_everywhere
from support.crash_postgres import crashing_postgres
from support.postgres import cluster


def count(name: str, stride: int, server: str | None) -> Counted:
    """Let a process die at every point of a kind, in memory or on a database of this server."""
    kind = next(kind for kind in KINDS if kind.name == name)
    if server is None:
        return die_everywhere(kind, stride)
    with crashing_postgres(make_url(server)) as open_store:
        return die_everywhere(kind, stride, open_store=open_store)


def run(kinds: Sequence[str], stride: int, jobs: int, server: str | None) -> Iterator[Counted]:
    """Run the kinds of these names on some processors; each is told of when it and all before it are done."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for counted in pool.map(partial(count, stride=stride, server=server), kinds):
            tell(counted)
            yield counted


def tell(counted: Counted) -> None:
    """Say how it went, and where a rule was broken."""
    print(f"{counted.kind}: {counted.at_rest} of {counted.killed} at rest, {counted.seconds} s", file=sys.stderr)
    for number, name, rule in counted.broken:
        print(f"  point {number}, {name}: {rule}", file=sys.stderr)


def table(title: str, counted: Sequence[Counted]) -> Table:
    """Lay the counts out, with their sums."""
    made = Table(title=title, title_justify="left")
    made.add_column("kind of payment")
    for heading in ("points", "died at", "started again", "at rest"):
        made.add_column(heading, justify="right")
    for each in counted:
        made.add_row(each.kind, *map(str, (each.points, each.killed, each.restarts, each.at_rest)))
    columns = zip(*((each.points, each.killed, each.restarts, each.at_rest) for each in counted), strict=True)
    made.add_section()
    made.add_row(f"{len(counted)} kinds", *(str(sum(column)) for column in columns))
    return made


def rows(store: str, stride: int, counted: Sequence[Counted]) -> list[dict[str, object]]:
    """Return the counts as others read them."""
    return [{"store": store, "stride": stride} | asdict(each) for each in counted]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--kinds", default="", help="run the kinds whose names have this in them")
    parser.add_argument("--stride", type=int, default=1, help="die at every so manyth point")
    parser.add_argument("--jobs", type=int, default=1, help="processors to run on")
    parser.add_argument("--json", type=Path, help="write the counts here")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    kinds = [kind.name for kind in (KINDS if asked.store == "sqlite" else SHORT) if asked.kinds in kind.name]
    with contextlib.ExitStack() as stack:
        postgres = asked.store == "postgres"
        server = stack.enter_context(cluster()).url.render_as_string(hide_password=False) if postgres else None
        counted = list(run(kinds, asked.stride, asked.jobs, server))
    title = f"Deaths at {'every' if asked.stride == 1 else f'one in {asked.stride} of the'} points, {asked.store}"
    Console(width=110, highlight=False).print(table(title, counted))
    if asked.json is not None:
        asked.json.write_text(json.dumps(rows(asked.store, asked.stride, counted), indent=1, ensure_ascii=False) + "\n")
    return 0 if all(each.whole for each in counted) else 1


if __name__ == "__main__":
    sys.exit(main())
