# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of what goes beyond the least while recording: exact lines, unique keys, and in whose name it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from tillbridge.conformance.kit import Skipped, checks_of, need
from tillbridge.conformance.library_peer import LibraryFault, LibraryPeer, Need, Of
from tillbridge.conformance.library_trying import (
    account,
    connected,
    credit_order,
    found,
    need_unchanged,
    on_charges,
    only_where,
    recorded,
    short,
)
from tillbridge.service.library_port import LibrarySystem, MaybeRecorded, NotRecorded, Recorded

AT_ONCE = 5


async def what_it_can_do_is_learnt(peer: LibraryPeer) -> None:
    """What the library system can do is told once it was asked, and is the same a moment later."""
    if peer.abilities is None:
        raise Skipped("what this library system can do is not known beforehand")
    library = peer.connect()
    told = await library.learn()
    need(told == peer.abilities, f"it can do {peer.abilities}, and is told as {told}")
    need(library.abilities == await library.learn() == told, "it is told in another way a moment later")


async def each_charge_gets_just_its_share(peer: LibraryPeer) -> None:
    """Each charge gets the share that it is ordered for, in whatever order the charges would be paid by themselves."""
    library = await _with_exact_lines(peer)
    made = await peer.patron(("1.00", "2.00", "3.00"))
    first, second, third = made.charge_ids
    order = on_charges(await credit_order(peer, library, made, "1.00"), {first: "0.40", third: "3.00"})
    credit = await recorded(library, order)
    need((credit.amount, credit.unapplied) == (Decimal("3.40"), Decimal(0)), f"it is told as {credit}")
    need(_some(credit.lines) == order.shares, f"its shares are told as {credit.lines}")
    owed = (await account(peer, made)).owed
    need(owed == {first: Decimal("0.60"), second: Decimal("2.00")}, f"they owe {owed}")
    (again,) = await found(library, made.patron_id, order.reference)
    need(again == credit, f"it is found as {again}")


async def more_than_is_owed_is_refused_whole(peer: LibraryPeer) -> None:
    """Where one charge owes less than its share nothing is recorded on any, and what they owe now is told."""
    library = await _with_exact_lines(peer)
    made = await peer.patron(("1.00", "2.00"))
    first, second = made.charge_ids
    before = await account(peer, made)
    order = on_charges(await credit_order(peer, library, made, "1.00"), {first: "1.00", second: "2.01"})
    answer = await library.record(order)
    need(isinstance(answer, NotRecorded), f"it is told as {short(answer)}")
    owed = answer.owed if isinstance(answer, NotRecorded) else None
    need(owed == before.owed, f"they owe {before.owed}, and it is told as {owed}")
    await need_unchanged(peer, made, before, "after a refusal")


async def a_charge_that_is_paid_is_refused(peer: LibraryPeer) -> None:
    """A charge that is not open any more gets nothing, and is told to owe nothing."""
    library = await _with_exact_lines(peer)
    made = await peer.patron(("1.00",))
    order = await credit_order(peer, library, made, "1.00")
    await recorded(library, order)
    before, late = await account(peer, made), f"{order.reference}:2"
    answer = await library.record(replace(order, reference=late, note=late))
    owed = answer.owed if isinstance(answer, NotRecorded) else None
    need(owed == {made.charge_ids[0]: Decimal(0)}, f"it is told as {short(answer)}, with {owed}")
    await need_unchanged(peer, made, before, "after a refusal")


async def the_same_again_is_answered_and_not_recorded(peer: LibraryPeer) -> None:
    """The same order again is answered with the credit that there is, and nothing more is recorded."""
    library = await _with_keys(peer)
    made = await peer.patron(("1.00", "2.00"))
    order = await credit_order(peer, library, made, "2.50")
    first = await recorded(library, order)
    before = await account(peer, made)
    for who in (library, await connected(peer)):
        again = await recorded(who, order)
        need(again == first, f"it was {first}, and is told again as {again}")
    await need_unchanged(peer, made, before, "after the same order again")


async def the_same_at_once_is_recorded_once(peer: LibraryPeer) -> None:
    """The same order many times at once is recorded once, and nobody is told another credit."""
    library = await _with_keys(peer)
    made = await peer.patron(("1.00", "2.00"))
    order = await credit_order(peer, library, made, "1.00", made.charge_ids[:1])
    answers = await asyncio.gather(*(library.record(order) for _ in range(AT_ONCE)))
    (kept,) = (await account(peer, made)).with_reference(order.reference)
    told = {answer.credit.credit_id for answer in answers if isinstance(answer, Recorded)}
    need(told == {kept.credit_id}, f"{kept.credit_id} is recorded, and {sorted(told)} is told")
    need((await account(peer, made)).owed == {made.charge_ids[1]: Decimal("2.00")}, "something else is owed")


async def other_content_under_a_reference_is_refused(peer: LibraryPeer) -> None:
    """Another order under a reference that is there already is not recorded, and changes nothing."""
    library = await _with_keys(peer)
    made = await peer.patron(("1.00", "2.00"))
    first, second = made.charge_ids
    order = await credit_order(peer, library, made, "1.00", [first])
    credit = await recorded(library, order)
    before = await account(peer, made)
    for shares in ({second: "1.00"}, {second: "2.00"}, {first: "1.00", second: "1.00"}):
        answer = await library.record(on_charges(order, shares))
        need(not isinstance(answer, Recorded), f"{shares} is told as recorded")
    await need_unchanged(peer, made, before, "after other content")
    need(await found(library, made.patron_id, order.reference) == (credit,), "it is found with other facts")


async def a_lost_answer_asked_again_is_recorded_once(peer: LibraryPeer) -> None:
    """An order whose answer was lost is asked again, and answered with the credit that was recorded."""
    peer.takes(Need.FAULTS)
    library = await _with_keys(peer)
    made = await peer.patron(("1.00",))
    order = await credit_order(peer, library, made, "1.00")
    peer.lay(LibraryFault.ANSWER_LOST, Of.WRITING)
    lost = await library.record(order)
    need(isinstance(lost, MaybeRecorded), f"a lost answer is told as {short(lost)}")
    credit = await recorded(library, order)
    kept = (await account(peer, made)).with_reference(order.reference)
    need([each.credit_id for each in kept] == [credit.credit_id], f"{credit} is told, and there is {kept}")


async def it_is_recorded_in_the_clerks_name(peer: LibraryPeer) -> None:
    """A credit is in the name of the librarian who is named, and at that register of the library system."""
    library = await connected(peer)
    only_where(library.abilities.names_staff, "does not say who recorded a credit")
    clerk, made = await peer.clerk(), await peer.patron(("1.00",))
    order = await credit_order(peer, library, made, "1.00")
    await recorded(library, replace(order, staff_id=clerk.staff_id, register_id=clerk.register_id))
    (kept,) = (await account(peer, made)).with_reference(order.reference)
    need((kept.staff_id, kept.register_id) == (clerk.staff_id, clerk.register_id), f"it is {kept}, not by {clerk}")


def _some(lines: Mapping[str, Decimal] | None) -> dict[str, Decimal]:
    return {charge_id: share for charge_id, share in (lines or {}).items() if share}


async def _with_exact_lines(peer: LibraryPeer) -> LibrarySystem:
    library = await connected(peer)
    only_where(library.abilities.exact_lines, "shares a credit out by itself")
    return library


async def _with_keys(peer: LibraryPeer) -> LibrarySystem:
    library = await connected(peer)
    only_where(library.abilities.unique_key, "does not know an order again")
    return library


CHECKS = (
    *checks_of("being learnt", what_it_can_do_is_learnt),
    *checks_of(
        "exact lines",
        each_charge_gets_just_its_share,
        more_than_is_owed_is_refused_whole,
        a_charge_that_is_paid_is_refused,
    ),
    *checks_of(
        "unique keys",
        the_same_again_is_answered_and_not_recorded,
        the_same_at_once_is_recorded_once,
        other_content_under_a_reference_is_refused,
        a_lost_answer_asked_again_is_recorded_once,
    ),
    *checks_of("names of staff", it_is_recorded_in_the_clerks_name),
)
