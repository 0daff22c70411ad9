# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from an address which payments are looked for, and write it into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from tillbridge.domain.lifecycle import Booking, Collection
from tillbridge.errors import Declined
from tillbridge.marking import marked
from tillbridge.service.finding_port import PaymentFilter
from tillbridge.web.desk.amounts import typed_cents
from tillbridge.web.desk.days import span, today, typed_day
from tillbridge.web.desk.places import split
from tillbridge.web.desk.visit import Form, Visit

FIRST, LAST = "from", "until"
FIELDS = (FIRST, LAST, "place", "clerk", "state", "patron", "receipt", "sum")
CURSOR = "cursor"
Typed = Mapping[str, str]

_NOT_BOOKED = frozenset(Booking) - {Booking.BOOKED}
_UNDER_WAY = frozenset({Collection.CREATED, Collection.SENDING, Collection.AT_REGISTER})
_PAID = frozenset({Collection.PAID})

STATES: Mapping[str, tuple[str, PaymentFilter]] = {
    "booked": (marked("paid and booked"), PaymentFilter(_PAID, frozenset({Booking.BOOKED}))),
    "not_booked": (marked("paid, not booked"), PaymentFilter(_PAID, _NOT_BOOKED)),
    "not_paid": (marked("not paid"), PaymentFilter(frozenset({Collection.CANCELLED, Collection.REFUSED}))),
    "unknown": (marked("not known"), PaymentFilter(frozenset({Collection.UNKNOWN}))),
    "under_way": (marked("under way at the till"), PaymentFilter(_UNDER_WAY)),
    "taken_back": (marked("taken back"), PaymentFilter(frozenset({Collection.REVERSED}))),
    "open_case": (marked("with an open case"), PaymentFilter(with_open_case=True)),
}
"""The states that can be looked for, in the words of a person at the desk."""


def typed_in(visit: Visit) -> Typed:
    """Return what the address asks for, field by field; today where it asks for nothing."""
    asked = visit.request.query_params
    form = Form({name: asked.getlist(name) for name in FIELDS if name in asked})
    typed = {name: form.one(name) for name in FIELDS}
    return typed if form.values else {**typed, **of_today(visit)}


def of_today(visit: Visit) -> Typed:
    """Return the days from and until of today."""
    day = today(visit.bridge.world.clock.now(), visit.texts.zone).isoformat()
    return {FIRST: day, LAST: day}


def address_of(typed: Typed, **more: str) -> str:
    """Write what is looked for, and more, as the end of an address; empty days stay, since none at all mean today."""
    kept = {name: value for name, value in typed.items() if value or name in (FIRST, LAST)}
    return urlencode(kept | more)


def filter_of(visit: Visit, typed: Typed) -> PaymentFilter:
    """Return which payments are looked for; raise Declined where a field cannot be read, or is not for this person."""
    since, until = span(typed_day(typed[FIRST]), typed_day(typed[LAST]), visit.texts.zone)
    branch, register = split(typed["place"])
    if branch:
        visit.need_branch(branch)
    return replace(
        _in_state(typed["state"]),
        branches=frozenset({branch}) if branch else visit.person.branches,
        register=register or None,
        clerk=typed["clerk"] or None,
        patron_id=typed["patron"] or None,
        receipt_number=typed["receipt"] or None,
        total_minor=typed_cents(typed["sum"]),
        since=since,
        until=until,
    )


def _in_state(state: str) -> PaymentFilter:
    if not state:
        return PaymentFilter()
    if state not in STATES:
        raise Declined("wrong_state", "There is no such state to look for.")
    return STATES[state][1]
