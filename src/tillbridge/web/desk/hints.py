# SPDX-License-Identifier: GPL-3.0-or-later
"""Begin with what a page of the library system says is to be paid: hints of anybody's making, and no more.

What is owed the bridge has read itself. Where the page says something else, the clerk is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tillbridge.domain.money import decimal_of, exact_of, rounded
from tillbridge.errors import Declined
from tillbridge.service.library_port import Charge
from tillbridge.web.desk.amounts import typed_cents
from tillbridge.web.desk.choosing import CHARGE, SUM, value_of
from tillbridge.web.desk.places import Place
from tillbridge.web.desk.visit import Form, Visit

MOST_CHARGES = 500
_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Hints:
    """Hold what can be read of the hints; what cannot be is left out. No charges: all that are open."""

    patron_id: str
    charges: tuple[str, ...]
    amount_minor: int | None
    owed: Decimal | None
    branch: str

    def chosen(self, payable: Sequence[Charge]) -> list[Charge]:
        """Return which of the open charges are meant."""
        return [charge for charge in payable if not self.charges or charge.charge_id in self.charges]

    def form(self, payable: Sequence[Charge], places: Iterable[Place]) -> Form:
        """Return the form as it is filled with the hints: a partial sum only where it is one."""
        chosen = self.chosen(payable)
        values = {CHARGE: [value_of(charge) for charge in chosen]}
        if self.amount_minor is not None and self.amount_minor < _sum_of(chosen):
            values[SUM] = [f"{exact_of(self.amount_minor):f}"]
        there = [place for place in places if place.on and place.branch == self.branch]
        if len(there) == 1 and not any(place.chosen for place in places):
            values["register"] = [there[0].value]
        return Form(values)

    def differences(self, visit: Visit, payable: Sequence[Charge]) -> list[str]:
        """Say where the library system's page and what is owed now differ."""
        texts, chosen = visit.texts, self.chosen(payable)
        now, currency = _sum_of(chosen), visit.bridge.world.library.currency
        said = []
        if gone := len(set(self.charges) - {charge.charge_id for charge in payable}):
            words = texts.ngettext(
                "%(num)s charge that was chosen there is not open any more.",
                "%(num)s charges that were chosen there are not open any more.",
                gone,
            )
            said.append(words % {"num": gone})
        if self.owed is not None and rounded(self.owed) != now:
            then = texts.money(rounded(self.owed), currency)
            words = texts.gettext("It showed %(then)s as owed for what was chosen; it is %(now)s now.")
            said.append(words % {"then": then, "now": texts.money(now, currency)})
        if self.amount_minor is not None and self.amount_minor > now:
            words = texts.gettext("It wanted %(amount)s to be paid, which is more than is owed: that sum was left out.")
            said.append(words % {"amount": texts.money(self.amount_minor, currency)})
        return said


def hints_in(visit: Visit, asked: Mapping[str, str]) -> Hints:
    """Read the hints of an address; raise Declined where no patron is named."""
    patron_id = asked.get("patron", "")
    if not _ID.fullmatch(patron_id):
        raise Declined("no_such_patron", "The library system knows no such patron.")
    ids = [each for each in asked.get("charges", "").split(",")[:MOST_CHARGES] if _ID.fullmatch(each)]
    branch = _branch(visit, asked.get("branch", ""))
    return Hints(patron_id, tuple(dict.fromkeys(ids)), _cents(asked.get("amount", "")), _owed(asked), branch)


def _branch(visit: Visit, code: str) -> str:
    pages = visit.bridge.pages
    return pages.branch(code) if pages else code


def _cents(text: str) -> int | None:
    try:
        return typed_cents(text) or None
    except Declined:
        return None


def _owed(asked: Mapping[str, str]) -> Decimal | None:
    try:
        return decimal_of(asked.get("owed", ""))
    except ValueError:
        return None


def _sum_of(charges: Iterable[Charge]) -> int:
    return sum(rounded(charge.owed) for charge in charges)
