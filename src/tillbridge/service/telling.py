# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell an event in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from tillbridge.domain.history import Event
from tillbridge.domain.lifecycle import Booking, Collection, Done, Heard
from tillbridge.domain.payment import Payment
from tillbridge.marking import marked
from tillbridge.service.store_port import CaseKind

SENTENCES: dict[str, str] = {
    "created": marked("The payment was stored and its charges are claimed."),
    "send": marked("The message goes to the register server."),
    "never_sent": marked("The register server could not be reached; nothing was sent."),
    "reached": marked("The till has the payment and waits for the customer."),
    "lost": marked("No one knows what became of it at the till. Do not take the money again."),
    "given_up": marked("The payment was cancelled before anything was sent."),
    "till_paid": marked("The till says: paid."),
    "till_cancelled": marked("The till says: not paid, or taken back."),
    "till_refused": marked("The register server refused the message; nothing was collected."),
    "clerk_paid": marked("A person says: paid, the receipt is there."),
    "clerk_cancelled": marked("A person made sure that the till has cancelled it."),
    "given_back": marked("A person says: the till has given all of it back."),
    "cancel_wished": marked("The clerk wishes to cancel: it must be cancelled at the till."),
    "duplicate": marked("The till said it again; nothing changed."),
    "contradiction": marked("The till contradicts what it said before: a person must look."),
    "sum_named": marked("The till names the sum that it collected."),
    "noted": marked("This came too late to change anything."),
    "named": marked("Another payment has an open case that names this one: look at it."),
    "look": marked("A person asked to look again."),
    "settled": marked("A person settled the case."),
    "second_look_wished": marked("A person has decided, and another one must agree: nothing changes before."),
    "second_look_refused": marked("Another person did not agree: nothing has changed."),
    "second_look_withdrawn": marked("The person took the decision back before anyone agreed."),
    "second_look_overtaken": marked(
        "The decision that waited for another person no longer fits: it is not carried out."
    ),
    "booking_money_taken": marked("The payment is to be booked in the library system."),
    "booking_start": marked("The booking goes to the library system."),
    "booking_confirmed": marked("The library system has it, whole, on its own charges."),
    "booking_unclear": marked("The library system gave no clear answer: it is looked up."),
    "booking_absent": marked("The library system does not have it: it is booked again."),
    "booking_block": marked("A person must act before it can be booked."),
    "booking_try_again": marked("A person lets it be booked again."),
    "booking_settled_by_hand": marked("A person settled it by hand."),
    "booking_returned_unbooked": marked("The till took the money back before it was booked."),
    "booking_returned_booked": marked("The till took the money back: the booking must be taken back too."),
    "booking_reversal_started": marked("The booking is being taken back."),
    "booking_reversal_unclear": marked("It is not clear whether the booking was taken back."),
    "booking_reversal_seen": marked("The booking has been taken back."),
    "refund_asked": marked("Money is to be given back at the till."),
    "refund_given_back": marked("A person says: the till has given the money back."),
    "refund_withdraw": marked("A person says: no money was given back."),
    "refund_take_back": marked("The whole payment is taken back, so that nothing is given back besides."),
    "refund_start": marked("The library system is told of the money that was given back."),
    "refund_confirmed": marked("The library system has recorded the money that was given back."),
    "refund_unclear": marked("The library system gave no clear answer about the money given back: it is told again."),
    "refund_absent": marked("The library system has not recorded the money that was given back: it is told again."),
    "refund_block": marked("The library system refuses to record the money that was given back: a person must act."),
    "refund_try_again": marked("A person lets the library system be told again of the money that was given back."),
    "refund_settled_by_hand": marked("A person has recorded the money that was given back by hand."),
}


CASES: dict[CaseKind, tuple[str, str]] = {
    CaseKind.UNKNOWN_OUTCOME: (
        marked("No one knows whether the till took the money."),
        marked("Do not take the money again. Look for the receipt at the till, and say what became of the payment."),
    ),
    CaseKind.ODD_STATUS: (
        marked("The register server sent a status that decides nothing."),
        marked("Look at the till what became of the payment, and say so."),
    ),
    CaseKind.SAME_RECEIPT: (
        marked("The till named the receipt number that a person typed for this payment for another one."),
        marked(
            "Look at the receipt: take the mistaken word back, or let both stand where the till has used the number"
            " twice."
        ),
    ),
    CaseKind.CONTRADICTION: (
        marked("The till contradicts what was said before."),
        marked("Compare the till's receipts with the payment's history, then decide."),
    ),
    CaseKind.PAID_FOR_UNKNOWN_ID: (
        marked("A rightly signed report says paid for a payment that the bridge does not know."),
        marked("Find out whose money it is, book it in the library system by hand, and settle the case."),
    ),
    CaseKind.SUM_DIFFERS: (
        marked("The till collected another sum than was asked for."),
        marked("Compare the receipt with the payment. Then let it be booked, or settle it by hand."),
    ),
    CaseKind.COLLECTED_TWICE: (
        marked("Two payments collected money for the same charge."),
        marked("Give the money of one of them back at the till, or leave it as the patron's credit, then decide."),
    ),
    CaseKind.SURPLUS: (
        marked("The charges owed less than was collected; the rest was not sent to the library system."),
        marked("Give the rest back at the till, or leave it as the patron's credit, then settle the case."),
    ),
    CaseKind.NOT_BOOKED: (
        marked("The money is collected and still not booked in the library system; it is being tried again."),
        marked("See whether the library system answers. The case ends by itself once it is booked."),
    ),
    CaseKind.NOT_APPLIED: (
        marked("The library system has the credit, and has not applied it to the charges."),
        marked("Apply the credit in the library system, then let the bridge look again."),
    ),
    CaseKind.WRONG_CREDIT: (
        marked("The library system has a credit of another sum, or on other charges."),
        marked("Put the credit right in the library system, then let the bridge look again."),
    ),
    CaseKind.BOOKED_TWICE: (
        marked("The library system has more than one credit of the payment."),
        marked("Void all but one in the library system, then let the bridge look again."),
    ),
    CaseKind.CREDIT_VOIDED: (
        marked("The credit was taken back in the library system."),
        marked("Ask who took it back, and why. Then let it be booked again, or settle it."),
    ),
    CaseKind.PATRON_GONE: (
        marked("The library system does not know the patron any more: merged, perhaps."),
        marked("Find the patron who has the charges now, and name that patron in the case."),
    ),
    CaseKind.REFUSED_BY_LIBRARY: (
        marked("The library system refused the credit."),
        marked("See in the payment's history why, mend that, and let it be booked again."),
    ),
    CaseKind.VOID_BY_HAND: (
        marked("The till took the money back, and the booking still stands."),
        marked("Void the credit in the library system. The case ends when the void is seen."),
    ),
    CaseKind.REFUND_UNDECIDED: (
        marked("Money was to be given back at the till, and nobody has said whether it was."),
        marked("Look for the till's receipt of the money that was given back, and say so; or say that none was given."),
    ),
    CaseKind.REFUND_NOT_RECORDED: (
        marked("The till has given money back, and the library system has not recorded it."),
        marked(
            "See in the payment's history why. Mend that and let it be recorded again, or record it by hand in the"
            " library system."
        ),
    ),
}
"""What has happened, and what to do about it."""


REMARKS: dict[str, str] = {
    "restricted": marked("The patron still has a restriction: paying does not lift it."),
    "may_renew": marked("An overdue item is still out: the library system may have renewed it. Look at the loan."),
    "may_return": marked("A lost item was paid for: the library system may have taken it off the loans. Look at it."),
    "renewed": marked("The library system has renewed the overdue item."),
    "renewal_refused": marked("The overdue item was not renewed: look at the loan in the library system."),
    "returned": marked("The library system has taken the lost item off the loans."),
    "receipt_sent": marked("The library system has sent the patron a receipt by e-mail."),
}


def after_booking(payment: Payment) -> list[str]:
    """Tell the clerk what the library system did besides, once the payment is booked."""
    return [REMARKS[remark] for remark in payment.remarks] if payment.booking is Booking.BOOKED else []


def remind(payment: Payment, history: Sequence[Event], now: float, after_s: float) -> bool:
    """Tell whether the clerk is to be reminded of a payment, since the till has had it for longer than `after_s`."""
    sent_at = max((event.at for event in history if event.kind == Heard.SEND), default=payment.created_at)
    return payment.collection in (Collection.SENDING, Collection.AT_REGISTER) and now - sent_at > after_s


def tell_case(kind: CaseKind) -> tuple[str, str]:
    """Return what has happened, and what a person has to do."""
    return CASES[kind]


BY_HAND = marked("A person settled it by hand; what is booked of it stays booked.")
WRITTEN = marked("The message has gone out to the register server; its answer is waited for.")


def sentence_of(event: Event) -> str:
    """Return what happened, said so that it is true of what is known: some events mean less than they usually do."""
    if event.kind == f"booking_{Done.CONFIRMED}" and "action" in event.facts:
        return BY_HAND
    if event.kind == Heard.REACHED and event.facts.get("via") == "request":
        return WRITTEN
    return SENTENCES.get(event.kind, event.kind)


def tell(event: Event) -> str:
    """Return what happened, with the reason, the receipt number and who agreed where the event has them."""
    words = sentence_of(event)
    if why := event.facts.get("why"):
        words += f" ({why})"
    if receipt := event.facts.get("receipt"):
        words += f" Receipt {receipt}."
    if seconded_by := event.facts.get("seconded_by"):
        words += f" {seconded_by} agreed."
    return words
