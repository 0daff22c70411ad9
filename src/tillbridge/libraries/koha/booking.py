# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what became of a credit that Koha was asked to record: the one place where money could be lost or doubled.

Measured: Koha stores a credit before it applies it, so a 500 may leave one behind, and it knows no request twice.
Therefore a thing counts as refused only by Koha's own word for it, and as booked only by the line itself.
An error page of something between proves nothing, a 404 no more than a 502: such servers may put a page of
their own in place of whatever Koha answered, after Koha has done its work. So may a redirect.
A 201 says that something was recorded, whatever else it says. Where it does not show the credit that was asked
for, a person must look: a miss in the list of credits must never lead to a second credit then.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tillbridge.libraries.koha.replies import KohaError, Unexpected, json_of, koha_error, why_of
from tillbridge.libraries.koha.transport import NotAsked, Outcome, Reply, Unanswered
from tillbridge.libraries.koha.wire import credit_line, exact_amount, is_id, reference_in
from tillbridge.service.library_port import BookingAnswer, Credit, CreditOrder, MaybeRecorded, NotRecorded, Recorded

_FAILED = 500
_HELPS_AGAIN = {400: False, 401: True, 403: True, 404: True, 409: False, 413: False, 422: False, 429: True}
"""Answers that Koha gives before it stores anything, and whether the same order may be taken later: rights,
log-in, load and a missing interface can be put right outside the bridge."""


def judge(outcome: Outcome, order: CreditOrder) -> BookingAnswer:
    """Say what the order's exchange with Koha proves."""
    match outcome:
        case NotAsked(why):
            return NotRecorded(why, again=True)
        case Unanswered(why):
            return MaybeRecorded(why, ended=False)
        case Reply(status=201):
            return _created(outcome, order)
        case Reply():
            return _not_created(outcome)


def _created(reply: Reply, order: CreditOrder) -> Recorded:
    try:
        said = json_of(reply)
    except Unexpected:
        return Recorded(_unproven(None))
    try:
        line = credit_line(said, order.patron_id)
    except Unexpected:
        return Recorded(_unproven(said))
    return Recorded(line.as_credit(reference_in(line.note, order.reference) or ""))


def _unproven(said: Any) -> Credit:
    """Hold what little an answer tells that is no credit of this patron, or none at all.

    It has no reference, even where the note does: nothing may take it for the credit that was asked for.
    """
    line = said if isinstance(said, dict) else {}
    number = line.get("account_line_id")
    return Credit(
        credit_id=str(number) if isinstance(number, int) and is_id(str(number)) else "",
        reference="",
        amount=_size(line.get("amount")),
        unapplied=_size(line.get("amount_outstanding")),
        void=False,
    )


def _size(value: object) -> Decimal:
    try:
        return abs(exact_amount(value))
    except Unexpected:
        return Decimal(0)


def _not_created(reply: Reply) -> NotRecorded | MaybeRecorded:
    error, why = koha_error(reply), why_of(reply)
    if error is None:
        return MaybeRecorded(why, ended=False)
    if reply.status == _FAILED:
        return MaybeRecorded(why, ended=_is_kohas_own_failure(error))
    if reply.status not in _HELPS_AGAIN:
        return MaybeRecorded(why, ended=False)
    gone = reply.status == 404 and error.patron_gone  # noqa: PLR2004 - HTTP's number for it
    return NotRecorded(why, again=_HELPS_AGAIN[reply.status] and not gone, patron_gone=gone)


def _is_kohas_own_failure(error: KohaError) -> bool:
    return error.of_interface or error.code == "internal_server_error"
