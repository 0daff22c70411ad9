# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a database's history from outside: every chain of events and every day's seal. Changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from tillbridge.domain.history import GENESIS, first_break
from tillbridge.errors import SettingsError
from tillbridge.store import tables as t
from tillbridge.store.opening import Database
from tillbridge.store.reading import StoreForReading
from tillbridge.store.records import day_seal, event_of

AT_ONCE = 1000
"""How many events are fetched at a time: the history of years does not fit into memory."""


@dataclass(frozen=True, slots=True)
class Verified:
    """Hold how much was checked and what does not fit."""

    events: int
    seals: int
    breaks: tuple[str, ...]


def verify_database(database: Database) -> Verified:
    """Check a database, also while bridges use it; raise SettingsError where there is none or it cannot be read."""
    if database.path is not None and not database.path.is_file():
        where = str(database.path)
        raise SettingsError(where, "there is no database", "Name the file that [bridge] database names")
    stored = StoreForReading(database)
    try:
        return stored.look(verify)
    finally:
        stored.close()


def verify(connection: Connection) -> Verified:
    """Check every chain and every seal."""
    count, breaks = 0, []
    chains = select(t.event).order_by(t.event.c.payment_id, t.event.c.seq)
    rows = connection.execute(chains, execution_options={"yield_per": AT_ONCE})
    for payment_id, group in itertools.groupby(rows, key=lambda row: row.payment_id):
        chain = [(event_of(row), str(row.hash)) for row in group]
        count += len(chain)
        broken = first_break(chain)
        if broken is not None:
            breaks.append(f"payment {payment_id}, event {broken}")
    seals = connection.execute(select(t.seal).order_by(t.seal.c.day)).all()
    breaks += [f"seal of {day}" for day in _broken_seals(connection, [(row.day, row.hash) for row in seals])]
    return Verified(count, len(seals), tuple(breaks))


def _broken_seals(connection: Connection, seals: list[tuple[str, str]]) -> Iterator[str]:
    previous = GENESIS
    for day, stored in seals:
        start = datetime.fromisoformat(day).replace(tzinfo=UTC)
        end = start + timedelta(days=1)
        if day_seal(connection, previous, day, start.timestamp(), end.timestamp()) != stored:
            yield day
        previous = stored
