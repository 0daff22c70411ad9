# SPDX-License-Identifier: GPL-3.0-or-later
"""Write payments with many writers at once and print each id once its write is durable (started by tests)."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from pathlib import Path

from support.payments import make_payment
from tillbridge.service.store_port import TaskKind, Transaction
from tillbridge.store.sqlite import SqliteStore

WRITERS = 20


def write_one(tx: Transaction, payment_id: str) -> None:
    """Store a payment with what belongs to it, as a use case does."""
    payment = make_payment(payment_id, payment_id)
    tx.add_payment(payment, None)
    tx.claim(payment)
    tx.append_event(payment_id, 1.0, "anna", "created", {})
    tx.add_task(payment_id, TaskKind.SEND, 1.0)


async def main(path: Path, prefix: str) -> None:
    """Write until killed."""
    store = SqliteStore(path)
    numbers = itertools.count()

    async def writer() -> None:
        for n in numbers:
            payment_id = f"{prefix}{n}"
            await store.write(lambda tx: write_one(tx, payment_id))  # noqa: B023 - it is run before the next turn
            os.write(1, f"{payment_id}\n".encode())

    await asyncio.gather(*(writer() for _ in range(WRITERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
