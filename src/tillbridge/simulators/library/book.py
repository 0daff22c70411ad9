# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the ledger as a measured Koha 23.05.04 keeps it, quirks included; pure, apart from the clock it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from tillbridge.simulators.library.facts import (
    ChargeOrder,
    CrashError,
    CreditOrder,
    Line,
    MissingError,
    NotPossibleError,
    Offset,
    OffsetKind,
    Patron,
    PatronOrder,
    Rules,
    Side,
)

_PLACES = Decimal("0.000001")
_TOO_MUCH = Decimal(10) ** 22
_PAYMENT_TYPE_LENGTH = 80
_NEEDS_REGISTER = frozenset({"CASH", "SIP00"})
_CREDIT_TYPES = ("CREDIT", "FORGIVEN", "LOST_FOUND", "OVERPAYMENT", "PAYMENT", "PURCHASE", "REFUND", "WRITEOFF")
_NOTHING = Decimal(0)
BRANCHES = {"CPL": "Pääkirjasto", "MPL": "Lähikirjasto"}
REGISTERS = {1: "CPL", 2: "CPL", 3: "MPL"}
PAYMENT_TYPES = {"CARD": "Kortti", "CASH": "Käteinen", "CEEPOS": "Ceepos-kassa", "KOHA10": "Kassapääte"}


def _system_time() -> datetime:
    return datetime.now().astimezone().replace(microsecond=0)


def exact(amount: Decimal) -> Decimal:
    """Store an amount as the column does: six places, 22 digits before them; crash beyond (dossier 1.2)."""
    if abs(amount) >= _TOO_MUCH:
        raise CrashError("the amount does not fit the column")
    return amount.quantize(_PLACES)


class Book:
    """Hold patrons, lines and offsets; every method is one of Koha's transactions.

    What is made, changed or removed is named in `touched_patrons` and `touched_lines`, for whoever keeps it.
    """

    def __init__(self, now: Callable[[], datetime] = _system_time) -> None:
        self.now = now
        self.rules = Rules()
        self.patrons: dict[int, Patron] = {}
        self.lines: dict[int, Line] = {}
        self.offsets: list[Offset] = []
        self.libraries = dict(BRANCHES)
        self.payment_types = dict(PAYMENT_TYPES)
        self.registers = dict(REGISTERS)
        self.credit_types = set(_CREDIT_TYPES)
        self._cards: set[str] = set()
        self._of_patron: dict[int | None, list[int]] = {}
        self._last_patron = 0
        self._last_line = 0
        self.touched_patrons: set[int] = set()
        self.touched_lines: set[int] = set()

    # --- what outlives the process ---

    @property
    def last_ids(self) -> tuple[int, int]:
        """Return the last patron's id and the last line's: neither is ever used again."""
        return self._last_patron, self._last_line

    def restore(
        self, patrons: Iterable[Patron], lines: Iterable[Line], offsets: Iterable[Offset], last_ids: tuple[int, int]
    ) -> None:
        """Fill an empty book with what was kept of one."""
        self.patrons = {patron.patron_id: patron for patron in patrons}
        self.lines = {line.line_id: line for line in sorted(lines, key=lambda line: line.line_id)}
        self.offsets = list(offsets)
        self._cards = {patron.cardnumber for patron in self.patrons.values()}
        self.credit_types |= {line.type for line in self.lines.values() if line.is_credit}
        for line in self.lines.values():
            self._of_patron.setdefault(line.patron_id, []).append(line.line_id)
        self._last_patron, self._last_line = last_ids

    # --- reading ---

    def patron(self, patron_id: int) -> Patron:
        """Return the patron; raise MissingError when there is none (any more)."""
        try:
            return self.patrons[patron_id]
        except KeyError:
            raise MissingError(f"There is no patron {patron_id}.") from None

    def line(self, line_id: int, side: Side | None = None) -> Line:
        """Return the line; raise MissingError when there is none on that side."""
        line = self.lines.get(line_id)
        if line is None or side not in {None, line.side}:
            raise MissingError(f"There is no {side or 'line'} {line_id}.")
        return line

    def all_lines_of(self, patron_id: int | None) -> list[Line]:
        """List every line of the patron in id order."""
        return [self.lines[line_id] for line_id in self._of_patron.get(patron_id, ())]

    def lines_of(self, patron_id: int | None, side: Side) -> list[Line]:
        """List the patron's debits or credits in id order, paid and void ones too."""
        return [line for line in self.all_lines_of(patron_id) if line.side is side]

    def open_lines(self, patron_id: int | None, side: Side) -> list[Line]:
        """List the patron's debits or credits that have something outstanding, in id order."""
        return [line for line in self.lines_of(patron_id, side) if line.outstanding]

    # --- patrons and charges ---

    def add_patron(self, order: PatronOrder) -> Patron:
        """Create a patron; card numbers and ids are unique."""
        patron_id = order.patron_id or self._last_patron + 1
        if patron_id in self.patrons or order.cardnumber in self._cards:
            raise NotPossibleError("The patron's id or card number is taken.")
        userid = order.userid or order.cardnumber.lower()
        self.patrons[patron_id] = Patron(
            patron_id=patron_id,
            cardnumber=order.cardnumber,
            surname=order.surname,
            firstname=order.firstname,
            library_id=order.library_id,
            category_id=order.category_id,
            userid=userid,
            updated_on=self.now(),
            restricted=order.restricted,
            rights=order.rights,
        )
        self._cards.add(order.cardnumber)
        self.touched_patrons.add(patron_id)
        self._last_patron = max(self._last_patron, patron_id)
        return self.patrons[patron_id]

    def remove_patron(self, patron_id: int, heir: int | None) -> None:
        """Remove a patron; the lines go to the heir, or stay and belong to nobody."""
        gone = self.patrons.pop(self.patron(patron_id).patron_id)
        self._cards.discard(gone.cardnumber)
        self.touched_patrons.add(patron_id)
        moved = self._of_patron.pop(patron_id, [])
        for line_id in moved:
            self.lines[line_id] = replace(self.lines[line_id], patron_id=heir)
        self.touched_lines.update(moved)
        self._of_patron[heir] = sorted(self._of_patron.get(heir, []) + moved)

    def charge(self, patron_id: int, order: ChargeOrder) -> Line:
        """Create a debt of the patron."""
        self.patron(patron_id)
        amount = exact(order.amount)
        if amount <= 0:
            raise NotPossibleError("A charge is more than nothing.")
        moment = self.now()
        line = Line(
            line_id=self._take_id(order.line_id),
            patron_id=patron_id,
            side=Side.DEBIT,
            type=order.type,
            amount=amount,
            outstanding=amount,
            date=moment,
            timestamp=moment,
            description=order.description,
            note=order.note,
            status=order.status,
            library_id=order.library_id,
            interface=order.interface,
            user_id=order.user_id,
        )
        return self._create(line)

    # --- credits ---

    def record(self, patron_id: int, order: CreditOrder, user_id: int | None, interface: str = "api") -> Line:
        """Record a credit as Koha's REST route does: store it, then apply it, in separate transactions.

        Raises CrashError where Koha answers 500; the credit may be stored all the same (dossier 1.3).
        """
        credit = self.store(patron_id, order, user_id, interface)
        self.settle(credit.line_id, order.line_ids)
        return self.lines[credit.line_id]

    def store(self, patron_id: int | None, order: CreditOrder, user_id: int | None, interface: str = "api") -> Line:
        """Store a credit and apply it to nothing: Koha's first transaction. The patron may be one who is gone."""
        if patron_id is not None:
            self.patron(patron_id)
        self.check_rules(order)
        line_id = self._take_id()  # a rolled back insert has used its number up too
        if order.library_id is not None and order.library_id not in self.libraries:
            raise CrashError("there is no such library")
        amount = -exact(order.amount)
        self.credit_types.add(order.credit_type)
        moment = self.now()
        day = moment if order.date is None else datetime.combine(order.date, time(), moment.tzinfo)
        return self._create(
            Line(
                line_id=line_id,
                patron_id=patron_id,
                side=Side.CREDIT,
                type=order.credit_type,
                amount=amount,
                outstanding=amount,
                date=day,
                timestamp=moment,
                description=order.description,
                note=order.note,
                payment_type=order.payment_type and order.payment_type[:_PAYMENT_TYPE_LENGTH],
                library_id=order.library_id,
                interface=interface,
                user_id=user_id,
                register_id=order.register_id,
                credit_number=f"{order.library_id}{line_id:010}" if self.rules.credit_numbers else None,
            )
        )

    def settle(self, credit_id: int, line_ids: Iterable[int] | None) -> None:
        """Apply a stored credit to the lines asked for, then let the rest spill over to all other open debts.

        Nobody checks whose the lines are, as measured: another patron's debt is paid.
        """
        credit = self.lines[credit_id]
        if line_ids:
            self.apply(credit_id, [line_id for line_id in sorted(set(line_ids)) if line_id in self.lines])
        if not line_ids or self.lines[credit_id].outstanding:
            self.apply(credit_id, [line.line_id for line in self.open_lines(credit.patron_id, Side.DEBIT)])

    def apply(self, credit_id: int, debit_ids: Iterable[int]) -> None:
        """Spend a credit on debts in the order given: one transaction, all or (with CrashError) nothing."""
        wanted = list(debit_ids)
        if self.lines[credit_id].outstanding >= 0:
            raise CrashError("the credit has nothing left to give")
        if any(self.lines[debit_id].is_credit for debit_id in wanted):
            raise CrashError("a credit is no debt")
        for debit_id in wanted:
            self._pay(credit_id, debit_id, -self.lines[credit_id].outstanding)

    def _pay(self, credit_id: int, debit_id: int, at_most: Decimal) -> None:
        paid = min(at_most, self.lines[debit_id].outstanding)
        if paid > 0:
            self.move(credit_id, debit_id, paid, OffsetKind.APPLY)

    def needs_register(self, payment_type: str | None) -> bool:
        """Tell whether a payment type is only taken with one of Koha's own registers."""
        return self.rules.use_cash_registers and payment_type in _NEEDS_REGISTER

    # --- what every change goes through ---

    def move(self, credit_id: int, debit_id: int, amount: Decimal, kind: OffsetKind) -> None:
        """Let a credit pay `amount` of a debt (or, negative, take it back) and note the offset."""
        self.change(credit_id, outstanding=self.lines[credit_id].outstanding + amount)
        self.change(debit_id, outstanding=self.lines[debit_id].outstanding - amount)
        self.offsets.append(Offset(credit_id, debit_id, amount, kind))

    def change(
        self,
        line_id: int,
        *,
        amount: Decimal | None = None,
        outstanding: Decimal | None = None,
        status: str | None = None,
    ) -> Line:
        """Change what a line says, and when it was last changed."""
        old = self.lines[line_id]
        new = replace(
            old,
            amount=old.amount if amount is None else amount,
            outstanding=old.outstanding if outstanding is None else outstanding,
            status=status or old.status,
            timestamp=self.now(),
        )
        owed = -new.outstanding if new.is_credit else new.outstanding
        assert owed >= 0, f"line {line_id} is overpaid"  # noqa: S101 - an invariant that stays switched on
        self.lines[line_id] = new
        self.touched_lines.add(line_id)
        return new

    def add_line(self, like: Line, type_: str, amount: Decimal, outstanding: Decimal = _NOTHING, **more: Any) -> Line:
        """Add a debit that mirrors another line, settled unless told otherwise (Koha's VOID and PAYOUT lines)."""
        moment = self.now()
        plain = {"description": "", "note": "", "payment_type": None, "credit_number": None, "interface": "intranet"}
        mirror = replace(
            like,
            line_id=self._take_id(),
            side=Side.DEBIT,
            type=type_,
            amount=amount,
            outstanding=outstanding.quantize(_PLACES),
            date=moment,
            timestamp=moment,
            **(plain | more),
        )
        return self._create(mirror)

    def _create(self, line: Line) -> Line:
        self.lines[line.line_id] = line
        self.touched_lines.add(line.line_id)
        self._of_patron.setdefault(line.patron_id, []).append(line.line_id)
        credit_id, debit_id = (line.line_id, None) if line.is_credit else (None, line.line_id)
        self.offsets.append(Offset(credit_id, debit_id, line.amount, OffsetKind.CREATE))
        return line

    def _take_id(self, wanted: int | None = None) -> int:
        line_id = wanted or self._last_line + 1
        if line_id <= self._last_line:
            raise NotPossibleError(f"Line numbers only go up; the last one was {self._last_line}.")
        self._last_line = line_id
        return line_id

    def check_rules(self, order: CreditOrder) -> None:
        """Raise CrashError where Koha's switches do not let a credit through."""
        if order.amount <= 0:
            raise CrashError("the amount is nothing")
        if self.rules.require_payment_type and not order.payment_type:
            raise CrashError("a payment type is required")
        if self.needs_register(order.payment_type) and order.register_id is None:
            raise CrashError("this payment type needs a cash register")
