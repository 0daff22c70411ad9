# SPDX-License-Identifier: GPL-3.0-or-later
"""Say roles, rights and what people did in the reader's language."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tillbridge.marking import marked
from tillbridge.service.people_port import RIGHTS, DeedKind, Person, Right, Role
from tillbridge.service.resolving import Action
from tillbridge.web.desk.texts import LANGUAGES, Texts

ROLES: Mapping[Role, str] = {
    Role.CLERK: marked("Clerk"),
    Role.SUPERVISOR: marked("Supervisor"),
    Role.BOOKKEEPER: marked("Bookkeeper"),
    Role.ADMINISTRATOR: marked("Administrator"),
}

RIGHT_WORDS: Mapping[Right, str] = {
    Right.PAY: marked("take payments"),
    Right.SEE: marked("see payments and open cases"),
    Right.RESOLVE: marked("decide open cases"),
    Right.BY_HAND: marked("record what a till took by hand"),
    Right.RAW: marked("see the raw messages to and from the till"),
    Right.SETTINGS: marked("switch branches on and off, change the product map"),
    Right.PEOPLE: marked("look after people's accounts, read the journal"),
}

DEEDS: Mapping[DeedKind, str] = {
    DeedKind.SIGNED_IN: marked("Signed in"),
    DeedKind.SIGN_IN_FAILED: marked("Could not sign in: wrong name or password"),
    DeedKind.SIGNED_OUT: marked("Signed out"),
    DeedKind.PASSWORD_CHANGED: marked("Set a new password"),
    DeedKind.PERSON_ADDED: marked("Added an account"),
    DeedKind.PERSON_CHANGED: marked("Changed an account"),
    DeedKind.PERSON_WITHDRAWN: marked("Withdrew an account"),
    DeedKind.PERSON_LET_IN_AGAIN: marked("Let a librarian in again"),
    DeedKind.BRANCH_SWITCHED: marked("Switched a branch"),
    DeedKind.PRODUCT_MAP_CHANGED: marked("Changed the product map"),
    DeedKind.PAGE_KEY_MADE: marked("Made a key for the pages of the library system"),
    DeedKind.PAYMENT_STARTED: marked("Started a payment"),
    DeedKind.PAYMENT_BY_HAND: marked("Recorded a payment that the till took by hand"),
    DeedKind.CANCEL_WISHED: marked("Asked for a payment to be cancelled"),
    DeedKind.STOPPED_WAITING: marked("Stopped waiting for the till"),
    DeedKind.WORD_GIVEN: marked("Said what became of a payment"),
    DeedKind.CASE_DECIDED: marked("Decided an open case"),
    DeedKind.REFUND_ASKED: marked("Asked for money to be given back"),
    DeedKind.REFUND_GIVEN_BACK: marked("Said that money was given back"),
    DeedKind.REFUND_WITHDRAWN: marked("Said that no money was given back"),
    DeedKind.SECOND_LOOK_WISHED: marked("Decided something that waits for a second look"),
    DeedKind.SECOND_LOOK_AGREED: marked("Agreed at a second look"),
    DeedKind.SECOND_LOOK_REFUSED: marked("Did not agree at a second look"),
    DeedKind.SECOND_LOOK_WITHDRAWN: marked("Took a decision back before a second look"),
}

DECISIONS: Mapping[Action, str] = {
    Action.PAID: marked("paid: the receipt is there"),
    Action.NOT_PAID: marked("not paid: the till has cancelled it"),
    Action.BOOK: marked("book it"),
    Action.LOOK: marked("look again"),
    Action.OTHER_PATRON: marked("book it for another patron"),
    Action.SETTLED: marked("settled by hand"),
    Action.GIVEN_BACK: marked("given back: the receipt is there"),
    Action.NOT_GIVEN_BACK: marked("not given back"),
}

ALL_BRANCHES = marked("All branches")
AS_THE_BROWSER = marked("As the browser is set")


def role_words(texts: Texts, roles: Collection[str]) -> str:
    """Name roles, in the order in which they are always named."""
    return ", ".join(texts.gettext(ROLES[role]) for role in Role if role in roles)


def may_words(texts: Texts, role: Role) -> str:
    """Say in one line what a role lets a person do."""
    return "; ".join(texts.gettext(RIGHT_WORDS[right]) for right in Right if right in RIGHTS[role])


def branch_words(texts: Texts, names: Mapping[str, str], branches: Collection[str] | None) -> str:
    """Name branches; None means all of them."""
    if branches is None:
        return texts.gettext(ALL_BRANCHES)
    return ", ".join(names.get(branch, branch) for branch in sorted(branches))


def language_words(texts: Texts, language: str | None) -> str:
    """Name the language that somebody has chosen, by its own name."""
    return texts.gettext(AS_THE_BROWSER) if language is None else LANGUAGES.get(language, language)


def may_lines(texts: Texts, person: Person) -> list[tuple[str, str]]:
    """Name each role of a person with what it lets them do."""
    return [(texts.gettext(ROLES[role]), may_words(texts, role)) for role in Role if role in person.roles]
