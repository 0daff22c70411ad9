# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of recording credits and of finding them again: here money could be lost or doubled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from tillbridge.conformance.kit import checks_of, need
from tillbridge.conformance.library_peer import LibraryFault, LibraryPeer, Need, Of
from tillbridge.conformance.library_trying import (
    ALL_OR_NOTHING,
    account,
    connected,
    credit_order,
    found,
    new_reference,
    only_plain,
    recorded,
    short,
)
from tillbridge.service.library_port import CreditOrder, NotRecorded, Unavailable

MANY = 120


async def a_credit_pays_its_charges(peer: LibraryPeer) -> None:
    """A credit for the whole sum pays its charges, is wholly applied, and is told as it stands in the ledger."""
    made = await peer.patron(("1.00", "2.50"))
    library = await connected(peer)
    order = await credit_order(peer, library, made, "3.50")
    credit = await recorded(library, order)
    facts = (credit.reference, credit.amount, credit.unapplied, credit.void)
    need(facts == (order.reference, Decimal("3.50"), Decimal(0), False), f"it is told as {credit}")
    ledger = await account(peer, made)
    need(not ledger.owed, f"there is still owed {ledger.owed}")
    need([each.credit_id for each in ledger.with_reference(order.reference)] == [credit.credit_id], "it is not there")


async def a_credit_is_recorded_once(peer: LibraryPeer) -> None:
    """One order is one request and one credit."""
    peer.takes(Need.COUNTING)
    made, library = await peer.patron(("1.00",)), await connected(peer)
    order = await credit_order(peer, library, made, "1.00")
    await recorded(library, order)
    need(peer.writes() == 1, f"{peer.writes()} requests were sent")
    need(len((await account(peer, made)).with_reference(order.reference)) == 1, "there is not one credit")


async def a_credit_goes_over_a_fresh_connection(peer: LibraryPeer) -> None:
    """A credit goes over a connection of its own, so that a stale one makes no false doubt."""
    peer.takes(Need.COUNTING)
    made, library = await peer.patron(("1.00", "1.00")), await connected(peer)
    await library.ping()
    for charge_id in made.charge_ids:
        await library.open_charges(made.patron_id)
        before = peer.connections()
        await recorded(library, await credit_order(peer, library, made, "1.00", [charge_id]))
        need(peer.connections() > before, "it went over a connection that was there before")


async def a_partial_sum_lands_in_the_librarys_order(peer: LibraryPeer) -> None:
    """A partial sum pays the first charges whole and the last one in part."""
    made, library = await peer.patron(("1.00", "2.00", "3.00")), await connected(peer)
    await recorded(library, await credit_order(peer, library, made, "2.25"))
    owed = (await account(peer, made)).owed
    first, second, third = made.charge_ids
    need(owed == {second: Decimal("0.75"), third: Decimal("3.00")}, f"{first} and the others owe {owed}")
    await recorded(library, await credit_order(peer, library, made, "3.75", (second, third)))


async def nothing_spills_over_to_other_charges(peer: LibraryPeer) -> None:
    """A credit for some charges leaves the patron's other ones alone, older and newer."""
    made, library = await peer.patron(("1.00", "2.00", "3.00")), await connected(peer)
    older, meant, newer = made.charge_ids
    await recorded(library, await credit_order(peer, library, made, "2.00", [meant]))
    owed = (await account(peer, made)).owed
    need(owed == {older: Decimal("1.00"), newer: Decimal("3.00")}, f"they owe {owed}")
    await recorded(library, await credit_order(peer, library, made, "4.00", (older, newer)))


async def fractions_of_a_cent_are_paid_exactly(peer: LibraryPeer) -> None:
    """A charge with fractions of a cent is paid to the last of them."""
    made = await peer.patron(("0.333", "0.000001", "1.67"))
    library = await connected(peer)
    credit = await recorded(library, await credit_order(peer, library, made, "2.003001"))
    need(credit.amount == Decimal("2.003001"), f"it is told as {credit.amount}")
    need(not (await account(peer, made)).owed, "there is something left")


async def a_large_sum_is_exact(peer: LibraryPeer) -> None:
    """A credit of many euros is exact to the last place."""
    made, library = await peer.patron(("123456.789012",)), await connected(peer)
    credit = await recorded(library, await credit_order(peer, library, made, "123456.789012"))
    need(credit.amount == Decimal("123456.789012"), f"it is told as {credit.amount}")
    need(not (await account(peer, made)).owed, "there is something left")


async def a_note_is_kept_whole(peer: LibraryPeer) -> None:
    """A credit's note is kept letter by letter, for those who read it in the library system."""
    made, library = await peer.patron(("1.00",)), await connected(peer)
    order = await credit_order(peer, library, made, "1.00")
    note = f'Kassa 1, clerk Åsa "O\'Hara" & <Šo> 図; receipt K%_1 {order.reference}'
    await recorded(library, replace(order, note=note))
    notes = [each.note for each in (await account(peer, made)).with_reference(order.reference)]
    need(notes == [note], f"they are {notes}")


async def two_patrons_at_once_get_their_own(peer: LibraryPeer) -> None:
    """Credits for several patrons at once land where they belong."""
    peer.takes(Need.PATRONS)
    library, patrons = await connected(peer), [await peer.patron((f"{n}.00",)) for n in range(1, 9)]
    orders = [await credit_order(peer, library, made, f"{n}.00") for n, made in enumerate(patrons, 1)]
    told = await asyncio.gather(*(recorded(library, order) for order in orders))
    for made, order, credit in zip(patrons, orders, told, strict=True):
        need((credit.reference, credit.amount) == (order.reference, order.amount), f"{order} is told as {credit}")
        ledger = await account(peer, made)
        need(not ledger.owed and len(ledger.with_reference(order.reference)) == 1, f"patron {made.patron_id}: {ledger}")


async def nonsense_is_not_sent(peer: LibraryPeer) -> None:
    """An order that cannot be what was meant is refused with proof that nothing was recorded."""
    made, library = await peer.patron(("5.00",)), await connected(peer)
    good = await credit_order(peer, library, made, "1.00")
    nonsense = {
        "no charges": replace(good, charge_ids=()),
        "a charge that is none": _for(good, ("abc",), "1.00"),
        "nothing": _for(good, good.charge_ids, "0"),
        "less than nothing": _for(good, good.charge_ids, "-1.00"),
        "no number": _for(good, good.charge_ids, "NaN"),
        "without end": _for(good, good.charge_ids, "Infinity"),
        "more places than are kept": _for(good, good.charge_ids, "0.0000001"),
        "no branch": replace(good, branch=""),
        "a note without the reference": replace(good, note="paid"),
    }
    if library.abilities.exact_lines:
        nonsense["other shares than the sum"] = replace(good, amount=Decimal("2.00"))
        nonsense["a charge without a share"] = replace(good, charge_ids=(*good.charge_ids, "999999999"))
    for name, order in nonsense.items():
        answer = await library.record(order)
        need(isinstance(answer, NotRecorded) and not answer.again, f"{name}: it is told as {short(answer)}")
    ledger = await account(peer, made)
    need(not ledger.booked, f"something was recorded: {ledger.booked}")
    need(ledger.owed == {made.charge_ids[0]: Decimal("5.00")}, f"there is owed {ledger.owed}")


def _for(order: CreditOrder, charge_ids: tuple[str, ...], amount: str) -> CreditOrder:
    shares = None if order.shares is None else dict.fromkeys(charge_ids, Decimal(amount))
    return replace(order, charge_ids=charge_ids, amount=Decimal(amount), shares=shares)


async def a_gone_patron_is_told(peer: LibraryPeer) -> None:
    """A credit for a patron who is gone is not recorded, and the adapter says that the patron is gone."""
    peer.takes(Need.LIBRARIAN)
    made, library = await peer.patron(("1.00",)), await connected(peer)
    order = await credit_order(peer, library, made, "1.00")
    await peer.delete(made.patron_id)
    answer = await library.record(order)
    need(isinstance(answer, NotRecorded) and answer.patron_gone, f"it is told as {short(answer)}")


async def a_credit_is_found_by_its_reference(peer: LibraryPeer) -> None:
    """A credit is found by its reference, with the facts of the ledger."""
    made, library = await peer.patron(("1.00",)), await connected(peer)
    order = await credit_order(peer, library, made, "1.00")
    credit = await recorded(library, order)
    need(await found(library, made.patron_id, order.reference) == (credit,), "it is found with other facts, or not")


async def nothing_is_found_where_nothing_is(peer: LibraryPeer) -> None:
    """A reference that was never used finds nothing, which is not *unavailable*."""
    made = await peer.patron()
    need(await found(await connected(peer), made.patron_id, new_reference()) == (), "something is found")


async def a_reference_is_compared_exactly(peer: LibraryPeer) -> None:
    """A reference in other letters, a shorter one and a longer one find nothing."""
    made, library = await peer.patron(("1.00",)), await connected(peer)
    order = await credit_order(peer, library, made, "1.00")
    await recorded(library, order)
    whole = order.reference
    for other in (whole.swapcase(), whole[:-1], whole + "0", whole.replace(":", "_")):
        need(await found(library, made.patron_id, other) == (), f"{other} finds {whole}")
    told = await library.credits_of(made.patron_id, f"{whole[:-2]}%")
    need(told == () or isinstance(told, Unavailable), f"a sign for anything finds {told}")


async def numbered_references_belong_to_their_payment(peer: LibraryPeer) -> None:
    """``:1`` and ``:2`` behind the reference are the payment's credits too, each with its own reference."""
    made, library, reference = await peer.patron(("1.00", "1.00", "1.00")), await connected(peer), new_reference()
    for charge_id, behind in zip(made.charge_ids, (":1", ":2", "x:3"), strict=True):
        await recorded(library, await credit_order(peer, library, made, "1.00", [charge_id], reference + behind))
    references = [each.reference for each in await found(library, made.patron_id, reference)]
    need(sorted(references) == [f"{reference}:1", f"{reference}:2"], f"they are {references}")


async def another_patrons_credit_is_not_found(peer: LibraryPeer) -> None:
    """A reference finds the credits of the patron who is asked about, and of no other."""
    peer.takes(Need.PATRONS)
    library = await connected(peer)
    only_plain(library, "a reference is there once in this library system, whosever it is")
    one, two = await peer.patron(("1.00",)), await peer.patron()
    order = await credit_order(peer, library, one, "1.00")
    await recorded(library, order)
    need(await found(library, two.patron_id, order.reference) == (), "it is found at another patron")


async def both_of_a_double_are_found(peer: LibraryPeer) -> None:
    """Two credits with one reference are both found: that is how a double shows."""
    library = await connected(peer)
    only_plain(library, "a reference is there once in this library system")
    made, reference = await peer.patron(("1.00", "1.00")), new_reference()
    for charge_id in made.charge_ids:
        await recorded(library, await credit_order(peer, library, made, "1.00", [charge_id], reference))
    need(len(await found(library, made.patron_id, reference)) == len(made.charge_ids), "not both are found")


async def a_void_credit_is_found_void(peer: LibraryPeer) -> None:
    """A credit that a librarian has voided is found, and told as void."""
    peer.takes(Need.LIBRARIAN)
    made, library = await peer.patron(("1.00",)), await connected(peer)
    order = await credit_order(peer, library, made, "1.00")
    await peer.void((await recorded(library, order)).credit_id)
    credits_ = await found(library, made.patron_id, order.reference)
    need([each.void for each in credits_] == [True], f"they are {credits_}")


async def an_unapplied_credit_is_found_unapplied(peer: LibraryPeer) -> None:
    """A credit that no charge has absorbed is found with what is left of it."""
    peer.takes(Need.FAULTS)
    library = await connected(peer)
    only_plain(library, ALL_OR_NOTHING)
    made = await peer.patron(("1.00",))
    peer.lay(LibraryFault.UNAPPLIED, Of.WRITING)
    order = await credit_order(peer, library, made, "1.00")
    credit = await recorded(library, order)
    need(credit.unapplied == Decimal("1.00"), f"it is told as {credit}")
    need(await found(library, made.patron_id, order.reference) == (credit,), "it is found with other facts")


async def credits_are_found_among_many(peer: LibraryPeer) -> None:
    """A credit is found among a hundred and twenty of one patron, and all of one payment are."""
    made, library, reference = await peer.patron(("0.01",) * MANY), await connected(peer), new_reference()
    orders = [
        await credit_order(peer, library, made, "0.01", [charge_id], f"{reference}:{n}")
        for n, charge_id in enumerate(made.charge_ids, 1)
    ]
    for order in orders:
        await recorded(library, order)
    credits_ = await found(library, made.patron_id, reference)
    need({each.reference for each in credits_} == {order.reference for order in orders}, f"{len(credits_)} are found")


async def odd_references_find_nothing_and_raise_nothing(peer: LibraryPeer) -> None:
    """A reference that is none finds no credit, and does no harm."""
    made, library = await peer.patron(("1.00",)), await connected(peer)
    await recorded(library, await credit_order(peer, library, made, "1.00"))
    for odd in ("%", "_", "", " ", '"', "\\", "tillbridge:", "tillbridge:%", "\ud83d"):
        told = await library.credits_of(made.patron_id, odd)
        need(told == () or isinstance(told, Unavailable), f"{odd!r} finds {told}")


CHECKS = (
    *checks_of(
        "recording once",
        a_credit_pays_its_charges,
        a_credit_is_recorded_once,
        a_credit_goes_over_a_fresh_connection,
        a_partial_sum_lands_in_the_librarys_order,
        nothing_spills_over_to_other_charges,
        fractions_of_a_cent_are_paid_exactly,
        a_large_sum_is_exact,
        a_note_is_kept_whole,
        two_patrons_at_once_get_their_own,
        nonsense_is_not_sent,
        a_gone_patron_is_told,
    ),
    *checks_of(
        "finding again",
        a_credit_is_found_by_its_reference,
        nothing_is_found_where_nothing_is,
        a_reference_is_compared_exactly,
        numbered_references_belong_to_their_payment,
        another_patrons_credit_is_not_found,
        both_of_a_double_are_found,
        a_void_credit_is_found_void,
        an_unapplied_credit_is_found_unapplied,
        credits_are_found_among_many,
        odd_references_find_nothing_and_raise_nothing,
    ),
)
