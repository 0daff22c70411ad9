# SPDX-License-Identifier: GPL-3.0-or-later
"""The library kit can fail: each of these adapters breaks one thing, and the check that names it says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conformance.conftest import Wrapped, failures, results_of
from tillbridge.conformance import kit, koha, library
from tillbridge.libraries import koha as adapter
from tillbridge.libraries.koha import transport
from tillbridge.service.library_port import (
    BookingAnswer,
    Charge,
    Credit,
    CreditOrder,
    MaybeRecorded,
    NoSuchPatron,
    NotRecorded,
    Patron,
    Recorded,
    Unavailable,
)

Charges = tuple[Charge, ...] | NoSuchPatron | Unavailable
Credits = tuple[Credit, ...] | NoSuchPatron | Unavailable
Found = Patron | NoSuchPatron | Unavailable


class IgnoresCase(Wrapped):
    async def patron_by_card(self, card_number: str) -> Found:
        return await self.whole.patron_by_card(card_number.upper())  # type: ignore[no-any-return]

    async def credits_of(self, patron_id: str, payment_reference: str) -> Credits:
        _, _, number = payment_reference.partition(":")
        return await self.whole.credits_of(patron_id, f"tillbridge:{number.upper()}")  # type: ignore[no-any-return]


class TakesAnothersCredit(Wrapped):
    async def credits_of(self, patron_id: str, payment_reference: str) -> Credits:
        others: Credits = await self.whole.credits_of(patron_id, payment_reference.swapcase())
        if isinstance(others, tuple) and others:
            return tuple(replace(each, reference=payment_reference) for each in others)
        return await self.whole.credits_of(patron_id, payment_reference)  # type: ignore[no-any-return]


class LosesRestrictions(Wrapped):
    async def patron(self, patron_id: str) -> Found:
        found: Found = await self.whole.patron(patron_id)
        return replace(found, restricted=False) if isinstance(found, Patron) else found


class Lists(Wrapped):
    """List charges in a way of its own."""

    def __init__(self, whole: Any, change: Callable[[Charges], Charges]) -> None:
        super().__init__(whole)
        self.change = change

    async def open_charges(self, patron_id: str) -> Charges:
        return self.change(await self.whole.open_charges(patron_id))


class RemembersCharges(Wrapped):
    def __init__(self, whole: Any) -> None:
        super().__init__(whole)
        self.known: dict[str, Charges] = {}

    async def open_charges(self, patron_id: str) -> Charges:
        if patron_id not in self.known:
            self.known[patron_id] = await self.whole.open_charges(patron_id)
        return self.known[patron_id]


class Finds(Wrapped):
    """Find credits in a way of its own."""

    def __init__(self, whole: Any, change: Callable[[Credits], Credits]) -> None:
        super().__init__(whole)
        self.change = change

    async def credits_of(self, patron_id: str, payment_reference: str) -> Credits:
        return self.change(await self.whole.credits_of(patron_id, payment_reference))


class Tells(Wrapped):
    """Tell what became of a credit in a way of its own."""

    def __init__(self, whole: Any, change: Callable[[BookingAnswer], BookingAnswer]) -> None:
        super().__init__(whole)
        self.change = change

    async def record(self, order: CreditOrder) -> BookingAnswer:
        return self.change(await self.whole.record(order))


class Orders(Wrapped):
    """Change what is to be recorded."""

    def __init__(self, whole: Any, change: Callable[[CreditOrder], CreditOrder]) -> None:
        super().__init__(whole)
        self.change = change

    async def record(self, order: CreditOrder) -> BookingAnswer:
        return await self.whole.record(self.change(order))  # type: ignore[no-any-return]


class RecordsAgain(Wrapped):
    async def record(self, order: CreditOrder) -> BookingAnswer:
        answer: BookingAnswer = await self.whole.record(order)
        return await self.whole.record(order) if isinstance(answer, MaybeRecorded) else answer


class PaysEverything(Wrapped):
    async def record(self, order: CreditOrder) -> BookingAnswer:
        listed = await self.whole.open_charges(order.patron_id)
        every = tuple(each.charge_id for each in listed) or order.charge_ids
        return await self.whole.record(replace(order, charge_ids=every))  # type: ignore[no-any-return]


class RaisesWhereNobodyIs(Wrapped):
    async def open_charges(self, patron_id: str) -> Charges:
        listed: Charges = await self.whole.open_charges(patron_id)
        if isinstance(listed, Unavailable):
            raise ConnectionError(listed.why)
        return listed


class OtherMoney(Wrapped):
    currency = "SEK"


class IsAlwaysWell(Wrapped):
    async def ping(self) -> str | None:
        return None


def none_where_unavailable(told: Any) -> Any:
    return () if isinstance(told, Unavailable) else told


def none_where_gone(told: Any) -> Any:
    return () if isinstance(told, NoSuchPatron) else told


def in_cents(listed: Charges) -> Charges:
    cent = Decimal("0.01")
    return tuple(replace(c, owed=c.owed.quantize(cent)) for c in listed) if isinstance(listed, tuple) else listed


def by_amount(listed: Charges) -> Charges:
    return tuple(sorted(listed, key=lambda charge: charge.owed)) if isinstance(listed, tuple) else listed


def without_void(credits_: Credits) -> Credits:
    return tuple(each for each in credits_ if not each.void) if isinstance(credits_, tuple) else credits_


def the_first(credits_: Credits) -> Credits:
    return credits_[:1] if isinstance(credits_, tuple) else credits_


def applied(answer: BookingAnswer) -> BookingAnswer:
    return Recorded(replace(answer.credit, unapplied=Decimal(0))) if isinstance(answer, Recorded) else answer


def refused(answer: BookingAnswer) -> BookingAnswer:
    return NotRecorded(answer.why, again=True) if isinstance(answer, MaybeRecorded) else answer


def ended(answer: BookingAnswer) -> BookingAnswer:
    return replace(answer, ended=True) if isinstance(answer, MaybeRecorded) else answer


def never_ended(answer: BookingAnswer) -> BookingAnswer:
    return replace(answer, ended=False) if isinstance(answer, MaybeRecorded) else answer


def not_gone(answer: BookingAnswer) -> BookingAnswer:
    return replace(answer, patron_gone=False) if isinstance(answer, NotRecorded) else answer


def rounded(order: CreditOrder) -> CreditOrder:
    return replace(order, amount=order.amount.quantize(Decimal("0.01"))) if order.amount.is_finite() else order


BROKEN: dict[str, tuple[Callable[[Any], Any], str]] = {
    "takes a card in other letters": (IgnoresCase, "a_card_in_other_letters_is_nobodys"),
    "takes a reference in other letters": (IgnoresCase, "a_reference_is_compared_exactly"),
    "settles by a reference in other letters": (TakesAnothersCredit, "another_reference_settles_nothing"),
    "loses restrictions": (LosesRestrictions, "a_restriction_is_told"),
    "takes unavailable for nothing owed": (lambda a: Lists(a, none_where_unavailable), "reading_page_502"),
    "takes unavailable for no credits": (lambda a: Finds(a, none_where_unavailable), "reading_forbidden"),
    "takes gone for no credits": (lambda a: Finds(a, none_where_gone), "a_merged_patron_is_gone_and_never_empty"),
    "rounds what is owed": (lambda a: Lists(a, in_cents), "amounts_are_exact"),
    "puts charges in another order": (lambda a: Lists(a, by_amount), "charges_come_in_the_librarys_order"),
    "remembers charges": (RemembersCharges, "a_grown_charge_shows_what_it_owes_now"),
    "hides void credits": (lambda a: Finds(a, without_void), "a_void_credit_is_found_void"),
    "finds only one of two": (lambda a: Finds(a, the_first), "both_of_a_double_are_found"),
    "takes every credit for applied": (lambda a: Tells(a, applied), "an_unapplied_credit_is_found_unapplied"),
    "records again after a doubt": (RecordsAgain, "recording_answer_lost"),
    "takes a lost answer for refused": (lambda a: Tells(a, refused), "recording_done_502"),
    "takes silence for an end": (lambda a: Tells(a, ended), "recording_silent"),
    "takes the library's own error for silence": (lambda a: Tells(a, never_ended), "recording_error_kept"),
    "does not tell who is gone": (lambda a: Tells(a, not_gone), "a_gone_patron_is_told"),
    "rounds what it records": (lambda a: Orders(a, rounded), "fractions_of_a_cent_are_paid_exactly"),
    "pays other charges": (PaysEverything, "nothing_spills_over_to_other_charges"),
    "raises where nobody is": (RaisesWhereNobodyIs, "nobody_there_is_unavailable"),
    "reckons in other money": (OtherMoney, "the_currency_is_the_librarys"),
    "is always well": (IsAlwaysWell, "ping_says_why_not"),
    "books twice in a bridge": (lambda a: Tells(a, refused), "a_booking_in_doubt_is_looked_up"),
}


@pytest.mark.parametrize(("wrap", "name"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_library_is_caught_by_the_check_that_names_it(
    wrap: Callable[[Any], Any], name: str, tmp_path: Path
) -> None:
    check = next(each for each in library.CHECKS if each.name == name)
    results = await results_of(koha.SETUPS["Basic"], adapter, tmp_path, [check], wrap)
    assert [each for each, _ in failures(results)] == [name]


@pytest.mark.parametrize(
    "name", [f"{way}_endless{error}" for way in ("recording", "reading") for error in ("", "_error")]
)
async def test_a_library_that_takes_an_answer_of_any_length_is_caught(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MOST_BYTES", 1 << 40)
    monkeypatch.setattr(kit, "HANGS_UP_S", 0.5)
    check = next(each for each in library.CHECKS if each.name == name)
    results = await results_of(koha.SETUPS["Basic"], adapter, tmp_path, [check])
    ((failed, why),) = failures(results)
    assert (failed, why) == (name, "it has not hung up within 0.5 s")
