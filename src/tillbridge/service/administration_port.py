# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store keeps beside the payments: keys of programs, answers given, product maps, switches and alarms."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from tillbridge.service.second_look_port import SecondLooks


class Scope(StrEnum):
    """Name what a key lets a program do."""

    READ = "read"
    """See payments, charges, events and open cases."""
    PAY = "pay"
    """Start and cancel payments, and say what became of one whose outcome is unknown."""
    RESOLVE = "resolve"
    """Decide open cases, and record what a till took by hand."""
    SETTINGS = "settings"
    """Switch branches on and off, and change the product map."""
    METRICS = "metrics"
    """Read the metrics."""
    PAGES = "pages"
    """Ask, from the library system's own pages, which payments of a patron are open. Whoever sees the pages sees it."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Hold a program's key without its secret; `branches` None means all of them."""

    id: str
    name: str
    hash: str = field(repr=False)
    scopes: frozenset[Scope]
    branches: frozenset[str] | None
    created_at: float
    created_by: str
    withdrawn_at: float | None = None
    withdrawn_by: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """Keep what a request with an idempotency key was answered, for whoever sends it again."""

    api_key_id: str
    key: str
    at: float
    fingerprint: str
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class ProductMapVersion:
    """Keep one version of the product map as its text; `origin` is file, api, command or page."""

    version: int
    at: float
    by: str
    origin: str
    text: str


@dataclass(frozen=True, slots=True)
class BranchSwitch:
    """Keep who switched a branch on or off, when and why."""

    branch: str
    at: float
    by: str
    on: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """Hold the news of an open case that still has to go out over one channel."""

    id: int
    case_id: int
    channel: str
    attempts: int
    tried_at: float | None
    """When it was tried last."""


class Administration(SecondLooks, Protocol):
    """Read and write these inside a transaction."""

    def add_api_key(self, key: ApiKey) -> None:
        """Store a new key."""
        ...

    def api_keys(self) -> tuple[ApiKey, ...]:
        """List all keys, withdrawn ones too, oldest first."""
        ...

    def api_key_with_hash(self, secret_hash: str) -> ApiKey | None:
        """Find a key by the hash of its secret, withdrawn or not."""
        ...

    def withdraw_api_key(self, key_id: str, at: float, by: str) -> bool:
        """Withdraw a key for good; False where there is none that is still valid."""
        ...

    def answered(self, api_key_id: str, key: str) -> Answered | None:
        """Return what a request with this idempotency key was answered."""
        ...

    def keep_answer(self, answered: Answered) -> None:
        """Keep an answer; one key has one."""
        ...

    def forget_answers(self, before: float) -> None:
        """Forget the answers from before this instant."""
        ...

    def hold_settings(self) -> None:
        """Let nobody else change the product map or a switch until this transaction ends."""
        ...

    def add_product_map(self, at: float, by: str, origin: str, text: str) -> ProductMapVersion:
        """Keep a new version of the product map."""
        ...

    def product_map(self, version: int | None = None) -> ProductMapVersion | None:
        """Read a version, or the newest one."""
        ...

    def product_map_from(self, origin: str) -> ProductMapVersion | None:
        """Read the newest version that came from there."""
        ...

    def product_map_versions(self, limit: int, before: int | None = None) -> tuple[ProductMapVersion, ...]:
        """List the newest versions, newest first; those that are older than one."""
        ...

    def switch_branch(self, switch: BranchSwitch) -> None:
        """Keep that a branch was switched."""
        ...

    def branch_switches(self) -> tuple[BranchSwitch, ...]:
        """Read the newest switch of every branch that was ever switched."""
        ...

    def add_alarm(self, case_id: int, channel: str) -> None:
        """Remember that the news of a case has to go out."""
        ...

    def waiting_alarms(self, channel: str, limit: int) -> tuple[Alarm, ...]:
        """List what has not gone out over a channel yet, oldest first."""
        ...

    def last_alarm_at(self, channel: str) -> float | None:
        """Return when a message was last tried over this channel."""
        ...

    def alarm_tried(self, alarm_id: int, at: float, *, delivered: bool) -> None:
        """Count an attempt; what was delivered waits no longer."""
        ...

    def end_alarm(self, alarm_id: int, at: float) -> None:
        """Let an alarm wait no longer although it was not delivered."""
        ...
