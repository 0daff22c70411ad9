# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn what a register server says into facts, and believe only what is proven (dossier 3.4, 4.4)."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tillbridge.registers.ceepos.hashes import (
    WITH_ACTION,
    Version,
    covers_payments,
    digest_of,
    head_slots,
    payments_of,
    report_slots,
    response_slots,
)
from tillbridge.registers.ceepos.reading import (
    Message,
    MessageError,
    read_object,
    status_of,
    text_of_id,
)
from tillbridge.service.register_port import (
    Answer,
    AtRegister,
    Cancelled,
    Forged,
    NoOutcome,
    Paid,
    Refused,
    Report,
    Unreadable,
    Verdict,
)

_IN_PROGRESS, _REFUSED = 2, 99
_OTHER_STATUSES = {
    _IN_PROGRESS: "the payment is in progress",
    3: "already paid, cannot be deleted",
    4: "already deleted",
    95: "funds could not be authorised",
    96: "the card has expired",
    97: "the payment's id was used before",
    98: "the register server has a system error",
}
_REFUSAL = "the register server refused the message as faulty (status 99)"
_WRONG_HASH = "hash is wrong or missing"
_OUR_ACTION = ("new payment", "", None)
"""What an answer may name: our requests have no Action, which stands for a new payment (dossier 2.2, 6)."""

_RECEIPT_LIMIT = 100
_CENTS_TEXT = re.compile(r"-?[0-9]{1,12}")
_LARGEST_CENTS = 10**12

Decided = Paid | Cancelled | Refused | NoOutcome


@dataclass(frozen=True, slots=True)
class Terms:
    """Hold what proves a message of one source: `secrets` has the current one first, then the previous one."""

    source: str
    version: Version
    secrets: tuple[str, ...] = field(repr=False)


def judge_answer(http_status: int, raw: bytes, payment_id: str, terms: Terms, *, verified: bool) -> Answer:
    """Say what an answer means for the payment; `verified` tells that it came over a verified connection."""
    if http_status != 200:  # noqa: PLR2004 - the one HTTP status that brings an outcome (dossier 1)
        return NoOutcome(f"the register server answered with HTTP status {http_status}", raw)
    try:
        message = read_object(raw)
    except MessageError as error:
        return NoOutcome(f"the register server's answer cannot be read: {error}", raw)
    stranger = _not_about(message, payment_id, terms)
    return NoOutcome(stranger, raw) if stranger else _judged_answer(message, raw, terms, verified=verified)


def read_report(raw: bytes) -> Report | Unreadable:
    """Read a report without trusting it; its Id becomes text."""
    try:
        message = read_object(raw)
    except MessageError as error:
        return Unreadable(f"the report cannot be read: {error}")
    payment_id = text_of_id(message)
    if payment_id is None:
        return Unreadable("the report has no Id that a payment could have")
    return Report(payment_id=payment_id, raw=raw, fields=message)


def judge_report(report: Report, terms: Terms) -> Verdict:
    """Check a report's proof by these terms and say what it means; status 99 too must be proven here."""
    if _foreign_source(report.fields, terms):
        return Forged("the report names another source")
    unproven = _why_unproven(report.fields, _report_rule(terms), terms)
    if unproven:
        return Forged(f"the report's {unproven}")
    return _fact(report.fields, report.raw, _sum_of(report.fields, terms))


def judge_stray_report(report: Report, all_terms: Iterable[Terms]) -> Verdict:
    """Check a report with every secret; where it names a source, with the secrets of that source alone."""
    verdict: Verdict = Forged("the report fits no source and secret that is configured")
    for terms in all_terms:
        verdict = judge_report(report, terms)
        if not isinstance(verdict, Forged):
            return verdict
    return verdict


def _judged_answer(message: Message, raw: bytes, terms: Terms, *, verified: bool) -> Answer:
    status = status_of(message)
    if status == _REFUSED and verified:  # an error need not be signed (dossier 8.12)
        return Refused(_REFUSAL, raw)
    unproven = _why_unproven(message, _answer_rule(terms), terms)
    if unproven:
        return NoOutcome(f"the answer's {unproven}", raw)
    return AtRegister(raw) if status == _IN_PROGRESS else _fact(message, raw, None)


def _fact(message: Message, raw: bytes, sum_minor: int | None) -> Decided:
    """Say what a proven message means."""
    match status_of(message):
        case 0:
            return Cancelled(raw)
        case 1:
            return Paid(receipt_number=_receipt_number(message), sum_minor=sum_minor, raw=raw)
        case 99:
            return Refused(_REFUSAL, raw)
        case None:
            return NoOutcome("the register server sent a status that is no number", raw)
        case status:
            meaning = _OTHER_STATUSES.get(status, "its meaning is not known")
            return NoOutcome(f"the register server sent status {status}: {meaning}", raw)


def _not_about(message: Message, payment_id: str, terms: Terms) -> str | None:
    if text_of_id(message) != payment_id:
        return "the register server's answer is about another payment"
    if _foreign_source(message, terms):
        return "the register server's answer names another source"
    if message.get("Action") not in _OUR_ACTION:  # a delete is answered by 1 too
        return "the register server's answer is to another action than a new payment"
    return None


def _foreign_source(message: Message, terms: Terms) -> bool:
    return message.get("Source") not in (None, terms.source)


Rule = Callable[[Message], list[str]]


def _answer_rule(terms: Terms) -> Rule:
    """Return the rule for answers: what stands behind the Reference, such as an address, is never believed."""

    def slots(message: Message) -> list[str]:
        _need_one_reading(head_slots(message))
        return response_slots(message, terms.version, with_action=terms.version >= WITH_ACTION)

    return slots


def _report_rule(terms: Terms) -> Rule:
    def slots(message: Message) -> list[str]:
        covered = report_slots(message, terms.version)
        _need_one_reading(covered)
        return covered

    return slots


def _need_one_reading(slots: Iterable[str]) -> None:
    """Raise MessageError where a value holds ``&``.

    Values are joined without escaping, so that such a one could stand for several under a genuine hash: a Reference
    could swallow the sum that was paid. No message of a till is known to have one there.
    """
    if any("&" in slot for slot in slots):
        raise MessageError("a value with & in it can be read in more than one way")


def _why_unproven(message: Message, rule: Rule, terms: Terms) -> str | None:
    """Return None where the Hash is right with any of the secrets, else what is wrong with it.

    All secrets are tried, in constant time.
    """
    claimed = message.get("Hash")
    if not isinstance(claimed, str) or not claimed.isascii():
        return _WRONG_HASH
    try:
        slots = rule(message)
        right = [digest_of(slots, secret) for secret in terms.secrets]
    except MessageError as error:
        return f"hash proves nothing: {error}"
    matches = [hmac.compare_digest(claimed.lower(), digest) for digest in right]
    return None if any(matches) else _WRONG_HASH


def _receipt_number(message: Message) -> str | None:
    value = message.get("Reference")
    text = "" if value is None else str(value)[:_RECEIPT_LIMIT]
    return "".join(char for char in text if char.isprintable()).strip() or None


def _sum_of(message: Message, terms: Terms) -> int | None:
    """Add up what a proven report says was collected, in cents; None where it does not prove it."""
    if not covers_payments(terms.version):
        return None
    sums = [_cents(entry.get("PaymentSum")) for entry in payments_of(message)]
    known = [cents for cents in sums if cents is not None]
    return sum(known) if known and len(known) == len(sums) else None


def _cents(value: object) -> int | None:
    if isinstance(value, str) and _CENTS_TEXT.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_CENTS:
        return value
    return None
