# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of faults: one row for each, with what the adapter may make of it, and never a second message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tillbridge.conformance.kit import Check, need, need_hung_up
from tillbridge.conformance.register_peer import Fault, RegisterPeer, Situation
from tillbridge.conformance.register_trying import Bell, order_of, short, sold
from tillbridge.service.register_port import AtRegister, Cancelled, NoOutcome, Paid, Refused

CAPABILITY = "faults on the way"


@dataclass(frozen=True, slots=True)
class Row:
    """Hold a fault with what it may be told as; `quick`: only a limit ends it, `hangs_up`: the adapter must."""

    fault: Fault
    told: tuple[type, ...] = (NoOutcome,)
    quick: bool = False
    hangs_up: bool = False

    @property
    def check(self) -> Check[RegisterPeer]:
        """Make the row's check."""
        names = " or ".join(_NAMES[each] for each in self.told)
        more = "; the adapter hangs up" if self.hangs_up else ""
        words = f"Where {self.fault}, it is {names}, and is not sent again{more}."
        return Check(f"fault_{self.fault.name.lower()}", CAPABILITY, words, self._run())

    def _run(self) -> Callable[[RegisterPeer], Awaitable[None]]:
        async def run(peer: RegisterPeer) -> None:
            register, order = peer.connect(Situation.QUICK if self.quick else Situation.USUAL), order_of(peer)
            peer.lay(self.fault)
            answer = await sold(peer, register, order, Bell())
            seen = peer.seen(order.payment_id)
            followed = self.fault is Fault.REDIRECT and seen is not None
            need(not followed, "it was sent a second time, to where the redirect leads")
            need(peer.connections() == 1, f"{peer.connections()} connections were made")
            need(seen is None or seen.times <= 1, "it has arrived more than once")
            need(isinstance(answer, self.told), f"it is told as {short(answer)}")
            need(not (isinstance(answer, Paid) and self._unproven), "it is paid, and nothing proves it")
            if self.hangs_up:
                await need_hung_up(peer.until_hung_up)
            if isinstance(answer, Paid) and self.fault is Fault.NO_RECEIPT:
                need(answer.receipt_number is None, f"it has the receipt number {answer.receipt_number}")

        return run

    @property
    def _unproven(self) -> bool:
        return Paid not in self.told


_NAMES = {
    AtRegister: "at the register",
    Cancelled: "cancelled",
    NoOutcome: "no outcome",
    Paid: "paid",
    Refused: "refused",
}
_AS_USUAL = (Paid, AtRegister)

ROWS = (
    Row(Fault.CUT_UNREAD),
    Row(Fault.CUT_READ),
    Row(Fault.SILENT, quick=True),
    Row(Fault.ANSWER_LOST),
    Row(Fault.ANSWER_NEVER, quick=True),
    Row(Fault.ANSWER_HALF),
    Row(Fault.ANSWER_STALLS, quick=True),
    Row(Fault.OTHER_STATUS),
    Row(Fault.SERVER_ERROR),
    Row(Fault.NOT_NOW),
    Row(Fault.REDIRECT),
    Row(Fault.PAGE),
    Row(Fault.PAGE_404),
    Row(Fault.PAGE_502),
    Row(Fault.NOTHING),
    Row(Fault.NOT_HTTP),
    Row(Fault.NOT_UTF8),
    Row(Fault.NOT_JSON),
    Row(Fault.ENDLESS, hangs_up=True),
    Row(Fault.ENDLESS_ERROR, hangs_up=True),
    Row(Fault.WRONG_PROOF),
    Row(Fault.NO_PROOF),
    Row(Fault.OTHER_ID),
    Row(Fault.OTHER_SOURCE),
    Row(Fault.ODD_STATUS),
    Row(Fault.ID_USED),
    Row(Fault.SYSTEM_ERROR),
    Row(Fault.REFUSES_UNPROVEN),
    Row(Fault.REFUSES, (Refused,)),
    Row(Fault.CANCELS_BY_ITSELF, (Cancelled,)),
    Row(Fault.STATUS_AS_TEXT, _AS_USUAL),
    Row(Fault.NO_RECEIPT, _AS_USUAL),
)

CHECKS = tuple(row.check for row in ROWS)
