# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill a ledger with invented patrons and charges such as a Finnish library has."""

from __future__ import annotations

from decimal import Decimal

from tillbridge.simulators.library.book import Book
from tillbridge.simulators.library.facts import ChargeOrder, PatronOrder

_GROWING = "UNRETURNED"
_Charge = tuple[str, str, str, str | None]
_LATE_BOOKS = (
    ("Trollkarlens hatt", "0.60"),
    ("Pappan och havet", "0.60"),
    ("Det osynliga barnet", "0.80"),
    ("Sent i november", "1.20"),
    ("Sommarboken", "0.40"),
    ("Under strecket", "2.00"),
    ("Den sanna historien om Pinocchios näsa", "2.40"),
    ("Där vi en gång gått", "3.20"),
    ("Lang", "0.40"),
    ("Drakarna över Helsingfors", "1.00"),
    ("Vådan av att vara Skrake", "1.60"),
    ("Hägring 38", "0.20"),
)
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
    (
        PatronOrder("21000007", "Korhonen", "Väinö", "CPL", restricted=True),
        (
            ("38.50", "LOST", "Kadonnut aineisto: Seitsemän veljestä", None),
            ("6.00", "OVERDUE", "Myöhästymismaksu: Seitsemän veljestä", "RETURNED"),
        ),
    ),
    (
        PatronOrder("21000008", "Lindqvist", "Märta", "CPL"),
        (
            *((amount, "OVERDUE", f"Förseningsavgift: {title}", "RETURNED") for title, amount in _LATE_BOOKS),
            ("1.00", "RESERVE", "Reserveringsavgift: Granatäpplet", None),
        ),
    ),
    (
        PatronOrder("21000009", "von Hertzen-Lönnqvist af Björneborg", "Karl-Gustaf Emanuel Aleksander", "CPL"),
        (
            ("12.00", "OVERDUE", "Förseningsavgift: Finlands historia, band 1-4", "RETURNED"),
            ("0.50", "COPY", "Utskrifter 10 st", None),
        ),
    ),
    (
        PatronOrder("21000010", "Hämäläinen", "Aino", "MPL"),
        (
            ("0.666", "OVERDUE", "Myöhästymismaksu: Komisario Palmun erehdys", "RETURNED"),
            ("0.334", "OVERDUE", "Myöhästymismaksu: Rautatie", "RETURNED"),
        ),
    ),
    (
        PatronOrder("21000011", "Nguyễn", "Thị Hương", "MPL"),
        (
            ("3.00", "NEW_CARD", "Uusi kirjastokortti", None),
            ("2.40", "OVERDUE", "Myöhästymismaksu: Suomen mestari 2", _GROWING),
        ),
    ),
    (
        PatronOrder("21000012", "Salonen", "Eeva-Liisa", "CPL", restricted=True),
        (("64.90", "LOST", "Kadonnut aineisto: Kalevala, kuvitettu juhlapainos", None),),
    ),
)


def seed_demo(book: Book) -> None:
    """Add twelve invented patrons of both branches.

    Among them are a fraction of a cent, thirteen charges of one patron, restrictions, a long name, and no debts.
    """
    for order, charges in _PATRONS:
        patron = book.add_patron(order)
        for amount, debit_type, description, status in charges:
            charge = ChargeOrder(Decimal(amount), debit_type, description, status, patron.library_id)
            book.charge(patron.patron_id, charge)
