# SPDX-License-Identifier: GPL-3.0-or-later
"""Let two credits for one patron run at the same time, as a measured Koha mishandles them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.corrections import record_losing_an_update
from tillbridge.simulators.library.facts import CrashError, CreditOrder, LedgerError, Line
from tillbridge.simulators.library.faults import FaultKind


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold one credit that is asked for, and by whom: the REST interface, or a librarian's own page."""

    patron_id: int
    order: CreditOrder
    user_id: int | None
    interface: str = "api"

    def record(self, book: Book) -> Line:
        """Record it whole."""
        return book.record(self.patron_id, self.order, self.user_id, self.interface)

    def store(self, book: Book) -> Line:
        """Record it, and apply it to nothing."""
        return book.store(self.patron_id, self.order, self.user_id, self.interface)


@dataclass(frozen=True, slots=True)
class Encounter:
    """Say for how many seconds a credit is at work, and what becomes of a second one for the same patron meanwhile.

    A `kind` of None lets both come through. `first_loses` says which of the two a deadlock answers with 500.
    """

    seconds: float
    kind: FaultKind | None = None
    first_loses: bool = False


@dataclass(slots=True)
class _Waiting:
    asked: Asked
    encounter: Encounter
    answer: asyncio.Future[Line]


class Pairs:
    """Hold a credit back until the second one for the same patron comes, so that both run at once."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Waiting] = {}

    def awaits(self, patron_id: int) -> bool:
        """Tell whether a credit of this patron is at work, so that a second one would meet it."""
        return patron_id in self._waiting

    async def first(self, asked: Asked, encounter: Encounter) -> Line | None:
        """Wait for a second credit and return what became of this one; None, with nothing recorded, when none came."""
        mine = _Waiting(asked, encounter, asyncio.get_running_loop().create_future())
        self._waiting[asked.patron_id] = mine
        try:
            return await asyncio.wait_for(mine.answer, encounter.seconds)
        except TimeoutError:
            return None
        finally:
            if self._waiting.get(asked.patron_id) is mine:
                del self._waiting[asked.patron_id]

    def second(self, book: Book, asked: Asked) -> Line:
        """Record both; a deadlock keeps both credits, applies one, and answers the other with 500."""
        other = self._waiting.pop(asked.patron_id)
        if other.answer.done():
            return asked.record(book)
        match other.encounter:
            case Encounter(kind=FaultKind.LOST_UPDATE):
                return _lost_update(book, other, asked)
            case Encounter(kind=FaultKind.DEADLOCK, first_loses=True):
                return _first_loses(book, other, asked)
            case Encounter(kind=kind):
                return _first_wins(book, other, asked, deadlock=kind is FaultKind.DEADLOCK)


def _first_wins(book: Book, other: _Waiting, asked: Asked, *, deadlock: bool) -> Line:
    try:
        other.answer.set_result(other.asked.record(book))
    except LedgerError as error:
        other.answer.set_exception(error)
        return asked.record(book)
    if not deadlock:
        return asked.record(book)
    asked.store(book)
    raise CrashError("a deadlock was found while the credit was applied")


def _first_loses(book: Book, other: _Waiting, asked: Asked) -> Line:
    try:
        other.asked.store(book)
    except LedgerError as error:
        other.answer.set_exception(error)
    else:
        other.answer.set_exception(CrashError("a deadlock was found while the credit was applied"))
    return asked.record(book)


def _lost_update(book: Book, other: _Waiting, asked: Asked) -> Line:
    orders, users = (other.asked.order, asked.order), (other.asked.user_id, asked.user_id)
    try:
        one, two = record_losing_an_update(book, asked.patron_id, orders, users)
    except LedgerError as error:
        other.answer.set_exception(error)
        return asked.record(book)
    other.answer.set_result(one)
    return two
