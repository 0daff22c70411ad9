# SPDX-License-Identifier: GPL-3.0-or-later
"""Say a use case's no in the reader's language: what was wrong, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tillbridge.errors import Declined
from tillbridge.marking import marked
from tillbridge.web.desk.texts import Texts


@dataclass(frozen=True, slots=True)
class No:
    """Hold what was wrong, what to do, and the payment that it has to do with, if there is one."""

    what: str
    remedy: str
    code: str
    payment_id: str | None = None


_ROUNDED_UP_S = 59
"""A wait is told in whole minutes, and is over by then."""

SAID: Mapping[str, tuple[str, str]] = {
    # Signing in, and what a person may do.
    "wrong_password": (marked("The name or the password is not right."), marked("Try again.")),
    "wrong_password.old": (
        marked("The old password is not right."),
        marked("Type the password that you sign in with now."),
    ),
    "passwords_differ": (marked("The two new passwords are not the same."), marked("Type the new password twice.")),
    "too_many_tries": (
        marked("There were too many wrong passwords."),
        marked("Wait %(wait)s, then try again. An administrator can set a new password."),
    ),
    "weak_password": (
        marked("This password is too easy to guess."),
        marked("Take at least 10 characters, and neither your name nor a common word."),
    ),
    "not_allowed": (marked("Your role does not allow this."), marked("Ask a colleague who may do it.")),
    "other_branch": (marked("This belongs to a branch that you have no access to."), marked("Ask a colleague there.")),
    "stale_page": (
        marked("This page is from an earlier sign-in. Nothing was done."),
        marked("Go back, load the page again and repeat what you did."),
    ),
    "foreign_page": (
        marked("This was sent from another site's page. Nothing was done."),
        marked("Start from the desk."),
    ),
    "wrong_sum": (marked("This is no sum."), marked("Type it like 7,20.")),
    "own_decision": (
        marked("Another person has to look at this: you have decided it yourself."),
        marked("Ask a colleague."),
    ),
    "not_own_decision": (marked("Only who decided this can take it back."), marked("Agree to it, or refuse it.")),
    "overtaken": (
        marked("Something else has happened first. The decision is not carried out."),
        marked("Look at what became of the payment."),
    ),
    "second_look_waits": (
        marked("A decision about this waits for a second look already."),
        marked("Look at it: agree, or refuse it."),
    ),
    "wrong_field": (
        marked("Something in the form cannot be read."),
        marked("Look at what you typed, and send it again."),
    ),
    "form_too_long": (
        marked("What you sent is too long. Nothing was done."),
        marked("Go back, make it shorter, and send it again."),
    ),
    "store_unavailable": (
        marked("The database cannot be used right now."),
        marked("Look whether it was done before you try again. Tell your administrator if this goes on."),
    ),
    "failed": (
        marked("The bridge failed at this."),
        marked("Look whether it was done before you try again. Tell your administrator."),
    ),
    # People's accounts.
    "no_such_person": (marked("There is no such account, or it is withdrawn."), marked("Look at the list of people.")),
    "person_exists": (
        marked("There is an account with this sign-in name already."),
        marked("Choose another one: a withdrawn account keeps its name too."),
    ),
    "last_administrator": (
        marked("This is the last administrator."),
        marked("Make somebody else an administrator first."),
    ),
    "wrong_person_form.id": (
        marked("This cannot be a sign-in name."),
        marked("Take 1 to 80 of the letters a to z, digits, and . _ @ -, a letter or digit first."),
    ),
    "wrong_person_form.name": (marked("This cannot be a name."), marked("Type 1 to 80 letters on one line.")),
    "wrong_person_form.roles": (marked("No role is chosen."), marked("Choose at least one role.")),
    "wrong_person_form.branches": (
        marked("No branch is chosen."),
        marked("Choose at least one branch, or all of them."),
    ),
    "wrong_person_form.language": (
        marked("The pages do not speak this language."),
        marked("Choose one of those that are shown."),
    ),
    # Looking somebody up and paying.
    "no_such_patron": (
        marked("The library system knows no such patron."),
        marked("Look at the card number, or type at least two letters of the beginning of a name."),
    ),
    "patron_missing": (marked("No patron is named."), marked("Type a card number or a name.")),
    "library_unavailable": (
        marked("The library system cannot be asked right now."),
        marked("Wait a moment and try again. Nothing was sent to the till."),
    ),
    "no_such_branch": (marked("There is no such branch."), marked("Choose one of the branches that are shown.")),
    "no_such_register": (marked("There is no such register at this branch."), marked("Choose one that is shown.")),
    "register_missing": (marked("No register is chosen."), marked("Choose the register where the customer pays.")),
    "note_too_long": (marked("The note is too long."), marked("Make it shorter: 500 characters at most.")),
    "nothing_chosen": (marked("No charge is chosen."), marked("Tick at least one charge.")),
    "nothing_to_pay": (marked("There is nothing to pay."), marked("Choose at least one charge.")),
    "changed": (
        marked("The charges have changed meanwhile. Nothing was sent to the till."),
        marked("Look at them as they are now, and choose again."),
    ),
    "sum_out_of_range": (
        marked("This sum cannot be paid: it must be above zero and at most what the chosen charges owe."),
        marked("Type another sum."),
    ),
    "branch_off": (
        marked("Payments at the register are switched off for this branch."),
        marked("Take the money as before, or ask your administrator."),
    ),
    "no_product_code": (
        marked("One of the charges is of a type that the till has no product code for."),
        marked("Leave it out, or ask your administrator to add its type to the product map."),
    ),
    "claimed": (
        marked("One of these charges is being paid already. Nothing was sent to the till."),
        marked("Look at that payment first."),
    ),
    "receipt_used": (
        marked("This receipt number stands for another payment already."),
        marked("Look at the receipt again, and at that payment."),
    ),
    "receipt_missing": (marked("The receipt number is missing."), marked("Type the number of the till's receipt.")),
    "reason_missing": (marked("The reason is missing."), marked("Say in a few words why.")),
    # What is no longer so.
    "no_such_page": (marked("There is no such page."), marked("Go on from the desk.")),
    "no_such_payment": (marked("There is no such payment."), marked("Look for it among the payments.")),
    "no_such_case": (marked("There is no such open case: somebody has decided it."), marked("Look at the open cases.")),
    "no_such_second_look": (
        marked("This decision does not wait for a second look any more."),
        marked("Look at what became of it."),
    ),
    "decided": (marked("This payment is decided already."), marked("Look at what became of it.")),
    "not_unknown": (marked("This payment is not in doubt any more."), marked("Look at what became of it.")),
    "not_at_register": (
        marked("This payment is not waiting at the till any more."),
        marked("Look at what became of it."),
    ),
    "not_blocked": (marked("The booking is not waiting for a person any more."), marked("Look at what became of it.")),
    "no_such_refund": (marked("There is no such refund."), marked("Look at the payment.")),
    "refund_waits": (
        marked("Money of this payment is being given back already."),
        marked("Look at the payment: say first whether that money was given back."),
    ),
    "refund_decided": (
        marked("Somebody has said already whether this money was given back."),
        marked("Look at what became of it."),
    ),
    "not_refundable": (
        marked("There is nothing booked of this payment that could be given back."),
        marked("Look at what became of the payment."),
    ),
    "cannot_refund": (
        marked("The library system cannot be told to give this money back."),
        marked("Give it back in the library system by hand."),
    ),
    "more_than_left": (
        marked("No more can be given back of a charge than was paid of it and is not given back yet."),
        marked("Type smaller sums."),
    ),
    "whole_only": (
        marked("Charges are owed again only where the whole payment is given back."),
        marked("Give all of it back, or let the charges stay paid off."),
    ),
    "wrong_action": (marked("This cannot be decided like that."), marked("Choose what is offered.")),
    # Looking for payments.
    "wrong_day": (marked("This is no day."), marked("Choose it in the calendar, or type it like 29.11.2026.")),
    "days_turned_round": (marked("The first day is after the last one."), marked("Change one of them.")),
    "wrong_state": (marked("There is no such state to look for."), marked("Choose one that is shown.")),
    "wrong_cursor": (
        marked("This place in the list cannot be found any more."),
        marked("Begin with the newest payments."),
    ),
    "no_receipt": (
        marked("There is no receipt: this payment has not been paid."),
        marked("Look at what became of the payment."),
    ),
    # What an administrator changes.
    "switch_changed": (
        marked("Somebody else has switched this branch meanwhile. Nothing was done."),
        marked("Look at how it is now, and whether it must still be switched."),
    ),
    "map_changed": (
        marked("Somebody else has changed the product map meanwhile. Nothing was done."),
        marked("Look below at what your text would change now, and decide again."),
    ),
    "map_too_long": (
        marked("The product map is too long for this page."),
        marked("Use the command on the bridge's machine: tillbridge products load."),
    ),
    "map_unchanged": (marked("The product map is the same already."), marked("There is nothing to change.")),
    "map_for_all": (
        marked("The product map is for all branches, and your account is for some of them."),
        marked("Ask an administrator of all branches."),
    ),
    # What comes from the library system's own page.
    "bad_token": (
        marked("What comes from the library system cannot be believed. Nothing was sent to the till."),
        marked("Press the button there again. If it goes on, tell your administrator to look at secrets and clocks."),
    ),
    "token_expired": (
        marked("This was sent too late. Nothing was sent to the till."),
        marked("Press the button in the library system again."),
    ),
    "too_many_requests": (
        marked("Too much comes from here at once. Nothing was sent to the till."),
        marked("Wait half a minute, then press the button in the library system again."),
    ),
    "no_hand_over": (
        marked("Hand-over from the library system is not set up here."),
        marked("Tell your administrator: the plugin's secret is missing in the settings."),
    ),
    "unknown_branch": (
        marked("Your branch in the library system has no registers here. Nothing was sent to the till."),
        marked("Look there at which branch you are signed in, or tell your administrator."),
    ),
    "other_currency": (
        marked("The library system reckons in another currency than the bridge. Nothing was sent to the till."),
        marked("Tell your administrator."),
    ),
    "switched_off": (
        marked("An administrator has switched your account here off. Nothing was sent to the till."),
        marked("Ask your administrator."),
    ),
    "no_such_hand_over": (
        marked("This was handed over for somebody else."),
        marked("Press the button in the library system yourself."),
    ),
    "hand_over_over": (
        marked("This was handed over too long ago. Nothing was sent to the till."),
        marked("Press the button in the library system again."),
    ),
    "account_of_library": (
        marked("The library system says who this is and where they work."),
        marked("Change it there."),
    ),
    "no_password_here": (
        marked("This account has no password: its owner comes from the library system."),
        marked("Give the person an account of their own where they need one."),
    ),
    "no_pages": (
        marked("The settings do not say where the library system's pages are."),
        marked("Set staff_address in the settings file first."),
    ),
    "no_such_version": (marked("There is no such version of the product map."), marked("Choose one from the list.")),
    "search_too_wide": (
        marked("This search takes too long."),
        marked("Name a shorter time, or more of what you know."),
    ),
}
"""What every no that a page can meet is called, and what to do; some have other words for one field of a form."""


def explained(texts: Texts, no: Declined) -> No:
    """Return a use case's no in the reader's language; its own English words where it has no others."""
    own = SAID.get(no.code, (no.message, ""))
    what, remedy = SAID.get(f"{no.code}.{no.facts.get('field')}", own)
    payment = no.facts.get("payment")
    remedy = texts.gettext(remedy) if remedy else ""
    if "%(wait)s" in remedy:
        remedy %= {"wait": texts.age(float(str(no.facts.get("wait_s", 60))) + _ROUNDED_UP_S)}
    return No(texts.gettext(what), remedy, no.code, payment if isinstance(payment, str) else None)
