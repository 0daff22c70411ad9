# SPDX-License-Identifier: GPL-3.0-or-later
"""Bridges that take the wrong credits back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from simulation.planted import scripts
from simulation.planted.bug import Bug
from tillbridge.domain.payment import Payment
from tillbridge.service.library_port import Credit, ReversalAnswer, ReversalOrder, Reversed
from tillbridge.service.reversing import Reverser
from tillbridge.service.store_port import CreditState
from tillbridge.service.weighing import reference_of


def _takes_back_without_a_look(patch: pytest.MonkeyPatch) -> None:
    async def careless(self: Reverser, payment: Payment) -> tuple[Credit, ...]:
        known = await self._world.store.read(lambda tx: tx.credits(payment.id))
        booked = [credit for credit in known if credit.state is CreditState.BOOKED]
        return tuple(
            Credit(credit.credit_id or "", reference_of(payment, credit.n), credit.amount, Decimal(0), void=False)
            for credit in booked
        )

    patch.setattr(Reverser, "_find", careless)


def _takes_the_first_credit_back(patch: pytest.MonkeyPatch) -> None:
    ask = Reverser._ask

    async def careless(self: Reverser, order: ReversalOrder) -> ReversalAnswer:
        _, _, credit_n = order.booking.removeprefix("tillbridge:").partition(":")
        return await ask(self, order) if credit_n in ("", "1") else Reversed()

    patch.setattr(Reverser, "_ask", careless)


def _takes_back_all_that_was_paid_on_the_charge(patch: pytest.MonkeyPatch) -> None:
    find = Reverser._find

    async def careless(self: Reverser, payment: Payment) -> Any:
        found, charges = await find(self, payment), {line.charge_id for line in payment.lines}
        for other in await self._world.store.read(lambda tx: tx.recent_payments(100)):
            if other.id != payment.id and charges & {line.charge_id for line in other.lines}:
                found = (*found, *await find(self, other))  # type: ignore[misc]
        return found

    patch.setattr(Reverser, "_find", careless)


BUGS = (
    Bug(
        "a booking is taken back without a look",
        _takes_back_without_a_look,
        "and a credit of it stands",
        script=scripts.TAKEN_BACK_THOUGH_NOT_APPLIED,
    ),
    Bug(
        "only the first of several credits is taken back",
        _takes_the_first_credit_back,
        "is meant: why?",
        script=scripts.SEVERAL_CREDITS_TAKEN_BACK,
    ),
    Bug(
        "a charge is taken back whole though a part was paid",
        _takes_back_all_that_was_paid_on_the_charge,
        "is meant: why?",
        script=scripts.A_PART_TAKEN_BACK,
        row=4,
    ),
)
