# SPDX-License-Identifier: GPL-3.0-or-later
"""Do what the plugin does, each in one transaction: nothing is stored where anything is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tillbridge.simulators.library import corrections
from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.corrections import paid_by
from tillbridge.simulators.library.facts import (
    PAYOUT,
    RECORD,
    REFUND,
    STAFF,
    CreditOrder,
    Line,
    PayoutOrder,
    Renewal,
    Side,
)
from tillbridge.simulators.library.plugin.forms import BookingForm, RefundForm, ReversalForm, Shares

VERSION, CONTRACT, KOHA_VERSION = "0.1.0", 1, "23.05.04.000"
ABILITIES = ("book", "reverse", "refund", "look_up")
_NOTHING = Decimal(0)


class NotDoneError(Exception):
    """State that the plugin refuses: HTTP status, code, plain words, and more members of the answer."""

    def __init__(self, status: int, code: str, words: str, more: Mapping[str, object] | None = None) -> None:
        super().__init__(words)
        self.status, self.code, self.words, self.more = status, code, words, dict(more or {})


@dataclass(frozen=True, slots=True)
class Effect:
    """State what Koha did with the item of a charge when it was paid in full."""

    charge_id: int
    what: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """Hold a booking that was taken back; `by_hand` where a librarian had done it before."""

    reference: str
    booking: str
    credit_ids: tuple[int, ...]
    by_hand: bool


@dataclass(frozen=True, slots=True)
class RefundedLine:
    """Hold what was given back of one charge, and the two lines that Koha has of it."""

    charge_id: int
    amount: Decimal
    refund_id: int
    payout_id: int


@dataclass(frozen=True, slots=True)
class Refund:
    """Hold money of a booking that was given back."""

    reference: str
    booking: str
    lines: tuple[RefundedLine, ...]

    @property
    def shares(self) -> Shares:
        """Return what each charge got back."""
        return tuple((line.charge_id, line.amount) for line in self.lines)


@dataclass(slots=True)
class Booking:
    """Hold a booking under its key; what its credits are like is read from Koha's lines at every look."""

    reference: str
    patron_id: int
    shares: Shares
    credit_ids: tuple[int, ...]
    effects: tuple[Effect, ...] = ()
    receipt_sent: bool = False
    reversals: list[Reversal] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)

    @property
    def content(self) -> object:
        """Return what a repeat must have in common: texts and places may differ, and the first ones stay."""
        return self.patron_id, self.shares


class Plugin:
    """Hold the plugin's tables; they stay while it is switched off."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self.installed = False
        self.abilities: tuple[str, ...] = ABILITIES
        self._bookings: dict[str, Booking] = {}
        self._reversals: dict[str, Reversal] = {}
        self._refunds: dict[str, Refund] = {}

    @property
    def refunds(self) -> Mapping[str, Refund]:
        """Return the refunds by their references."""
        return self._refunds

    @property
    def reversals(self) -> Mapping[str, Reversal]:
        """Return the reversals by their references."""
        return self._reversals

    # --- bookings ---

    def record(self, form: BookingForm, user_id: int) -> tuple[Booking, bool]:
        """Record a booking, once for its reference; tell whether it was recorded now."""
        known = self._bookings.get(form.reference) or self._adopted(form.reference, form.patron_id)
        if known is not None:
            _need_same(known.content, (form.patron_id, form.shares), adopted=not known.shares)
            return known, False
        self._check(form)
        owed = {line.line_id: line.outstanding for line in self._book.open_lines(form.patron_id, Side.DEBIT)}
        _need_owed(form.shares, owed)
        booking = self._recorded(form, owed, form.staff_id or user_id)
        self._bookings[booking.reference] = booking
        return booking, True

    def find(self, reference: str, patron_id: int | None) -> list[Booking]:
        """List the bookings whose reference is this one, or it with a number behind, and those in a patron's notes."""
        known = {name: booking for name, booking in self._bookings.items() if _is_of(name, reference)}
        if patron_id is not None:
            known |= {name: self._in_notes(name, patron_id) for name in self._names_in_notes(reference, patron_id)}
        return [known[name] for name in sorted(known)]

    def _check(self, form: BookingForm) -> None:
        if form.patron_id not in self._book.patrons:
            raise NotDoneError(404, "patron_gone", "There is no such patron.")
        self._check_place(form.library_id, form.staff_id, form.register_id)
        rules = self._book.rules
        if rules.require_payment_type and form.payment_type not in self._book.payment_types:
            raise NotDoneError(422, "payment_type_unknown", "Koha has no such payment type.")
        if self._book.needs_register(form.payment_type) and form.register_id is None:
            raise NotDoneError(422, "register_unknown", "This payment type needs a register.")

    def _check_place(self, library_id: str, staff_id: int | None, register_id: int | None) -> None:
        if library_id not in self._book.libraries:
            raise NotDoneError(422, "library_unknown", "There is no such library.")
        if register_id is not None and register_id not in self._book.registers:
            raise NotDoneError(422, "register_unknown", "There is no such register.")
        if staff_id is not None and not self._is_staff(staff_id):
            raise NotDoneError(422, "staff_unknown", "There is no such librarian.")

    def _is_staff(self, patron_id: int) -> bool:
        patron = self._book.patrons.get(patron_id)
        return patron is not None and patron.category_id == STAFF

    def _recorded(self, form: BookingForm, owed: Mapping[int, Decimal], user_id: int) -> Booking:
        """Record one credit where Koha's own order makes the amounts exact, else one for each line."""
        in_full = all(owed[charge_id] == share for charge_id, share in form.shares[:-1])
        parts = [form.shares] if in_full else [(share,) for share in form.shares]
        notes = [form.note if len(parts) == 1 else _numbered(form, n) for n in range(1, len(parts) + 1)]
        credit_ids = tuple(self._credit(form, part, note, user_id) for part, note in zip(parts, notes, strict=True))
        paid = [charge_id for charge_id, share in form.shares if owed[charge_id] == share]
        effects = tuple(effect for charge_id in paid if (effect := self._effect(charge_id)) is not None)
        sent = self._book.rules.email_receipts
        return Booking(form.reference, form.patron_id, form.shares, credit_ids, effects, receipt_sent=sent)

    def _credit(self, form: BookingForm, part: Shares, note: str, user_id: int) -> int:
        order = CreditOrder(
            amount=sum((share for _, share in part), _NOTHING),
            library_id=form.library_id,
            payment_type=form.payment_type,
            description=form.description,
            note=note,
            register_id=form.register_id,
        )
        credit = self._book.store(form.patron_id, order, user_id, "intranet")
        self._book.apply(credit.line_id, [charge_id for charge_id, _ in part])
        return credit.line_id

    def _effect(self, charge_id: int) -> Effect | None:
        charge, rules = self._book.lines[charge_id], self._book.rules
        if charge.type == "OVERDUE" and charge.status == "UNRETURNED" and rules.renewal is not Renewal.NEVER:
            if rules.renewal is Renewal.REFUSED:
                return Effect(charge_id, "renewal_refused", "too_many")
            self._book.change(charge_id, status="RENEWED")
            return Effect(charge_id, "renewed")
        if charge.type == "LOST" and rules.lost_paid_returns:
            return Effect(charge_id, "returned")
        return None

    def _names_in_notes(self, reference: str, patron_id: int) -> set[str]:
        words = (word for line in self._unknown(patron_id) for word in line.note.split())
        return {word for word in words if _is_of(word, reference)}

    def _unknown(self, patron_id: int) -> list[Line]:
        """List the payments of a patron that no booking has: a refund's note may name anything."""
        known = {credit_id for booking in self._bookings.values() for credit_id in booking.credit_ids}
        credits_ = self._book.lines_of(patron_id, Side.CREDIT)
        return [line for line in credits_ if line.type == "PAYMENT" and line.line_id not in known]

    def _in_notes(self, reference: str, patron_id: int) -> Booking:
        """Read a booking that was made without the plugin: its credits have the reference in their notes."""
        credits_ = [line for line in self._unknown(patron_id) if reference in line.note.split()]
        return Booking(reference, patron_id, (), tuple(line.line_id for line in credits_))

    def _adopted(self, reference: str, patron_id: int) -> Booking | None:
        """Take a booking over that was made without the plugin."""
        booking = self._in_notes(reference, patron_id)
        if not booking.credit_ids:
            return None
        self._bookings[reference] = booking
        return booking

    # --- taking back and giving back ---

    def reverse(self, form: ReversalForm, user_id: int) -> tuple[Reversal, bool]:
        """Void every credit of a booking."""
        if form.reference in self._reversals:
            known = self._reversals[form.reference]
            _need_same(known.booking, form.booking)
            return known, False
        booking, user = self._booking(form.booking), form.staff_id or user_id
        self._check_place(form.library_id, form.staff_id, form.register_id)
        self._need_rights(user, RECORD)
        if booking.refunds:
            raise NotDoneError(409, "refunded", "Money of this booking has been given back already.")
        valid = [line for line in self.lines_of(booking) if line.status != "VOID"]
        for line in valid:
            corrections.void(self._book, line.line_id, user)
        reversal = Reversal(form.reference, booking.reference, booking.credit_ids, by_hand=not valid)
        self._reversals[form.reference] = reversal
        booking.reversals.append(reversal)
        return reversal, True

    def refund(self, form: RefundForm, user_id: int) -> tuple[Refund, bool]:
        """Give money of a booking back: a REFUND on each charge, and its PAYOUT."""
        if form.reference in self._refunds:
            known = self._refunds[form.reference]
            _need_same((known.booking, known.shares), (form.booking, form.shares))
            return known, False
        booking, user = self._booking(form.booking), form.staff_id or user_id
        self._check_place(form.library_id, form.staff_id, form.register_id)
        self._need_rights(user, REFUND, PAYOUT)
        self._need_left(booking, form.shares)
        payout = PayoutOrder(form.payout_type, form.library_id, form.register_id, user, form.reason)
        refund = Refund(form.reference, booking.reference, tuple(self._given_back(form.shares, payout)))
        self._refunds[form.reference] = refund
        booking.refunds.append(refund)
        return refund, True

    def lines_of(self, booking: Booking) -> list[Line]:
        """Return the booking's credits as Koha has them now."""
        return [self._book.lines[credit_id] for credit_id in booking.credit_ids]

    def owner_of(self, booking: Booking) -> int:
        """Return the patron who has the booking's credits now."""
        return self.lines_of(booking)[0].patron_id or booking.patron_id

    def paid_now(self, credit_id: int) -> Shares:
        """Return what a credit pays now of which charge: one that is void, of none."""
        if self._book.lines[credit_id].status == "VOID":
            return ()
        return tuple(sorted(paid_by(self._book, credit_id).items()))

    def _booking(self, reference: str) -> Booking:
        """Return a booking of the plugin's own: one that stands only in notes must be asked for again before."""
        if reference not in self._bookings:
            raise NotDoneError(404, "no_such_booking", "There is no such booking.")
        return self._bookings[reference]

    def _need_rights(self, user_id: int, *rights: str) -> None:
        lacking = set(rights) - self._book.patron(user_id).rights
        if lacking:
            raise NotDoneError(403, "not_allowed", f"The librarian lacks the right {', '.join(sorted(lacking))}.")

    def _need_left(self, booking: Booking, shares: Shares) -> None:
        valid = [line for line in self.lines_of(booking) if line.status != "VOID"]
        if not valid:
            raise NotDoneError(409, "void", "The booking has been taken back.")
        left: dict[int, Decimal] = {}
        for charge_id, amount in (each for line in valid for each in self.paid_now(line.line_id)):
            left[charge_id] = left.get(charge_id, _NOTHING) + amount
        for charge_id, amount in (each for refund in booking.refunds for each in refund.shares):
            left[charge_id] = left.get(charge_id, _NOTHING) - amount
        if any(share > left.get(charge_id, _NOTHING) for charge_id, share in shares):
            shown = [
                {"charge_id": one, "amount": amount_text(max(left.get(one, _NOTHING), _NOTHING))} for one, _ in shares
            ]
            raise NotDoneError(409, "more_than_booked", "So much was not booked, or is given back.", {"left": shown})

    def _given_back(self, shares: Shares, payout: PayoutOrder) -> Sequence[RefundedLine]:
        lines = []
        for charge_id, share in shares:
            refund, paid_out = corrections.refund(self._book, charge_id, share, payout)
            lines.append(RefundedLine(charge_id, share, refund.line_id, paid_out.line_id))
        return lines


def amount_text(amount: Decimal) -> str:
    """Write an amount as exact decimal text with two places or more."""
    cents = amount.quantize(Decimal("0.01"))
    return f"{cents if cents == amount else amount.normalize():f}"


def _numbered(form: BookingForm, n: int) -> str:
    """Write the note of the nth of several credits, which plain REST reads as the nth of its own."""
    words = (f"{word}:{n}" if word == form.reference else word for word in form.note.split(" "))
    return " ".join(words)


def _is_of(name: str, reference: str) -> bool:
    return re.fullmatch(rf"{re.escape(reference)}(:[0-9]+)?", name) is not None


def _need_same(stored: object, asked: object, *, adopted: bool = False) -> None:
    """Refuse another content under a known reference; what was made without the plugin has none to compare."""
    if not adopted and stored != asked:
        raise NotDoneError(409, "other_content", "This reference is known with other content.")


def _need_owed(shares: Shares, owed: Mapping[int, Decimal]) -> None:
    if any(share > owed.get(charge_id, _NOTHING) for charge_id, share in shares):
        charges = [{"charge_id": one, "owed": amount_text(owed[one]) if one in owed else None} for one, _ in shares]
        raise NotDoneError(409, "charges_changed", "A charge owes less than asked.", {"charges": charges})
