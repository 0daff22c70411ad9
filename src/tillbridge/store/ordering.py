# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep transactions that ask the same question in order where no unique key does."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, text


def one_at_a_time(connection: Connection, subject: str) -> None:
    """Wait until no other transaction is busy with this subject; held until this one ends.

    SQLite has one writer at a time in any case.
    """
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(subject.encode()).digest()[:8], "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
