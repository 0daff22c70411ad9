# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of reading: patrons, charges, and whether the library system is there."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

from tillbridge.conformance.kit import Failed, Skipped, checks_of, need
from tillbridge.conformance.library_peer import LibraryFault, LibraryPeer, Need, Of, Wanted
from tillbridge.conformance.library_trying import (
    charges,
    connected,
    credit_order,
    new_reference,
    recorded,
    same_patron,
    short,
)
from tillbridge.conformance.register_peer import Situation
from tillbridge.service.library_port import NoSuchPatron, NotRecorded, Patron, Unavailable

ODD_CARDS = ("", " ", "%", "_______", "\\", "a\nb", "\u0000", "x" * 5000, "'; --", "../1", "\ud83d")
ODD_IDS = ("", "0", "-1", "abc", "1/../2", "999999999999999999999999", "1?x=1", "\u0661", "1\n")
ODD_NAMES = ("", " ", "%", "a", "\u0000\u0001", "x" * 500, "a b c d e f g h", '{"-or": []}', "\ud83d")
AT_ONCE = 20


async def a_card_finds_its_patron(peer: LibraryPeer) -> None:
    """A card number finds its patron, with id, card and names as they are."""
    made = await peer.patron()
    told = await peer.connect().patron_by_card(made.card_number)
    need(same_patron(told, made), f"it is told as {told}")


async def a_card_in_other_letters_is_nobodys(peer: LibraryPeer) -> None:
    """A card number is compared letter by letter: capitals count."""
    made = await peer.patron()
    swapped = made.card_number.swapcase()
    if swapped == made.card_number:
        raise Skipped("the card number has no letters")
    told = await peer.connect().patron_by_card(swapped)
    need(isinstance(told, NoSuchPatron), f"{swapped} is told as {told}")


async def a_part_of_a_card_is_nobodys(peer: LibraryPeer) -> None:
    """The beginning, the end, and a longer card number find nobody."""
    made, library = await peer.patron(), peer.connect()
    for card in (made.card_number[:-1], made.card_number[1:], made.card_number + "x", made.card_number + "%"):
        told = await library.patron_by_card(card)
        need(not same_patron(told, made), f"{card} finds {made.card_number}")


async def odd_cards_are_nobodys(peer: LibraryPeer) -> None:
    """Whatever a scanner may read finds nobody and raises nothing."""
    library = peer.connect()
    for card in ODD_CARDS:
        told = await library.patron_by_card(card)
        need(isinstance(told, NoSuchPatron), f"{card[:20]!r} is told as {short(told)}")


async def an_id_finds_its_patron(peer: LibraryPeer) -> None:
    """A patron's id finds that patron."""
    made = await peer.patron()
    told = await peer.connect().patron(made.patron_id)
    need(same_patron(told, made), f"it is told as {told}")


async def odd_ids_are_nobodys(peer: LibraryPeer) -> None:
    """Ids that are none find nobody, and lead nowhere else."""
    library = peer.connect()
    for patron_id in ODD_IDS:
        for told in (await library.patron(patron_id), await library.open_charges(patron_id)):
            need(isinstance(told, NoSuchPatron), f"{patron_id!r} is told as {short(told)}")


async def the_beginnings_of_names_find_patrons(peer: LibraryPeer) -> None:
    """The beginnings of first name and surname, in any order and case, find a patron; the middle of a name does not."""
    peer.takes(Need.PATRONS)
    made, library = await peer.patron((), Wanted("Zzyzxinen", "Quirinus")), peer.connect()
    for text in ("Zzyz", "quir", "Zzyzxinen Quirinus", "quir zzyz"):
        told = await library.patrons_by_name(text, 20)
        need(isinstance(told, tuple) and any(same_patron(each, made) for each in told), f"{text!r} finds {told}")
    told = await library.patrons_by_name("Zzyz Nobody", 20)
    need(told == (), f"'Zzyz Nobody' finds {told}")
    told = await library.patrons_by_name("yzxinen", 20)
    need(told == (), f"the middle of a name finds {told}")


async def names_are_ordered_and_limited(peer: LibraryPeer) -> None:
    """Patrons of one name come in the order of their first names, and no more than were asked for."""
    peer.takes(Need.PATRONS)
    for name in ("Cecilia", "Anna", "Berta"):
        await peer.patron((), Wanted("Wwqinen", name))
    told = await peer.connect().patrons_by_name("Wwqinen", 2)
    names = [each.firstname for each in told] if isinstance(told, tuple) else told
    need(names == ["Anna", "Berta"], f"it finds {names}")


async def odd_names_find_nobody(peer: LibraryPeer) -> None:
    """Texts that are no names find nobody and raise nothing."""
    library = peer.connect()
    for text in ODD_NAMES:
        told = await library.patrons_by_name(text, 20)
        need(told == (), f"{text[:20]!r} finds {told}")


async def names_of_every_script_are_whole(peer: LibraryPeer) -> None:
    """Names come as they are, in every script; one without a first name has none."""
    peer.takes(Need.PATRONS)
    for surname, firstname in (("Näkkäläjärvi", "Áile Ñandú"), ("Иванова", "図書館"), ("Kaupunki O'Nell & Co", "")):
        made = await peer.patron((), Wanted(surname, firstname))
        told = await peer.connect().patron(made.patron_id)
        need(same_patron(told, made), f"it is told as {told}")


async def a_restriction_is_told(peer: LibraryPeer) -> None:
    """A patron's restriction is told, and nobody else has one."""
    peer.takes(Need.PATRONS)
    library = peer.connect()
    for restricted in (True, False):
        made = await peer.patron((), Wanted(restricted=restricted))
        told = await library.patron(made.patron_id)
        need(isinstance(told, Patron) and told.restricted is restricted, f"restricted: {restricted}, told: {told}")


async def charges_come_in_the_librarys_order(peer: LibraryPeer) -> None:
    """All open charges are listed, in the order in which the library system pays them off."""
    made = await peer.patron(("3.00", "1.00", "2.00"))
    listed = [(each.charge_id, each.patron_id) for each in await charges(peer.connect(), made.patron_id)]
    need(listed == [(each, made.patron_id) for each in made.charge_ids], f"they are {listed}")


async def amounts_are_exact(peer: LibraryPeer) -> None:
    """Amounts are the ledger's own decimals, with fractions of a cent, and never binary."""
    amounts = ("0.01", "0.1", "0.333", "2.80", "9.05", "0.000001")
    made = await peer.patron(amounts)
    owed = [each.owed for each in await charges(peer.connect(), made.patron_id)]
    need(all(type(each) is Decimal for each in owed), "they are no decimals")
    need(owed == [Decimal(each) for each in amounts], f"they are {owed}")


async def nothing_owed_is_an_empty_list(peer: LibraryPeer) -> None:
    """A patron who owes nothing has an empty list, which is not *unavailable*."""
    made = await peer.patron()
    need(await charges(peer.connect(), made.patron_id) == (), "there are charges")


async def texts_of_charges_are_whole(peer: LibraryPeer) -> None:
    """A charge's text is the ledger's own."""
    made, text = await peer.patron(), "Myöhästymismaksu: \"Äiti; 'O'Hara\" & <Šostakovitš> 図書館"
    await peer.charge(made.patron_id, "1.00", text)
    (charge,) = await charges(peer.connect(), made.patron_id)
    need(charge.description == text, f"it is {charge.description!r}")
    need(bool(charge.debit_type), "it has no debit type")


async def a_grown_charge_shows_what_it_owes_now(peer: LibraryPeer) -> None:
    """A charge that has grown shows what it owes now: nothing is remembered."""
    peer.takes(Need.LIBRARIAN)
    made, library = await peer.patron(("1.00",)), peer.connect()
    await charges(library, made.patron_id)
    await peer.grow(made.charge_ids[0], "0.50")
    (charge,) = await charges(library, made.patron_id)
    need(charge.owed == Decimal("1.50"), f"it owes {charge.owed}")


async def paid_charges_vanish_and_partly_paid_ones_shrink(peer: LibraryPeer) -> None:
    """A charge that is paid is not listed any more; one that is paid in part shows the rest."""
    made, library = await peer.patron(("1.00", "2.00")), await connected(peer)
    await recorded(library, await credit_order(peer, library, made, "1.50"))
    left = [(each.charge_id, each.owed) for each in await charges(library, made.patron_id)]
    need(left == [(made.charge_ids[1], Decimal("1.50"))], f"they are {left}")
    await recorded(library, await credit_order(peer, library, made, "1.50", made.charge_ids[1:]))


async def a_deleted_patron_is_gone(peer: LibraryPeer) -> None:
    """A patron who was deleted is nobody, for every question."""
    peer.takes(Need.LIBRARIAN)
    made, library = await peer.patron(), await connected(peer)
    await peer.delete(made.patron_id)
    for told in (
        await library.patron(made.patron_id),
        await library.open_charges(made.patron_id),
        await library.patron_by_card(made.card_number),
    ):
        need(isinstance(told, NoSuchPatron), f"it is told as {short(told)}")
    credits_ = await library.credits_of(made.patron_id, new_reference())
    nowhere = library.abilities.unique_key and credits_ == ()  # it looks everywhere, and not at the patron
    need(isinstance(credits_, NoSuchPatron) or nowhere, f"its credits are told as {credits_}")


async def a_merged_patron_is_gone_and_never_empty(peer: LibraryPeer) -> None:
    """A patron who was merged is gone, not somebody without credits: those are at the other one, or found by key."""
    peer.takes(Need.LIBRARIAN)
    gone, kept, library = await peer.patron(("1.00",)), await peer.patron(), await connected(peer)
    order = await credit_order(peer, library, gone, "1.00")
    await recorded(library, order)
    await peer.merge(gone.patron_id, kept.patron_id)
    told = await library.credits_of(gone.patron_id, order.reference)
    by_key = library.abilities.unique_key and isinstance(told, tuple) and len(told) == 1
    need(isinstance(told, NoSuchPatron) or by_key, f"the old one is told as {told}")
    told = await library.credits_of(kept.patron_id, order.reference)
    need(isinstance(told, tuple) and len(told) == 1, f"the other one is told as {told}")


async def twenty_questions_at_once_are_not_mixed_up(peer: LibraryPeer) -> None:
    """Twenty patrons' charges, read at once, are each the right patron's."""
    peer.takes(Need.PATRONS)
    library, patrons = peer.connect(), [await peer.patron((f"{n}.00",)) for n in range(1, AT_ONCE + 1)]
    listed = await asyncio.gather(*(charges(library, made.patron_id) for made in patrons))
    for made, mine in zip(patrons, listed, strict=True):
        need(tuple(each.charge_id for each in mine) == made.charge_ids, f"patron {made.patron_id} has {mine}")


async def the_currency_is_the_librarys(peer: LibraryPeer) -> None:
    """The currency is named by its three letters."""
    currency = peer.connect().currency
    need(currency == peer.currency, f"it is {currency!r}, not {peer.currency}")


async def connecting_opens_nothing(peer: LibraryPeer) -> None:
    """Connecting an adapter opens no connection: a bridge starts while its library system is away."""
    peer.takes(Need.COUNTING)
    peer.connect()
    await asyncio.sleep(0.05)
    need(peer.connections() == 0, "a connection was made before anything was asked")


async def ping_is_well_where_it_is_there(peer: LibraryPeer) -> None:
    """Asking whether the library system is there and lets us in says yes."""
    why = await peer.connect().ping()
    need(why is None, f"it says {why}")


async def ping_writes_nothing(peer: LibraryPeer) -> None:
    """Asking whether the library system is there sends nothing that could be recorded."""
    peer.takes(Need.COUNTING)
    await peer.connect().ping()
    need(peer.writes() == 0, "something was written")


async def ping_says_why_not(peer: LibraryPeer) -> None:
    """Asking whether the library system is there says in words why not, and does not raise."""
    need(bool(await peer.connect(Situation.NOT_THERE).ping()), "it says that all is well")


async def nobody_there_is_unavailable(peer: LibraryPeer) -> None:
    """Where no connection can be made, every question is *unavailable*, and nothing was recorded."""
    made, away = await peer.patron(("1.00",)), peer.connect(Situation.NOT_THERE)
    for told in (
        await away.patron(made.patron_id),
        await away.patron_by_card(made.card_number),
        await away.patrons_by_name("Kittilä", 5),
        await away.open_charges(made.patron_id),
        await away.credits_of(made.patron_id, new_reference()),
    ):
        need(isinstance(told, Unavailable) and bool(told.why), f"it is told as {short(told)}")
    answer = await away.record(await credit_order(peer, away, made, "1.00"))
    need(isinstance(answer, NotRecorded) and answer.again, f"recording is told as {short(answer)}")


async def closed_asks_nothing(peer: LibraryPeer) -> None:
    """After closing nothing is asked any more, and closing twice does no harm."""
    made, library = await peer.patron(("1.00",)), await connected(peer)
    await library.close()
    await library.close()
    told = await library.open_charges(made.patron_id)
    need(isinstance(told, Unavailable), f"it is told as {short(told)}")
    answer = await library.record(await credit_order(peer, library, made, "1.00"))
    need(isinstance(answer, NotRecorded), f"recording is told as {short(answer)}")


async def what_is_looked_at_never_raises(peer: LibraryPeer) -> None:
    """What is looked at before the first customer raises nothing, whether the library system is there or not."""
    for situation in (Situation.USUAL, Situation.NOT_THERE):
        checks = peer.connect(situation).checks
        for server in checks.servers:
            await server.time()
            await server.certificate()
        await checks.rights()
        await checks.interface()
        await checks.debit_types()
        await checks.payment_types()
        await checks.branches()


async def a_slip_in_the_settings_is_told(peer: LibraryPeer) -> None:
    """A setting that there is none of is refused, not ignored."""
    try:
        peer.settings_model.model_validate({**peer.settings, "no_such_setting": 1})
    except ValueError:
        return
    raise Failed("the setting no_such_setting is ignored")


async def reading_keeps_its_limit(peer: LibraryPeer) -> None:
    """A library system that never answers is *unavailable* before anybody gives up on the bridge."""
    peer.takes(Need.FAULTS)
    made = await peer.patron()
    peer.lay(LibraryFault.SILENT, Of.CHARGES, 3)
    library = peer.connect(Situation.QUICK)
    begun = time.monotonic()
    told = await library.open_charges(made.patron_id)
    need(isinstance(told, Unavailable), f"it is told as {short(told)}")
    need(time.monotonic() - begun <= library.write_limit_s * 2 + 1, "it took longer than two of its limits")


CHECKS = (
    *checks_of(
        "patrons",
        a_card_finds_its_patron,
        a_card_in_other_letters_is_nobodys,
        a_part_of_a_card_is_nobodys,
        odd_cards_are_nobodys,
        an_id_finds_its_patron,
        odd_ids_are_nobodys,
        the_beginnings_of_names_find_patrons,
        names_are_ordered_and_limited,
        odd_names_find_nobody,
        names_of_every_script_are_whole,
        a_restriction_is_told,
        a_deleted_patron_is_gone,
        a_merged_patron_is_gone_and_never_empty,
    ),
    *checks_of(
        "charges",
        charges_come_in_the_librarys_order,
        amounts_are_exact,
        nothing_owed_is_an_empty_list,
        texts_of_charges_are_whole,
        a_grown_charge_shows_what_it_owes_now,
        paid_charges_vanish_and_partly_paid_ones_shrink,
        twenty_questions_at_once_are_not_mixed_up,
        the_currency_is_the_librarys,
    ),
    *checks_of(
        "being there",
        connecting_opens_nothing,
        ping_is_well_where_it_is_there,
        ping_writes_nothing,
        ping_says_why_not,
        nobody_there_is_unavailable,
        closed_asks_nothing,
        what_is_looked_at_never_raises,
        a_slip_in_the_settings_is_told,
        reading_keeps_its_limit,
    ),
)
