# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the three ledgers to the cent: what the bridge says of its payments, the till's book and the library's."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from support.desk import Desk, Json

AT_ONCE = 50
_REFERENCE = re.compile(r"tillbridge:([0-9A-F]+)")


@dataclass(frozen=True)
class Books:
    """Hold the three books; sums are in cents."""

    payments: Sequence[Json]
    at_till: Mapping[str, Json]
    till: Json
    library: Json
    lines: Mapping[str, Json]
    """Account line → the line."""
    credits: Mapping[str, Sequence[Json]]
    """Payment → the credits that are not void."""

    @property
    def collected_minor(self) -> int:
        """Return what the bridge says that the tills have taken and kept."""
        return sum(one["collected_minor"] or 0 for one in self.payments if one["collection"] == "paid")


@dataclass
class Compared:
    """Hold the sums, and every difference in plain words."""

    till_minor: int
    bridge_minor: int
    library_minor: int
    differences: list[str] = field(default_factory=list)


async def read_books(desk: Desk, payments: Sequence[Json]) -> Books:
    """Ask till and library for what they have."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def shown(payment_id: str) -> Any:
        async with gate:
            return await desk.at_till(f"/payments/{payment_id}")

    at_till = await asyncio.gather(*(shown(payment["id"]) for payment in payments))
    ledger = await desk.in_library("/ledger")
    return Books(
        payments=payments,
        at_till={each["id"]: each for each in at_till if each is not None},
        till=await desk.at_till("/totals"),
        library=await desk.in_library("/totals"),
        lines={str(line["account_line_id"]): line for line in ledger["lines"]},
        credits=valid_credits(ledger["lines"]),
    )


def valid_credits(lines: Sequence[Json]) -> Mapping[str, Sequence[Json]]:
    """Find the credits of payments that are not void, by payment."""
    found: defaultdict[str, list[Json]] = defaultdict(list)
    for line in lines:
        reference = _REFERENCE.search(line["note"])
        if line["side"] == "credit" and line["status"] != "VOID" and reference:
            found[reference[1]].append(line)
    return found


def compare(books: Books) -> Compared:
    """Compare payment by payment, then the sums, so that nothing is missed that belongs to no payment."""
    till, bridge, library = (
        int(books.till["collected_minor"]),
        books.collected_minor,
        int(books.library["payments_minor"]),
    )
    compared = Compared(till, bridge, library)
    for payment in books.payments:
        compared.differences += [f"{payment['id']}: {each}" for each in _differences(payment, books)]
    if not till == bridge == library:
        compared.differences.append(f"the sums differ: till {till}, bridge {bridge}, library {library}")
    strangers = books.credits.keys() - {payment["id"] for payment in books.payments}
    compared.differences += [f"the library has a credit of a payment that nobody started: {each}" for each in strangers]
    return compared


def _differences(payment: Json, books: Books) -> Iterator[str]:
    yield from _at_till(payment, books.at_till.get(payment["id"]))
    yield from _in_library(payment, books.credits.get(payment["id"], ()))
    yield from _charges(payment, books.lines)
    if payment["open_cases"]:
        yield f"a case is open: {[case['kind'] for case in payment['open_cases']]}"


def _at_till(payment: Json, shown: Json | None) -> Iterator[str]:
    state = "not there" if shown is None else shown["state"]
    if (state == "paid") != (payment["collection"] == "paid") or state == "waiting":
        yield f"it is {payment['collection']}, and at the till {state}"
    if shown is not None and shown["sent_count"] != 1:
        yield f"it came to the till {shown['sent_count']} times"
    if shown is not None and state == "paid" and payment["collected_minor"] != shown["total_minor"]:
        yield f"{payment['collected_minor']} is collected, and the till took {shown['total_minor']}"


def _in_library(payment: Json, credits_: Sequence[Json]) -> Iterator[str]:
    expected = 1 if payment["collection"] == "paid" else 0
    if len(credits_) != expected:
        yield f"it is {payment['collection']} and {payment['booking']}, and the library has {len(credits_)} credits"
    booked = -sum((Decimal(line["amount"]) for line in credits_), Decimal(0))
    if expected and booked * 100 != payment["total_minor"]:
        yield f"{payment['total_minor']} was to be booked, and the library has {booked}"
    if any(Decimal(line["amount_outstanding"]) for line in credits_):
        yield "a credit is not wholly applied"


def _charges(payment: Json, lines: Mapping[str, Json]) -> Iterator[str]:
    for line in payment["lines"]:
        charge = lines[line["charge_id"]]
        owed = Decimal(0) if payment["collection"] == "paid" else Decimal(charge["amount"])
        if Decimal(charge["amount_outstanding"]) != owed:
            yield f"of charge {line['charge_id']} {charge['amount_outstanding']} is owed, not {owed}"
