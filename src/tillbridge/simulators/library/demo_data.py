# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill a ledger with invented patrons and charges such as a Finnish library has."""

from __future__ import annotations

from decimal import Decimal

from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.facts import ChargeOrder, PatronOrder

_GROWING = "UNRETURNED"
_Charge = tuple[str, str, str, str | None]
_PATRONS: tuple[tuple[PatronOrder, tuple[_Charge, ...]], ...] = (
    (
        PatronOrder("21000001", "Virtanen", "Matti", "CPL"),
        (
            ("2.40", "OVERDUE", "Myöhästymismaksu: Sinuhe egyptiläinen", _GROWING),
            ("0.20", "OVERDUE", "Myöhästymismaksu: Tuntematon sotilas", "RETURNED"),
            ("24.90", "LOST", "Kadonnut aineisto: Täällä Pohjantähden alla", None),
        ),
    ),
    (
        PatronOrder("21000002", "Mäkinen", "Äiti Öövi", "CPL"),
        (
            ("3.00", "NEW_CARD", "Uusi kirjastokortti", None),
            ("1.00", "RESERVE", "Varausmaksu: Puhdistus", None),
            ("0.35", "COPY", "Tulosteet 7 kpl", None),
        ),
    ),
    (
        PatronOrder("21000003", "Ahlström-Nieminen", "Åsa", "MPL"),
        (
            ("6.00", "OVERDUE", "Myöhästymismaksu: Muumipappa ja meri", "RETURNED"),
            ("5.55", "MANUAL", "Näyttelyluettelo & postikortit", None),
        ),
    ),
    (
        PatronOrder("21000004", "Çelik", "Zübeyde", "MPL"),
        (
            ("0.333", "OVERDUE", "Myöhästymismaksu: 1984", "RETURNED"),
            ("1.50", "RESERVE", "Noutamaton varaus: Kalevala", None),
        ),
    ),
    (
        PatronOrder("21000005", "Näkkäläjärvi", "Áile", "MPL"),
        (("12.80", "OVERDUE", "Myöhästymismaksu: Aikakauslehdet, vuosikerta", _GROWING),),
    ),
    (PatronOrder("21000006", "O'Connor", "Seán", "CPL"), ()),
)


def seed_demo(book: Book) -> None:
    """Add six invented patrons: with open charges at both branches, a fraction of a cent, and one without debts."""
    for order, charges in _PATRONS:
        patron = book.add_patron(order)
        for amount, debit_type, description, status in charges:
            charge = ChargeOrder(Decimal(amount), debit_type, description, status, patron.library_id)
            book.charge(patron.patron_id, charge)
