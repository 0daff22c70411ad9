# SPDX-License-Identifier: GPL-3.0-or-later
"""Do the tasks of the outbox: whoever holds the lease does the work, and a dead process loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog
from structlog.contextvars import bind_contextvars

from tillbridge.service.alarming import Herald
from tillbridge.service.booking import Booker
from tillbridge.service.lease import Lease
from tillbridge.service.ports import World
from tillbridge.service.recording_refunds import Recorder
from tillbridge.service.reversing import Reverser
from tillbridge.service.sealing import Sealer
from tillbridge.service.sending import Sending
from tillbridge.service.store_port import Task, TaskKind, Transaction

POLL_S = 1.0
"""The net beneath the wake-ups."""

MOST_AT_ONCE = 64
"""How many tasks of a lane are claimed in one transaction."""

_log = structlog.get_logger()

Handler = Callable[[Task, Lease], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Lane:
    """Group kinds of tasks with how many of them may run at once."""

    kinds: tuple[TaskKind, ...]
    at_once: int


LANES = (
    Lane((TaskKind.SEND,), 20_000),  # a held request costs memory, no thread
    # The library system's requests are the scarcest resource.
    Lane((TaskKind.BOOK, TaskKind.LOOK_UP, TaskKind.REVERSE, TaskKind.REFUND), 4),
    Lane((TaskKind.LIMIT, TaskKind.ASK, TaskKind.WATCH, TaskKind.SEAL, TaskKind.ALARM), 16),
)


class Others(Protocol):
    """Know the other processes on the same store."""

    async def gone(self, owners: Collection[str]) -> frozenset[str]:
        """Return which of these processes are dead, as far as the store can tell."""
        ...


class Runner:
    """Claim due tasks, do them, and keep their leases alive."""

    def __init__(self, world: World, owner: str, others: Others | None = None, poll_s: float = POLL_S) -> None:
        """Make a runner; `owner` names this process among all that share the store, `others` knows who has died.

        It looks for work at least every `poll_s` seconds, whether anybody wakes it or not.
        """
        self._poll_s = poll_s
        self._world, self._owner, self._others = world, owner, others
        self._suspected: frozenset[str] = frozenset()
        self._bell = asyncio.Event()
        self._again: dict[int, Task] = {}
        self._giving: set[asyncio.Task[None]] = set()
        self._working: dict[int, tuple[Lane, Lease, asyncio.Task[None]]] = {}
        self._handlers = handlers(world)

    def wake(self) -> None:
        """Look for work now."""
        self._bell.set()

    async def run(self) -> None:
        """Work until cancelled. Held requests are then cut off: after a restart they count as unknown."""
        renewal = asyncio.create_task(self._renew_for_ever())
        try:
            while True:
                self._bell.clear()
                with contextlib.suppress(TimeoutError):
                    await self._claim_and_wait()
        finally:
            await _cancel([renewal, *self._giving, *(working for _, _, working in self._working.values())])

    async def _claim_and_wait(self) -> None:
        try:
            due_at = await self._claim()
        except Exception:  # noqa: BLE001 - logged; the work must go on
            _log.exception("the store cannot be asked for work")
            due_at = None
        pause_s = self._poll_s if due_at is None else min(self._poll_s, max(0.0, due_at - self._world.clock.now()))
        async with asyncio.timeout(max(pause_s, 0.001)):
            await self._bell.wait()

    async def _claim(self) -> float | None:
        """Start what is due, in every lane as far as there is room; return when the next task is due.

        Most bells ring for changes that bring no work: reading is enough to know, and stands in nobody's way.
        """
        rooms = {lane: room for lane in LANES if (room := self._room(lane)) > 0}
        kinds = [kind for lane in rooms for kind in lane.kinds]
        due_at = await self._world.store.read(lambda tx: tx.next_due(kinds))
        now = self._world.clock.now()
        if due_at is None or due_at > now:
            return due_at
        claimed, due_at = await self._world.store.write(lambda tx: self._take(tx, rooms, now))
        for lane, task in claimed:
            self._start(lane, task)
        return due_at

    def _take(
        self, tx: Transaction, rooms: Mapping[Lane, int], now: float
    ) -> tuple[list[tuple[Lane, Task]], float | None]:
        until = now + self._lease_s()
        claimed = [
            (lane, task)
            for lane, room in rooms.items()
            for task in tx.claim_tasks(self._owner, lane.kinds, now, until, min(room, MOST_AT_ONCE))
        ]
        taken = Counter(lane for lane, _ in claimed)
        left = [kind for lane, room in rooms.items() if taken[lane] < room for kind in lane.kinds]
        return claimed, tx.next_due(left)

    def _start(self, lane: Lane, task: Task) -> None:
        if task.id in self._working:
            # It is under way here: our lease ran out while we slept, or it was put back and taken again at once.
            self._working[task.id][1].until = task.lease_until
            self._again[task.id] = task
            return
        lease = Lease(task.lease_until)
        working = asyncio.create_task(self._work(task, lease))
        self._working[task.id] = (lane, lease, working)
        working.add_done_callback(lambda _: self._ended(task.id))

    async def _work(self, task: Task, lease: Lease) -> None:
        # Whatever is logged on the way names the payment.
        bind_contextvars(payment_id=task.payment_id, task=str(task.kind))
        try:
            await self._handlers[task.kind](task, lease)
        except Exception:  # noqa: BLE001 - logged; the work must go on
            # The lease runs out, and the task is taken up again by the rules for tasks found half-way.
            _log.exception("a task failed")

    async def _give_back(self, task: Task) -> None:
        """Give back what was taken again while it was under way; a task that is done by now is not there."""
        await self._world.store.write(lambda tx: tx.postpone_task(task, self._world.clock.now(), task.attempt))
        self._bell.set()

    def _ended(self, task_id: int) -> None:
        self._working.pop(task_id, None)
        if again := self._again.pop(task_id, None):
            giving = asyncio.create_task(self._give_back(again))
            self._giving.add(giving)
            giving.add_done_callback(self._giving.discard)
        self._bell.set()

    def _lease_s(self) -> float:
        """Return a lease that outlasts the longest write to the outside."""
        return max(self._world.limits.lease_s, self._world.library.write_limit_s + self._world.limits.renew_s * 2)

    def _room(self, lane: Lane) -> int:
        return lane.at_once - sum(1 for busy, _, _ in self._working.values() if busy is lane)

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._world.limits.renew_s)
            try:
                await self._renew()
                await self._end_leases_of_the_dead()
            except Exception:  # noqa: BLE001 - logged; the work must go on
                _log.exception("leases could not be renewed")

    async def _end_leases_of_the_dead(self) -> None:
        """End what dead processes have leased. One look is not enough: a live one may be making its connection anew."""
        if self._others is None:
            return
        owners = await self._world.store.read(lambda tx: tx.lease_owners())
        gone = await self._others.gone(owners - {self._owner})
        for owner in gone & self._suspected:
            await self._world.store.write(lambda tx, owner=owner: tx.expire_leases_of(owner))  # type: ignore[misc]
            self._bell.set()
        self._suspected = gone

    async def _renew(self) -> None:
        leases = {task_id: lease for task_id, (_, lease, _) in self._working.items()}
        if not leases:
            return
        until = self._world.clock.now() + self._lease_s()
        kept = await self._world.store.write(lambda tx: tx.renew_leases(self._owner, list(leases), until))
        for task_id, lease in leases.items():
            if task_id in kept:
                lease.until = until
            else:
                lease.lost = True


def handlers(world: World) -> Mapping[TaskKind, Handler]:
    """Return who does which kind of task."""
    sending, booker, sealer, herald = Sending(world), Booker(world), Sealer(world), Herald(world)
    reverser, recorder = Reverser(world), Recorder(world)
    return {
        TaskKind.SEND: sending.send,
        TaskKind.LIMIT: sending.limit,
        TaskKind.ASK: sending.ask,
        TaskKind.BOOK: booker.book,
        TaskKind.LOOK_UP: booker.look_up,
        TaskKind.WATCH: booker.watch,
        TaskKind.REVERSE: reverser.reverse,
        TaskKind.REFUND: recorder.refund,
        TaskKind.SEAL: sealer.seal,
        TaskKind.ALARM: herald.look,
    }


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
