# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what a walk showed, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from tillbridge.bridge_client import Json
from tillbridge.demo.once import Outcome


def told(outcome: Outcome) -> Iterator[str]:
    """Tell the walk line by line."""
    yield from _titled("The patron's account before", _account(outcome.account_before))
    yield from _titled("What happened", _conversation(outcome.payment))
    yield from _titled("The till's receipt", outcome.receipt)
    yield from _titled("The patron's account after", _account(outcome.account_after))
    yield from _titled("The three ledgers", _ledgers(outcome))


def _titled(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield title
    yield "-" * len(title)
    yield from (f"  {line}" for line in lines)
    yield ""


def _conversation(payment: Json) -> Iterator[str]:
    lines, history = payment["lines"], payment["history"]
    assert isinstance(lines, list)  # noqa: S101 - the bridge's own form
    assert isinstance(history, list)  # noqa: S101 - the bridge's own form
    yield f"The clerk sends {_euros(payment['total_minor'])} to register {payment['register']}:"
    for line in lines:
        of = f"{_euros(line['amount_minor'])} of {_exact(line['owed']):>6}"
        yield f"  {of} {line['product_code']:>6} {line['description']}"
    for event in history:
        yield f"{event['at'][11:23]}  {event['words']}"


def _account(lines: Sequence[Json]) -> Iterator[str]:
    for line in lines:
        text = line["description"] or line["note"]
        state = f" {line['status']}" if line["status"] == "VOID" else ""
        yield f"{line['amount']!s:>8}  open {line['amount_outstanding']!s:>6}  {line['type']!s:<9}{state} {text}"


def _ledgers(outcome: Outcome) -> Iterator[str]:
    yield f"till     {_euros(outcome.till_minor)} {outcome.currency}"
    yield f"bridge   {_euros(outcome.collected_minor)} {outcome.currency}"
    yield f"library  {_euros(outcome.library_minor)} {outcome.currency}"
    yield "They agree." if outcome.agree else "THEY DO NOT AGREE."


def _euros(minor: object) -> str:
    return f"{Decimal(int(str(minor))).scaleb(-2):>6.2f}"


def _exact(owed: object) -> str:
    """Say what is owed with two decimals, and with more only where the library system has more."""
    exact = Decimal(str(owed))
    return f"{exact:.2f}" if exact == round(exact, 2) else str(exact)
