# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a message into plain words; names, card numbers and notes are in none of them."""

from __future__ import annotations

from collections.abc import Iterator

from tillbridge.service.alarm_port import AlarmMessage, CaseNews

_STEPS = ((86_400, "d"), (3600, "h"), (60, "min"))


def subject(message: AlarmMessage) -> str:
    """Return the message in one line."""
    match message.cases:
        case ():
            return "Tillbridge: a test of the alarms"
        case (one,):
            return f"Tillbridge: {one.words}"
        case many:
            return f"Tillbridge: {len(many)} open cases"


def text(message: AlarmMessage) -> str:
    """Return the whole message as plain text."""
    return "\n".join([*_lines(message), "", f"The bridge: {message.bridge}", ""])


def _lines(message: AlarmMessage) -> Iterator[str]:
    if not message.cases:
        yield "This is a test of the alarms. There is nothing to do."
        return
    yield "A person must look." if len(message.cases) == 1 else f"A person must look: {len(message.cases)} open cases."
    for case in message.cases:
        yield ""
        yield case.words
        yield f"  {', '.join(_facts(case))}"
        yield f"  What to do: {case.to_do}"


def _facts(case: CaseNews) -> Iterator[str]:
    yield f"Case {case.case_id}"
    if case.payment_id is not None:
        yield f"payment {case.payment_id}"
        yield f"branch {case.branch}"
        yield f"register {case.register}"
        yield str(case.amount)
    yield f"open for {_age(case.age_s)}"


def _age(seconds: int) -> str:
    for length, unit in _STEPS:
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
