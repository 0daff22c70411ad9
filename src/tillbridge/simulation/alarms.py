# SPDX-License-Identifier: GPL-3.0-or-later
"""A channel of alarms that writes down what it is told, fails as channels do, and knows the rules of alarms."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sqlalchemy import Connection, select

from tillbridge.service.alarm_port import AlarmMessage
from tillbridge.service.alarming import LOOK_S, PAUSES_S, TELL_S
from tillbridge.simulation.rules import need, no_words_in
from tillbridge.simulation.telling import Telling
from tillbridge.store import tables as t

Trouble = Literal["fails", "raises", "hangs"]
TROUBLES: tuple[Trouble, ...] = ("fails", "raises", "hangs")
CHANNEL = "mail"
SLACK_S = 4 * LOOK_S
"""How much later than due an alarm may go out: between stand the look before, and the lease of a dead process."""


class Teller(Protocol):
    """Be a process of the bridge that tells people; `naps` counts how often it has stood still."""

    naps: int

    async def point(self, where: str) -> None:
        """Stand where a campaign may want the process to die."""

    @property
    def alive(self) -> bool:
        """Tell whether it has not died."""

    @property
    def just_woke(self) -> bool:
        """Tell whether it stood still a moment ago, so that it may not know what others have done since."""


@dataclass(frozen=True, slots=True)
class _Told:
    """Hold who delivered a message about a case, and how the world stood then."""

    process: Teller
    naps: int
    outages: int

    def may_be_forgotten(self, outages: int) -> bool:
        """Tell whether something has come between the message and the note of it, so that people may hear it again."""
        return not self.process.alive or self.process.naps > self.naps or outages > self.outages


@dataclass
class People:
    """Hold what people were told; `read` runs what looks at the database, `outages` counts when that has failed."""

    private: Collection[str]
    telling: Telling
    read: Callable[[Callable[[Connection], object]], object]
    judged: Callable[[Callable[[], object]], None]
    outages: Callable[[], int]
    troubles: deque[Trouble] = field(default_factory=deque)
    _told: dict[int, _Told] = field(default_factory=dict)
    _tried_at: dict[int, float] = field(default_factory=dict)
    _waiting_since: dict[int, float] = field(default_factory=dict)

    async def hear(self, message: AlarmMessage, process: Teller) -> str | None:
        """Take a message, or fail as channels do."""
        self.judged(lambda: self._check_message(message, process))
        numbers = [news.case_id for news in message.cases]
        self._tried_at |= dict.fromkeys(numbers, asyncio.get_running_loop().time())
        await asyncio.sleep(0.2)
        match self.troubles.popleft() if self.troubles else None:
            case "fails":
                return "the mail server does not answer"
            case "raises":
                raise ConnectionError("the channel fell over")
            case "hangs":
                await asyncio.sleep(TELL_S * 2)
        self._told |= dict.fromkeys(numbers, _Told(process, process.naps, self.outages()))
        self.telling.say(f"people are told of the cases {', '.join(map(str, numbers))}")
        return None

    def check_waiting(self, now: float, awake_since: float) -> None:
        """Need that no open case waits for longer than it must, where no channel fails and a process is awake."""
        self.read(lambda connection: self._check_waiting(connection, now, awake_since))

    def check_listed(self) -> None:
        """Need that people were to be told of every case that there ever was."""
        self.read(self._check_listed)

    def _check_message(self, message: AlarmMessage, process: Teller) -> None:
        no_words_in(message, self.private)
        numbers = [news.case_id for news in message.cases]
        need(len(set(numbers)) == len(numbers), "one message tells of a case twice")
        if not process.just_woke:
            self.read(lambda connection: _need_news(connection, numbers))
        again = [self._told[number] for number in numbers if number in self._told]
        forgotten = all(told.may_be_forgotten(self.outages()) for told in again)
        need(forgotten, "people are told of a case twice, and nothing has come between")

    def _check_waiting(self, connection: Connection, now: float, awake_since: float) -> None:
        waits = t.alarm.c.done_at.is_(None) & t.open_case.c.closed_at.is_(None)
        joined = select(t.alarm.c.case_id, t.alarm.c.attempts).join(t.open_case, t.open_case.c.id == t.alarm.c.case_id)
        rows = connection.execute(joined.where(waits)).all()
        self._waiting_since = {row.case_id: self._waiting_since.get(row.case_id, now) for row in rows}
        for row in rows:
            pause_s = PAUSES_S[min(row.attempts, len(PAUSES_S)) - 1] if row.attempts else 0.0
            since = max(self._waiting_since[row.case_id], self._tried_at.get(row.case_id, 0.0), awake_since)
            need(now - since <= pause_s + SLACK_S, f"case {row.case_id} is open, and nobody was told of it")

    def _check_listed(self, connection: Connection) -> None:
        cases = set(connection.execute(select(t.open_case.c.id)).scalars())
        listed = set(connection.execute(select(t.alarm.c.case_id)).scalars())
        need(cases == listed, f"nobody was ever to be told of the cases {sorted(cases - listed)}")


def _need_news(connection: Connection, numbers: Collection[int]) -> None:
    done = t.alarm.c.case_id.in_(numbers) & t.alarm.c.done_at.is_not(None)
    known = connection.execute(select(t.alarm.c.case_id).where(done)).scalars().all()
    need(not known, f"people are told of the cases {sorted(known)}, and it was noted that they know")


@dataclass(frozen=True, slots=True)
class Mail:
    """Be the channel of one process."""

    people: People
    process: Teller

    async def tell(self, message: AlarmMessage) -> str | None:
        """Deliver a message, or say why not."""
        await self.process.point("an alarm: before it is told")
        answer = await self.people.hear(message, self.process)
        await self.process.point("an alarm: the answer is there")
        return answer
