# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of taking a credit back and of giving money of it back, each of which must happen once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from tillbridge.conformance.kit import checks_of, need
from tillbridge.conformance.library_peer import LibraryFault, LibraryPeer, Made, Need, Of
from tillbridge.conformance.library_trying import (
    account,
    connected,
    credit_order,
    found,
    need_unchanged,
    new_reference,
    only_where,
    recorded,
    short,
)
from tillbridge.service.library_port import (
    CreditOrder,
    LibrarySystem,
    MaybeRecorded,
    NotRecorded,
    Refunded,
    RefundOrder,
    ReversalOrder,
    Reversed,
)

OWED = ("1.00", "2.00")


@dataclass(frozen=True, slots=True)
class Booked:
    """Hold a patron's credit on two charges, of 1.00 and 2.00, and how to undo it."""

    peer: LibraryPeer
    library: LibrarySystem
    made: Made
    order: CreditOrder

    def reversal(self) -> ReversalOrder:
        """Order the credit's reversal."""
        booking = self.order.reference
        return ReversalOrder(self.made.patron_id, self.peer.branch, booking, f"{booking}:reversal", "Conformance kit")

    def refund(self, *shares: str, n: int = 1) -> RefundOrder:
        """Order the nth refund, of these shares of the charges in their order."""
        exact = {one: Decimal(share) for one, share in zip(self.made.charge_ids, shares, strict=False)}
        booking = self.order.reference
        return RefundOrder(
            self.made.patron_id, self.peer.branch, booking, f"{booking}:refund:{n}", exact, "Conformance kit"
        )

    async def taken_back(self, order: ReversalOrder) -> Reversed:
        """Take it back, which must be done."""
        answer = await self.library.reverse(order)
        need(isinstance(answer, Reversed), f"it was to be taken back, and is told as {short(answer)}")
        assert isinstance(answer, Reversed)  # noqa: S101 - needed a line above; the types do not know
        return answer

    async def given_back(self, order: RefundOrder) -> Refunded:
        """Give money of it back, which must be done."""
        answer = await self.library.refund(order)
        need(isinstance(answer, Refunded), f"it was to be given back, and is told as {short(answer)}")
        assert isinstance(answer, Refunded)  # noqa: S101 - needed a line above; the types do not know
        return answer

    async def need_void(self) -> None:
        """Need the credit to be void, once, and all its charges to be owed again."""
        ledger = await account(self.peer, self.made)
        owed = dict(zip(self.made.charge_ids, map(Decimal, OWED), strict=True))
        need(ledger.owed == owed, f"there is owed {ledger.owed}, not {owed}")
        need(not ledger.with_reference(self.order.reference), "the credit still counts")
        told = [each.void for each in await found(self.library, self.made.patron_id, self.order.reference)]
        need(told == [True], f"its being void is told as {told}")

    async def need_out(self, sum_: str) -> None:
        """Need so much to be given back in the ledger, and nothing to be owed of what was paid."""
        out = await self.peer.given_back(self.made.patron_id)
        need(out == Decimal(sum_), f"{out} is given back in the ledger, not {sum_}")
        owed = (await account(self.peer, self.made)).owed
        need(not owed, f"there is owed {owed}")


async def a_credit_is_taken_back_once(peer: LibraryPeer) -> None:
    """A credit is taken back whole and its charges are owed again; the same again is told as done, and does nothing."""
    booked = await _to_take_back(peer)
    first = await booked.taken_back(booked.reversal())
    need(not first.by_hand, "it is told as taken back by hand")
    await booked.need_void()
    before = await account(peer, booked.made)
    again = await booked.taken_back(booked.reversal())
    need(again == first, f"it was {first}, and is told again as {again}")
    await need_unchanged(peer, booked.made, before, "after the same again")


async def what_a_librarian_took_back_is_told(peer: LibraryPeer) -> None:
    """A credit that a librarian has voided is told as taken back, by hand."""
    peer.takes(Need.LIBRARIAN)
    booked = await _to_take_back(peer)
    (kept,) = (await account(peer, booked.made)).with_reference(booked.order.reference)
    await peer.void(kept.credit_id)
    answer = await booked.taken_back(booked.reversal())
    need(answer.by_hand, "it is told as taken back by the bridge")
    await booked.need_void()


async def what_was_never_booked_is_not_taken_back(peer: LibraryPeer) -> None:
    """What was never booked is not taken back, and its absence is told; other credits stay."""
    booked = await _to_take_back(peer)
    before, never = await account(peer, booked.made), new_reference()
    answer = await booked.library.reverse(replace(booked.reversal(), booking=never, reference=f"{never}:reversal"))
    need(isinstance(answer, NotRecorded) and answer.absent and not answer.again, f"it is told as {short(answer)}")
    await need_unchanged(peer, booked.made, before, "after a refusal")


async def a_lost_reversal_asked_again_is_told(peer: LibraryPeer) -> None:
    """A reversal whose answer was lost is asked again, and told as done."""
    peer.takes(Need.FAULTS)
    booked = await _to_take_back(peer)
    peer.lay(LibraryFault.ANSWER_LOST, Of.TAKING_BACK)
    lost = await booked.library.reverse(booked.reversal())
    need(isinstance(lost, MaybeRecorded), f"a lost answer is told as {short(lost)}")
    await booked.taken_back(booked.reversal())
    await booked.need_void()


async def a_part_is_given_back_once(peer: LibraryPeer) -> None:
    """A part of what a charge got is given back and the charge stays paid; the same again gives back nothing more."""
    booked = await _to_give_back(peer)
    order = booked.refund("0.40")
    first = await booked.given_back(order)
    await booked.need_out("0.40")
    before = await account(peer, booked.made)
    again = await booked.given_back(order)
    need(again == first, f"it was {first}, and is told again as {again}")
    await booked.need_out("0.40")
    await need_unchanged(peer, booked.made, before, "after the same again")


async def all_is_given_back_in_parts_and_no_more(peer: LibraryPeer) -> None:
    """Everything can be given back in parts, charge by charge, and not a cent more."""
    booked = await _to_give_back(peer)
    await booked.given_back(booked.refund("0.40", "2.00"))
    await booked.given_back(booked.refund("0.60", n=2))
    before = await account(peer, booked.made)
    answer = await booked.library.refund(booked.refund("0.01", n=3))
    need(isinstance(answer, NotRecorded) and not answer.again, f"a cent more is told as {short(answer)}")
    await booked.need_out("3.00")
    await need_unchanged(peer, booked.made, before, "after a refusal")


async def more_than_was_booked_is_not_given_back(peer: LibraryPeer) -> None:
    """More than a charge got is not given back, nor anything beside it, even where another charge got more."""
    booked = await _to_give_back(peer)
    before = await account(peer, booked.made)
    answer = await booked.library.refund(booked.refund("1.01", "0.50"))
    need(isinstance(answer, NotRecorded) and not answer.again, f"it is told as {short(answer)}")
    await booked.need_out("0")
    await need_unchanged(peer, booked.made, before, "after a refusal")


async def another_refund_under_a_reference_is_refused(peer: LibraryPeer) -> None:
    """Another refund under a reference that is there already gives back nothing more."""
    booked = await _to_give_back(peer)
    await booked.given_back(booked.refund("0.40"))
    answer = await booked.library.refund(booked.refund("0.50"))
    need(not isinstance(answer, Refunded), "it is told as given back")
    await booked.need_out("0.40")


async def a_lost_refund_asked_again_is_given_back_once(peer: LibraryPeer) -> None:
    """A refund whose answer was lost is asked again, told as done, and given back once."""
    peer.takes(Need.FAULTS)
    booked = await _to_give_back(peer)
    peer.lay(LibraryFault.ANSWER_LOST, Of.GIVING_BACK)
    lost = await booked.library.refund(booked.refund("0.40"))
    need(isinstance(lost, MaybeRecorded), f"a lost answer is told as {short(lost)}")
    await booked.given_back(booked.refund("0.40"))
    await booked.need_out("0.40")


async def nothing_is_given_back_of_what_was_taken_back(peer: LibraryPeer) -> None:
    """After a credit was taken back no money of it is given back."""
    booked = await _to_give_back(peer)
    only_where(booked.library.abilities.reversal, "takes no credit back")
    await booked.taken_back(booked.reversal())
    answer = await booked.library.refund(booked.refund("0.40"))
    need(isinstance(answer, NotRecorded) and not answer.again, f"it is told as {short(answer)}")
    need(not await peer.given_back(booked.made.patron_id), "money is given back")
    await booked.need_void()


async def nothing_is_given_back_of_what_was_never_booked(peer: LibraryPeer) -> None:
    """Of what was never booked nothing is given back, and its absence is told."""
    booked = await _to_give_back(peer)
    never = new_reference()
    answer = await booked.library.refund(replace(booked.refund("0.40"), booking=never, reference=f"{never}:refund:1"))
    need(isinstance(answer, NotRecorded) and answer.absent and not answer.again, f"it is told as {short(answer)}")
    await booked.need_out("0")


async def _to_take_back(peer: LibraryPeer) -> Booked:
    library = await connected(peer)
    only_where(library.abilities.reversal, "takes no credit back")
    return await _booked(peer, library)


async def _to_give_back(peer: LibraryPeer) -> Booked:
    library = await connected(peer)
    only_where(library.abilities.refund, "gives no money back")
    return await _booked(peer, library)


async def _booked(peer: LibraryPeer, library: LibrarySystem) -> Booked:
    made = await peer.patron(OWED)
    order = await credit_order(peer, library, made, "3.00")
    await recorded(library, order)
    return Booked(peer, library, made, order)


CHECKS = (
    *checks_of(
        "taking back",
        a_credit_is_taken_back_once,
        what_a_librarian_took_back_is_told,
        what_was_never_booked_is_not_taken_back,
        a_lost_reversal_asked_again_is_told,
    ),
    *checks_of(
        "giving back",
        a_part_is_given_back_once,
        all_is_given_back_in_parts_and_no_more,
        more_than_was_booked_is_not_given_back,
        another_refund_under_a_reference_is_refused,
        a_lost_refund_asked_again_is_given_back_once,
        nothing_is_given_back_of_what_was_taken_back,
        nothing_is_given_back_of_what_was_never_booked,
    ),
)
