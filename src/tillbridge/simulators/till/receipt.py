# SPDX-License-Identifier: GPL-3.0-or-later
"""The printed receipt: plain lines for a monospaced printer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from tillbridge.simulators.till.payment import Payment, Product

WIDTH = 42
_TENDERS = {"cash": "Käteinen / Cash", "card": "Kortti / Card", "mixed": "Käteinen ja kortti / Mixed"}


def euros(minor: int) -> str:
    """Write cents the Finnish way: 1234 as 12,34."""
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100},{abs(minor) % 100:02d}"


def receipt(payment: Payment, office_name: str) -> list[str]:
    """Return the lines of the receipt of a payment that was paid; none for one that was not."""
    if payment.receipt_number is None or payment.finished_at is None:
        return []
    lines = [
        *_centred(office_name),
        *_centred(f"Kuitti / Receipt {payment.receipt_number}"),
        *_centred(f"{payment.finished_at:%d.%m.%Y %H:%M:%S}"),
        "-" * WIDTH,
        *_wrapped(payment.description),
    ]
    for product in payment.products:
        lines += _product(product)
    lines += ["-" * WIDTH, _priced("YHTEENSÄ / TOTAL EUR", payment.total_minor)]
    if payment.collected_minor != payment.total_minor:
        lines.append(_priced("PYÖRISTYS / ROUNDING", payment.collected_minor - payment.total_minor))
    lines.append(_priced(_TENDERS[payment.tender or "card"], payment.collected_minor))
    if payment.taken_back_at is not None:
        lines += ["-" * WIDTH, _priced("PALAUTETTU / TAKEN BACK", -payment.collected_minor)]
        lines += _centred(f"{payment.taken_back_at:%d.%m.%Y %H:%M:%S}")
    return lines


def _product(product: Product) -> Iterator[str]:
    """Put the price behind the last line of the description; several pieces get a line of their own."""
    *above, last = _wrapped(product.description or product.code, WIDTH - 12) or [product.code]
    yield from above
    if product.pieces != 1:
        yield last
        last = f"  {product.pieces} x {euros(product.price_minor)}"
    yield _priced(last, product.sum_minor)


def _priced(text: str, minor: int) -> str:
    price = euros(minor)
    return f"{text:<{WIDTH - len(price) - 1}} {price}"


def _centred(text: str) -> list[str]:
    return [line.center(WIDTH).rstrip() for line in _wrapped(text)]


def _wrapped(text: str, width: int = WIDTH) -> list[str]:
    """Break at the width; what a printer cannot print becomes a blank."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.wrap(printable, width)
