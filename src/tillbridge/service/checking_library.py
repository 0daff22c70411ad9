# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what a library system shows of itself: its rights, its interface, its branches and payment types."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from tillbridge.service.checking_port import Interface, NotAllowed, PaymentTypes, Right
from tillbridge.service.findings import Check, Finding, fault, not_checkable, ok, warning
from tillbridge.service.library_port import LibrarySystem, Unavailable

LIBRARY = "library"


async def look_at_library(library: LibrarySystem, branches: Iterable[str]) -> tuple[Finding, ...]:
    """Ask the library system about everything that it can say without changing anything."""
    checks = library.checks
    why = await library.ping()
    rights, interface, listed, types = await asyncio.gather(
        checks.rights(), checks.interface(), checks.branches(), checks.payment_types()
    )
    return (
        judge_ping(Check.LIBRARY_ANSWERS, LIBRARY, why),
        *judge_interface(interface),
        *judge_rights(rights),
        *judge_branches(branches, listed),
        judge_payment_type(types),
    )


def judge_ping(check: Check, about: str, why: str | None) -> Finding:
    """Judge whether a server can be reached and lets the bridge in."""
    if why is None:
        return ok(check, about, "It answers.")
    return fault(check, about, f"It does not answer as it should: {why}.", "Mend what is named, then check again.")


def judge_interface(seen: Interface | Unavailable) -> Iterator[Finding]:
    """Judge whether the interface has what the bridge uses."""
    check = Check.LIBRARY_INTERFACE
    match seen:
        case Unavailable(why):
            yield not_checkable(check, LIBRARY, f"What its interface offers cannot be read: {why}.")
        case Interface(missing) if missing:
            words = f"Its interface lacks {', '.join(missing)}."
            yield fault(check, LIBRARY, words, "Use a version that has it (see the README).", missing=list(missing))
        case Interface():  # the last case
            yield ok(check, LIBRARY, "Its interface has everything that the bridge uses.")
    if isinstance(seen, Interface) and seen.unproven_rights:
        rights = " and ".join(seen.unproven_rights)
        words = f"To record a payment it also asks for {rights}; only recording one would show whether it is held."
        yield not_checkable(Check.LIBRARY_RIGHTS, LIBRARY, words, "See that the bridge's account holds it.")


def judge_rights(seen: tuple[Right, ...] | Unavailable) -> Iterator[Finding]:
    """Judge whether the bridge's account may do its work."""
    if isinstance(seen, Unavailable):
        yield not_checkable(Check.LIBRARY_RIGHTS, LIBRARY, f"The rights cannot be tried: {seen.why}.")
        return
    for right in seen:
        yield _judge_right(right)


def _judge_right(right: Right) -> Finding:
    about, facts = right.name, {"right": right.name, "held": right.held}
    match right.held:
        case True:
            words = f"The bridge's account holds it: it may {right.purpose}."
            return ok(Check.LIBRARY_RIGHTS, about, words, **facts)
        case False:
            words = f"The bridge's account lacks it: it cannot {right.purpose}."
            return fault(Check.LIBRARY_RIGHTS, about, words, f"Give the account the right {right.name}.", **facts)
        case None:  # the last case
            words = f"Whether the bridge's account may {right.purpose} shows when it has the other rights."
            return not_checkable(Check.LIBRARY_RIGHTS, about, words, "Give it those, then check again.", **facts)


def judge_branches(used: Iterable[str], listed: tuple[str, ...] | NotAllowed | Unavailable) -> Iterator[Finding]:
    """Judge whether the library system knows the branches of the settings: it books for none that it does not."""
    check = Check.LIBRARY_BRANCHES
    if not isinstance(listed, tuple):
        yield _unread(check, "branches", listed)
        return
    unknown = sorted(set(used) - set(listed))
    for branch in unknown:
        words = f"The library system has no branch {branch}, and would refuse to book there."
        remedy = f"Write its own code into the settings: [branch.CODE]. It has {', '.join(listed) or 'none'}."
        yield fault(check, f"branch {branch}", words, remedy)
    if not unknown:
        yield ok(check, LIBRARY, "It has every branch of the settings.")


def judge_payment_type(seen: PaymentTypes | NotAllowed | Unavailable) -> Finding:
    """Judge the payment type of the settings; one that is not listed is booked all the same."""
    check = Check.PAYMENT_TYPE
    if not isinstance(seen, PaymentTypes):
        return _unread(check, "payment types", seen)
    if seen.used in seen.listed:
        return ok(check, LIBRARY, f"It has the payment type {seen.used}.")
    words = f"It does not list the payment type {seen.used}. It books with it, and its pages and reports show no name."
    remedy = f"Add {seen.used} to its payment types, or write one that it has into the settings."
    return warning(check, LIBRARY, words, remedy, used=seen.used, listed=list(seen.listed))


def _unread(check: Check, what: str, seen: NotAllowed | Unavailable) -> Finding:
    match seen:
        case NotAllowed(right):
            words = f"The bridge's account may not read the {what}."
            return not_checkable(check, LIBRARY, words, f"With the right {right} they can be checked; compare by hand.")
        case Unavailable(why):  # the last case
            return not_checkable(check, LIBRARY, f"The {what} cannot be read: {why}.")
