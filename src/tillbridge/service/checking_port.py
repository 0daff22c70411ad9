# SPDX-License-Identifier: GPL-3.0-or-later
"""The port to what can be looked at before the first customer: nothing that is asked here changes anything.

Every adapter has a `checks` beside its work. It answers with facts; what they mean is the use case's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from tillbridge.service.library_port import Unavailable
from tillbridge.service.store_port import Transaction

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """State that the bridge's account may not read this, and which right it would take."""

    right: str


@dataclass(frozen=True, slots=True)
class ServerTime:
    """Hold what a server says the time is, in seconds since 1970; it says so in whole seconds."""

    at: float


class Distrust(StrEnum):
    """Name why a certificate is not trusted."""

    EXPIRED = "expired"
    NOT_YET = "not_yet"
    UNKNOWN_AUTHORITY = "unknown_authority"
    OTHER_NAME = "other_name"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Describe the certificate of a trusted chain that ends first: whose it is, and when it ends."""

    subject: str
    ends_at: float


@dataclass(frozen=True, slots=True)
class NotTrusted:
    """State that a server's certificate is not trusted, and why in the words of the TLS library."""

    reason: Distrust
    why: str


@dataclass(frozen=True, slots=True)
class NoTls:
    """State that the connection is not encrypted; `local` where it does not leave this machine."""

    local: bool


Tls = Certificate | NotTrusted | NoTls | Unavailable


class ServerChecks(Protocol):
    """Look at one server that the bridge talks to."""

    name: str
    """Host and port, for people."""

    async def time(self) -> ServerTime | Unavailable:
        """Ask for the server's time."""
        ...

    async def certificate(self) -> Tls:
        """Look at the chain of certificates that the bridge's own connections would see."""
        ...


@dataclass(frozen=True, slots=True)
class Right:
    """Say whether the bridge's account holds a right that it needs; `held` None where this cannot be told."""

    name: str
    purpose: str
    held: bool | None


@dataclass(frozen=True, slots=True)
class Interface:
    """Say what the library system's interface lacks, and which rights it asks for that no harmless request shows."""

    missing: tuple[str, ...] = ()
    unproven_rights: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DebitTypes:
    """Hold codes of debit types. Not `whole`: those that every such library system begins with, and no others."""

    codes: tuple[str, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class PaymentTypes:
    """Hold the payment type that the bridge books with, and those that the library system lists."""

    used: str
    listed: tuple[str, ...]


class LibraryChecks(Protocol):
    """Look at a library system. Never raises for what the network or the library system does."""

    @property
    def servers(self) -> Sequence[ServerChecks]:
        """Return the servers that the adapter talks to."""
        ...

    async def rights(self) -> tuple[Right, ...] | Unavailable:
        """Say which of the needed rights the bridge's account holds, as far as requests that only read can show."""
        ...

    async def interface(self) -> Interface | Unavailable:
        """Compare the interface that is there with the one that the bridge needs."""
        ...

    async def debit_types(self) -> DebitTypes | NotAllowed | Unavailable:
        """List the codes of debit types."""
        ...

    async def payment_types(self) -> PaymentTypes | NotAllowed | Unavailable:
        """List the payment types."""
        ...

    async def branches(self) -> tuple[str, ...] | NotAllowed | Unavailable:
        """List the codes of the branches."""
        ...


@dataclass(frozen=True, slots=True)
class TrialReport:
    """Hold a report as a till would post it: where, and which bytes (JSON)."""

    address: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """State that something at the address answered, with which HTTP status."""

    status: int


class RegisterChecks(Protocol):
    """Look at a register server, and make a report for trying. Never raises for what the network or a server does."""

    @property
    def servers(self) -> Sequence[ServerChecks]:
        """Return the servers that the adapter talks to."""
        ...

    def trial_report(self, branch: str, payment_id: str) -> TrialReport:
        """Make a rightly signed report that this payment was cancelled: of all reports the one that opens no case."""
        ...

    async def post(self, report: TrialReport) -> Answered | Unavailable:
        """Post a report to its address, as a till would."""
        ...


class OwnServer(Protocol):
    """Look at the bridge itself, from this machine."""

    public_address: str

    async def certificate(self) -> Tls:
        """Look at the certificates at the bridge's public address."""
        ...

    async def listens(self) -> bool:
        """Tell whether a bridge listens where the settings say."""
        ...


class StoredReader(Protocol):
    """Read what is stored, also while a bridge uses it."""

    async def is_there(self) -> bool:
        """Tell whether a bridge has stored anything yet; raise SettingsError where this cannot be told."""
        ...

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` that changes nothing; raise SettingsError where the database cannot be used."""
        ...
