# SPDX-License-Identifier: GPL-3.0-or-later
"""Say the bridge's own reasons in the reader's language; a person's, and a server's own words, stay as they are."""

from __future__ import annotations

import re
from functools import cache

from tillbridge.marking import marked
from tillbridge.web.desk.texts import Texts

REASONS = (
    marked("the receipt is there"),
    marked("the charges have changed meanwhile"),
    marked("no report came in time"),
    marked("the clerk stopped waiting"),
    marked("cancelled before anything was sent"),
    marked("the request is held"),
    marked("the bridge stopped while the till had the payment"),
    marked("the bridge stopped while it was booking"),
    marked("the register server could not be reached in time"),
    marked("the process was paused before it could send"),
    marked("a person must decide before it is sent again"),
    marked("the till has said so itself"),
    marked("a late answer"),
    marked("settled in the library system"),
    marked("settled in the library system; the rest is to be booked"),
    marked("some credits are there, the rest is to be booked"),
    marked("the rest is not sent"),
    marked("the charges could not be read"),
    marked("the id in the address is another than the report's"),
    marked("the register server refuses the connection"),
    marked("no connection to the register server in time"),
    marked("no connection to the register server: %(details)s"),
    marked("no TLS connection to the register server: %(details)s"),
    marked("the name of the register server cannot be found"),
    marked("the register server's certificate is not accepted: %(details)s"),
    marked("the exchange with the register server failed"),
    marked("the connection broke before a whole answer came"),
    marked("the TLS connection broke before a whole answer came: %(details)s"),
    marked("the register server's answer broke off"),
    marked("the register server's answer is not HTTP"),
    marked("no connection to the register server within %(seconds)s s"),
    marked("the register server gave no whole answer within %(seconds)s s"),
    marked("the register server answered with HTTP status %(status)s"),
    marked("the register server's answer cannot be read: %(details)s"),
    marked("the register server sent status %(status)s: %(details)s"),
    marked("the register server refused the message as faulty (status 99)"),
    marked("the register server sent a status that is no number"),
    marked("the register server's answer is about another payment"),
    marked("it is not JSON (line %(line)s, column %(column)s)"),
    marked("the payment is in progress"),
    marked("already paid, cannot be deleted"),
    marked("already deleted"),
    marked("funds could not be authorised"),
    marked("the card has expired"),
    marked("the payment's id was used before"),
    marked("the register server has a system error"),
    marked("its meaning is not known"),
    marked("the charges have changed"),
    marked("the library system does not have it"),
    marked("the library system does not have it yet: it is sent again under the same key"),
    marked("the library system has more than one credit of the payment"),
    marked("the library system cannot be told to"),
    marked("a credit that was booked is not there"),
    marked("a credit may still arrive"),
    marked("the bridge stopped while it was taking it back"),
    marked("the bridge stopped while it was recording it"),
    marked("the bridge was paused before it could ask"),
    marked("the bridge was paused before it could ask for all of it"),
    marked("something happened meanwhile"),
    marked("money of it had been given back before"),
    marked("a part of it was to be given back, and may have been"),
    marked("a request came late"),
    marked("the plugin is not there any more"),
    marked("the till took the money back"),
    marked("Koha answered %(status)s (%(details)s)"),
    marked("Koha does not let the bridge in (%(details)s)"),
)


def reason_words(texts: Texts, why: str) -> str:
    """Return a reason in the reader's language where it is one of the bridge's own."""
    for reason, pattern in _patterns():
        if found := pattern.fullmatch(why):
            parts = {name: reason_words(texts, part) for name, part in found.groupdict().items()}
            return texts.gettext(reason) % parts
    return why


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((reason, _pattern(reason)) for reason in REASONS)


def _pattern(reason: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", reason)
    return re.compile(
        "".join(f"(?P<{part}>.+)" if n % 2 else re.escape(part) for n, part in enumerate(parts)), re.DOTALL
    )
