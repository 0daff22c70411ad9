# SPDX-License-Identifier: GPL-3.0-or-later
"""The real store on a real PostgreSQL, a transaction at a time; who dies hangs up, and the server rolls back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import URL, Connection, text

from support.stores import quick_postgres_store
from tillbridge.domain.history import Event
from tillbridge.service.store_port import Transaction
from tillbridge.simulation.points import Points
from tillbridge.store.postgres import PostgresStore
from tillbridge.store.tables import metadata

T = TypeVar("T")


class InlinePostgres:
    """Run each transaction at once, on connections of the store's own pool."""

    def __init__(self, store: PostgresStore, looking: Connection, points: Points) -> None:
        """Begin with nothing stored."""
        self._store, self._looking, self._points = store, looking, points
        for table in reversed(metadata.sorted_tables):
            looking.execute(table.delete())  # TRUNCATE makes new files, which takes long
        looking.execute(text("SELECT setval(seqrelid::regclass, 1, false) FROM pg_sequence"))
        looking.commit()

    @property
    def connection(self) -> Connection:
        """Return a connection of the rules' own."""
        return self._looking

    def run(self, work: Callable[[Transaction], T], *, commit: bool = True) -> tuple[T, list[Event]]:
        """Run a transaction as the bridge does."""
        assert commit, "here a transaction is rolled back by a death alone"
        events: list[Event] = []
        self._store.committed = events.extend
        return self._store._write(work), events

    def look(self, work: Callable[[Transaction], T]) -> T:
        """Run work that changes nothing."""
        return self._store._read(work)

    def close(self) -> None:
        """Leave the server to the next run."""
        self._points.listen_no_more()


@contextmanager
def crashing_postgres(server: URL) -> Iterator[Callable[[Points], InlinePostgres]]:
    """Make a database on which one run after the other begins with nothing."""
    with quick_postgres_store(server) as store, store._engine.connect() as looking:

        def begin(points: Points) -> InlinePostgres:
            inline = InlinePostgres(store, looking, points)
            points.hang_up = Connection.invalidate
            points.listen(store._engine)
            return inline

        yield begin
