# SPDX-License-Identifier: GPL-3.0-or-later
"""Answer the plugin's routes; where it is not there, they are not there either."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from tillbridge.simulators.library.answers import KohaAnswer
from tillbridge.simulators.library.dispatch import Call, KohaRoute
from tillbridge.simulators.library.facts import CrashError
from tillbridge.simulators.library.faults import FaultKind
from tillbridge.simulators.library.library import DemoLibrary
from tillbridge.simulators.library.plugin.desk import (
    CONTRACT,
    KOHA_VERSION,
    VERSION,
    Booking,
    NotDoneError,
    Plugin,
    Refund,
    Reversal,
    amount_text,
)
from tillbridge.simulators.library.plugin.forms import BookingForm, RefundForm, ReversalForm, Shares

BASE = "/contrib/tillbridge"
_NEEDS = {"updatecharges": "remaining_permissions"}
_REFERENCE = re.compile(r"[A-Za-z0-9:._-]{1,80}")
_F = TypeVar("_F", bound=BaseModel)
_T = TypeVar("_T")


async def about(call: Call) -> Response:
    """Say which plugin this is, and what it can do."""
    abilities = list(call.library.plugin.abilities)
    return KohaAnswer({"abilities": abilities, "contract": CONTRACT, "koha": KOHA_VERSION, "plugin": VERSION})


async def book(call: Call) -> Response:
    """Record a booking."""
    return _done(call, BookingForm, call.library.plugin.record, _booking)


async def reverse(call: Call) -> Response:
    """Take a booking back."""
    return _done(call, ReversalForm, call.library.plugin.reverse, _reversal)


async def refund(call: Call) -> Response:
    """Give money of a booking back."""
    return _done(call, RefundForm, call.library.plugin.refund, _refund)


async def look_up(call: Call) -> Response:
    """Find the bookings of a payment."""
    asked = call.request.query_params
    reference, patron = asked.get("reference", ""), asked.get("patron_id")
    if asked.keys() - {"reference", "patron_id"} or not _REFERENCE.fullmatch(reference):
        return _refused(NotDoneError(400, "bad_request", "Name a reference."))
    if not (patron is None or patron.isdecimal()):
        return _refused(NotDoneError(400, "bad_request", "Name a patron by number."))
    plugin = call.library.plugin
    found = plugin.find(reference, None if patron is None else int(patron))
    return KohaAnswer({"bookings": [_booking(plugin, one) for one in found]})


def _done(
    call: Call, form: type[_F], do: Callable[[_F, int], tuple[_T, bool]], shape: Callable[[Plugin, _T], object]
) -> Response:
    """Carry a change out; a planned crash comes before its transaction, or after it."""
    fault = call.fault.kind if call.fault else None
    if fault is FaultKind.PLUGIN_500:
        raise CrashError("planned")
    try:
        done, fresh = do(form.model_validate(call.json()), call.user_id)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return _refused(NotDoneError(400, "bad_request", found))
    except NotDoneError as no:
        return _refused(no)
    if fault is FaultKind.PLUGIN_500_KEPT:
        raise CrashError("planned")
    return KohaAnswer(shape(call.library.plugin, done), 201 if fresh else 200)


def _refused(no: NotDoneError) -> Response:
    return KohaAnswer({"error": no.words, "error_code": no.code, **no.more}, no.status)


def _booking(plugin: Plugin, booking: Booking) -> object:
    return {
        "reference": booking.reference,
        "patron_id": plugin.owner_of(booking),  # another one where patrons were merged since
        "credits": [
            {
                "credit_id": line.line_id,
                "amount": amount_text(-line.amount),
                "unapplied": amount_text(-line.outstanding),
                "void": line.status == "VOID",
                "credit_number": line.credit_number,
                "lines": _lines(plugin.paid_now(line.line_id)),
            }
            for line in plugin.lines_of(booking)
        ],
        "effects": [{"charge_id": one.charge_id, "what": one.what, "why": one.why} for one in booking.effects],
        "receipt_sent": booking.receipt_sent,
        "reversals": [_reversal(plugin, one) for one in booking.reversals],
        "refunds": [_refund(plugin, one) for one in booking.refunds],
    }


def _lines(shares: Shares) -> list[object]:
    return [{"charge_id": charge_id, "amount": amount_text(amount)} for charge_id, amount in shares]


def _reversal(_plugin: Plugin, reversal: Reversal) -> object:
    return {
        "reference": reversal.reference,
        "booking": reversal.booking,
        "credits": list(reversal.credit_ids),
        "by_hand": reversal.by_hand,
    }


def _refund(_plugin: Plugin, refund: Refund) -> object:
    lines = [
        {
            "charge_id": line.charge_id,
            "amount": amount_text(line.amount),
            "refund_id": line.refund_id,
            "payout_id": line.payout_id,
        }
        for line in refund.lines
    ]
    return {"reference": refund.reference, "booking": refund.booking, "lines": lines}


def _there(library: DemoLibrary) -> bool:
    return library.plugin.installed


ROUTES = (
    KohaRoute("GET", f"{BASE}/about", "plugin_about", about, _NEEDS, _there),
    KohaRoute("POST", f"{BASE}/bookings", "plugin_bookings", book, _NEEDS, _there),
    KohaRoute("GET", f"{BASE}/bookings", "plugin_bookings", look_up, _NEEDS, _there),
    KohaRoute("POST", f"{BASE}/reversals", "plugin_reversals", reverse, _NEEDS, _there),
    KohaRoute("POST", f"{BASE}/refunds", "plugin_refunds", refund, _NEEDS, _there),
)
