# SPDX-License-Identifier: GPL-3.0-or-later
"""What the register kit needs from the other end: a register server that it can look into, and that fails on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from tillbridge.service.register_port import Product, Register


class Fault(StrEnum):
    """Name what a register server, or the way to it, may do with the next order."""

    CUT_UNREAD = "the connection is cut before anything is read"
    CUT_READ = "the connection is cut once the order is read"
    SILENT = "the order is read, and nothing is answered"
    ANSWER_LOST = "the till has the order, and the answer is lost"
    ANSWER_NEVER = "the till has the order, and never answers"
    ANSWER_HALF = "the answer breaks off"
    ANSWER_STALLS = "the answer stops half-way"
    OTHER_STATUS = "a good answer comes with the HTTP status 500"
    SERVER_ERROR = "the server answers with an error of its own"
    NOT_NOW = "the server answers that it is not available"
    REDIRECT = "the order is not taken, and the address has moved"
    PAGE = "a web page is answered"
    PAGE_404 = "a web page is answered, with 404"
    PAGE_502 = "a server in between answers with a web page"
    NOTHING = "nothing is answered, with 204"
    NOT_HTTP = "something is answered that is no HTTP"
    NOT_UTF8 = "bytes are answered that are no text"
    NOT_JSON = "a damaged message is answered"
    ENDLESS = "the till has the order, and the answer has no end"
    ENDLESS_ERROR = "the till has the order, and an error is answered that has no end"
    WRONG_PROOF = "the answer's proof is wrong"
    NO_PROOF = "the answer has no proof"
    OTHER_ID = "a rightly proven answer is about another payment"
    OTHER_SOURCE = "a rightly proven answer names another account"
    ODD_STATUS = "a rightly proven answer has a status that nobody knows"
    STATUS_AS_TEXT = "a rightly proven answer has its status as text"
    NO_RECEIPT = "a rightly proven answer has no receipt number"
    ID_USED = "the server says that the id was used before"
    SYSTEM_ERROR = "the server says that it has an error"
    CANCELS_BY_ITSELF = "the server cancels the payment by itself"
    REFUSES = "the server refuses the order as faulty"
    REFUSES_UNPROVEN = "somebody unproven refuses the order"


class Said(StrEnum):
    """Name the reports that a peer can be asked for."""

    PAID = "paid"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    ODD = "rightly proven, with a status that decides nothing"
    UNKNOWN_STATUS = "rightly proven, with a status that nobody knows"
    STATUS_AS_TEXT = "paid, the status as text"
    NO_RECEIPT = "paid, without a receipt number"
    OTHER_RECEIPT = "paid, with another receipt number"
    OTHER_SUM = "paid, with another sum"
    WRONG_PROOF = "paid, with a wrong proof"
    NO_PROOF = "paid, without proof"
    OTHER_SOURCE = "paid, rightly proven, of another account"
    OTHER_BRANCH = "paid, proven with another branch's secret"
    PREVIOUS_SECRET = "paid, proven with the secret before this one"  # noqa: S105 - words about a secret
    KEY_TWICE = "paid, with a key that stands there twice"


RECEIPT, OTHER_RECEIPT = "K000777", "K000778"
"""The receipt numbers in reports that are asked for."""

OTHER_SUM_MINOR = 12345
"""The sum in a report with another sum, in cents."""


class Situation(StrEnum):
    """Name how an adapter is connected."""

    USUAL = "usual"
    QUICK = "with the shortest limits that work"
    NOT_THERE = "to a port where nobody listens"


@dataclass(frozen=True, slots=True)
class Seen:
    """Hold what the register server has of one payment.

    `text` is everything that came, `times` how often, `report_to` where the message says that reports are to go.
    """

    times: int
    register: str
    products: tuple[Product, ...]
    total_minor: int
    text: str
    report_to: str | None = None


class RegisterPeer(Protocol):
    """Be a register server for the kit. What it cannot do it says by raising Skipped."""

    branch: str
    register: str
    other_branch: str | None
    """A branch with a secret of its own, if the protocol has that."""
    holds: bool
    """Whether a request is held until the cashier is done; otherwise it is answered at once and reported later."""
    names_sums: bool
    """Whether a report names what was taken."""
    settings: Mapping[str, Any]
    """The adapter's settings as they stand in a settings file, without `kind`."""
    settings_model: Any
    """The adapter's `Settings`."""

    def connect(self, situation: Situation = Situation.USUAL) -> Register:
        """Connect an adapter anew."""
        ...

    async def fresh(self) -> None:
        """Forget every fault and every count, and close every adapter."""
        ...

    def lay(self, fault: Fault) -> None:
        """Let this happen to the next order."""
        ...

    async def until_has(self, payment_id: str) -> None:
        """Wait until the till has this payment and the cashier could finish it."""
        ...

    async def pay(self, payment_id: str) -> None:
        """Let the cashier take the money."""
        ...

    async def cancel(self, payment_id: str) -> None:
        """Let the cashier cancel."""
        ...

    async def take_back(self, payment_id: str) -> None:
        """Let the cashier give the money of a paid payment back."""
        ...

    async def reported(self, payment_id: str, number: int = 1) -> bytes:
        """Wait for the nth report that the till itself posts about a payment, and return its bytes."""
        ...

    def report(self, payment_id: str, said: Said) -> bytes:
        """Make a report about a payment, which need not be on any till."""
        ...

    def seen(self, payment_id: str) -> Seen | None:
        """Say what the register server has of a payment, or None where nothing came."""
        ...

    def orders(self) -> int:
        """Count the orders that have come since the peer was opened, of whatever payment, each repetition too."""
        ...

    def reports_to(self, payment_id: str) -> str:
        """Say where reports of a payment are to go; raise Skipped where the protocol's messages do not name it."""
        ...

    def connections(self) -> int:
        """Count the connections that were made since `fresh`."""
        ...

    async def until_hung_up(self) -> None:
        """Wait until an adapter has hung up on a request, or on an answer, that was under way.

        An answer that has no end goes on as fast as it is read. It is cut off after 64 MiB, which is no hanging up.
        """
        ...


RegisterSetup = Callable[[Any, Path], AbstractAsyncContextManager[RegisterPeer]]
"""Open a peer for an adapter (the module that its entry point names), with a folder for secrets."""

RegisterSetups = Mapping[str, RegisterSetup]
"""The ways in which an adapter may be set up, each with its peer."""
