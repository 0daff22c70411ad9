# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn what a register server says into facts, and believe only what is proven (dossier 3.4, 4.4)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tillbridge.registers.ceepos.hashes import (
    WITH_ACTION,
    Version,
    covers_payments,
    digest_of,
    report_slots,
    response_slots,
    subject_slots,
)
from tillbridge.registers.ceepos.reading import (
    Message,
    MessageError,
    read_object,
    status_of,
    text_of_id,
)
from tillbridge.registers.ceepos.unsplit import Tail, tail_of_answer, tail_of_report
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
    unproven = _why_unproven(report.fields, report_slots, terms)
    if unproven:
        return Forged(f"the report's {unproven}")
    behind = _behind_status(report.fields, report_slots(report.fields, terms.version))
    tail = tail_of_report(behind, with_payments=covers_payments(terms.version))
    return _fact(report.fields, report.raw, tail)


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
    unproven = _why_unproven(message, _answer_slots, terms)
    if unproven:
        return NoOutcome(f"the answer's {unproven}", raw)
    if status == _IN_PROGRESS:
        return AtRegister(raw)
    return _fact(message, raw, tail_of_answer(_behind_status(message, _answer_slots(message, terms.version))))


def _fact(message: Message, raw: bytes, tail: Tail) -> Decided:
    """Say what a proven message means."""
    match status_of(message):
        case 0:
            return Cancelled(raw)
        case 1:
            return Paid(receipt_number=_receipt_number(message, tail), sum_minor=tail.sum_minor, raw=raw)
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


Rule = Callable[[Message, Version], list[str]]


def _answer_slots(message: Message, version: Version) -> list[str]:
    return response_slots(message, version, with_action=version >= WITH_ACTION)


def _behind_status(message: Message, slots: Sequence[str]) -> Sequence[str]:
    return slots[len(subject_slots(message)) :]


def _need_clear_subject(message: Message) -> None:
    """Raise MessageError where Source, Id or Status hold an ``&``, and so could stand for several values."""
    if any("&" in slot for slot in subject_slots(message)):
        raise MessageError("its Source, Id or Status can be read in more than one way")


def _why_unproven(message: Message, rule: Rule, terms: Terms) -> str | None:
    """Return None where the Hash is right with any of the secrets, else what is wrong with it.

    All secrets are tried, in constant time.
    """
    claimed = message.get("Hash")
    if not isinstance(claimed, str) or not claimed.isascii():
        return _WRONG_HASH
    try:
        _need_clear_subject(message)
        slots = rule(message, terms.version)
        right = [digest_of(slots, secret) for secret in terms.secrets]
    except MessageError as error:
        return f"hash proves nothing: {error}"
    matches = [hmac.compare_digest(claimed.lower(), digest) for digest in right]
    return None if any(matches) else _WRONG_HASH


def _receipt_number(message: Message, tail: Tail) -> str | None:
    """Return the Reference as a person would read it, where the string that was hashed has the same one."""
    value = message.get("Reference")
    text = "" if value is None else str(value)
    if text != (tail.reference or ""):
        return None
    return "".join(char for char in text[:_RECEIPT_LIMIT] if char.isprintable()).strip() or None
