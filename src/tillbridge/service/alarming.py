# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell people of every new open case: stored with the case, sent at least once, gathered when there are many.

A case and what is to be told of it are one transaction. One task looks at what waits; it is never finished, so that
no wake-up can be lost with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from tillbridge.service.administration_port import Alarm
from tillbridge.service.alarm_port import AlarmMessage, CaseNews, Channel
from tillbridge.service.insisting import insist
from tillbridge.service.lease import Lease
from tillbridge.service.ports import World
from tillbridge.service.sealing import NO_PAYMENT
from tillbridge.service.store_port import Case, CaseKind, Facts, Task, TaskKind, Transaction
from tillbridge.service.telling import tell_case

LOOK_S = 60.0
"""How often it is looked at least, and how long there is silence on a channel after a message: news is gathered."""

PAUSES_S = (60.0, 120.0, 300.0, 900.0, 3600.0)
"""How long after an attempt that failed the next one is made; the last pause is repeated."""

GIVE_UP_S = 86_400.0
"""How old a case is when its alarm is tried for the last time. It stays on the list of open cases."""

AT_ONCE = 200
"""How many cases one message lists; more go out a minute later."""

TELL_S = 30.0
"""How long a channel may take to deliver a message."""
MARGIN_S = 5.0
"""What must be left of the lease beyond that."""

_log = structlog.get_logger()


def put_on_list(
    tx: Transaction,
    world: World,
    kind: CaseKind,
    payment_id: str | None,
    at: float,
    facts: Facts,
    others: Sequence[str] = (),
) -> None:
    """Open a case, and let people be told of it."""
    case_id = tx.open_case(kind, payment_id, at, facts, others)
    if case_id is None or not world.alarms.channels:
        return
    for channel in world.alarms.channels:
        tx.add_alarm(case_id, channel)
    # All cases share this one task: whoever stands still with it must hold up no payment. The next look comes anyway.
    tx.nudge_task(NO_PAYMENT, TaskKind.ALARM, at)


def keep_alarming(tx: Transaction, now: float) -> None:
    """Make sure that the task is there, and due now: every bridge does so when it starts."""
    tx.add_task(NO_PAYMENT, TaskKind.ALARM, now)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Hold what waits on a channel: what is to be told now, and what is told to nobody any more."""

    tried_now: tuple[Alarm, ...]
    news: tuple[CaseNews, ...]
    closed: tuple[Alarm, ...]
    hopeless: tuple[Alarm, ...]


class Herald:
    """Do the task that looks at what waits."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def look(self, task: Task, lease: Lease) -> None:
        """Send what waits, in one message for each channel, and look again in a minute at the latest."""
        for name, channel in self._world.alarms.channels.items():
            await self._serve(name, channel, lease)
        await self._world.store.write(lambda tx: tx.postpone_task(task, self._now() + LOOK_S, 0))

    async def _serve(self, name: str, channel: Channel, lease: Lease) -> None:
        waiting = await self._world.store.read(lambda tx: self._waiting(tx, name))
        if waiting.closed or waiting.hopeless:
            await self._world.store.write(lambda tx: self._end(tx, (*waiting.closed, *waiting.hopeless)))
        if waiting.hopeless:
            _log.error("an alarm is given up; the cases stay on the list", channel=name, cases=_cases(waiting.hopeless))
        if waiting.news and lease.good_for(TELL_S + MARGIN_S, self._now()):
            await self._send(name, channel, waiting)

    async def _send(self, name: str, channel: Channel, waiting: _Waiting) -> None:
        tried = waiting.tried_now
        why = await try_channel(channel, AlarmMessage(self._world.alarms.bridge, self._now(), waiting.news))
        await insist(lambda: self._world.store.write(lambda tx: self._tried(tx, tried, delivered=why is None)))
        if why is None:
            _log.info("people were told of open cases", channel=name, cases=_cases(tried))
        else:
            attempt = min(alarm.attempts for alarm in tried) + 1
            _log.warning("an alarm was not delivered", channel=name, cases=_cases(tried), attempt=attempt, why=why)

    def _waiting(self, tx: Transaction, name: str) -> _Waiting:
        now = self._now()
        found = [(alarm, _case(tx, alarm)) for alarm in tx.waiting_alarms(name, AT_ONCE)]
        closed = tuple(alarm for alarm, case in found if case.closed_at is not None)
        alive = [(alarm, case) for alarm, case in found if case.closed_at is None]
        hopeless = tuple(alarm for alarm, case in alive if _is_hopeless(alarm, case))
        to_tell = [(alarm, case) for alarm, case in alive if not _is_hopeless(alarm, case)]
        due = any(_is_due(alarm, now) for alarm, _ in to_tell)
        if not due or not _have_passed(LOOK_S, tx.last_alarm_at(name), now):
            return _Waiting((), (), closed, hopeless)
        news = tuple(_news(tx, case, now) for _, case in to_tell)
        return _Waiting(tuple(alarm for alarm, _ in to_tell), news, closed, hopeless)

    def _end(self, tx: Transaction, alarms: Sequence[Alarm]) -> None:
        for alarm in alarms:
            tx.end_alarm(alarm.id, self._now())

    def _tried(self, tx: Transaction, alarms: Sequence[Alarm], *, delivered: bool) -> None:
        for alarm in alarms:
            tx.alarm_tried(alarm.id, self._now(), delivered=delivered)

    def _now(self) -> float:
        return self._world.clock.now()


async def try_channel(channel: Channel, message: AlarmMessage) -> str | None:
    """Hand a message to a channel; return why it is not delivered, whatever the channel does wrong."""
    try:
        async with asyncio.timeout(TELL_S):
            return await channel.tell(message)
    except TimeoutError:
        return f"it took longer than {TELL_S:g} s"
    except Exception as fault:  # noqa: BLE001 - whatever a channel does wrong, it is tried again
        return f"the channel failed: {type(fault).__name__}"


def _case(tx: Transaction, alarm: Alarm) -> Case:
    case = tx.case(alarm.case_id)
    assert case is not None  # noqa: S101 - an alarm is stored with its case, and no case is ever deleted
    return case


def _is_hopeless(alarm: Alarm, case: Case) -> bool:
    """Tell whether it was tried in vain when the case was that old: a bridge that was down meanwhile tries first."""
    return alarm.tried_at is not None and alarm.tried_at - case.opened_at > GIVE_UP_S


def _is_due(alarm: Alarm, now: float) -> bool:
    pause = PAUSES_S[min(alarm.attempts, len(PAUSES_S)) - 1]
    return _have_passed(pause, alarm.tried_at, now)


def _have_passed(seconds: float, since: float | None, now: float) -> bool:
    """Tell whether it is so long ago; what has not been yet was written by a clock that has been set since."""
    return since is None or not 0 <= now - since < seconds


def _news(tx: Transaction, case: Case, now: float) -> CaseNews:
    words, to_do = tell_case(case.kind)
    age_s = max(0, int(now - case.opened_at))
    news = CaseNews(case.id, str(case.kind), words, to_do, case.opened_at, age_s)
    payment = tx.payment(case.payment_id) if case.payment_id else None
    if payment is None:
        return news
    return replace(news, payment_id=payment.id, branch=payment.branch, register=payment.register, amount=payment.total)


def _cases(alarms: Sequence[Alarm]) -> list[int]:
    return [alarm.case_id for alarm in alarms]
