# SPDX-License-Identifier: GPL-3.0-or-later
"""Say states, events and cases in the reader's language, in the words of the glossary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import STANDINGS, Booking, Collection, Decider, RefundState
from tillbridge.domain.payment import Payment
from tillbridge.domain.refund import Refund
from tillbridge.marking import marked
from tillbridge.service.store_port import CaseKind, CreditState, Message, StoredCredit
from tillbridge.service.telling import CASES, REMARKS, sentence_of
from tillbridge.web.desk.reasons import reason_words
from tillbridge.web.desk.texts import Texts

COLLECTIONS: Mapping[Collection, str] = {
    Collection.CREATED: marked("goes to the till"),
    Collection.SENDING: marked("goes to the till"),
    Collection.AT_REGISTER: marked("waits at the till"),
    Collection.PAID: marked("paid"),
    Collection.CANCELLED: marked("not paid"),
    Collection.REFUSED: marked("refused by the till"),
    Collection.UNKNOWN: marked("not known"),
    Collection.REVERSED: marked("taken back"),
}

BOOKINGS: Mapping[Booking, str] = {
    Booking.NONE: marked("nothing to book"),
    Booking.DUE: marked("is to be booked"),
    Booking.BOOKING: marked("is being booked"),
    Booking.BOOKED: marked("booked"),
    Booking.UNKNOWN: marked("is being looked up"),
    Booking.BLOCKED: marked("needs a person"),
    Booking.REVERSAL_DUE: marked("must be taken back"),
    Booking.REVERSING: marked("is being taken back"),
    Booking.REVERSED: marked("taken back"),
}

NOT_YET = marked("not yet")

DECIDERS: Mapping[Decider, str] = {
    Decider.TILL: marked("by the till's word"),
    Decider.CLERK: marked("by a person's word"),
    Decider.NOTHING_SENT: marked("nothing was sent to the till"),
}

CREDITS: Mapping[CreditState, str] = {
    CreditState.SENT: marked("sent, no clear answer yet"),
    CreditState.ABSENT: marked("not there"),
    CreditState.BOOKED: marked("booked"),
    CreditState.VOIDED: marked("taken back"),
}

REFUNDS: Mapping[RefundState, str] = {
    RefundState.ASKED: marked("is to be given back at the till"),
    RefundState.DUE: marked("given back, is to be recorded"),
    RefundState.RECORDING: marked("given back, is being recorded"),
    RefundState.RECORDED: marked("given back"),
    RefundState.UNKNOWN: marked("given back, is being looked up"),
    RefundState.BLOCKED: marked("given back, needs a person"),
    RefundState.WITHDRAWN: marked("not given back"),
    RefundState.TAKEN_BACK: marked("the whole payment was taken back"),
    RefundState.SETTLED: marked("given back, recorded by hand"),
}

DIRECTIONS: Mapping[str, str] = {
    "answer": marked("answer to our message"),
    "report": marked("report of the till"),
}

RECEIPT = marked("Receipt %(number)s.")
SUM = marked("Sum: %(amount)s.")
AGREED = marked("%(person)s agreed.")

_COLOURED: Mapping[str, Sequence[StrEnum]] = {
    "good": (Collection.PAID, Booking.BOOKED, CreditState.BOOKED, RefundState.RECORDED),
    "warn": (
        *(Collection.REFUSED, Collection.REVERSED, Booking.UNKNOWN, Booking.REVERSING, Booking.REVERSED),
        *(CreditState.ABSENT, CreditState.VOIDED, RefundState.ASKED, RefundState.UNKNOWN),
    ),
    "bad": (Collection.UNKNOWN, Booking.BLOCKED, Booking.REVERSAL_DUE, RefundState.BLOCKED),
}
TONES: Mapping[tuple[type, str], str] = {
    (type(state), state): tone for tone, states in _COLOURED.items() for state in states
}
"""Which colour goes with a state; its word says the same. States of two kinds may be spelled alike."""


def collection_words(texts: Texts, payment: Payment) -> str:
    """Say what is known about the money at the till."""
    return texts.gettext(COLLECTIONS[payment.collection])


def standing_words(texts: Texts, stored: str) -> str:
    """Say a collection state that was stored as text, with whose word it rests on; what is none stays as it is."""
    for standing in STANDINGS:
        if stored == str(standing):
            words = texts.gettext(COLLECTIONS[standing.state])
            return f"{words} ({texts.gettext(DECIDERS[standing.by])})" if standing.by else words
    return stored


def booking_words(texts: Texts, payment: Payment) -> str:
    """Say what is known about the booking in the library system."""
    if payment.undecided and payment.booking is Booking.NONE:
        return texts.gettext(NOT_YET)
    return texts.gettext(BOOKINGS[payment.booking])


def decider_words(texts: Texts, payment: Payment) -> str:
    """Say whose word the collection rests on; "" where nobody has decided it."""
    return texts.gettext(DECIDERS[payment.standing.by]) if payment.standing.by else ""


def credit_words(texts: Texts, credit: StoredCredit) -> str:
    """Say how far a credit in the library system is."""
    return texts.gettext(CREDITS[credit.state])


def refund_words(texts: Texts, refund: Refund) -> str:
    """Say how far money is on its way back."""
    return texts.gettext(REFUNDS[refund.state])


def direction_words(texts: Texts, message: Message) -> str:
    """Say what kind of message came over the wire."""
    return texts.gettext(DIRECTIONS.get(message.direction, message.direction))


def tone_of(state: StrEnum) -> str:
    """Name the colour of a state."""
    return TONES.get((type(state), state), "plain")


def event_words(texts: Texts, event: Event) -> str:
    """Say what happened, with the reason and the receipt number where the event has them."""
    words = texts.gettext(sentence_of(event))
    if event.kind == "refund_asked":
        sum_ = texts.money(int(str(event.facts["total_minor"])), str(event.facts["currency"]))
        words += " " + texts.gettext(SUM) % {"amount": sum_}
    if why := event.facts.get("why"):
        words += f" ({reason_words(texts, str(why))})"
    if receipt := event.facts.get("receipt"):
        words += " " + texts.gettext(RECEIPT) % {"number": receipt}
    if person := event.facts.get("seconded_by"):
        words += " " + texts.gettext(AGREED) % {"person": person}
    return words


def case_words(texts: Texts, kind: CaseKind) -> tuple[str, str]:
    """Say what has happened, and what a person has to do."""
    what, to_do = CASES[kind]
    return texts.gettext(what), texts.gettext(to_do)


def remark_words(texts: Texts, payment: Payment) -> list[str]:
    """Say what the library system did besides, once the payment is booked."""
    return [texts.gettext(REMARKS[each]) for each in payment.remarks] if payment.booking is Booking.BOOKED else []


ACTORS: Mapping[str, str] = {
    "bridge": marked("the bridge"),
    "till": marked("the till"),
    "library": marked("the library system"),
    "settings file": marked("the settings file"),
}


def actor_words(texts: Texts, actor: str) -> str:
    """Name who did something: a part of ours, or a person as they are."""
    return texts.gettext(ACTORS[actor]) if actor in ACTORS else actor
