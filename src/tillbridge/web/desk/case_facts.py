# SPDX-License-Identifier: GPL-3.0-or-later
"""Say a case's facts in plain words: sums as money, charges by what they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tillbridge.domain.payment import Payment
from tillbridge.marking import marked
from tillbridge.service.collecting import BOOKING_CASES
from tillbridge.service.planning import lacking
from tillbridge.service.store_port import Case, CaseKind, StoredCredit
from tillbridge.service.telling import SENTENCES
from tillbridge.web.desk.reasons import reason_words
from tillbridge.web.desk.texts import Texts
from tillbridge.web.desk.words import standing_words


@dataclass(frozen=True, slots=True)
class Telling:
    """Hold what the words of a fact depend on: the language, the currency, and the payment's charges."""

    texts: Texts
    currency: str
    payment: Payment | None

    def charge(self, charge_id: str) -> str:
        """Name a charge by what it is for."""
        lines = self.payment.lines if self.payment else ()
        return next((line.description or line.debit_type for line in lines if line.charge_id == charge_id), charge_id)


Say = Callable[[Telling, object], str]

VIAS: Mapping[str, str] = {
    "report": marked("a report of the register server"),
    "answer": marked("the register server's answer"),
    "word": marked("a person's word"),
}

ELSEWHERE = marked("on other charges than those of the payment")
LACKS = marked("%(amount)s of “%(charge)s”")


def _plain(_telling: Telling, value: object) -> str:
    return str(value)


def _said(telling: Telling, value: object) -> str:
    return reason_words(telling.texts, str(value))


def _cents(telling: Telling, value: object) -> str:
    return telling.texts.money(int(str(value)), telling.currency)


def _exact(telling: Telling, value: object) -> str:
    return telling.texts.exact(Decimal(str(value)), telling.currency)


def _list(_telling: Telling, value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _charges(telling: Telling, value: object) -> str:
    return ", ".join(telling.charge(str(each)) for each in value) if isinstance(value, list | tuple) else str(value)


def _via(telling: Telling, value: object) -> str:
    return telling.texts.gettext(VIAS.get(str(value), str(value)))


def _heard(telling: Telling, value: object) -> str:
    return telling.texts.gettext(SENTENCES.get(str(value), str(value)))


def _standing(telling: Telling, value: object) -> str:
    return standing_words(telling.texts, str(value))


def _elsewhere(telling: Telling, _value: object) -> str:
    return telling.texts.gettext(ELSEWHERE)


def _lacking(telling: Telling, value: object) -> str:
    parts = value.items() if isinstance(value, dict) else ()
    said = telling.texts.gettext(LACKS)
    return ", ".join(said % {"amount": _exact(telling, sum_), "charge": telling.charge(each)} for each, sum_ in parts)


FACTS: Mapping[str, tuple[str, Say] | None] = {
    "heard": (marked("What was heard"), _heard),
    "via": (marked("How it was heard"), _via),
    "stood": (marked("What was known before"), _standing),
    "why": (marked("What was said"), _said),
    "receipt": (marked("Receipt number"), _plain),
    "reported_id": (marked("Number of the payment in the report"), _plain),
    "sum_minor": (marked("Sum that the till names"), _cents),
    "collected_minor": (marked("The till collected"), _cents),
    "total_minor": (marked("Asked for"), _cents),
    "surplus": (marked("Collected more than the charges owe"), _exact),
    "credit": (marked("Credit in the library system"), _plain),
    "credits": (marked("Credits in the library system"), _list),
    "amount": (marked("Sum of the credit"), _exact),
    "unapplied": (marked("Not applied to any charge"), _exact),
    "elsewhere": (marked("Where the credit is"), _elsewhere),
    "unsent": (marked("Charges that nothing was sent for"), _charges),
    "lacking": (marked("Not booked yet"), _lacking),
    "reference": (marked("What to look for in the credit's note"), _plain),
    "seconded_by": (marked("Who agreed"), _plain),
    "register": (marked("Register"), _plain),
    "n": None,
    "refund": None,
}
"""The label of each fact of a case, and how its value is said; None for what is nothing to a person."""


def facts_of(telling: Telling, case: Case, credits_: tuple[StoredCredit, ...]) -> list[tuple[str, str]]:
    """List the facts of a case, each with its label, in the order in which a person asks for them."""
    facts = dict(case.facts) | _not_booked(case, telling.payment, credits_)
    order = list(FACTS)
    names = sorted(facts, key=lambda name: order.index(name) if name in FACTS else len(order))
    return list(_told(telling, {name: facts[name] for name in names}))


def _told(telling: Telling, facts: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        known = FACTS.get(name, (name, _plain))
        if known is not None and value is not None:
            label, say = known
            yield telling.texts.gettext(label), say(telling, value)


def _not_booked(case: Case, payment: Payment | None, credits_: tuple[StoredCredit, ...]) -> dict[str, object]:
    """Tell what the library system still lacks, as long as the case is open."""
    asks = case.kind in BOOKING_CASES or case.kind is CaseKind.NOT_BOOKED
    if payment is None or case.closed_at is not None or not asks or not (lacks := lacking(payment, credits_)):
        return {}
    return {"lacking": lacks}
