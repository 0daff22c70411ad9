# SPDX-License-Identifier: GPL-3.0-or-later
"""Do what is done once a day: seal each day's history over all payments, so that a changed past shows, and forget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tillbridge.service.lease import Lease
from tillbridge.service.ports import World
from tillbridge.service.store_port import Task, TaskKind, Transaction

SEAL_AFTER_S = 300.0
"""How long after midnight (UTC) the day before is sealed: every process has written its last by then."""

ANSWERS_KEPT_S = 86_400.0
"""How long at least a request with an idempotency key is answered as it was the first time."""

NO_PAYMENT = "-"


class Sealer:
    """Do the daily task."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def seal(self, task: Task, lease: Lease) -> None:
        """Seal yesterday, and every day before it that was missed, forget old answers, and come back tomorrow."""
        del lease
        now = self._world.clock.now()
        today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)

        def store(tx: Transaction) -> None:
            tx.seal_missing((today - timedelta(days=1)).date())
            tx.forget_answers(now - ANSWERS_KEPT_S)
            tx.erase_hand_overs(now - ANSWERS_KEPT_S)
            tx.postpone_task(task, (today + timedelta(days=1)).timestamp() + SEAL_AFTER_S, 0)

        await self._world.store.write(store)


def keep_sealing(tx: Transaction, now: float) -> None:
    """Make sure that the daily task is there."""
    tx.add_task(NO_PAYMENT, TaskKind.SEAL, now + SEAL_AFTER_S)
