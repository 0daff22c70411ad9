# SPDX-License-Identifier: GPL-3.0-or-later
"""Do what librarians, cron jobs and accidents do to a ledger, beside the REST routes."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tillbridge.simulators.library.book import Book, exact
from tillbridge.simulators.library.facts import (
    CreditOrder,
    Line,
    NotPossibleError,
    Offset,
    OffsetKind,
    PayoutOrder,
    Side,
)


def grow(book: Book, debit_id: int, by: Decimal) -> Line:
    """Let a charge grow, as an overdue with status UNRETURNED does every night (dossier 1.2)."""
    debit = book.line(debit_id, Side.DEBIT)
    more = exact(by)
    if more <= 0:
        raise NotPossibleError("A charge grows by more than nothing.")
    book.offsets.append(Offset(None, debit_id, more, OffsetKind.GROW))
    return book.change(debit_id, amount=debit.amount + more, outstanding=debit.outstanding + more)


def write_off(book: Book, debit_id: int, amount: Decimal | None = None) -> Line:
    """Write a charge off, whole or in part, with a credit of type WRITEOFF; return that credit."""
    debit = book.line(debit_id, Side.DEBIT)
    gone = debit.outstanding if amount is None else exact(amount)
    if not 0 < gone <= debit.outstanding:
        raise NotPossibleError("No more can be written off than is owed.")
    return _by_hand(book, debit, CreditOrder(gone, "WRITEOFF", (debit_id,), debit.library_id))


def _by_hand(book: Book, debit: Line, order: CreditOrder) -> Line:
    if debit.patron_id is None:
        raise NotPossibleError("The patron of this charge is gone.")
    return book.record(debit.patron_id, order, user_id=1, interface="intranet")


def pay(book: Book, patron_id: int, order: CreditOrder) -> Line:
    """Pay at the library's own desk with Koha's own button; what the lines do not need spills over."""
    book.patron(patron_id)
    _check_debits(book, order.line_ids or ())
    return book.record(patron_id, order, user_id=1, interface="intranet")


def void(book: Book, credit_id: int, user_id: int = 1) -> Line:
    """Void a credit: what it paid is owed again, and the credit gets the status VOID (dossier 3.6)."""
    credit = book.line(credit_id, Side.CREDIT)
    if credit.status == "VOID":
        raise NotPossibleError("This credit is void already.")
    for debit_id, paid in paid_by(book, credit_id).items():
        book.move(credit_id, debit_id, -paid, OffsetKind.VOID)
    mirror = book.add_line(credit, "VOID", -credit.amount, user_id=user_id)
    book.offsets.append(Offset(credit_id, mirror.line_id, -credit.amount, OffsetKind.VOID))
    return book.change(credit_id, outstanding=exact(Decimal(0)), status="VOID")


def paid_by(book: Book, credit_id: int) -> dict[int, Decimal]:
    """Sum up how much of which debit a credit has paid and not taken back."""
    sums: dict[int, Decimal] = {}
    for offset in book.offsets:
        if offset.credit_id == credit_id and offset.debit_id is not None:
            sums[offset.debit_id] = sums.get(offset.debit_id, Decimal(0)) + offset.amount
    return {debit_id: paid for debit_id, paid in sums.items() if paid}


def refund(book: Book, debit_id: int, amount: Decimal, payout: PayoutOrder) -> tuple[Line, Line]:
    """Refund a charge that was paid, and pay the money out; return the REFUND credit and the PAYOUT debit.

    Koha does this in two steps (dossier 3.6). The refund is linked to the charge by an offset of nothing.
    """
    debit, sum_ = book.line(debit_id, Side.DEBIT), exact(amount)
    order = CreditOrder(sum_, "REFUND", library_id=payout.library_id, note=payout.note, register_id=payout.register_id)
    credit = book.store(debit.patron_id, order, payout.user_id, "intranet")
    book.offsets.append(Offset(credit.line_id, debit_id, exact(Decimal(0)), OffsetKind.APPLY))
    paid_out = book.add_line(credit, "PAYOUT", sum_, sum_, payout_type=payout.payout_type, note=payout.note)
    book.move(credit.line_id, paid_out.line_id, sum_, OffsetKind.APPLY)
    book.change(debit_id, status="REFUNDED")
    return book.lines[credit.line_id], book.lines[paid_out.line_id]


def apply_by_hand(book: Book, credit_id: int, line_ids: Iterable[int] | None = None) -> Line:
    """Apply what is left of a credit to the lines named, or to every open charge of its patron."""
    credit = book.line(credit_id, Side.CREDIT)
    if not credit.outstanding:
        raise NotPossibleError("Nothing is left of this credit.")
    wanted = sorted(set(line_ids or ()))
    _check_debits(book, wanted)
    open_debits = [line.line_id for line in book.open_lines(credit.patron_id, Side.DEBIT)]
    book.apply(credit_id, wanted or open_debits)
    return book.lines[credit_id]


def _check_debits(book: Book, line_ids: Iterable[int]) -> None:
    for line_id in line_ids:
        book.line(line_id, Side.DEBIT)


def merge(book: Book, patron_id: int, into: int) -> None:
    """Merge a patron into another one: the lines move, and the first id is unknown from then on."""
    if patron_id == into:
        raise NotPossibleError("A patron cannot be merged into itself.")
    book.patron(into)
    book.remove_patron(patron_id, into)


def delete(book: Book, patron_id: int) -> None:
    """Delete a patron; the lines stay in the ledger and belong to nobody."""
    book.remove_patron(patron_id, None)


def record_losing_an_update(
    book: Book, patron_id: int, orders: tuple[CreditOrder, CreditOrder], users: tuple[int | None, int | None]
) -> tuple[Line, Line]:
    """Record two credits that both read the debts before either wrote them; the second writes last.

    Measured: 6 and 4 on a debt of 10 can leave part of it open although both credits are wholly applied.
    """
    first, second = (book.store(patron_id, order, user) for order, user in zip(orders, users, strict=True))
    book.settle(first.line_id, orders[0].line_ids)
    lost = paid_by(book, first.line_id)
    for debit_id, paid in lost.items():
        book.change(debit_id, outstanding=book.lines[debit_id].outstanding + paid)
    book.settle(second.line_id, orders[1].line_ids)
    for debit_id in lost.keys() - paid_by(book, second.line_id).keys():
        book.change(debit_id, outstanding=book.lines[debit_id].outstanding - lost[debit_id])
    return book.lines[first.line_id], book.lines[second.line_id]
