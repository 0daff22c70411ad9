# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a server's clock and certificates."""

from __future__ import annotations

from datetime import UTC, datetime

from tillbridge.service.checking_port import (
    Certificate,
    Distrust,
    NoTls,
    NotTrusted,
    ServerChecks,
    ServerTime,
    Tls,
)
from tillbridge.service.findings import Check, Finding, fault, not_checkable, ok, warning
from tillbridge.service.library_port import Unavailable
from tillbridge.service.ports import Clock

CLOCK_WARNING_S, CLOCK_FAULT_S = 30.0, 300.0
"""From how many seconds on a difference of clocks is a warning, and a fault."""

CERTIFICATE_WARNING_DAYS = 30

DAY_S = 86_400.0

_SAME_TIME = "Let both machines take their time from the same time server (NTP)."
_REMEDIES = {
    Distrust.EXPIRED: "Have it renewed.",
    Distrust.NOT_YET: "Look at this machine's clock; if it is right, the certificate begins later.",
    Distrust.UNKNOWN_AUTHORITY: "Name the file with its authority in ca_file, and have it send its whole chain.",
    Distrust.OTHER_NAME: "Use the name in the address that the certificate was made for.",
    Distrust.OTHER: "Ask whoever runs the server.",
}


async def look_at_server(clock: Clock, about: str, server: ServerChecks) -> tuple[Finding, ...]:
    """Compare the server's clock with ours, and see how long its certificates last."""
    name = f"{about} ({server.name})"
    before = clock.now()
    told = await server.time()
    return (
        judge_time(name, told, before, clock.now()),
        judge_certificate(name, await server.certificate(), clock.now()),
    )


def judge_time(about: str, told: ServerTime | Unavailable, before: float, after: float) -> Finding:
    """Judge what a server said the time is, asked between two instants of ours."""
    if isinstance(told, Unavailable):
        return not_checkable(Check.CLOCK, about, f"Its clock cannot be read: {told.why}.")
    ahead_s = _ahead(told.at, before, after)
    words = _clock_words(ahead_s)
    if abs(ahead_s) >= CLOCK_FAULT_S:
        return fault(Check.CLOCK, about, words, _SAME_TIME, ahead_s=ahead_s)
    if abs(ahead_s) >= CLOCK_WARNING_S:
        return warning(Check.CLOCK, about, words, _SAME_TIME, ahead_s=ahead_s)
    return ok(Check.CLOCK, about, words, ahead_s=ahead_s)


def _ahead(told: float, before: float, after: float) -> float:
    """Return by how much the server must be ahead at least; it told the second that had begun."""
    if told > after:
        return told - after
    return min(0.0, told + 1 - before)


def _clock_words(ahead_s: float) -> str:
    if abs(ahead_s) < 1:
        return "Its clock and this machine's agree."
    return f"Its clock is {_long(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} this machine's."


def _long(seconds: float) -> str:
    units = ((172_800, DAY_S, "days"), (7200, 3600.0, "hours"), (300, 60.0, "min"))
    for from_s, unit_s, name in units:
        if seconds >= from_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds:.0f} s"


def judge_certificate(about: str, seen: Tls, now: float) -> Finding:
    """Judge the certificates that a server of others shows."""
    match seen:
        case Certificate():
            return _judge_end(about, seen, now)
        case NotTrusted(reason, why):
            return fault(Check.CERTIFICATE, about, f"Its certificate is not trusted: {why}.", _REMEDIES[reason])
        case NoTls():
            return _judge_clear_text(about, seen)
        case Unavailable(why):  # the last case
            return not_checkable(Check.CERTIFICATE, about, f"Its certificate cannot be seen: {why}.")


def judge_own_certificate(address: str, seen: Tls, now: float) -> Finding:
    """Judge the certificates at the bridge's own address, where the till may know other authorities than we do."""
    match seen:
        case NotTrusted(Distrust.UNKNOWN_AUTHORITY, why):
            remedy = "Have the web server send its whole chain. An authority of your own must be known to the till too."
            return warning(Check.CERTIFICATE, address, f"This machine does not trust it: {why}.", remedy)
        case Unavailable(why):
            remedy = "Some networks lead nobody out and in again: look at it from the register server's side."
            return not_checkable(Check.CERTIFICATE, address, f"It cannot be seen from this machine: {why}.", remedy)
        case _:
            return judge_certificate(address, seen, now)


def _judge_end(about: str, seen: Certificate, now: float) -> Finding:
    days = int((seen.ends_at - now) // DAY_S)
    facts = {"days_left": days, "subject": seen.subject}
    on = f"{datetime.fromtimestamp(seen.ends_at, UTC):%Y-%m-%d}"
    if days < 0:
        words = f"The certificate of {seen.subject} ended on {on}."
        return fault(Check.CERTIFICATE, about, words, _REMEDIES[Distrust.EXPIRED], **facts)
    words = f"It is trusted; of its chain the certificate of {seen.subject} ends first, in {days} days ({on})."
    if days < CERTIFICATE_WARNING_DAYS:
        return warning(Check.CERTIFICATE, about, words, _REMEDIES[Distrust.EXPIRED], **facts)
    return ok(Check.CERTIFICATE, about, words, **facts)


def _judge_clear_text(about: str, seen: NoTls) -> Finding:
    if seen.local:
        return ok(Check.CERTIFICATE, about, "It is on this machine: nothing goes over a network.")
    words = "The connection is not encrypted: names and charges can be read on the way."
    return warning(Check.CERTIFICATE, about, words, "Use an address with https://.")
