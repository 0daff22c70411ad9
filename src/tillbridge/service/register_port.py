# SPDX-License-Identifier: GPL-3.0-or-later
"""The port to a register server: what an adapter is asked, and the facts that it may answer.

An adapter returns facts and writes no state. It is one folder, found by the entry point group
``tillbridge.registers``: a module with ``Settings`` (a pydantic model) and ``connect(settings, surroundings)``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tillbridge.domain.money import Money

if TYPE_CHECKING:
    from tillbridge.service.checking_port import RegisterChecks


@dataclass(frozen=True, slots=True)
class Product:
    """Describe one article on the receipt; `price_minor` is in cents, tax included."""

    code: str
    description: str
    price_minor: int


@dataclass(frozen=True, slots=True)
class Payer:
    """Name the patron for the receipt (only handed to an adapter whose `names_payer` is true)."""

    surname: str
    firstname: str
    card_number: str


@dataclass(frozen=True, slots=True)
class Order:
    """Ask a till to collect `total` for `products`; `register` is the till's own number (Ceepos: Office)."""

    payment_id: str
    branch: str
    register: str
    products: tuple[Product, ...]
    total: Money
    payer: Payer | None = None


@dataclass(frozen=True, slots=True)
class NeverSent:
    """State with proof that the till has got nothing: the connection was never made."""

    why: str


@dataclass(frozen=True, slots=True)
class AtRegister:
    """State that the register server has the payment and will report later."""

    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Paid:
    """State that the till took the money, proven by a signature.

    `sum_minor` is the collected sum where the signed message names it, in cents.
    """

    receipt_number: str | None = None
    sum_minor: int | None = None
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """State that the till did not take the money, or took it back, proven by a signature."""

    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Refused:
    """State that the register server rejected the message: nothing was collected."""

    why: str
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class NoOutcome:
    """State that no one knows, and `why` in plain words; `raw` is what came, if anything came."""

    why: str
    raw: bytes = b""


Answer = NeverSent | AtRegister | Paid | Cancelled | Refused | NoOutcome
"""What sending an order may bring. Only `NeverSent` is proof that nothing arrived."""


@dataclass(frozen=True, slots=True)
class Report:
    """Hold a report as it came, before it is judged: nothing in it is proven yet."""

    payment_id: str
    raw: bytes
    fields: dict[str, object] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """State that a report cannot be read at all, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Forged:
    """State that a report is not what it claims to be (hash, source), and why; nothing may change by it."""

    why: str


Verdict = Paid | Cancelled | Refused | NoOutcome | Forged
"""What a report says once its proof was checked. `NoOutcome` is rightly signed but decides nothing."""


class Register(Protocol):
    """Talk to one register server. All methods may be called by many payments at once."""

    names_payer: bool
    """Whether the receipt shall carry the patron's name and card number."""

    answer_limit_s: float
    """The longest time that `send` may take before it answers `NoOutcome` by itself."""

    @property
    def checks(self) -> RegisterChecks:
        """Return what can be looked at before the first customer."""
        ...

    async def send(self, order: Order, at_register: Callable[[], Awaitable[None]]) -> Answer:
        """Send the order once, over a fresh connection, and return what became of it.

        Awaits `at_register` when the register server surely has the whole message while the request is still
        held open. Never raises for what the network or the server does.
        """
        ...

    def read_report(self, raw: bytes) -> Report | Unreadable:
        """Read a report without trusting it."""
        ...

    def judge_report(self, report: Report, branch: str) -> Verdict:
        """Check the report's proof with the secrets of that branch and say what it means."""
        ...

    def judge_stray_report(self, report: Report) -> Verdict:
        """Check a report for a payment that nobody knows, with every secret that there is."""
        ...

    async def ping(self) -> str | None:
        """Return None when the server can be reached, else why not, in plain words; collect nothing."""
        ...

    async def close(self) -> None:
        """Release every connection."""
        ...
