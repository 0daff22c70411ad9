# SPDX-License-Identifier: GPL-3.0-or-later
"""Wake the other bridges on a PostgreSQL database, and tell which of them are alive.

News goes out beside the transactions, not in them: a NOTIFY makes every commit wait for every other one that has one.
It may therefore be lost with the process; whoever listens looks by itself now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Collection

import psycopg
import structlog
from sqlalchemy import URL

CHANNEL = "tillbridge"
GATHER_S = 0.005
"""How long news is gathered before it goes out as one."""
AGAIN_S = 1.0
"""How long to wait before a lost connection is made anew."""

_log = structlog.get_logger()


class PostgresWakeups:
    """Hear of what other bridges store, and let them hear of ours.

    The listening connection also holds an advisory lock in this process's name, which ends with it: that is how others
    know that this process is gone.
    """

    def __init__(self, url: URL, owner: str, heard: Callable[[], None]) -> None:
        """Make it; `owner` names this process, and `heard` is called for each piece of news."""
        self._address = url.render_as_string(hide_password=False)
        self._owner, self._heard = owner, heard
        self._to_tell = asyncio.Event()

    def ring(self) -> None:
        """Let the others look."""
        self._to_tell.set()

    async def run(self) -> None:
        """Listen and tell until cancelled, whatever becomes of the connections."""
        await asyncio.gather(self._for_ever(self._listen), self._for_ever(self._tell))

    async def gone(self, owners: Collection[str]) -> frozenset[str]:
        """Return which of these processes hold their lock no more; raises where the database cannot be asked."""
        numbers = {_number(owner): owner for owner in owners}
        async with await self._connect() as connection:
            rows = await connection.execute(_ALIVE, {"numbers": list(numbers)})
            alive = {row[0] for row in await rows.fetchall()}
        return frozenset(owner for number, owner in numbers.items() if number not in alive)

    async def _listen(self) -> None:
        async with await self._connect() as connection:
            await connection.execute("SELECT pg_advisory_lock_shared(%s)", (_number(self._owner),))
            await connection.execute(f"LISTEN {CHANNEL}")
            self._heard()  # what was missed while nobody listened
            async for _ in connection.notifies():
                self._heard()

    async def _tell(self) -> None:
        async with await self._connect() as connection:
            while True:
                await self._to_tell.wait()
                await asyncio.sleep(GATHER_S)
                self._to_tell.clear()
                await connection.execute(f"NOTIFY {CHANNEL}")

    async def _for_ever(self, part: Callable[[], object]) -> None:
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                await part()  # type: ignore[misc]
            _log.warning("the connection to the database was lost and is made anew")
            await asyncio.sleep(AGAIN_S)

    async def _connect(self) -> psycopg.AsyncConnection[tuple[int]]:
        return await psycopg.AsyncConnection.connect(
            self._address, autocommit=True, application_name="tillbridge", connect_timeout=5
        )


_ALIVE = """
    SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND database = (SELECT oid FROM pg_database
        WHERE datname = current_database()) AND (classid::bigint << 32) | objid::bigint = ANY(%(numbers)s)
"""


def _number(owner: str) -> int:
    """Return the number of a process's advisory lock: 62 bits, so that it is positive however it is put together."""
    return int.from_bytes(hashlib.sha256(f"process {owner}".encode()).digest()[:8], "big") >> 2
