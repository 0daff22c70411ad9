# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the header ``Date`` of an HTTP answer: what the server says the time is."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def instant_of(date: str | None) -> float | None:
    """Return the seconds since 1970, or None where there is no date that can be read."""
    try:
        read = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
