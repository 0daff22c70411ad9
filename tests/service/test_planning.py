# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from decimal import Decimal

from support.payments import make_payment
from tillbridge.service.planning import lacking
from tillbridge.service.store_port import CreditState, StoredCredit


def test_what_is_lacking_is_the_part_of_each_line_that_no_booked_credit_has() -> None:
    payment = make_payment("A1", "1", "2", "3")
    owed = {"1": Decimal(1), "2": Decimal(3), "3": Decimal(3)}
    booked = StoredCredit(0, ("1", "2"), Decimal(4), owed, CreditState.BOOKED)
    sent = StoredCredit(1, ("3",), Decimal(3), owed, CreditState.SENT)
    assert lacking(payment, [booked, sent]) == {"1": "2", "3": "3"}
