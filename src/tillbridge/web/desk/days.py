# SPDX-License-Identifier: GPL-3.0-or-later
"""Read days as a person types them, and know when they begin where the library is."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tillbridge.errors import Declined

_TYPED = (
    re.compile(r"(?P<year>[12][0-9]{3})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"),
    re.compile(r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[12][0-9]{3})"),
)


def typed_day(text: str) -> date | None:
    """Read 2026-11-29, as browsers send it, or 29.11.2026; None where nothing was typed; raise Declined."""
    if not text:
        return None
    for form in _TYPED:
        if found := form.fullmatch(text):
            try:
                return date(int(found["year"]), int(found["month"]), int(found["day"]))
            except ValueError:
                break
    raise Declined("wrong_day", "This is no day: type it like 29.11.2026.")


def span(first: date | None, last: date | None, zone: ZoneInfo) -> tuple[float | None, float | None]:
    """Return when the first day begins and when the last one is over; raise Declined where they are turned round."""
    if first is not None and last is not None and first > last:
        raise Declined("days_turned_round", "The first day is after the last one.")
    since = None if first is None else _begin(first, zone)
    return since, None if last is None else _begin(last + timedelta(days=1), zone)


def today(now: float, zone: ZoneInfo) -> date:
    """Return which day it is where the library is."""
    return datetime.fromtimestamp(now, zone).date()


def _begin(day: date, zone: ZoneInfo) -> float:
    return datetime.combine(day, time.min, zone).timestamp()
