# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges that begin a payment wrongly: whose charges, for how much, and who else has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from simulation.planted import scripts
from simulation.planted.bug import Bug, patched
from tillbridge.domain.lifecycle import Collection
from tillbridge.domain.payment import Line, Payment
from tillbridge.service import starting
from tillbridge.service.library_port import Charge
from tillbridge.service.starting import Chosen
from tillbridge.store.transaction import SqlTransaction


def _asks_for_each_charge_whole(patch: pytest.MonkeyPatch) -> None:
    """Reduce each charge to the sum, and not to what is left of it: 5.00 of 3, 4 and 6 is 12.00."""
    patch.setattr(starting, "allocate", lambda wanted, owed: tuple(min(wanted, each) for each in owed))


def _believes_the_browser(patch: pytest.MonkeyPatch) -> None:
    chosen = starting._chosen

    def careless(open_now: Sequence[Charge], wanted: tuple[Chosen, ...] | None) -> list[Charge]:
        if wanted is None or any(each.owed is None for each in wanted):
            return chosen(open_now, wanted)
        known = {charge.charge_id: charge for charge in open_now}
        return [
            replace(known[each.charge_id], owed=each.owed or Decimal(0)) for each in wanted if each.charge_id in known
        ]

    patch.setattr(starting, "_chosen", careless)


def _takes_any_charge(patch: pytest.MonkeyPatch) -> None:
    chosen = starting._chosen

    def careless(open_now: Sequence[Charge], wanted: tuple[Chosen, ...] | None) -> list[Charge]:
        known = {charge.charge_id for charge in open_now}
        strange = [each for each in wanted or () if each.charge_id not in known]
        read = [Charge(each.charge_id, "of somebody", "OVERDUE", "a fine", Decimal(1)) for each in strange]
        return chosen([*open_now, *read], wanted)

    patch.setattr(starting, "_chosen", careless)


def _lets_go_of_what_is_unknown(patch: pytest.MonkeyPatch) -> None:
    save = SqlTransaction.save

    def careless(self: SqlTransaction, payment: Payment) -> Payment:
        if payment.collection is Collection.UNKNOWN:
            self.release_claims(payment.id)
        return save(self, payment)

    patch.setattr(SqlTransaction, "save", careless)


BUGS = (
    Bug("no charge is claimed", patched(SqlTransaction, "claim", lambda *_: None), "lost its claims", 5, row=7),
    Bug(
        "the claim of a charge is never released",
        patched(SqlTransaction, "release_claims", lambda *_: None),
        "a claim outlives its payment",
        5,
    ),
    Bug("what nobody knows lets go of its charges", _lets_go_of_what_is_unknown, "lost its claims", 6, row=1),
    Bug(
        "a partial sum is asked for charge by charge",
        _asks_for_each_charge_whole,
        "asks for another sum than the clerk has said",
        18,
        row=3,
    ),
    Bug(
        "the amount of the browser is trusted",
        _believes_the_browser,
        "is not what the library system has shown",
        script=scripts.BROWSER_SAYS_99,
        row=8,
    ),
    Bug(
        "a charge of another patron is accepted",
        _takes_any_charge,
        "is not what the library system has shown",
        row=8,
        script=scripts.BROWSER_NAMES_ANOTHERS,
    ),
    Bug(
        "a charge is booked whole though a part of it was paid",
        patched(Line, "exact", property(lambda line: line.owed)),
        "beside what the till takes",
        15,
    ),
)
