# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell an event in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import Booking, Collection, Heard
from tillbridge.domain.payment import Payment

SENTENCES: dict[str, str] = {
    "created": "The payment was stored and its charges are claimed.",
    "send": "The message goes to the register server.",
    "never_sent": "The register server could not be reached; nothing was sent.",
    "reached": "The till has the payment and waits for the customer.",
    "lost": "No one knows what became of it at the till. Do not take the money again.",
    "given_up": "The payment was cancelled before anything was sent.",
    "till_paid": "The till says: paid.",
    "till_cancelled": "The till says: not paid, or taken back.",
    "till_refused": "The register server refused the message; nothing was collected.",
    "clerk_paid": "A person says: paid, the receipt is there.",
    "clerk_cancelled": "A person made sure that the till has cancelled it.",
    "cancel_wished": "The clerk wishes to cancel: it must be cancelled at the till.",
    "duplicate": "The till said it again; nothing changed.",
    "contradiction": "The till contradicts what it said before: a person must look.",
    "sum_named": "The till names the sum that it collected.",
    "noted": "This came too late to change anything.",
    "named": "Another payment has an open case that names this one: look at it.",
    "look": "A person asked to look again.",
    "settled": "A person settled the case.",
    "booking_money_taken": "The payment is to be booked in the library system.",
    "booking_start": "The booking goes to the library system.",
    "booking_confirmed": "The library system has it, whole, on its own charges.",
    "booking_unclear": "The library system gave no clear answer: it is looked up.",
    "booking_absent": "The library system does not have it: it is booked again.",
    "booking_block": "A person must act before it can be booked.",
    "booking_try_again": "A person lets it be booked again.",
    "booking_settled_by_hand": "A person settled it by hand.",
    "booking_returned_unbooked": "The till took the money back before it was booked.",
    "booking_returned_booked": "The till took the money back: the booking must be taken back too.",
    "booking_reversal_started": "The booking is being taken back.",
    "booking_reversal_unclear": "It is not clear whether the booking was taken back.",
    "booking_reversal_seen": "The booking has been taken back.",
}


REMARKS: dict[str, str] = {
    "restricted": "The patron still has a restriction: paying does not lift it.",
    "may_renew": "An overdue item is still out: the library system may have renewed it. Look at the loan.",
    "may_return": "A lost item was paid for: the library system may have taken it off the loans. Look at it.",
}


def after_booking(payment: Payment) -> list[str]:
    """Tell the clerk what the library system did besides, once the payment is booked."""
    return [REMARKS[remark] for remark in payment.remarks] if payment.booking is Booking.BOOKED else []


def remind(payment: Payment, history: Sequence[Event], now: float, after_s: float) -> bool:
    """Tell whether the clerk is to be reminded of a payment, since the till has had it for longer than `after_s`."""
    sent_at = max((event.at for event in history if event.kind == Heard.SEND), default=payment.created_at)
    return payment.collection in (Collection.SENDING, Collection.AT_REGISTER) and now - sent_at > after_s


def tell(event: Event) -> str:
    """Return what happened, with the reason and the receipt number where the event has them."""
    words = SENTENCES[event.kind]
    if why := event.facts.get("why"):
        words += f" ({why})"
    if receipt := event.facts.get("receipt"):
        words += f" Receipt {receipt}."
    return words
