# SPDX-License-Identifier: GPL-3.0-or-later
"""What the library kit needs from the other end: patrons and charges to order, a ledger to look into, and faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from tillbridge.conformance.register_peer import Situation
from tillbridge.service.library_port import Abilities, LibrarySystem


class LibraryFault(StrEnum):
    """Name what a library system, or the way to it, may do with the next request."""

    CUT_UNREAD = "the connection is cut before anything is read"
    CUT_READ = "the connection is cut once the request is read, and nothing is done"
    SILENT = "the request is read, and nothing is answered"
    ANSWER_LOST = "it is done, and the answer is lost"
    ANSWER_NEVER = "it is done, and never answered"
    ANSWER_HALF = "it is done, and the answer breaks off"
    OTHER_STATUS = "it is done, and something in between answers 500 in its place"
    PAGE = "a web page is answered"
    PAGE_404 = "a web page is answered, with 404"
    PAGE_502 = "a server in between answers with a web page, and nothing is done"
    DONE_502 = "a server in between gives up, and it is done all the same"
    DONE_504 = "a server in between has waited too long, and it is done all the same"
    NOT_NOW = "a server in between answers that it is not available"
    REDIRECT = "the address has moved"
    NOT_HTTP = "something is answered that is no HTTP"
    NOT_UTF8 = "bytes are answered that are no text"
    ENDLESS = "it is done, and the answer has no end"
    ENDLESS_ERROR = "it is done, and an error is answered that has no end"
    FORBIDDEN = "the bridge's account lacks the right"
    LOGGED_OUT = "the bridge's log-in has been forgotten"
    ERROR_KEPT = "the library system answers with an error of its own, and has recorded the credit whole"
    ERROR_UNAPPLIED = "the library system answers with an error of its own, and has recorded the credit unapplied"
    UNAPPLIED = "the credit is recorded and not applied to any charge"
    DEADLOCK = "two credits of one patron run at once, and one of them fails half-way"


class Need(StrEnum):
    """Name what some checks take, and not every peer gives."""

    FAULTS = "it takes a fault, and nobody lays one to a real library system"
    LIBRARIAN = "it takes a librarian's hand"
    COUNTING = "requests are counted on a wire of the kit's own, and none lies here"
    PATRONS = "it takes a second patron, or one of its own kind"
    CLERK = "it takes a librarian in whose name the kit may record, and none is known"


class Of(StrEnum):
    """Name the requests that a fault is for."""

    PATRONS = "patrons"
    CHARGES = "charges"
    CREDITS = "credits"
    WRITING = "writing"
    TAKING_BACK = "taking back"
    GIVING_BACK = "giving back"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Ask for a patron. None: whatever the peer takes."""

    surname: str | None = None
    firstname: str | None = None
    card_number: str | None = None
    restricted: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """Hold a patron that the peer has made, or had, with the charges that were asked for, in their order."""

    patron_id: str
    card_number: str
    surname: str
    firstname: str
    charge_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Booked:
    """Hold a credit as the library system itself has it; empty texts where it does not tell who and where."""

    credit_id: str
    amount: Decimal
    unapplied: Decimal
    note: str
    staff_id: str = ""
    register_id: str = ""


@dataclass(frozen=True, slots=True)
class Clerk:
    """Hold a librarian, and one of the library system's own registers, by the library system's ids."""

    staff_id: str
    register_id: str


class LibraryPeer(Protocol):
    """Be a library system for the kit. What it cannot do it says by raising Skipped."""

    branch: str
    currency: str
    settings: Mapping[str, Any]
    """The adapter's settings as they stand in a settings file, without `kind`."""
    settings_model: Any
    """The adapter's `Settings`."""
    abilities: Abilities | None
    """What this library system can do; None where that is not known beforehand."""

    def takes(self, *needs: Need) -> None:
        """Raise Skipped where this peer does not give one of these, before anything is made in vain."""
        ...

    def connect(self, situation: Situation = Situation.USUAL) -> LibrarySystem:
        """Connect an adapter anew."""
        ...

    async def fresh(self) -> None:
        """Forget every fault and every count, and close every adapter."""
        ...

    async def patron(self, owed: Sequence[str] = (), wanted: Wanted = Wanted()) -> Made:
        """Give a patron who owes these amounts and nothing else; each call another one, where that can be."""
        ...

    async def charge(self, patron_id: str, amount: str, description: str = "") -> str:
        """Let a patron owe something more, and return the charge's id."""
        ...

    def lay(self, fault: LibraryFault, of: Of, times: int = 1) -> None:
        """Let this happen to the next requests of this kind."""
        ...

    def unlay(self) -> None:
        """Forget every fault."""
        ...

    async def owed(self, patron_id: str) -> Mapping[str, Decimal]:
        """Read from the ledger itself what is owed on each open charge."""
        ...

    async def booked(self, patron_id: str) -> Sequence[Booked]:
        """Read from the ledger itself the credits that are not void."""
        ...

    async def given_back(self, patron_id: str) -> Decimal:
        """Read from the ledger itself how much money was given back."""
        ...

    async def clerk(self) -> Clerk:
        """Name a librarian in whose name may be recorded, other than the bridge's own account."""
        ...

    async def void(self, credit_id: str) -> None:
        """Void a credit, as a librarian does."""
        ...

    async def grow(self, charge_id: str, by: str) -> None:
        """Let a charge grow."""
        ...

    async def merge(self, patron_id: str, into: str) -> None:
        """Merge a patron into another one."""
        ...

    async def delete(self, patron_id: str) -> None:
        """Delete a patron."""
        ...

    def writes(self) -> int:
        """Count the requests to record a credit that were sent since `fresh`."""
        ...

    def connections(self) -> int:
        """Count the connections that were made since `fresh`."""
        ...

    async def until_hung_up(self) -> None:
        """Wait until an adapter has hung up on a request, or on an answer, that was under way.

        An answer that has no end goes on as fast as it is read. It is cut off after 64 MiB, which is no hanging up.
        """
        ...


LibrarySetup = Callable[[Any, Path], AbstractAsyncContextManager[LibraryPeer]]
"""Open a peer for an adapter (the module that its entry point names), with a folder for secrets."""

LibrarySetups = Mapping[str, LibrarySetup]
"""The ways in which an adapter may be set up, each with its peer."""
