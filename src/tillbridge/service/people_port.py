# SPDX-License-Identifier: GPL-3.0-or-later
"""The people who use the pages: what each may do, how they are signed in, and the journal of what they did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

LANGUAGES = ("fi", "sv", "en")
"""The languages that the pages speak."""


class Role(StrEnum):
    """Name what a person is at the library; one may have several roles."""

    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    BOOKKEEPER = "bookkeeper"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """Name what a role lets a person do in the pages."""

    PAY = "pay"
    """Look up patrons, start and cancel payments, and say what became of one whose outcome is unknown."""
    SEE = "see"
    """See payments and open cases."""
    RESOLVE = "resolve"
    """Decide open cases, and be the second pair of eyes."""
    BY_HAND = "by_hand"
    """Record what a till took by hand."""
    RAW = "raw"
    """See the raw messages of the wire."""
    SETTINGS = "settings"
    """Switch branches on and off, and change the product map."""
    PEOPLE = "people"
    """Look after the accounts, and read the journal."""


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.CLERK: frozenset({Right.PAY, Right.SEE}),
    Role.SUPERVISOR: frozenset({Right.PAY, Right.SEE, Right.RESOLVE, Right.BY_HAND}),
    Role.BOOKKEEPER: frozenset({Right.SEE, Right.RESOLVE}),
    Role.ADMINISTRATOR: frozenset({Right.SEE, Right.RAW, Right.SETTINGS, Right.PEOPLE}),
}


@dataclass(frozen=True, slots=True)
class Person:
    """Hold a person's account. `id` is the sign-in name, `name` what others are shown; `branches` None means all."""

    id: str
    name: str
    roles: frozenset[Role]
    branches: frozenset[str] | None
    language: str | None
    """The language that the pages speak to this person, where one was chosen."""
    password_hash: str = field(repr=False)
    """Empty once the account is withdrawn, and where it comes from another system: no password leads in."""
    created_at: float
    created_by: str
    password_changed_at: float
    withdrawn_at: float | None = None
    withdrawn_by: str | None = None
    origin: str | None = None
    """The system that this account comes from, where it is not our own; that system then says who signs in to it."""
    origin_id: str | None = None

    @property
    def withdrawn(self) -> bool:
        """Tell whether the account is withdrawn; for good, unless it comes from another system."""
        return self.withdrawn_at is not None

    def may(self, right: Right) -> bool:
        """Tell whether one of the person's roles has this right."""
        return any(right in RIGHTS[role] for role in self.roles)

    def sees(self, branch: str) -> bool:
        """Tell whether the person works with this branch."""
        return self.branches is None or branch in self.branches


@dataclass(frozen=True, slots=True)
class Session:
    """Hold that a person is signed in, without the secret that proves it; a form must show `csrf`."""

    token_hash: str = field(repr=False)
    person_id: str
    csrf: str = field(repr=False)
    began_at: float
    ends_at: float


class DeedKind(StrEnum):
    """Name what a person did. To look up a patron is not recorded: nothing is changed, and the patron is named."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - no password, the news of one
    PERSON_ADDED = "person_added"
    PERSON_CHANGED = "person_changed"
    PERSON_WITHDRAWN = "person_withdrawn"
    PERSON_LET_IN_AGAIN = "person_let_in_again"
    BRANCH_SWITCHED = "branch_switched"
    PRODUCT_MAP_CHANGED = "product_map_changed"
    PAGE_KEY_MADE = "page_key_made"
    PAYMENT_STARTED = "payment_started"
    PAYMENT_BY_HAND = "payment_by_hand"
    CANCEL_WISHED = "cancel_wished"
    STOPPED_WAITING = "stopped_waiting"
    WORD_GIVEN = "word_given"
    CASE_DECIDED = "case_decided"
    REFUND_ASKED = "refund_asked"
    REFUND_GIVEN_BACK = "refund_given_back"
    REFUND_WITHDRAWN = "refund_withdrawn"
    SECOND_LOOK_WISHED = "second_look_wished"
    SECOND_LOOK_AGREED = "second_look_agreed"
    SECOND_LOOK_REFUSED = "second_look_refused"
    SECOND_LOOK_WITHDRAWN = "second_look_withdrawn"


@dataclass(frozen=True, slots=True)
class Deed:
    """Hold one line of the journal. `person_id` is who did it: an account, or whom a command was told (`--by`).

    It is empty where somebody tried to sign in under a name that nobody has: that text may be a mistyped password.
    """

    at: float
    person_id: str
    kind: DeedKind
    facts: Mapping[str, object] = field(default_factory=dict)


class People(Protocol):
    """Read and write these inside a transaction. One that writes holds the people that it reads until its end."""

    def add_person(self, person: Person) -> None:
        """Store a new account."""
        ...

    def save_person(self, person: Person) -> None:
        """Store a changed account."""
        ...

    def person(self, person_id: str) -> Person | None:
        """Read an account, withdrawn or not."""
        ...

    def people(self) -> tuple[Person, ...]:
        """List all accounts, withdrawn ones too, by id."""
        ...

    def add_session(self, session: Session) -> None:
        """Store a new session."""
        ...

    def session(self, token_hash: str) -> Session | None:
        """Find a session by the hash of its secret, also one whose time is over."""
        ...

    def sessions(self, token_hashes: Sequence[str]) -> tuple[tuple[Person, Session], ...]:
        """Find those of these sessions that there are, as above, each with its person."""
        ...

    def end_session(self, token_hash: str) -> None:
        """Forget a session."""
        ...

    def end_sessions_of(self, person_id: str, but: str | None = None) -> None:
        """Forget all sessions of a person, but for the one with this hash."""
        ...

    def end_sessions_before(self, at: float) -> None:
        """Forget the sessions whose time was over at this instant."""
        ...

    def record_deed(self, deed: Deed) -> None:
        """Add a line to the journal."""
        ...

    def deeds(self, after: int | None, limit: int, person_id: str | None = None) -> tuple[tuple[int, Deed], ...]:
        """Read the journal, newest line first, each with its number, behind the one with this number.

        With `person_id` only what this person did.
        """
        ...
