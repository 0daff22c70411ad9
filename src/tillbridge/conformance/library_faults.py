# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of faults: one row for each, while a credit is recorded and while something is read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from tillbridge.conformance.kit import Check, checks_of, need, need_hung_up
from tillbridge.conformance.library_peer import LibraryFault, LibraryPeer, Made, Need, Of
from tillbridge.conformance.library_trying import (
    ALL_OR_NOTHING,
    account,
    connected,
    credit_order,
    found,
    new_reference,
    only_plain,
    short,
)
from tillbridge.conformance.register_peer import Situation
from tillbridge.service.library_port import (
    BookingAnswer,
    CreditOrder,
    LibrarySystem,
    MaybeRecorded,
    NotRecorded,
    Recorded,
    Unavailable,
)

WRITING, READING = "faults while recording", "faults while reading"
HANGS_UP = "; the adapter hangs up"


@dataclass(frozen=True, slots=True)
class Row:
    """Hold a fault while a credit is recorded: whether it is kept, and what the adapter may say.

    `told` is one of: `doubt` (look it up; the request may still run), `ended` (look it up; the library system itself
    has answered), `refused` (proof that nothing was recorded, and that it may be tried again), `recorded`.
    `plain`: it cannot happen where lines are exact. `hangs_up`: the adapter must.
    """

    fault: LibraryFault
    told: str = "doubt"
    kept: bool = False
    quick: bool = False
    plain: bool = False
    hangs_up: bool = False

    @property
    def check(self) -> Check[LibraryPeer]:
        """Make the row's check."""
        more = HANGS_UP if self.hangs_up else ""
        words = f"Where {self.fault}, recording is told as *{self.told}*, and is not repeated by itself{more}."
        return Check(f"recording_{self.fault.name.lower()}", WRITING, words, self._run())

    def _run(self) -> Callable[[LibraryPeer], Awaitable[None]]:
        async def run(peer: LibraryPeer) -> None:
            peer.takes(Need.FAULTS)
            library = await connected(peer, Situation.QUICK if self.quick else Situation.USUAL)
            if self.plain:
                only_plain(library, ALL_OR_NOTHING)
            made = await peer.patron(("1.00",))
            await library.ping()  # logged in, so that the fault hits the credit and not the log-in
            order = await credit_order(peer, library, made, "1.00")
            peer.lay(self.fault, Of.WRITING)
            answer = await library.record(order)
            need(_MEANS[self.told](answer, order), f"it is told as {short(answer)}")
            if self.hangs_up:
                await need_hung_up(peer.until_hung_up)
            need(peer.writes() <= 1 or self.fault is LibraryFault.LOGGED_OUT, f"it was sent {peer.writes()} times")
            await self._need_found(peer, library, made, order)

        return run

    async def _need_found(self, peer: LibraryPeer, library: LibrarySystem, made: Made, order: CreditOrder) -> None:
        kept = (await account(peer, made)).with_reference(order.reference)
        need(len(kept) == int(self.kept), f"the ledger has {len(kept)} credits")
        credits_ = await found(library, made.patron_id, order.reference)
        told = [(each.credit_id, each.amount, each.unapplied) for each in credits_]
        need(told == [(each.credit_id, each.amount, each.unapplied) for each in kept], f"it is found as {told}")


def _whole(answer: BookingAnswer, order: CreditOrder) -> bool:
    if not isinstance(answer, Recorded):
        return False
    credit = answer.credit
    return (credit.reference, credit.amount, credit.unapplied) == (order.reference, order.amount, Decimal(0))


_MEANS: dict[str, Callable[[BookingAnswer, CreditOrder], bool]] = {
    "doubt": lambda answer, _: isinstance(answer, MaybeRecorded) and not answer.ended,
    "ended": lambda answer, _: isinstance(answer, MaybeRecorded) and answer.ended,
    "refused": lambda answer, _: isinstance(answer, NotRecorded) and answer.again,
    "recorded": _whole,
    "recorded unapplied": lambda answer, order: isinstance(answer, Recorded) and not _whole(answer, order),
    # A 201 says that something was recorded, whatever broke off behind it.
    "doubt or a credit to look at": lambda answer, order: (
        not isinstance(answer, NotRecorded) and not _whole(answer, order)
    ),
}

ROWS = (
    Row(LibraryFault.CUT_UNREAD),
    Row(LibraryFault.CUT_READ),
    Row(LibraryFault.SILENT, quick=True),
    Row(LibraryFault.ANSWER_LOST, kept=True),
    Row(LibraryFault.ANSWER_NEVER, kept=True, quick=True),
    Row(LibraryFault.ANSWER_HALF, "doubt or a credit to look at", kept=True),
    Row(LibraryFault.OTHER_STATUS, kept=True),
    Row(LibraryFault.PAGE),
    Row(LibraryFault.PAGE_404),
    Row(LibraryFault.PAGE_502),
    Row(LibraryFault.DONE_502, kept=True),
    Row(LibraryFault.DONE_504, kept=True),
    Row(LibraryFault.NOT_NOW),
    Row(LibraryFault.REDIRECT),
    Row(LibraryFault.NOT_HTTP),
    Row(LibraryFault.NOT_UTF8),
    Row(LibraryFault.ENDLESS, "doubt or a credit to look at", kept=True, hangs_up=True),
    Row(LibraryFault.ENDLESS_ERROR, kept=True, hangs_up=True),
    Row(LibraryFault.FORBIDDEN, "refused"),
    Row(LibraryFault.LOGGED_OUT, "recorded", kept=True),
    Row(LibraryFault.ERROR_KEPT, "ended", kept=True),
    Row(LibraryFault.ERROR_UNAPPLIED, "ended", kept=True, plain=True),
    Row(LibraryFault.UNAPPLIED, "recorded unapplied", kept=True, plain=True),
)

ON_READING = (
    LibraryFault.CUT_READ,
    LibraryFault.ANSWER_HALF,
    LibraryFault.OTHER_STATUS,
    LibraryFault.PAGE,
    LibraryFault.PAGE_404,
    LibraryFault.PAGE_502,
    LibraryFault.NOT_NOW,
    LibraryFault.REDIRECT,
    LibraryFault.NOT_HTTP,
    LibraryFault.NOT_UTF8,
    LibraryFault.FORBIDDEN,
)
"""Faults while something is read: each makes every question *unavailable*, never a "no" or an empty list."""


def _reading(fault: LibraryFault, *, hangs_up: bool) -> Check[LibraryPeer]:
    async def run(peer: LibraryPeer) -> None:
        peer.takes(Need.FAULTS)
        made, library = await peer.patron(("1.00",)), await connected(peer)
        await library.ping()
        questions: dict[Of, tuple[Callable[[], Awaitable[object]], ...]] = {
            Of.CHARGES: (lambda: library.open_charges(made.patron_id),),
            Of.CREDITS: (lambda: library.credits_of(made.patron_id, new_reference()),),
            Of.PATRONS: (
                lambda: library.patron_by_card(made.card_number),
                lambda: library.patrons_by_name("Kittilä", 5),
            ),
        }
        for of, asked in questions.items():
            for ask in asked:
                # Reading may be repeated by itself: the fault is there every time.
                peer.lay(fault, of, 4)
                told = await ask()
                need(isinstance(told, Unavailable) and bool(told.why), f"{of}: it is told as {short(told)}")
                if hangs_up:
                    await need_hung_up(peer.until_hung_up)
                peer.unlay()

    more = HANGS_UP if hangs_up else ""
    words = f"Where {fault}, reading is *unavailable*, and never nobody or nothing{more}."
    return Check(f"reading_{fault.name.lower()}", READING, words, run)


async def a_deadlock_of_two_credits_is_told(peer: LibraryPeer) -> None:
    """Of two credits that collide one is recorded and the other is to be looked up, and what is there of both shows."""
    peer.takes(Need.FAULTS)
    library = await connected(peer)
    only_plain(library, ALL_OR_NOTHING)
    made = await peer.patron(("1.00", "2.00"))
    await library.ping()
    orders = [
        await credit_order(peer, library, made, amount, [charge_id])
        for amount, charge_id in zip(("1.00", "2.00"), made.charge_ids, strict=True)
    ]
    peer.lay(LibraryFault.DEADLOCK, Of.WRITING)
    answers = await asyncio.gather(*(library.record(order) for order in orders))
    fates = sorted(type(answer).__name__ for answer in answers)
    need(fates == ["MaybeRecorded", "Recorded"], f"they are told as {fates}")
    for order in orders:
        kept = (await account(peer, made)).with_reference(order.reference)
        told = await found(library, made.patron_id, order.reference)
        need([each.credit_id for each in told] == [each.credit_id for each in kept], f"{told} is found for {kept}")


CHECKS = (
    *(row.check for row in ROWS),
    *checks_of(WRITING, a_deadlock_of_two_credits_is_told),
    *(_reading(fault, hangs_up=False) for fault in ON_READING),
    *(_reading(fault, hangs_up=True) for fault in (LibraryFault.ENDLESS, LibraryFault.ENDLESS_ERROR)),
)
