# SPDX-License-Identifier: GPL-3.0-or-later
"""Let two credits for one patron run at the same time, as a measured Koha mishandles them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.corrections import record_losing_an_update
from tillbridge.simulators.library.facts import CrashError, CreditOrder, LedgerError, Line
from tillbridge.simulators.library.faults import Fault, FaultKind

_WINDOW_S = 2.0


@dataclass(slots=True)
class _Waiting:
    order: CreditOrder
    user_id: int
    kind: FaultKind
    answer: asyncio.Future[Line]


class Pairs:
    """Hold a credit back until the second one for the same patron comes, so that both run at once."""

    def __init__(self) -> None:
        self._waiting: dict[int, _Waiting] = {}

    def awaits(self, patron_id: int) -> bool:
        """Tell whether a credit of this patron is held back and waits for a second one."""
        return patron_id in self._waiting

    async def first(self, book: Book, patron_id: int, order: CreditOrder, user_id: int, fault: Fault) -> Line:
        """Wait for a second credit; record alone, and give the fault back, when none comes in time."""
        mine = _Waiting(order, user_id, fault.kind, asyncio.get_running_loop().create_future())
        self._waiting[patron_id] = mine
        window_s = _WINDOW_S if fault.seconds is None else fault.seconds
        try:
            return await asyncio.wait_for(mine.answer, window_s)
        except TimeoutError:
            fault.give_back()
            return book.record(patron_id, order, user_id)
        finally:
            if self._waiting.get(patron_id) is mine:
                del self._waiting[patron_id]

    def second(self, book: Book, patron_id: int, order: CreditOrder, user_id: int) -> Line:
        """Record both; a deadlock keeps both credits, applies the first one, and answers the second with 500."""
        other = self._waiting.pop(patron_id)
        if other.answer.done():
            return book.record(patron_id, order, user_id)
        try:
            if other.kind is FaultKind.LOST_UPDATE:
                return _lost_update(book, patron_id, other, order, user_id)
            other.answer.set_result(book.record(patron_id, other.order, other.user_id))
        except LedgerError as error:
            other.answer.set_exception(error)
            return book.record(patron_id, order, user_id)
        book.store(patron_id, order, user_id)
        raise CrashError("a deadlock was found while the credit was applied")


def _lost_update(book: Book, patron_id: int, other: _Waiting, order: CreditOrder, user_id: int) -> Line:
    one, two = record_losing_an_update(book, patron_id, (other.order, order), (other.user_id, user_id))
    other.answer.set_result(one)
    return two
