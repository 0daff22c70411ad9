# SPDX-License-Identifier: GPL-3.0-or-later
"""The library kit can fail beyond the least too: the check that names a broken ability says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conformance.conftest import Wrapped, failures, results_of
from tillbridge.conformance import koha, library
from tillbridge.conformance.library_trying import new_reference
from tillbridge.libraries import koha as adapter
from tillbridge.service.library_port import (
    Abilities,
    BookingAnswer,
    CreditOrder,
    MaybeRecorded,
    NotRecorded,
    Recorded,
    RefundAnswer,
    Refunded,
    RefundOrder,
    ReversalAnswer,
    ReversalOrder,
    Reversed,
)


class NeverLearns(Wrapped):
    abilities = Abilities()

    async def learn(self) -> Abilities:
        return self.abilities


class SharesOutByItself(Wrapped):
    async def record(self, order: CreditOrder) -> BookingAnswer:
        first, *_, last = order.shares or {}
        shares = dict(order.shares or {})
        shares[first], shares[last] = shares[first] + Decimal("0.10"), shares[last] - Decimal("0.10")
        return await self.whole.record(replace(order, shares=shares))  # type: ignore[no-any-return]


class RecordsWhatItCan(Wrapped):
    async def record(self, order: CreditOrder) -> BookingAnswer:
        answer: BookingAnswer = await self.whole.record(order)
        if not isinstance(answer, NotRecorded) or not answer.owed:
            return answer
        shares = {one: min(share, answer.owed[one]) for one, share in (order.shares or {}).items()}
        return await self.whole.record(replace(order, shares=shares, amount=sum(shares.values(), Decimal(0))))  # type: ignore[no-any-return]


class DoesNotSayWhatIsOwed(Wrapped):
    async def record(self, order: CreditOrder) -> BookingAnswer:
        answer: BookingAnswer = await self.whole.record(order)
        return replace(answer, owed=None) if isinstance(answer, NotRecorded) else answer


class MakesKeysAnew(Wrapped):
    """Send every order, and every refund, under a reference of its own."""

    async def record(self, order: CreditOrder) -> BookingAnswer:
        other = new_reference()
        answer: BookingAnswer = await self.whole.record(
            replace(order, reference=other, note=f"{other} {order.reference}")
        )
        if not isinstance(answer, Recorded):
            return answer
        return Recorded(replace(answer.credit, reference=order.reference))

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        return await self.whole.refund(replace(order, reference=f"{order.booking}:{new_reference()}"))  # type: ignore[no-any-return]


class GivesBackUnderNewKeys(Wrapped):
    async def refund(self, order: RefundOrder) -> RefundAnswer:
        return await self.whole.refund(replace(order, reference=new_reference()))  # type: ignore[no-any-return]


class TellsAnotherCredit(Wrapped):
    told = 0

    async def record(self, order: CreditOrder) -> BookingAnswer:
        answer: BookingAnswer = await self.whole.record(order)
        self.told += 1
        return Recorded(replace(answer.credit, credit_id=str(self.told))) if isinstance(answer, Recorded) else answer


class TakesOtherContentForTheSame(Wrapped):
    async def record(self, order: CreditOrder) -> BookingAnswer:
        answer: BookingAnswer = await self.whole.record(order)
        if not isinstance(answer, MaybeRecorded):
            return answer
        (credit,) = await self.whole.credits_of(order.patron_id, order.reference)
        return Recorded(credit)


class HidesTheClerk(Wrapped):
    async def record(self, order: CreditOrder) -> BookingAnswer:
        return await self.whole.record(replace(order, staff_id=None))  # type: ignore[no-any-return]


class TakesNothingBack(Wrapped):
    async def reverse(self, order: ReversalOrder) -> ReversalAnswer:
        del order
        return Reversed()


class Undoes(Wrapped):
    """Tell what became of a reversal or a refund in a way of its own."""

    def __init__(self, whole: Any, change: Callable[[Any], Any]) -> None:
        super().__init__(whole)
        self.change = change

    async def reverse(self, order: ReversalOrder) -> ReversalAnswer:
        return self.change(await self.whole.reverse(order))  # type: ignore[no-any-return]

    async def refund(self, order: RefundOrder) -> RefundAnswer:
        return self.change(await self.whole.refund(order))  # type: ignore[no-any-return]


class GivesBackWhatItCan(Wrapped):
    async def refund(self, order: RefundOrder) -> RefundAnswer:
        answer: RefundAnswer = await self.whole.refund(order)
        if isinstance(answer, NotRecorded):
            await self.whole.refund(replace(order, shares={one: Decimal("0.50") for one in order.shares}))
        return answer


def never_by_hand(answer: ReversalAnswer) -> ReversalAnswer:
    return replace(answer, by_hand=False) if isinstance(answer, Reversed) else answer


def back_in_any_case(answer: ReversalAnswer) -> ReversalAnswer:
    return Reversed() if isinstance(answer, NotRecorded) else answer


def given_in_any_case(answer: RefundAnswer) -> RefundAnswer:
    return Refunded() if isinstance(answer, NotRecorded) else answer


def refused(answer: Any) -> Any:
    return NotRecorded(answer.why, again=True) if isinstance(answer, MaybeRecorded) else answer


def not_absent(answer: Any) -> Any:
    return replace(answer, absent=False) if isinstance(answer, NotRecorded) else answer


BROKEN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "never learns": (NeverLearns, "what_it_can_do_is_learnt"),
    "shares out by itself": (SharesOutByItself, "each_charge_gets_just_its_share"),
    "records what it can": (RecordsWhatItCan, "more_than_is_owed_is_refused_whole"),
    "does not say what is owed": (DoesNotSayWhatIsOwed, "a_charge_that_is_paid_is_refused"),
    "makes keys anew": (MakesKeysAnew, "the_same_again_is_answered_and_not_recorded"),
    "tells another credit": (TellsAnotherCredit, "the_same_at_once_is_recorded_once"),
    "takes other content for the same": (TakesOtherContentForTheSame, "other_content_under_a_reference_is_refused"),
    "makes keys anew after a lost answer": (MakesKeysAnew, "a_lost_answer_asked_again_is_recorded_once"),
    "hides the clerk": (HidesTheClerk, "it_is_recorded_in_the_clerks_name"),
    "takes nothing back": (TakesNothingBack, "a_credit_is_taken_back_once"),
    "takes all for its own": (lambda a: Undoes(a, never_by_hand), "what_a_librarian_took_back_is_told"),
    "takes nothing for taken back": (lambda a: Undoes(a, back_in_any_case), "what_was_never_booked_is_not_taken_back"),
    "takes a lost reversal for refused": (lambda a: Undoes(a, refused), "a_lost_reversal_asked_again_is_told"),
    "gives back under new keys": (GivesBackUnderNewKeys, "a_part_is_given_back_once"),
    "gives back a cent more": (lambda a: Undoes(a, given_in_any_case), "all_is_given_back_in_parts_and_no_more"),
    "gives back what it can": (GivesBackWhatItCan, "more_than_was_booked_is_not_given_back"),
    "gives back other content": (GivesBackUnderNewKeys, "another_refund_under_a_reference_is_refused"),
    "gives back again": (GivesBackUnderNewKeys, "a_lost_refund_asked_again_is_given_back_once"),
    "gives back twice": (lambda a: Undoes(a, given_in_any_case), "nothing_is_given_back_of_what_was_taken_back"),
    "does not tell absence": (lambda a: Undoes(a, not_absent), "nothing_is_given_back_of_what_was_never_booked"),
}


@pytest.mark.parametrize(("wrap", "name"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_ability_is_caught_by_the_check_that_names_it(
    wrap: Callable[[Any], Any], name: str, tmp_path: Path
) -> None:
    check = next(each for each in library.CHECKS if each.name == name)
    results = await results_of(koha.SETUPS["OAuth2, with the plugin"], adapter, tmp_path, [check], wrap)
    assert [each for each, _ in failures(results)] == [name]


def test_every_check_beyond_the_least_has_an_adapter_that_it_catches() -> None:
    beyond = {"being learnt", "exact lines", "unique keys", "names of staff", "taking back", "giving back"}
    assert {check.name for check in library.CHECKS if check.capability in beyond} == {
        name for _, name in BROKEN.values()
    }
