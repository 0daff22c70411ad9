# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn Koha's JSON into the port's facts, and an order into Koha's JSON; nothing is believed unchecked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tillbridge.libraries.koha.replies import Unexpected
from tillbridge.service.library_port import Charge, Credit, CreditOrder, Effect, Patron

_ID = re.compile(r"[1-9][0-9]{0,17}")
_PLACES = Decimal("0.000001")  # Koha's columns are decimal(28,6)
_MOST_READ = Decimal(10) ** 15
_MOST_WRITTEN = Decimal(10) ** 9  # with six places the 15 digits that Perl's numbers carry exactly
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_SHORTEST_NAME, _LONGEST_NAME, _MOST_WORDS = 2, 100, 5


@dataclass(frozen=True, slots=True)
class CreditLine:
    """Hold a credit as Koha lists it, with its note for the staff."""

    line_id: int
    note: str
    amount: Decimal
    unapplied: Decimal
    void: bool

    def as_credit(self, reference: str) -> Credit:
        """Return the port's fact under the reference that was found in the note."""
        return Credit(str(self.line_id), reference, self.amount, self.unapplied, self.void)


def is_id(text: str) -> bool:
    """Tell whether a text is an id of Koha in its one spelling: digits, none too many, no zero before."""
    return _ID.fullmatch(text) is not None


def exact_amount(value: object) -> Decimal:
    """Return a number of Koha's JSON as plain decimal, at most six places; raise Unexpected if it is no amount.

    More places than the column has are the shadow of a binary number on the way; rounding finds the column's.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unexpected("has an amount that is no number")
    amount = Decimal(value)
    if not (amount.is_finite() and -_MOST_READ < amount < _MOST_READ):
        raise Unexpected("has an amount beyond all measure")
    if amount != amount.quantize(_PLACES):
        amount = amount.quantize(_PLACES)
    return Decimal(format(amount, "f")) if amount else Decimal(0)


def amount_text(amount: Decimal) -> str:
    """Write an amount as a JSON number without exponent; raise ValueError where Koha could not keep it exactly."""
    if not (amount.is_finite() and 0 < amount < _MOST_WRITTEN) or amount != amount.quantize(_PLACES):
        raise ValueError(f"Koha keeps amounts over 0 with six places, not {amount}")
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def charges_of(account: Any, patron_id: str) -> tuple[Charge, ...]:
    """Read an account's open charges by id: measured, Koha pays them off in this order, whatever it is told."""
    match account:
        case {"outstanding_debits": {"lines": [*lines]}}:
            charges = [_charge(_own(line, patron_id)) for line in lines]
        case _:
            raise Unexpected("has no list of charges")
    return tuple(sorted((c for c in charges if c.owed > 0), key=lambda c: int(c.charge_id)))


def _charge(line: dict[str, Any]) -> Charge:
    return Charge(
        charge_id=str(_whole(line, "account_line_id")),
        patron_id=str(_whole(line, "patron_id")),
        debit_type=_text(line, "debit_type"),
        description=_text(line, "description"),
        owed=exact_amount(line.get("amount_outstanding")),
        date=_text(line, "date")[:40],
        effect=_effect(line),
    )


def _effect(line: dict[str, Any]) -> Effect | None:
    """Say what Koha may do by its preferences when this is paid in full (dossier 1.7); REST does not tell after."""
    match line:
        case {"debit_type": "OVERDUE", "status": "UNRETURNED"}:
            return Effect.MAY_RENEW
        case {"debit_type": "LOST"}:
            return Effect.MAY_RETURN
    return None


def credit_lines(listed: Any, patron_id: str) -> dict[int, CreditLine]:
    """Read a list of credits by id."""
    if not isinstance(listed, list):
        raise Unexpected("is no list of credits")
    lines = (credit_line(line, patron_id) for line in listed)
    return {line.line_id: line for line in lines}


def credit_line(line: Any, patron_id: str) -> CreditLine:
    """Read one credit; Koha keeps its amounts negative."""
    own = _own(line, patron_id)
    amount, outstanding = exact_amount(own.get("amount")), exact_amount(own.get("amount_outstanding"))
    if amount > 0 or outstanding > 0:
        raise Unexpected("has a credit that is none")
    return CreditLine(
        line_id=_whole(own, "account_line_id"),
        note=_text(own, "internal_note"),
        amount=abs(amount),
        unapplied=abs(outstanding),
        void=_text(own, "status") == "VOID",
    )


def patron_of(value: Any) -> Patron:
    """Read a patron; one without a card, or without a first name (an institution), has an empty text there."""
    if not isinstance(value, dict):
        raise Unexpected("is no patron")
    return Patron(
        patron_id=str(_whole(value, "patron_id")),
        card_number=_text(value, "cardnumber"),
        surname=_text(value, "surname"),
        firstname=_text(value, "firstname"),
        restricted=value.get("restricted") is True,
    )


def patrons_of(value: Any) -> tuple[Patron, ...]:
    """Read a list of patrons."""
    if not isinstance(value, list):
        raise Unexpected("is no list of patrons")
    return tuple(patron_of(one) for one in value)


def _own(line: Any, patron_id: str) -> dict[str, Any]:
    if not isinstance(line, dict):
        raise Unexpected("has a line that is none")
    if str(_whole(line, "patron_id")) != patron_id:
        raise Unexpected("has a line of another patron")  # an answer mixed up once: nothing in it can be trusted
    return line


def _whole(line: dict[str, Any], name: str) -> int:
    value = line.get(name)
    if not isinstance(value, int) or not is_id(str(value)):
        raise Unexpected(f"has no {name}")
    return value


def _text(line: dict[str, Any], name: str) -> str:
    if name not in line or not isinstance(line[name], str | None):
        raise Unexpected(f"has no {name}")
    return line[name] or ""


def credit_body(order: CreditOrder, payment_type: str, description: str) -> bytes:
    """Write the order as Koha's JSON; raise ValueError where Koha would not do what it says.

    Without charges Koha pays any of the patron's, without branch it keeps none; ``date`` is never sent, since
    it sets the time to midnight (dossier 1.3). The amount goes in by hand: it must not pass through a float.
    """
    if not order.charge_ids or not all(is_id(one) for one in order.charge_ids):
        raise ValueError("the charges of a credit are named by Koha's numbers")
    if not order.branch:
        raise ValueError("a credit has a branch")
    if order.reference not in order.note.split():
        raise ValueError("a credit's note holds its reference, or it is never found again")
    facts: dict[str, object] = {
        "credit_type": "PAYMENT",
        "payment_type": payment_type,
        "library_id": order.branch,
        "account_lines_ids": [int(one) for one in order.charge_ids],
        "note": order.note,
    }
    if description:
        facts["description"] = description
    rest = json.dumps(facts, ensure_ascii=False)
    return f'{{"amount": {amount_text(order.amount)}, {rest[1:]}'.encode("utf-8", "replace")


def reference_query(payment_reference: str) -> str:
    """Write the filter for credits whose note holds the reference (dossier 1.5).

    It finds too much: the database ignores letter case. `reference_in` decides.
    """
    return _compact({"internal_note": {"-like": f"%{_like_word(payment_reference)}%"}})


def is_name(text: str) -> bool:
    """Tell whether a text can be looked for as a name: 2 to 100 printable characters in at most 5 words."""
    return _SHORTEST_NAME <= len(text) <= _LONGEST_NAME and text.isprintable() and len(text.split()) <= _MOST_WORDS


def name_query(text: str) -> str:
    """Write the filter for patrons whose first name or surname begins with each word (dossier 1.5).

    The beginning alone, so that the database can use its indexes of both names.
    """
    patterns = [{"-like": f"{_like_word(word)}%"} for word in text.split()]
    return _compact({"-and": [{"-or": [{"surname": one}, {"firstname": one}]} for one in patterns]})


def _like_word(word: str) -> str:
    """Escape LIKE's own signs."""
    return re.sub(r"([\\%_])", r"\\\1", word)


def _compact(query: dict[str, Any]) -> str:
    return json.dumps(query, separators=(",", ":"))


def reference_in(note: str, payment_reference: str) -> str | None:
    """Return the last whole word of a note that is the reference, or it with ``:n`` behind it."""
    for word in reversed(note.split()):
        head, colon, number = word.rpartition(":")
        if word == payment_reference or (head == payment_reference and colon and _NUMBER.fullmatch(number)):
            return word
    return None
