# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a booking that a person settles in the library system, or that is at rest, inside one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tillbridge.domain.lifecycle import AT_REST, Booking, Done
from tillbridge.service.collecting import ANSWERED_THERE
from tillbridge.service.library_port import Credit
from tillbridge.service.planning import Owed, lacking_sum, surely_ended_at
from tillbridge.service.settling import Settling
from tillbridge.service.store_port import CaseKind, CreditState, StoredCredit
from tillbridge.service.weighing import Missing, Weighed, Whole, Wrong, reference_of


class LookingAgain(Settling):
    """Settle what a look finds of a booking for which nothing is on its way any more."""

    def look_at_case(self, found: Sequence[Credit], owed: Owed, asked_at: float) -> None:
        """See whether a person has settled it in the library system; else look again later.

        Of a booking at rest it is seen whether a request that another process had given up has come through after all.
        """
        if self._payment.booking in AT_REST:
            self._look_for_late(found)
        elif self._payment.booking is Booking.REVERSAL_DUE:
            self._look_for_void(found, asked_at)
        elif self._whole_by_now(found, owed):
            self._answered_there()
        self.let_go()

    def _answered_there(self) -> None:
        """Take it that all that was sent is whole by now: what a person must answer besides keeps the rest waiting."""
        if lacking_sum(self._payment, self._credits()) == 0:
            self.advance(Done.CONFIRMED, {"why": "settled in the library system"})
            self._take_back_if_reversed()
        elif {case.kind for case in self._collecting.booking_cases(self._payment)} <= ANSWERED_THERE:
            facts = {"why": "settled in the library system; the rest is to be booked"}
            self._payment = self._collecting.due_again(self._payment, "library", facts)
        else:
            self._collecting.close_cases(self._payment, ANSWERED_THERE, "library", "settled in the library system")

    def _look_for_void(self, found: Sequence[Credit], asked_at: float) -> None:
        """Take it that nothing of the payment stands any more, unless something is missing or may still arrive."""
        there = {credit.reference for credit in found}
        unseen = [credit for credit in self._credits() if reference_of(self._payment, credit.n) not in there]
        missing = any(credit.state is CreditState.BOOKED for credit in unseen)
        booked = [credit for credit in self._credits() if credit.state is CreditState.BOOKED]
        late = asked_at < surely_ended_at([*unseen, *booked], self._world.limits.surely_ended_s)
        if missing or late or any(not credit.void for credit in found):
            return
        self._payment = self._collecting.reversal_seen(self._payment, {})

    def _look_for_late(self, found: Sequence[Credit]) -> None:
        kind, credits_ = CaseKind.BOOKED_TWICE, self._too_many(found)
        if self._payment.booking is Booking.REVERSED:
            kind, credits_ = CaseKind.VOID_BY_HAND, [credit.credit_id for credit in found if not credit.void]
        if credits_:
            self._collecting.open_case(self._payment, kind, {"credits": credits_, "why": "a request came late"})
        else:
            self._collecting.close_cases(self._payment, frozenset({kind}), "library", "settled in the library system")

    def _whole_by_now(self, found: Sequence[Credit], owed: Owed) -> bool:
        """Tell whether all that was sent is there now, once and whole, and keep it as booked.

        Of what was booked twice a person may have taken back the one or the other.
        """
        if self._too_many(found):
            return False
        sent = [
            (asked, result) for asked, result in self._weigh_sent(found, owed) if not _came_to_nothing(asked, result)
        ]
        whole = {charge for asked, result in sent if isinstance(result, Whole) for charge in asked.charge_ids}
        void = [asked for asked, result in sent if _is_void(result) and whole.issuperset(asked.charge_ids)]
        if not whole or any(not isinstance(result, Whole) and asked not in void for asked, result in sent):
            return False
        self._keep_whole(sent)
        for asked in void:
            self._put(replace(asked, state=CreditState.VOIDED))
        return True


def _came_to_nothing(asked: StoredCredit, result: Weighed) -> bool:
    return asked.state is CreditState.ABSENT and isinstance(result, Missing)


def _is_void(result: Weighed) -> bool:
    return isinstance(result, Wrong) and result.kind is CaseKind.CREDIT_VOIDED
