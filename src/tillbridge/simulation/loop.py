# SPDX-License-Identifier: GPL-3.0-or-later
"""An event loop in which no time passes but by jumps, and in which a chooser decides what runs next.

There are no threads and no sockets. When nothing is ready, time jumps to the next timer; among what is ready, the
chooser takes one. What belongs to a process (its `Life` is in the context of its callbacks) does not run while the
process is paused, and never again once it is dead: no `finally` and no `except` sees a dead process.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

Choose = Callable[[int], int]
"""Takes how many callbacks are ready, and returns which of them runs."""


@dataclass(eq=False)
class Life:
    """Be one process as the loop sees it: alive or dead, at work or paused."""

    name: str
    alive: bool = True
    paused: bool = False
    held: list[events.Handle] = field(default_factory=list)


LIFE: ContextVar[Life | None] = ContextVar("LIFE", default=None)
"""Whose callback is running; None stands for the world outside the bridge."""


MOST_STEPS = 500_000
"""After how many callbacks a run is taken for one that never ends."""


class StuckError(Exception):
    """Say that nothing can ever happen any more although something is waited for, or that there is no end to it."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Run callbacks one at a time, in virtual time."""

    _ready: list[events.Handle]
    _scheduled: list[events.TimerHandle]

    def __init__(self, choose: Choose) -> None:
        super().__init__()
        self._ready = []
        self._choose = choose
        self._now = 0.0
        self._graves: list[events.Handle] = []
        self._lives: set[Life] = set()
        self._tasks: list[asyncio.Task[Any]] = []
        """Every task that there was: if what a dead process did were collected, its `finally` would run."""
        self.steps = 0
        self.troubles: list[str] = []
        self.set_exception_handler(lambda _, context: self.troubles.append(str(context.get("message"))))

    def time(self) -> float:
        """Return the seconds since the beginning."""
        return self._now

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> asyncio.Task[Any]:
        """Make a task, and hold on to it."""
        task: asyncio.Task[Any] = super().create_task(coro, name=name, context=context)
        self._tasks.append(task)
        return task

    def start(self, work: Coroutine[Any, Any, T], life: Life | None = None) -> asyncio.Task[T]:
        """Begin a piece of work in a process of the bridge, or outside of it."""
        context = copy_context()
        context.run(LIFE.set, life)
        if life is not None:
            self._lives.add(life)
        return self.create_task(work, context=context)

    def kill(self, life: Life) -> None:
        """End a process between any two of its steps: nothing of it runs ever again."""
        life.alive = False
        self._graves += life.held
        life.held.clear()

    def resume(self, life: Life) -> None:
        """Let a paused process go on, as if no time had passed."""
        life.paused = False
        self._ready += life.held
        life.held.clear()

    def bury(self) -> None:
        """End every task that is left, so that none is found half-way by the collector of garbage; time stands."""
        self.steps = 0
        left = [task for task in self._tasks if not task.done()]
        self._choose = lambda _: 0
        for life in self._lives:
            life.alive = True
            self.resume(life)
        self._ready += self._graves
        self._graves.clear()
        for _ in range(20):
            for task in left:
                task.cancel()
            self._run_what_is_ready()
            left = [task for task in self._tasks if not task.done()]
            if not left:
                break
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined] # noqa: SLF001 - it could not be ended

    def _run_what_is_ready(self) -> None:
        async def pass_by() -> None:
            for _ in range(50):
                await asyncio.sleep(0)

        self.run_until_complete(self.create_task(pass_by(), context=Context()))

    def _run_once(self) -> None:
        if not self._ready:
            self._jump()
        handle = self._ready.pop(self._choose(len(self._ready)))
        if handle._cancelled:  # noqa: SLF001 - a loop is the one that may know
            return
        life = handle._context.get(LIFE)  # type: ignore[attr-defined] # noqa: SLF001 - as above
        if life is not None and not life.alive:
            self._graves.append(handle)
        elif life is not None and life.paused:
            life.held.append(handle)
        else:
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise StuckError("it goes on without end")
            handle._run()  # noqa: SLF001 - as above

    def _jump(self) -> None:
        """Go to the next timer, and make ready all that are due then."""
        due = self._next_timer()
        if due is None:
            raise StuckError("nothing can happen any more")
        self._now = max(self._now, due.when())
        while due is not None and due.when() <= self._now:
            heapq.heappop(self._scheduled)
            due._scheduled = False  # type: ignore[attr-defined] # noqa: SLF001 - as above
            self._ready.append(due)
            due = self._next_timer()

    def _next_timer(self) -> events.TimerHandle | None:
        while self._scheduled:
            first = self._scheduled[0]
            if not first._cancelled:  # noqa: SLF001 - as above
                return first
            heapq.heappop(self._scheduled)
        return None

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """Do nothing: what is cancelled is dropped when its time comes."""

    def _write_to_self(self) -> None:
        """Do nothing: there is no other thread to be woken from."""

    def _process_events(self, event_list: Any) -> None:
        """Do nothing: there are no sockets."""
