# SPDX-License-Identifier: GPL-3.0-or-later
"""What both kits are made of: checks, what came of them, and how they are run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from tillbridge.errors import TillbridgeError

LONGEST_CHECK_S = 30.0
"""How long one check may take: an adapter that hangs is caught, and the kit goes on."""

HANGS_UP_S = 5.0
"""How soon it must show that an adapter has hung up."""


class Failed(TillbridgeError):  # noqa: N818 - it names what a check has, not a fault of the kit
    """Say what an adapter did that it must not do."""


class Skipped(TillbridgeError):  # noqa: N818 - as above
    """Say why a check cannot be made here."""


class Durable(StrEnum):
    """Name the ten checks of python-getpaid-core's durable suite, each of which has its counterpart here."""

    STALE_OPERATION = "stale_capture_cannot_regress_funds"
    DOUBLE_CAPTURE = "capture_and_refund_race_preserves_both"
    DUPLICATE_EVENT = "duplicate_events_are_idempotent"
    DISTINCT_EVENTS = "distinct_events_all_survive"
    UNRESOLVED_DISCOVERABLE = "unresolved_operations_are_discoverable"
    RECONCILIATION_ENUMERABLE = "reconciliation_flags_are_enumerable"
    OUTSTANDING_BLOCKS = "outstanding_operation_blocks_unrelated_commands"
    FORGED_REPLAY = "metadata_cannot_forge_replay_history"
    MALFORMED_ATOMIC = "malformed_metadata_is_rejected_atomically"
    RECONCILIATION_BLOCKS = "reconciliation_blocks_new_commands"


class Peer(Protocol):
    """Be the other end that an adapter talks to."""

    async def fresh(self) -> None:
        """Forget every fault, and release what the last check has opened."""
        ...


P = TypeVar("P", bound=Peer)


@dataclass(frozen=True, slots=True)
class Check(Generic[P]):
    """Hold one check: its name, the capability that it belongs to, and in words what must hold."""

    name: str
    capability: str
    words: str
    run: Callable[[P], Awaitable[None]]
    durable: Durable | None = None


class Verdict(StrEnum):
    """Say what came of a check."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """Hold what came of one check, why where it is not ok, and how long it took in seconds."""

    name: str
    capability: str
    words: str
    verdict: Verdict
    why: str
    took_s: float
    durable: Durable | None


def need(holds: bool, told: str) -> None:
    """Raise Failed with these words unless it holds."""
    if not holds:
        raise Failed(told)


async def need_hung_up(until_hung_up: Callable[[], Awaitable[None]]) -> None:
    """Raise Failed where the adapter does not hang up on what it has given up, or listens to whatever is said."""
    try:
        async with asyncio.timeout(HANGS_UP_S):
            await until_hung_up()
    except TimeoutError:
        raise Failed(f"it has not hung up within {HANGS_UP_S:g} s") from None


def checks_of(capability: str, *runs: Callable[[P], Awaitable[None]]) -> tuple[Check[P], ...]:
    """Make rows of the table out of functions: the name is the function's, the words are its docstring's."""
    return tuple(Check(_name(run), capability, _words(run), run) for run in runs)


def durable_check(capability: str, mark: Durable, run: Callable[[P], Awaitable[None]]) -> Check[P]:
    """Make a row that is the counterpart of one of the durable suite's checks."""
    return Check(_name(run), capability, _words(run), run, mark)


async def run_checks(checks: Sequence[Check[P]], peer: P) -> AsyncIterator[Result]:
    """Run one check after the other, each with a peer that has no fault, and yield what came of it."""
    for check in checks:
        begun = time.monotonic()
        verdict, why = await _verdict(check, peer)
        took_s = time.monotonic() - begun
        yield Result(check.name, check.capability, check.words, verdict, why, took_s, check.durable)


async def _verdict(check: Check[P], peer: P) -> tuple[Verdict, str]:
    try:
        async with asyncio.timeout(LONGEST_CHECK_S):
            await peer.fresh()
            await check.run(peer)
    except Skipped as skipped:
        return Verdict.SKIPPED, str(skipped)
    except Failed as failed:
        return Verdict.FAILED, str(failed)
    except TimeoutError:
        return Verdict.FAILED, f"it has not come to an end within {LONGEST_CHECK_S:g} s"
    except Exception as error:  # noqa: BLE001 - an adapter may raise anything, and must not
        return Verdict.FAILED, f"{type(error).__name__} was raised: {error}"
    return Verdict.OK, ""


def _name(run: Callable[[P], Awaitable[None]]) -> str:
    return str(getattr(run, "__name__", "check"))


def _words(run: Callable[[P], Awaitable[None]]) -> str:
    return (run.__doc__ or "").strip().partition("\n")[0]
